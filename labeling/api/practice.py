"""Practice over HTTP: a few questions with feedback before the first one that counts."""

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import guides, languages, practice
from labeling.api import throttles, visitors
from labeling.api.bodies import Body
from labeling.api.challenges import POST_AUTH
from labeling.api.exceptions import NotFound
from labeling.api.fields import DIRECTIONS, YesOrNo
from labeling.api.for_visitors import ForVisitors
from labeling.api.guides import open_to, send_picture, wanted
from labeling.api.negotiation import PictureNegotiation
from labeling.api.queries import Id, Query
from labeling.api.schema import errors
from labeling.models import Concept, Project, Question
from labeling.practice import PracticeError


class PracticeOut(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="From 1.")
    total = serializers.IntegerField()
    concept = serializers.IntegerField()
    phrase = serializers.CharField()
    lang = serializers.CharField(help_text="Language tag of the phrase.")
    dir = serializers.ChoiceField(choices=DIRECTIONS, help_text="In which the phrase is written.")
    guide = serializers.CharField(help_text="The address of the concept's guide.")
    guide_version = serializers.CharField(
        allow_blank=True, help_text="Changes with the guide; empty: it says nothing."
    )
    url = serializers.CharField(help_text="Of the picture.")


class PracticeAnswerIn(Body):
    yes = YesOrNo(help_text="Whether the picture shows the concept.")


class PracticeResultOut(serializers.Serializer[Any]):
    right = serializers.BooleanField()
    shows = serializers.BooleanField(help_text="The truth.")
    phrase = serializers.CharField()
    lang = serializers.CharField()
    definition = serializers.CharField(allow_blank=True)
    definition_lang = serializers.CharField()
    left = serializers.IntegerField(help_text="Practice questions that follow.")


class NextPractice(ForVisitors):
    @extend_schema(
        operation_id="practice_next",
        responses={
            200: PracticeOut,
            204: OpenApiResponse(description="There is none, or it is done: ask for challenges."),
            **errors(401, 403, 404, 429),
        },
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the next practice question of somebody who has not answered here yet."""
        project = open_to(request, slug)
        questions = practice.questions(project)
        position = practice.position(
            annotator=visitors.known(request), project=project, total=len(questions)
        )
        if position is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        data = _data(request, project, questions[position], position + 1)
        return Response(data | {"total": len(questions)})


class AnswerPractice(ForVisitors):
    throttle_classes = [throttles.Asks]

    @extend_schema(
        operation_id="practice_answer",
        auth=POST_AUTH,
        request=PracticeAnswerIn,
        responses={200: PracticeResultOut, **errors(400, 401, 403, 404, 413, 415, 429)},
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        """Check an answer to a practice question; it is not recorded."""
        project = open_to(request, slug)
        body = PracticeAnswerIn(data=request.data)
        body.is_valid(raise_exception=True)
        value = body.validated_data["yes"]
        question = _question(project, number)
        annotator = visitors.welcome(request)
        right = practice.check(annotator=annotator, project=project, number=number, value=value)
        assert question.concept is not None
        phrase, language = _summary(question.concept.pk).phrase_for(wanted(request))
        return Response(
            {
                "right": right,
                "shows": question.verdict,
                "phrase": phrase,
                "lang": language,
                "definition": question.concept.definition,
                "definition_lang": project.language,
                "left": len(practice.questions(project)) - number,
            }
        )


class SkipPractice(ForVisitors):
    throttle_classes = [throttles.Asks]

    @extend_schema(
        operation_id="practice_skip",
        auth=POST_AUTH,
        request=None,
        responses={204: None, **errors(401, 403, 404, 429)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Begin without practice, or without the rest of it."""
        project = open_to(request, slug)
        annotator = visitors.welcome(request)
        practice.skip(annotator=annotator, project=project)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PictureIn(Query):
    of = Id(required=False, help_text="The question, by which browsers tell pictures apart.")


class PracticePicture(ForVisitors):
    throttle_classes = []
    content_negotiation_class = PictureNegotiation
    queries: ClassVar = {"GET": PictureIn}

    @extend_schema(
        operation_id="practice_picture",
        responses={(200, "image/webp"): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str, number: int) -> HttpResponse:
        """Send the picture of a practice question."""
        return send_picture(_question(open_to(request, slug), number).tile)


def _question(project: Project, number: int) -> Question:
    try:
        return practice.get(project, number)
    except PracticeError as error:
        raise NotFound(str(error)) from None


def _summary(concept: int) -> guides.Summary:
    try:
        return guides.summary(concept)
    except Concept.DoesNotExist:  # deleted since the question was read
        raise NotFound from None


def _data(request: Request, project: Project, question: Question, number: int) -> dict[str, Any]:
    assert question.concept is not None
    concept = question.concept.pk
    summary = _summary(concept)
    phrase, language = summary.phrase_for(wanted(request))
    return {
        "number": number,
        "concept": concept,
        "phrase": phrase,
        "lang": language,
        "dir": languages.direction(language),
        "guide": reverse("api-concept-guide", args=[project.slug, concept]),
        "guide_version": summary.version,
        # A browser keeps the picture, and another question may have the number by then.
        "url": f"{reverse('api-practice-picture', args=[project.slug, number])}?of={question.pk}",
    }
