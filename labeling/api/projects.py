"""Projects over HTTP, for anybody: what they are, and how far they are."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny

from labeling import project_stats
from labeling.api.pagination import ById
from labeling.api.schema import errors
from labeling.models import Project


class ProjectProgress(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    pairs = serializers.IntegerField(
        help_text="Tiles that may be asked about × concepts that are asked."
    )
    implicit = serializers.IntegerField(
        help_text="Pairs that no question is stored of: they are believed at the model's "
        "prediction, at what an import said, or at the concept's prevalence."
    )
    questions = serializers.IntegerField(
        help_text="Stored, of all kinds, without open ones of concepts that are no longer asked."
    )
    answered = serializers.IntegerField(help_text="Questions with an answer or more.")
    pooled = serializers.IntegerField(
        help_text="Open questions that are nominated to be asked and have no answer yet."
    )
    open = serializers.IntegerField()
    settled = serializers.IntegerField()
    ambiguous = serializers.IntegerField()
    gold = serializers.IntegerField()
    answers = serializers.IntegerField()
    annotators = serializers.IntegerField()


class ProjectOut(serializers.ModelSerializer[Project]):
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ["slug", "name", "description", "attribution", "progress"]

    @extend_schema_field(ProjectProgress)
    def get_progress(self, project: Project) -> dict[str, Any]:
        return dict(ProjectProgress(project_stats.progress(project)).data)


@extend_schema_view(
    get=extend_schema(
        operation_id="projects_list", responses={200: ProjectOut(many=True), **errors(404)}
    )
)
class ProjectList(generics.ListAPIView[Project]):
    """The projects that anybody can take part in."""

    authentication_classes = []
    permission_classes = [AllowAny]
    queryset = Project.objects.public()
    serializer_class = ProjectOut
    pagination_class = ById


@extend_schema_view(
    get=extend_schema(operation_id="projects_detail", responses={200: ProjectOut, **errors(404)})
)
class ProjectDetail(generics.RetrieveAPIView[Project]):
    """One project."""

    authentication_classes = []
    permission_classes = [AllowAny]
    queryset = Project.objects.public()
    serializer_class = ProjectOut
    lookup_field = "slug"
