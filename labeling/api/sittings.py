"""What came of a sitting, over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import access, languages, sittings
from labeling.api import visitors
from labeling.api.exceptions import NotFound
from labeling.api.fields import DIRECTIONS
from labeling.api.for_visitors import ForVisitors
from labeling.api.responses import private
from labeling.api.schema import errors
from labeling.drawings import Drawing
from labeling.models import Project
from labeling.sittings import ConceptAnswers


class MilestoneOut(serializers.Serializer[Any]):
    labels = serializers.IntegerField(help_text="That are certain, some minutes ago.")
    goal = serializers.IntegerField()


class ConceptAnswersOut(serializers.Serializer[Any]):
    phrase = serializers.CharField(help_text="As the concept is asked about.")
    lang = serializers.CharField(help_text="Language tag of the phrase.")
    dir = serializers.ChoiceField(choices=DIRECTIONS)
    answers = serializers.IntegerField()
    milestone = MilestoneOut(allow_null=True, help_text="null: nothing is left of it.")


class DrawingOut(serializers.Serializer[Any]):
    words = serializers.CharField()
    url = serializers.CharField()
    earlier_url = serializers.CharField(
        allow_blank=True, help_text="The same words by an earlier model; empty: there is none."
    )
    small = serializers.BooleanField(help_text="Whether it is shown larger than it is.")


class SittingOut(serializers.Serializer[Any]):
    answers = serializers.IntegerField()
    seconds = serializers.IntegerField(help_text="From the first answer to the last.")
    language = serializers.CharField(help_text="Of the drawings' words: a tag.")
    concepts = ConceptAnswersOut(many=True)
    agreement = serializers.CharField(
        allow_blank=True, help_text="How far others and the model agree, in sentences."
    )
    drawings = DrawingOut(
        many=True, help_text="By a model that had learned from earlier answers of yours."
    )


class SittingDetail(ForVisitors):
    @extend_schema(
        operation_id="projects_sitting", responses={200: SittingOut, **errors(401, 403, 404, 429)}
    )
    def get(self, request: Request, slug: str) -> Response:
        """Say what you answered in a project in one go, and what came of it."""
        annotator = visitors.known(request)
        project = Project.objects.filter(slug=slug).exclude(state=Project.State.DRAFT).first()
        if project is None or not _may_see(request, project):
            raise NotFound
        wanted = languages.wanted(request._request)
        sitting = sittings.latest(annotator, project, wanted) if annotator else sittings.Sitting()
        return private(
            {
                "answers": sitting.answers,
                "seconds": sitting.seconds,
                "language": project.language,
                "concepts": [_concept(each) for each in sitting.concepts],
                "agreement": sitting.agreement,
                "drawings": [_drawing(each) for each in sitting.drawings],
            }
        )


def _may_see(request: Request, project: Project) -> bool:
    annotator = visitors.known(request)
    return not project.private or access.may_take_part(request.user, annotator, project)


def _concept(each: ConceptAnswers) -> dict[str, object]:
    milestone = each.milestone
    return {
        "phrase": each.phrase,
        "lang": each.language,
        "dir": languages.direction(each.language),
        "answers": each.answers,
        "milestone": milestone and {"labels": milestone.labels, "goal": milestone.goal},
    }


def _drawing(each: Drawing) -> dict[str, object]:
    return {
        "words": each.words,
        "url": each.url,
        "earlier_url": each.earlier_url,
        "small": each.is_small,
    }
