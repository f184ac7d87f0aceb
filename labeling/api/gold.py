"""Gold over HTTP, for reviewers: mark it and take it back, and what to mark next."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import gold
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.fields import Number, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.pagination import Forward
from labeling.api.permissions import may
from labeling.api.queries import Flag, Id, Query, WholeNumber
from labeling.api.requests import valid
from labeling.api.review import QuestionOut, pair_concept, pair_tile
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Concept, GoldMark, Project, Question, Tile

MAY_VIEW = may(
    Capability.VIEW,
    Capability.REVIEW,
    models=(Question,),
    staff_write="labeling.change_question",
    staff_delete="labeling.change_question",
)
MAY_MARK = may(
    Capability.REVIEW,
    Capability.REVIEW,
    models=(Question,),
    staff_write="labeling.change_question",
)
OF_CONCEPT = may(Capability.REVIEW, models=(Concept, Question))
MAX_ID = 2**63 - 1
MAX_COUNT = 100


class GoldProgressOut(serializers.Serializer[Any]):
    concept = serializers.CharField(source="concept.name")
    yes = serializers.IntegerField(help_text="Gold pictures that show it.")
    no = serializers.IntegerField(help_text="Gold pictures that do not.")
    missing_yes = serializers.IntegerField()
    missing_no = serializers.IntegerField()
    why = serializers.CharField(help_text="A sentence: how much is missing, and why.")
    parts_yes = serializers.IntegerField(help_text="Gold parts of cut pictures that show it.")
    parts_no = serializers.IntegerField()
    parts_why = serializers.CharField(help_text="Empty where no picture is cut.")


class PairIn(Body):
    """Either `tile` or `image`, which stands for the whole of it."""

    either = "tile", "image"

    tile = Number(min_value=1, max_value=MAX_ID, required=False, help_text="Its id.")
    image = Number(min_value=1, max_value=MAX_ID, required=False, help_text="Its id.")
    concept = serializers.CharField(max_length=80, help_text="Its name, or an alias.")


class GoldIn(PairIn):
    value = YesOrNo(
        allow_null=True,
        help_text="The truth; null: not sure, so that it is no gold, and not proposed again.",
    )
    origin = serializers.ChoiceField(
        choices=[
            GoldMark.Origin.SESSION,
            GoldMark.Origin.PROPOSAL,
            GoldMark.Origin.QUESTION,
        ],
        required=False,
        default=GoldMark.Origin.QUESTION,
        help_text="Where it was marked.",
    )


class ReplaceIn(PairIn):
    """The new gold; `concept` is that of the old one."""

    old = Number(min_value=1, max_value=MAX_ID, help_text="The gold question that is retired.")
    value = YesOrNo(help_text="The truth of the new one.")
    settle = YesOrNo(
        required=False,
        default=True,
        help_text="Whether the truth of the old one stays, as a decided label; else people are "
        "asked about it.",
    )


class CountIn(Query):
    count = WholeNumber(min_value=1, max_value=MAX_COUNT, required=False, default=20)


class UnmarkIn(Query):
    """Either `tile` or `image`, which stands for the whole of it."""

    either = "tile", "image"

    tile = Id(required=False, help_text="Its id; or `image`.")
    image = Id(required=False, help_text="An image's id: the whole of it.")
    concept = serializers.CharField(max_length=80, help_text="Its name, or an alias.")
    settle = Flag(
        required=False,
        default=True,
        help_text="Whether its truth stays, as a decided label; else people are asked.",
    )


class PictureOut(serializers.Serializer[Any]):
    tile = serializers.IntegerField()
    image = serializers.IntegerField()


class Gold(APIView):
    permission_classes = [MAY_VIEW]
    pagination_class = Forward
    queries: ClassVar = {"DELETE": UnmarkIn}

    @extend_schema(
        operation_id="gold_progress",
        responses={200: GoldProgressOut(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return how much gold each concept has and needs, and why."""
        project = get_object_or_404(Project, slug=slug)
        pages = Forward()
        rows, cursor = pages.part(request, gold.progress(project))
        return Response(pages.body(request, GoldProgressOut(rows, many=True).data, cursor))

    @extend_schema(
        operation_id="gold_mark",
        request=GoldIn,
        responses={200: QuestionOut, 204: None, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a pair gold, whatever was answered; or, without a value (204), set it aside.

        Sent again, it changes nothing.
        """
        project = get_object_or_404(Project, slug=slug)
        marked = valid(GoldIn(data=request.data))
        tile, concept = _pair(project, marked)
        by, origin = cast(User, request.user), GoldMark.Origin(marked["origin"])
        if marked["value"] is None:
            gold.set_aside(tile=tile, concept=concept, by=by, origin=origin)
            return Response(status=204)
        question = gold.mark(
            tile=tile, concept=concept, value=marked["value"], by=by, origin=origin
        )
        return Response(QuestionOut(question).data)

    @extend_schema(
        operation_id="gold_unmark",
        responses={200: QuestionOut, **errors(400, 401, 403, 404, 409)},
    )
    def delete(self, request: Request, slug: str) -> Response:
        """Let a pair be gold no longer; its answers stay."""
        project = get_object_or_404(Project, slug=slug)
        named = self.chosen()
        tile, concept = _pair(project, named)
        question = get_object_or_404(Question, tile=tile, concept=concept)
        by, settle = cast(User, request.user), named["settle"]
        unmarked = gold.unmark(question=question, by=by, settle=settle)
        return Response(QuestionOut(unmarked).data)


class ReplaceGold(APIView):
    permission_classes = [MAY_MARK]

    @extend_schema(
        operation_id="gold_replace",
        request=ReplaceIn,
        responses={200: QuestionOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Retire a gold question, and make another pair gold in its place."""
        project = get_object_or_404(Project, slug=slug)
        wanted = valid(ReplaceIn(data=request.data))
        tile, concept = _pair(project, wanted)
        old = get_object_or_404(Question, pk=wanted["old"], project=project, concept=concept)
        question = gold.replace(
            old=old,
            tile=tile,
            value=wanted["value"],
            by=cast(User, request.user),
            settle=wanted["settle"],
        )
        return Response(QuestionOut(question).data)


class GoldProposals(APIView):
    permission_classes = [OF_CONCEPT]
    queries: ClassVar = {"GET": CountIn}

    @extend_schema(
        operation_id="gold_proposals",
        responses={200: QuestionOut(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return settled questions that people agree on, which may become gold."""
        concept, count = get_object_or_404(Concept, pk=pk), self.chosen()["count"]
        return Response(QuestionOut(gold.propose(concept, count), many=True).data)


class GoldSession(APIView):
    permission_classes = [OF_CONCEPT]
    queries: ClassVar = {"GET": CountIn}

    @extend_schema(
        operation_id="gold_session",
        responses={200: PictureOut(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return pictures that are informative to mark: likely yes and likely no by halves."""
        concept, count = get_object_or_404(Concept, pk=pk), self.chosen()["count"]
        return Response(PictureOut(gold.session(concept, count), many=True).data)


def _pair(project: Project, named: dict[str, Any]) -> tuple[Tile, Concept]:
    return pair_tile(project, named), pair_concept(project, named["concept"])
