"""Single answers over HTTP, for reviewers: who said what, and when."""

from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api import answer_files, views
from labeling.api.idempotency import idempotent
from labeling.api.import_bodies import ImportDetailOut
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Flag, Id, OneOf
from labeling.api.question_filters import known_concept
from labeling.api.schema import errors
from labeling.models import Answer, Import, Project

MAY = may(
    Capability.REVIEW, Capability.MANAGE, models=(Answer,), staff_write="labeling.change_project"
)


class AnswerOut(serializers.ModelSerializer[Answer]):
    """What somebody answered, once; an undone or withdrawn answer is not there."""

    concept = serializers.CharField(
        source="question.concept.name", default=None, help_text="null: it is about a caption."
    )
    image = serializers.IntegerField(source="question.tile.image_id", read_only=True)
    tile = serializers.IntegerField(source="question.tile_id", read_only=True)
    annotator_name = serializers.CharField(source="annotator.__str__", read_only=True)

    class Meta:
        model = Answer
        fields = [
            "id",
            "question",
            "image",
            "tile",
            "concept",
            "annotator",
            "annotator_name",
            "value",
            "reason",
            "seconds",
            "imported_by",
            "created_at",
        ]
        read_only_fields = fields


class AnswerFilters(Dated):
    question = Id(required=False, help_text="Its id.")
    annotator = Id(required=False, help_text="An id.")
    concept = serializers.CharField(
        required=False, max_length=80, help_text="Its name, or an alias."
    )
    value = Flag(required=False, help_text="Whether it says that the text is true.")
    reason = OneOf(choices=Answer.Reason.choices, required=False, help_text="Why it was asked.")
    imported_by = Id(required=False, help_text="The import that brought it.")


@extend_schema_view(
    get=extend_schema(
        operation_id="answers_list",
        responses={200: AnswerOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class AnswerList(answer_files.SendFile, views.ListAPIView[Answer]):
    """What people answered in a project, the newest first."""

    permission_classes = [MAY]
    serializer_class = AnswerOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": AnswerFilters}
    kind = Import.Kind.ANSWERS

    def get_queryset(self) -> QuerySet[Answer]:
        project, chosen = get_object_or_404(Project, slug=self.kwargs["slug"]), self.chosen()
        if "concept" in chosen:
            chosen["question__concept"] = known_concept(project, chosen.pop("concept"))
        rows = Answer.objects.filter(question__project=project, **chosen)
        return rows.select_related("question__tile", "question__concept", "annotator__user")

    @extend_schema(
        operation_id="answers_import",
        request={"multipart/form-data": answer_files.FileToReadIn},
        responses={
            202: ImportDetailOut,
            **errors(400, 401, 403, 404, 409, 413, 415, 429, 507),
        },
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Import what a crowd answered elsewhere; follow the import to its report."""
        return self.send(request, slug)
