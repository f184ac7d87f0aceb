"""What is believed, and the reviewer's word: for staff."""

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
from labeling.api.permissions import may
from labeling.api.serializers import ErrorOut
from labeling.models import Project, Question

CHANGE_QUESTION = may("labeling.change_question")


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


class QuestionsWanted(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Question.State.choices, required=False)
    kind = serializers.ChoiceField(choices=Question.Kind.choices, required=False)
    concept = serializers.CharField(max_length=80, required=False, help_text="Its name.")


class DecideIn(serializers.Serializer[Any]):
    value = YesOrNo()


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
        decided = review.decide(question=question, value=value, by=cast(User, request.user))
        return Response(QuestionOut(decided).data)


class Reopen(APIView):
    permission_classes = [CHANGE_QUESTION]

    @extend_schema(request=None, responses={200: QuestionOut, (403, 404): ErrorOut})
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw any decision and ask more people."""
        question = get_object_or_404(Question, pk=pk)
        return Response(
            QuestionOut(review.reopen(question=question, by=cast(User, request.user))).data
        )
