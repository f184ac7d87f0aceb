"""Exports over HTTP: begun by members who may train, and sent to them."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import exports, tasks
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.exceptions import NotFound
from labeling.api.idempotency import idempotent
from labeling.api.negotiation import PictureNegotiation
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Id, OneOf, Query
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.exports import jobs
from labeling.models import Export, Project, Snapshot
from labeling.models.imports import ADDRESS_LENGTH

TYPES = {"zip": "application/zip", "tar": "application/x-tar"}
MAY_EXPORT = may(
    Capability.TRAIN,
    Capability.TRAIN,
    models=(Export,),
    staff_write="labeling.add_export",
    staff_delete="labeling.delete_export",
)


class ExportOut(serializers.ModelSerializer[Export]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    status = serializers.CharField(
        read_only=True, help_text="The state in words, with how far it is, or that it waits."
    )
    warning = serializers.CharField(
        read_only=True,
        source="snapshot.warning",
        help_text="What was removed from its snapshot since, as a sentence; empty: nothing.",
    )

    class Meta:
        model = Export
        fields = [
            "id",
            "project",
            "snapshot",
            "format",
            "options",
            "address",
            "state",
            "status",
            "progress",
            "counts",
            "left_out",
            "sha256",
            "bytes",
            "warning",
            "error",
            "created_at",
        ]
        read_only_fields = fields


class ExportIn(Body):
    snapshot = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    format = serializers.ChoiceField(choices=sorted(exports.FORMATS))
    options = serializers.DictField(
        child=serializers.JSONField(),
        default=dict,
        help_text="By name, as `tessera export --options` lists them.",
    )
    address = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=ADDRESS_LENGTH,
        help_text="s3://bucket/prefix where it goes, which the server's owner allows; empty: it is "
        "kept for download.",
    )


class ExportFilters(Dated):
    state = OneOf(choices=Export.State.choices, required=False)
    format = OneOf(choices=sorted(exports.FORMATS), required=False)
    snapshot = Id(required=False, help_text="Its id.")


class ArchiveKind(Query):
    kind = OneOf(choices=sorted(TYPES), required=False, default="zip")


@extend_schema_view(
    get=extend_schema(
        operation_id="exports_list",
        responses={200: ExportOut(many=True), **errors(401, 403, 404)},
    )
)
class ExportList(views.ListAPIView[Export]):
    """A project's exports, the newest first."""

    serializer_class = ExportOut
    pagination_class = NewestFirst
    permission_classes = [MAY_EXPORT]
    queries: ClassVar = {"GET": ExportFilters}

    def get_queryset(self) -> QuerySet[Export]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.exports.filter(**self.chosen()).select_related("project", "snapshot")

    @extend_schema(
        operation_id="exports_begin",
        request=ExportIn,
        responses={202: ExportOut, **errors(400, 401, 403, 404, 413, 415, 507)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Begin an export: a worker makes it, and its state becomes "ready" or "failed"."""
        wanted = ExportIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        snapshot = (
            Snapshot.objects.filter(project__slug=slug, pk=given["snapshot"])
            .select_related("project")
            .first()
        )
        if snapshot is None:
            raise ValidationError({"snapshot": ["There is no such snapshot of this project."]})
        export = jobs.begin(
            snapshot=snapshot,
            format=given["format"],
            values=given["options"],
            address=given["address"],
            requested_by=cast(User, request.user),
        )
        tasks.export_later(export)
        return made("api-export", export.pk, data=ExportOut(export).data, status=202)


@extend_schema_view(
    get=extend_schema(
        operation_id="exports_detail", responses={200: ExportOut, **errors(401, 403, 404)}
    )
)
class ExportDetail(views.RetrieveAPIView[Export]):
    """One export."""

    permission_classes = [MAY_EXPORT]
    queryset = Export.objects.select_related("project", "snapshot")
    serializer_class = ExportOut

    @extend_schema(
        operation_id="exports_delete",
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    def delete(self, request: Request, pk: int) -> Response:
        """Delete an export and its files, unless a worker is making it."""
        jobs.delete(export=self.get_object(), by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportDownload(views.GenericAPIView[Export]):
    """The files of an export."""

    permission_classes = [MAY_EXPORT]
    content_negotiation_class = PictureNegotiation
    queries: ClassVar = {"GET": ArchiveKind}
    queryset = Export.objects.select_related("project")
    serializer_class = ExportOut

    @extend_schema(
        operation_id="exports_download",
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (200, "application/x-tar"): OpenApiTypes.BINARY,
            **errors(401, 403, 404, 503),
        },
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        """Send a finished export as a zip, or with `kind=tar` as a tar."""
        export, kind = self.get_object(), self.chosen()["kind"]
        if not export.is_downloadable:
            raise NotFound("There is no such file, or not yet: wait until the export is ready.")
        try:
            pieces = jobs.archive(export, kind)
        except exports.ExportError as error:
            raise NotFound(str(error)) from error
        response = StreamingHttpResponse(pieces, content_type=TYPES[kind])
        response["Content-Disposition"] = f'attachment; filename="{export.file_name}.{kind}"'
        return response
