"""Snapshots over HTTP, for members and staff."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import reissues, snapshots, tasks
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.fields import YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.marked import MarkedSnapshotsOut
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Flag, OneOf
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Project, Snapshot

MAY_ADD = may(
    Capability.VIEW, Capability.TRAIN, models=(Snapshot,), staff_write="labeling.add_snapshot"
)
MAY_VIEW = may(Capability.VIEW, models=(Snapshot,))
MAY_REISSUE = may(None, Capability.TRAIN, models=(Snapshot,), staff_write="labeling.add_snapshot")


class SnapshotOut(serializers.ModelSerializer[Snapshot]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    status = serializers.CharField(
        read_only=True, help_text="The state in words, with how far it is, or that it waits."
    )
    warning = serializers.CharField(
        read_only=True, help_text="What was removed since, as a sentence; empty: nothing."
    )

    class Meta:
        model = Snapshot
        fields = [
            "id",
            "project",
            "state",
            "status",
            "progress",
            "heartbeat_at",
            "sha256",
            "include_generated",
            "counts",
            "made_from",
            "removed",
            "withdrawn",
            "restated",
            "blocked_annotators",
            "warning",
            "successor",
            "error",
            "created_at",
        ]
        read_only_fields = fields


class SnapshotDetailOut(SnapshotOut):
    card = serializers.SerializerMethodField(
        help_text="Its data card, in Markdown; empty until it is ready."
    )

    class Meta(SnapshotOut.Meta):
        fields = [*SnapshotOut.Meta.fields, "card"]
        read_only_fields = fields

    def get_card(self, snapshot: Snapshot) -> str:
        return snapshots.card(snapshot)


class SnapshotIn(Body):
    include_generated = YesOrNo(default=False)


class SnapshotFilters(Dated):
    state = OneOf(choices=Snapshot.State.choices, required=False)
    include_generated = Flag(required=False)
    marked = Flag(required=False, help_text="Whether something that it holds was removed since.")


@extend_schema_view(
    get=extend_schema(
        operation_id="snapshots_list",
        responses={200: SnapshotOut(many=True), **errors(401, 403, 404)},
    )
)
class SnapshotList(views.ListAPIView[Snapshot]):
    """A project's snapshots, the newest first."""

    serializer_class = SnapshotOut
    pagination_class = NewestFirst
    permission_classes = [MAY_ADD]
    queries: ClassVar = {"GET": SnapshotFilters}

    def get_queryset(self) -> QuerySet[Snapshot]:
        project, chosen = get_object_or_404(Project, slug=self.kwargs["slug"]), self.chosen()
        marked = chosen.pop("marked", None)
        rows = project.snapshots.filter(**chosen).select_related("project")
        if marked is None:
            return rows
        return rows.filter(reissues.MARKED if marked else ~reissues.MARKED)

    @extend_schema(
        operation_id="snapshots_freeze",
        request=SnapshotIn,
        responses={202: SnapshotOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Begin a snapshot: a worker writes it, and its state becomes "ready" or "failed"."""
        project = get_object_or_404(Project, slug=slug)
        options = SnapshotIn(data=request.data)
        options.is_valid(raise_exception=True)
        snapshot = snapshots.begin(
            project=project, requested_by=cast(User, request.user), **options.validated_data
        )
        tasks.freeze_later(snapshot)
        return made("snapshot", snapshot.pk, data=SnapshotOut(snapshot).data, status=202)


@extend_schema_view(
    get=extend_schema(
        operation_id="snapshots_detail",
        responses={200: SnapshotDetailOut, **errors(401, 403, 404, 503)},
    )
)
class SnapshotDetail(views.RetrieveAPIView[Snapshot]):
    """One snapshot."""

    permission_classes = [MAY_VIEW]
    queryset = Snapshot.objects.select_related("project")
    serializer_class = SnapshotDetailOut


class MarkedSnapshots(APIView):
    permission_classes = [MAY_ADD]

    @extend_schema(
        operation_id="snapshots_marked",
        responses={200: MarkedSnapshotsOut, **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the snapshots that hold something removed since, and what learned from them."""
        project = get_object_or_404(Project, slug=slug)
        return Response(MarkedSnapshotsOut(reissues.consequences(project)).data)


class ReissueSnapshots(APIView):
    permission_classes = [MAY_ADD]

    @extend_schema(
        operation_id="snapshots_reissue_all",
        request=None,
        responses={202: SnapshotOut(many=True), **errors(401, 403, 404)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Freeze again what is left of all marked snapshots, one for those of the same settings."""
        project = get_object_or_404(Project, slug=slug)
        successors = reissues.reissue_all(project, by=cast(User, request.user))
        for snapshot in successors:
            tasks.freeze_later(snapshot)
        return Response(SnapshotOut(successors, many=True).data, status=202)


class ReissueSnapshot(APIView):
    permission_classes = [MAY_REISSUE]

    @extend_schema(
        operation_id="snapshots_reissue",
        request=None,
        responses={202: SnapshotOut, **errors(401, 403, 404, 409)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Freeze again, with the same settings, what is left of a snapshot that is marked."""
        snapshot = get_object_or_404(Snapshot, pk=pk)
        successor = reissues.reissue(snapshot, by=cast(User, request.user))
        tasks.freeze_later(successor)
        return made("snapshot", successor.pk, data=SnapshotOut(successor).data, status=202)
