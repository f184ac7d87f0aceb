"""Projects over HTTP: anybody sees the public ones, members theirs, and owners change them."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers, status
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import access, challenges, previews, project_stats, projects
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body, Strict
from labeling.api.challenges import describe
from labeling.api.conditional import expecting, guarded, versioned
from labeling.api.fields import YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.queries import Flag, OneOf, Query
from labeling.api.requests import user, valid
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.api.serializers import ChallengeOut
from labeling.api.views import APIView
from labeling.models import Challenge, Project, Scope
from labeling.projects import Audience

MAY_MANAGE = may(None, Capability.MANAGE, models=(Project,), staff_write="labeling.change_project")
MAY_VIEW = may(Capability.VIEW, models=(Project,))
PREVIEW = "preview"  # the token of challenges that are not stored


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
    annotators = serializers.IntegerField(help_text="Who came here to answer.")
    visitors = serializers.IntegerField(
        help_text="Of the sites that embed the project's challenges: one for each attempt whose "
        "answers were taken in, so that somebody who came twice counts twice."
    )


class ProjectSettings(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ["version", *projects.EDITABLE, "ask_parts"]


class ProjectOut(serializers.ModelSerializer[Project]):
    progress = serializers.SerializerMethodField(
        help_text="Minutes old for those who may not see the project's pages: what a single "
        "answer changed is told to nobody else."
    )
    settings = serializers.SerializerMethodField(
        help_text="For those who may see the project's pages; null for others."
    )

    class Meta:
        model = Project
        fields = [
            "slug",
            "name",
            "description",
            "attribution",
            "language",
            "state",
            "private",
            "published_at",
            "progress",
            "settings",
        ]

    @extend_schema_field(ProjectProgress)
    def get_progress(self, project: Project) -> dict[str, Any]:
        measure = project_stats.progress if self._sees(project) else project_stats.public_progress
        return dict(ProjectProgress(measure(project)).data)

    @extend_schema_field(ProjectSettings(allow_null=True))
    def get_settings(self, project: Project) -> dict[str, Any] | None:
        return dict(ProjectSettings(project).data) if self._sees(project) else None

    def _sees(self, project: Project) -> bool:
        """Whether the caller may see the project's pages."""
        known: dict[int, bool] = self.context["sees"]
        if project.pk not in known:
            known[project.pk] = self.context["visible"].filter(pk=project.pk).exists()
        return known[project.pk]


class ProjectIn(Body):
    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(
        max_length=60, required=False, help_text="Made from the name where it is left out."
    )
    description = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    language = serializers.CharField(max_length=20, required=False)
    audience = serializers.ChoiceField(
        choices=[str(audience) for audience in Audience],
        required=False,
        default=str(Audience.TEAM),
        help_text="me: only you answer, once a question; team: those who are invited; public: all.",
    )


class ProjectChangeIn(Strict, serializers.ModelSerializer[Project]):
    private = YesOrNo(required=False)

    class Meta:
        model = Project
        fields = projects.EDITABLE
        extra_kwargs: ClassVar[dict[str, dict[str, bool]]] = {
            name: {"required": False} for name in projects.EDITABLE
        }


class ProjectFilters(Query):
    state = OneOf(choices=Project.State.choices, required=False)
    private = Flag(required=False, help_text="Whether only those who are invited take part.")
    q = serializers.CharField(
        source="name__icontains", required=False, max_length=120, help_text="A part of its name."
    )


