"""What is believed, who said so, and the reviewer's word: for staff."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import agreement, labels
from labeling.api.fields import YesOrNo
from labeling.api.pages import ById
from labeling.api.permissions import may
from labeling.api.serializers import ErrorOut
from labeling.models import Annotator, Project, Question

AGREEMENT_SECONDS = 30  # for which agreement is remembered
CHANGE_QUESTION = may("labeling.change_question")
CHANGE_ANNOTATOR = may("labeling.change_annotator")


class QuestionOut(serializers.ModelSerializer[Question]):
    concept = serializers.SlugRelatedField[Any]("name", read_only=True)
    image = serializers.IntegerField(source="tile.image_id", read_only=True)

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
            "state",
            "probability",
            "prior",
            "opinion",
            "verdict",
            "answers_count",
            "yes_count",
            "disagreement",
            "priority",
            "settled_at",
        ]
        read_only_fields = fields


class QuestionsWanted(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Question.State.choices, required=False)
    kind = serializers.ChoiceField(choices=Question.Kind.choices, required=False)
    concept = serializers.CharField(max_length=80, required=False, help_text="Its name.")


class DecideIn(serializers.Serializer[Any]):
    value = YesOrNo()


class AnnotatorOut(serializers.ModelSerializer[Annotator]):
    name = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = Annotator
        fields = [
            "id",
            "name",
            "blocked",
            "reliability",
            "answers_count",
            "labels_count",
            "gold_count",
            "gold_right",
            "created_at",
            "seen_at",
        ]
        read_only_fields = fields


class BlockedOut(serializers.Serializer[Any]):
    annotator = AnnotatorOut()
    changed = serializers.IntegerField(help_text="Labels that are others now.")


class AgreementOut(serializers.Serializer[Any]):
    concept = serializers.CharField(source="concept.name")
    questions = serializers.IntegerField()
    answers = serializers.IntegerField()
    alpha = serializers.FloatField(allow_null=True, help_text="Krippendorff's.")
    low = serializers.FloatField(allow_null=True, help_text="Of its 95 % interval.")
    high = serializers.FloatField(allow_null=True)
    percent = serializers.FloatField(allow_null=True, help_text="Agreeing pairs, 0 to 1.")
    prevalence = serializers.FloatField(allow_null=True, help_text="Share of yes, 0 to 1.")
    settled = serializers.IntegerField()
    open = serializers.IntegerField()
    ambiguous = serializers.IntegerField()


@extend_schema_view(get=extend_schema(operation_id="questions_list", parameters=[QuestionsWanted]))
class Questions(generics.ListAPIView[Question]):
    """A project's questions and what is believed of them."""

    serializer_class = QuestionOut
    pagination_class = ById

    def get_queryset(self) -> QuerySet[Question]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        wanted = QuestionsWanted(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        filters = dict(wanted.validated_data)
        if "concept" in filters:
            filters["concept"] = get_object_or_404(project.concepts, name=filters["concept"])
        return project.questions.filter(**filters).select_related("concept", "tile")


class OneQuestion(generics.RetrieveAPIView[Question]):
    """One question."""

    queryset = Question.objects.select_related("concept", "tile")
    serializer_class = QuestionOut


class Decide(APIView):
    permission_classes = [CHANGE_QUESTION]

    @extend_schema(request=DecideIn, responses={200: QuestionOut, (400, 403, 404): ErrorOut})
    def post(self, request: Request, pk: int) -> Response:
        """Say what is true; it overrides all answers."""
        question = get_object_or_404(Question, pk=pk)
        said = DecideIn(data=request.data)
        said.is_valid(raise_exception=True)
        value = said.validated_data["value"]
        decided = labels.decide(question=question, value=value, by=cast(User, request.user))
        return Response(QuestionOut(decided).data)


class Reopen(APIView):
    permission_classes = [CHANGE_QUESTION]

    @extend_schema(request=None, responses={200: QuestionOut, (403, 404): ErrorOut})
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw any decision and ask more people."""
        question = get_object_or_404(Question, pk=pk)
        return Response(
            QuestionOut(labels.reopen(question=question, by=cast(User, request.user))).data
        )


class Annotators(generics.ListAPIView[Annotator]):
    """Those who answer, and how reliable they are."""

    queryset = Annotator.objects.select_related("user")
    serializer_class = AnnotatorOut
    pagination_class = ById


class Block(APIView):
    permission_classes = [CHANGE_ANNOTATOR]

    @extend_schema(
        operation_id="annotators_block",
        request=None,
        responses={200: BlockedOut, (403, 404): ErrorOut},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let their answers weigh nothing."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = labels.block(annotator=annotator, by=cast(User, request.user))
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


class Unblock(APIView):
    permission_classes = [CHANGE_ANNOTATOR]

    @extend_schema(
        operation_id="annotators_unblock",
        request=None,
        responses={200: BlockedOut, (403, 404): ErrorOut},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let their answers count again."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = labels.unblock(annotator=annotator, by=cast(User, request.user))
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


class Agreement(APIView):
    @extend_schema(
        operation_id="agreement", responses={200: AgreementOut(many=True), (403, 404): ErrorOut}
    )
    def get(self, request: Request, slug: str) -> Response:
        """How far people agree, by concept."""
        project = get_object_or_404(Project, slug=slug)
        rows = cache.get_or_set(
            f"agreement:{project.pk}", lambda: _agreement(project), AGREEMENT_SECONDS
        )
        return Response(rows)


def _agreement(project: Project) -> list[dict[str, Any]]:
    rows = agreement.measure(project=project).concepts
    return [dict(row) for row in AgreementOut(rows, many=True).data]
