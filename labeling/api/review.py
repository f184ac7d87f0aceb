"""Questions over HTTP, for members and staff: posteriors, and a reviewer's decisions."""

from functools import cached_property
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import comments, concepts, provenance, review
from labeling.access import Capability
from labeling.api import question_filters, views
from labeling.api.bodies import Body
from labeling.api.decisions import STANDINGS
from labeling.api.exceptions import NotFound
from labeling.api.fields import Number, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.images import ProvenanceOut
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.question_filters import InReviewOrder, QuestionFilters
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Concept, Project, Question, Tile
from labeling.models.projects import name_key

RELATED = "concept", "tile", "text_source__imported_by__requested_by"
MAY_VIEW = may(Capability.VIEW, models=(Question,))
MAY_CHANGE = may(
    Capability.VIEW,
    Capability.REVIEW,
    models=(Question,),
    staff_write="labeling.change_question",
)


class QuestionOut(serializers.ModelSerializer[Question]):
    concept = serializers.SlugRelatedField[Any]("name", read_only=True)
    image = serializers.IntegerField(source="tile.image_id", read_only=True)
    provenance = serializers.SerializerMethodField(
        help_text="Where an imported caption comes from; null: nobody imported it."
    )

    @extend_schema_field(ProvenanceOut(allow_null=True))
    def get_provenance(self, question: Question) -> Any:
        source = question.text_source
        return ProvenanceOut(provenance.of_text_source(source)).data if source else None

    class Meta:
        model = Question
        fields = [
            "id",
            "kind",
            "image",
            "tile",
            "concept",
            "text",
            "source",
            "reason",
            "stated",
            "provenance",
            "state",
            "probability",
            "prior",
            "model_probability",
            "verdict",
            "standing",
            "answers_count",
            "yes_count",
            "disagreement",
            "priority",
            "settled_at",
        ]
        read_only_fields = fields


class ReopenIn(Body):
    note = serializers.CharField(
        max_length=comments.LONGEST,
        required=False,
        default="",
        allow_blank=True,
        help_text="Why: it is kept with what else is said about the question.",
    )
    seen = serializers.ChoiceField(
        choices=STANDINGS,
        required=False,
        allow_blank=True,
        allow_null=True,
        default=None,
        help_text="Its `standing` when you looked: if it is another by now, nothing is changed.",
    )


class DecisionIn(ReopenIn):
    value = YesOrNo()


class PairDecisionIn(Body):
    """Either `tile` or `image`, which stands for the whole of it."""

    either = "tile", "image"

    tile = Number(min_value=1, max_value=2**63 - 1, required=False, help_text="Its id.")
    image = Number(min_value=1, max_value=2**63 - 1, required=False, help_text="Its id.")
    concept = serializers.CharField(max_length=80, help_text="Its name, or an alias.")
    value = YesOrNo()


@extend_schema_view(
    get=extend_schema(
        operation_id="questions_list",
        responses={200: QuestionOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class QuestionList(views.ListAPIView[Question]):
    """A project's stored questions and their posteriors; all other pairs are implicit."""

    permission_classes = [MAY_CHANGE]
    serializer_class = QuestionOut
    pagination_class = ById
    queries: ClassVar = {"GET": QuestionFilters}

    @property
    def paginator(self) -> Any:
        """Return what leads through the pages of the order that is asked for."""
        in_review_order = self.request.query_params.get("order") == "disagreement"
        return self._in_review_order if in_review_order else super().paginator

    @cached_property
    def _in_review_order(self) -> InReviewOrder:
        return InReviewOrder()

    def get_queryset(self) -> Any:
        """Return the questions, of which the pages are read."""
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        by = cast(User, self.request.user)
        questions = question_filters.filtered(project.questions.all(), project, self.chosen(), by)
        return questions.prefetch_related(*RELATED)

    @extend_schema(
        operation_id="questions_decide_pair",
        request=PairDecisionIn,
        responses={
            200: QuestionOut,
            201: QuestionOut,
            **errors(400, 401, 403, 404, 409, 413, 415),
        },
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Decide whether a tile shows a concept: its question is stored (201) if it was implicit.

        The decision overrides all answers. Sent again, it changes nothing.
        """
        project = get_object_or_404(Project, slug=slug)
        serializer = PairDecisionIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        decision = serializer.validated_data
        question, new = review.decide_pair(
            tile=pair_tile(project, decision),
            concept=pair_concept(project, decision["concept"]),
            value=decision["value"],
            by=cast(User, request.user),
        )
        return Response(QuestionOut(question).data, status=201 if new else 200)


def pair_tile(project: Project, decision: dict[str, Any]) -> Tile:
    """Return the tile that a decision names, or the whole of its image. Raises NotFound."""
    tiles = Tile.objects.filter(image__project=project).select_related("image")
    if "tile" in decision:
        tile = tiles.filter(pk=decision["tile"]).first()
    else:
        tile = tiles.filter(image=decision["image"], grid=1).first()
    if tile is None:
        raise NotFound("The project has no such picture.")
    return tile


def pair_concept(project: Project, name: str) -> Concept:
    """Return the concept of that name, else the one that has it as an alias. Raises NotFound."""
    concept = project.concepts.filter(name=name).select_related("merged_into").first()
    concept = concept or concepts.by_key(project).get(name_key(name))
    if concept is None:
        raise NotFound(f"The project has no concept “{name}”.")
    return concept


@extend_schema_view(
    get=extend_schema(
        operation_id="questions_detail", responses={200: QuestionOut, **errors(401, 403, 404)}
    )
)
class QuestionDetail(views.RetrieveAPIView[Question]):
    """One question."""

    permission_classes = [MAY_VIEW]
    queryset = Question.objects.select_related("concept", "tile")
    serializer_class = QuestionOut


class DecideQuestion(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="questions_decide",
        request=DecisionIn,
        responses={200: QuestionOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Decide a question: the decision overrides all answers."""
        question = get_object_or_404(Question, pk=pk)
        serializer = DecisionIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        decided = review.decide(
            question=question, by=cast(User, request.user), **serializer.validated_data
        )
        return Response(QuestionOut(decided).data)


class ReopenQuestion(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="questions_reopen",
        request=ReopenIn,
        responses={200: QuestionOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw any decision and ask more people."""
        question = get_object_or_404(Question, pk=pk)
        serializer = ReopenIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        reopened = review.reopen(
            question=question, by=cast(User, request.user), **serializer.validated_data
        )
        return Response(QuestionOut(reopened).data)