class MayCreate(BasePermission):
    """Whoever may create projects may post one."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return access.may_create(request.user)


class _Visible(views.GenericAPIView[Project]):
    """Public projects, and those whose pages the caller may see."""

    serializer_class = ProjectOut

    @cached_property
    def visible(self) -> QuerySet[Project]:
        return access.projects(self.request.user)

    def get_queryset(self) -> QuerySet[Project]:
        public = projects.with_questions(Project.objects.public())
        return Project.objects.filter(
            Q(pk__in=public.values("pk")) | Q(pk__in=self.visible.values("pk"))
        )

    def get_serializer_context(self) -> dict[str, Any]:
        return {"request": self.request, "visible": self.visible, "sees": {}}


@extend_schema_view(
    get=extend_schema(
        operation_id="projects_list", responses={200: ProjectOut(many=True), **errors(401, 404)}
    )
)
class ProjectList(_Visible, views.ListAPIView[Project]):
    """The projects that anybody can take part in, and the caller's own with their state."""

    pagination_class = ById
    scopes: ClassVar = {"POST": Scope.OWN}
    queries: ClassVar = {"GET": ProjectFilters}

    def get_queryset(self) -> QuerySet[Project]:
        return super().get_queryset().filter(**self.chosen())

    def get_permissions(self) -> list[Any]:
        return [MayCreate() if self.request.method == "POST" else AllowAny()]

    @extend_schema(
        operation_id="projects_create",
        request=ProjectIn,
        responses={201: ProjectOut, **errors(400, 401, 403, 413, 415)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a draft, which the caller owns."""
        given = valid(ProjectIn(data=request.data))
        audience = Audience(given.pop("audience"))
        project = projects.create(by=user(request), audience=audience, **given)
        body = self.get_serializer(project).data
        return made("api-project", project.slug, data=body)


class ProjectDetail(_Visible, views.GenericAPIView[Project]):
    lookup_field = "slug"

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method in SAFE_METHODS else MAY_MANAGE()]

    @extend_schema(operation_id="projects_detail", responses={200: ProjectOut, **errors(401, 404)})
    def get(self, request: Request, slug: str) -> Response:
        """One project."""
        project = self.get_object()
        return versioned(Response(self.get_serializer(project).data), project.version)

    @extend_schema(
        operation_id="projects_change",
        request=ProjectChangeIn,
        responses={200: ProjectOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @guarded
    def patch(self, request: Request, slug: str) -> Response:
        """Change a project's settings."""
        changes = valid(ProjectChangeIn(data=request.data, partial=True))
        project = self.get_object()
        with expecting(request, project.version, projects.Conflict) as version:
            changed = projects.edit(project=project, by=user(request), version=version, **changes)
        return versioned(Response(self.get_serializer(changed).data), changed.version)


class _Step(_Visible):
    """A step of a project's life."""

    permission_classes = [MAY_MANAGE]
    lookup_field = "slug"

    def _take(self, request: Request, step: Callable[..., Project]) -> Response:
        project = step(project=self.get_object(), by=user(request))
        return Response(self.get_serializer(project).data)


_STEP: dict[str, Any] = {
    "request": None,
    "responses": {200: ProjectOut, **errors(401, 403, 404, 409)},
}


class PublishProject(_Step):
    @extend_schema(operation_id="projects_publish", **_STEP)
    def post(self, request: Request, slug: str) -> Response:
        """Open a draft: its questions are asked from now on."""
        return self._take(request, projects.publish)


class UnpublishProject(_Step):
    @extend_schema(operation_id="projects_unpublish", **_STEP)
    def post(self, request: Request, slug: str) -> Response:
        """Make an open project a draft again."""
        return self._take(request, projects.unpublish)


class ArchiveProject(_Step):
    @extend_schema(operation_id="projects_archive", **_STEP)
    def post(self, request: Request, slug: str) -> Response:
        """Close a project: it asks nothing and keeps everything."""
        return self._take(request, projects.archive)


class ReopenProject(_Step):
    @extend_schema(operation_id="projects_reopen", **_STEP)
    def post(self, request: Request, slug: str) -> Response:
        """Make an archived project what it was before."""
        return self._take(request, projects.reopen)


class PreviewFilters(Query):
    kind = OneOf(choices=Challenge.Kind.choices, required=False)


class PreviewProject(APIView):
    permission_classes = [MAY_VIEW]
    queries: ClassVar = {"GET": PreviewFilters}

    @extend_schema(
        operation_id="projects_preview",
        responses={
            200: ChallengeOut,
            204: OpenApiResponse(description="Nothing can be asked."),
            **errors(400, 401, 403, 404),
        },
    )
    def get(self, request: Request, slug: str) -> Response:
        """Choose what a visitor would be asked first; nothing is reserved, stored or counted."""
        project = get_object_or_404(Project, slug=slug)
        kind = self.chosen().get("kind")
        challenge = previews.choose(project=project, kind=kind)
        if challenge is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        tiles = challenges.shown_tiles(challenge)
        addresses = [reverse("project-tile-large", args=[slug, tile]) for tile in tiles]
        body = describe(challenge, request, token=PREVIEW, tile_addresses=addresses)
        nobody = {"answers": 0, "labels": 0}
        shown = {"expires_in": settings.CHALLENGE_SECONDS, "progress": nobody}
        return Response(body | shown)
