"""Questions over HTTP, for staff: their posteriors, and a reviewer's decisions."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import review
from labeling.api.fields import YesOrNo
from labeling.api.pagination import ById
from labeling.api.permissions import staff_may
from labeling.api.schema import errors
from labeling.models import Project, Question

MAY_VIEW = staff_may(read=(Question,))
MAY_CHANGE = staff_may(read=(Question,), write="labeling.change_question")


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
            "model_probability",
            "verdict",
            "answers_count",
            "yes_count",
            "disagreement",
            "priority",
            "settled_at",
        ]
        read_only_fields = fields


class QuestionFilters(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Question.State.choices, required=False)
    kind = serializers.ChoiceField(choices=Question.Kind.choices, required=False)
    concept = serializers.CharField(max_length=80, required=False, help_text="Its name.")


class DecisionIn(serializers.Serializer[Any]):
    value = YesOrNo()


@extend_schema_view(
    get=extend_schema(
        operation_id="questions_list",
        parameters=[QuestionFilters],
        responses={200: QuestionOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class QuestionList(generics.ListAPIView[Question]):
    """A project's questions and their posteriors."""

    permission_classes = [MAY_VIEW]
    serializer_class = QuestionOut
    pagination_class = ById

    def get_queryset(self) -> QuerySet[Question]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        serializer = QuestionFilters(data=self.request.query_params)
        serializer.is_valid(raise_exception=True)
        filters = dict(serializer.validated_data)
        if "concept" in filters:
            filters["concept"] = get_object_or_404(project.concepts, name=filters["concept"])
        return project.questions.filter(**filters).select_related("concept", "tile")


@extend_schema_view(
    get=extend_schema(
        operation_id="questions_detail", responses={200: QuestionOut, **errors(401, 403, 404)}
    )
)
class QuestionDetail(generics.RetrieveAPIView[Question]):
    """One question."""

    permission_classes = [MAY_VIEW]
    queryset = Question.objects.select_related("concept", "tile")
    serializer_class = QuestionOut


class DecideQuestion(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="questions_decide",
        request=DecisionIn,
        responses={200: QuestionOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Decide a question: the decision overrides all answers."""
        question = get_object_or_404(Question, pk=pk)
        decision = DecisionIn(data=request.data)
        decision.is_valid(raise_exception=True)
        value = decision.validated_data["value"]
        decided = review.decide(question=question, value=value, by=cast(User, request.user))
        return Response(QuestionOut(decided).data)


class ReopenQuestion(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="questions_reopen",
        request=None,
        responses={200: QuestionOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw any decision and ask more people."""
        question = get_object_or_404(Question, pk=pk)
        reopened = review.reopen(question=question, by=cast(User, request.user))
        return Response(QuestionOut(reopened).data)
