"""Freeze what is believed: for staff."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import snapshots, tasks
from labeling.api.fields import YesOrNo
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.serializers import ErrorOut
from labeling.models import Project, Snapshot

ADD_SNAPSHOT = may("labeling.add_snapshot")


class SnapshotOut(serializers.ModelSerializer[Snapshot]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)

    class Meta:
        model = Snapshot
        fields = [
            "id",
            "project",
            "state",
            "sha256",
            "include_generated",
            "counts",
            "error",
            "created_at",
        ]
        read_only_fields = fields


class FreezeIn(serializers.Serializer[Any]):
    include_generated = YesOrNo(default=False)


@extend_schema_view(get=extend_schema(operation_id="snapshots_list"))
class Snapshots(generics.ListAPIView[Snapshot]):
    """A project's snapshots, the newest first."""

    serializer_class = SnapshotOut
    pagination_class = NewestFirst
    permission_classes = [ADD_SNAPSHOT]

    def get_queryset(self) -> QuerySet[Snapshot]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.snapshots.select_related("project")

    @extend_schema(
        operation_id="snapshots_freeze",
        request=FreezeIn,
        responses={202: SnapshotOut, (400, 403, 404): ErrorOut},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Begin one; a worker writes it, and its state becomes "ready" or "failed"."""
        project = get_object_or_404(Project, slug=slug)
        asked = FreezeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        snapshot = snapshots.begin(
            project=project, requested_by=cast(User, request.user), **asked.validated_data
        )
        tasks.freeze_later(snapshot)
        return Response(SnapshotOut(snapshot).data, status=status.HTTP_202_ACCEPTED)


class OneSnapshot(generics.RetrieveAPIView[Snapshot]):
    """One snapshot."""

    queryset = Snapshot.objects.select_related("project")
    serializer_class = SnapshotOut
