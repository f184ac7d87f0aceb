"""Why annotators skipped, over HTTP, for those who see a project's labels."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import skip_reasons
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.fields import Number
from labeling.api.permissions import may
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Challenge, Comment, Project, Question, Tile


class SkippedTileOut(serializers.Serializer[Any]):
    """A tile that annotators skipped for a reason; in a grid, each tile that it showed."""

    tile = serializers.IntegerField(source="tile.pk", help_text="Its id.")
    question = serializers.IntegerField(
        source="question.pk",
        default=None,
        allow_null=True,
        help_text="Its id, where one was asked.",
    )
    people = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="By reason (" + ", ".join(Challenge.SkipReason.values) + "): how many "
        "different annotators gave it.",
    )
    share = serializers.FloatField(
        help_text="Of skips: one of a challenge with nine tiles is a ninth of one of each."
    )
    newest = serializers.DateTimeField(help_text="When the last of them was skipped.")


class SkipList(APIView):
    permission_classes = [may(Capability.VIEW, None, models=(Comment,))]

    @extend_schema(
        operation_id="skips_list",
        responses={200: SkippedTileOut(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List what was skipped for a reason in the last 30 days, the most often skipped first.

        48 at most. What blocked annotators say is left out.
        """
        project = get_object_or_404(Project, slug=slug)
        return Response(SkippedTileOut(skip_reasons.of_project(project), many=True).data)


class ResolveIn(Body):
    tile = Number(min_value=1, max_value=2**63 - 1, help_text="Its id.")
    question = Number(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        default=None,
        help_text="Its id, where one was asked.",
    )


class ResolveSkips(APIView):
    permission_classes = [
        may(
            None,
            Capability.REVIEW,
            models=(Comment,),
            staff_write="labeling.change_question",
        )
    ]

    @extend_schema(
        operation_id="skips_resolve",
        request=ResolveIn,
        responses={204: None, **errors(400, 401, 403, 404)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Say that it was seen to why a tile was skipped; it comes back if more people skip it."""
        project = get_object_or_404(Project, slug=slug)
        values = valid(ResolveIn(data=request.data))
        rows = Tile.objects.select_related("image__project")
        tile = get_object_or_404(rows, pk=values["tile"], image__project=project)
        question = None
        if values["question"] is not None:
            question = get_object_or_404(Question, pk=values["question"], tile=tile)
        skip_reasons.resolve(tile=tile, question=question, by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)
