"""Imports over HTTP: upload pictures in parts, choose concepts, follow the import to its report."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.core.files import File
from django.db.models import QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from labeling import tasks
from labeling.access import Capability
from labeling.api import views
from labeling.api.exceptions import NotFound
from labeling.api.idempotency import idempotent
from labeling.api.import_bodies import (
    BegunOut,
    BucketIn,
    CompleteIn,
    ConceptsIn,
    DeclarationIn,
    FilesIn,
    FilesOut,
    ImportDetailOut,
    ImportIn,
    ImportOut,
    MissingOut,
    OptionsIn,
    PartsOut,
)
from labeling.api.negotiation import PictureNegotiation
from labeling.api.pagination import ById, NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, OneOf
from labeling.api.requests import valid
from labeling.api.responses import made
from labeling.api.schema import BINARY, errors
from labeling.api.throttles import Begun, Parts
from labeling.api.views import APIView
from labeling.imports import bucket_files, declarations, runner, uploads
from labeling.imports.uploads import Announced, Part
from labeling.models import Import, Project, UploadedFile

MAY_UPLOAD = may(
    Capability.VIEW, Capability.MANAGE, models=(Import,), staff_write="labeling.change_project"
)
PARTS_IN = {
    "type": "object",
    "description": "Any number of files, each in a field that is named by its number, or "
    "`number@offset`: 0, 17 or 17@4194304.",
    "minProperties": 1,
    "patternProperties": {r"^[0-9]{1,9}(@[0-9]{1,18})?$": BINARY},
    "additionalProperties": False,
}
PART_NAME = re.compile(r"(\d{1,9})(?:@(\d{1,18}))?")


class UploadThrottle(Begun):
    """Each user may begin some uploads a minute."""

    scope = "uploads"
    most = 60


class UploadView(APIView):
    permission_classes = [MAY_UPLOAD]

    def record(self, pk: int) -> Import:
        return get_object_or_404(Import.objects.select_related("project", "requested_by"), pk=pk)

    def answer(self, record: Import, *, code: int = status.HTTP_200_OK) -> Response:
        """Answer with the row as it is now, and wake a worker where there is work."""
        tasks.advance_later(record)
        return Response(ImportDetailOut(record).data, status=code)


class ImportFilters(Dated):
    kind = OneOf(choices=Import.Kind.choices, required=False)
    state = OneOf(choices=Import.State.choices, required=False)
    vendor = serializers.CharField(required=False, max_length=200)
    batch = serializers.CharField(required=False, max_length=200)
    license = serializers.CharField(required=False, max_length=200)


@extend_schema_view(
    get=extend_schema(
        operation_id="imports_list",
        responses={200: ImportOut(many=True), **errors(401, 403, 404)},
    )
)
class ImportList(views.ListAPIView[Import]):
    """A project's imports, the newest first."""

    serializer_class = ImportOut
    pagination_class = NewestFirst
    permission_classes = [MAY_UPLOAD]
    queries: ClassVar = {"GET": ImportFilters}

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, UploadThrottle()] if self.request.method == "POST" else throttles

    def get_queryset(self) -> QuerySet[Import]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.imports.filter(**self.chosen()).select_related("project", "requested_by")

    @extend_schema(
        operation_id="imports_begin",
        request=ImportIn,
        responses={
            200: BegunOut,
            201: BegunOut,
            **errors(400, 401, 403, 404, 409, 413, 415, 429, 507),
        },
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Begin an upload (201), or find the unfinished one of the same list of files (200)."""
        project = get_object_or_404(Project, slug=slug)
        options = valid(ImportIn(data=request.data))
        record, new = uploads.begin(
            project=project,
            by=cast(User, request.user),
            name=options["name"],
            fingerprint=options["fingerprint"],
            files=options["files"],
            size=options["bytes"],
        )
        declarations.declare(
            record,
            {name: options[name] for name in declarations.FIELDS if name in options},
            by=cast(User, request.user),
        )
        code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
        return made("import", record.pk, data=BegunOut(record).data, status=code)


class BucketImports(UploadView):
    throttle_classes = [*UploadView.throttle_classes, UploadThrottle]

    @extend_schema(
        operation_id="imports_bucket",
        request=BucketIn,
        responses={201: ImportDetailOut, **errors(400, 401, 403, 404, 409, 413, 415, 429)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Import what lies in a bucket: a worker fetches it, and goes on as with an upload."""
        project = get_object_or_404(Project, slug=slug)
        values = valid(BucketIn(data=request.data))
        declared = {name: values[name] for name in declarations.FIELDS if name in values}
        declarations.clean(declared)
        concepts = values["concepts"]
        record = bucket_files.begin(
            project=project,
            by=cast(User, request.user),
            address=values["address"],
            options=runner.checked_options(values.get("options", {})),
            start_at_once=values["start_at_once"],
            concepts=None if concepts is None else runner.clean_names(concepts),
        )
        declarations.declare(record, declared, by=cast(User, request.user))
        return self.answer(self.record(record.pk), code=status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(
        operation_id="imports_detail", responses={200: ImportDetailOut, **errors(401, 403, 404)}
    )
)
class ImportDetail(views.RetrieveAPIView[Import]):
    """One import: how far it is, which concepts it names, what became of its files."""

    permission_classes = [MAY_UPLOAD]
    queryset = Import.objects.select_related("project", "requested_by")
    serializer_class = ImportDetailOut

    @extend_schema(
        operation_id="imports_declare",
        request=DeclarationIn,
        responses={200: ImportDetailOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Say where an import comes from: what holds for all of its texts and pictures."""
        record = get_object_or_404(self.get_queryset(), pk=pk)
        values = valid(DeclarationIn(data=request.data))
        record = declarations.declare(record, values, by=cast(User, request.user))
        return Response(ImportDetailOut(record).data)


@extend_schema_view(
    get=extend_schema(
        operation_id="imports_missing",
        responses={200: MissingOut(many=True), **errors(401, 403, 404)},
    )
)
class ImportFiles(views.ListAPIView[UploadedFile]):
    """The files of an upload of which something has not come yet."""

    permission_classes = [MAY_UPLOAD]
    serializer_class = MissingOut
    pagination_class = ById

    def get_queryset(self) -> QuerySet[UploadedFile]:
        return uploads.missing(get_object_or_404(Import, pk=self.kwargs["pk"]))

    @extend_schema(
        operation_id="imports_announce",
        request=FilesIn,
        responses={200: FilesOut, **errors(400, 401, 403, 404, 409, 413, 415, 507)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Announce files, up to a thousand at a time; those that are known go on where they were.

        Announce more than once as you like: the answer says what has come of each.
        """
        record = get_object_or_404(Import, pk=pk)
        files = [Announced(**each) for each in valid(FilesIn(data=request.data))["files"]]
        rows = uploads.announce(record=record, files=files)
        return Response(FilesOut({"files": [_file(row) for row in rows]}).data)


class ImportParts(UploadView):
    parser_classes = [MultiPartParser]
    throttle_classes = [Parts]

    @extend_schema(
        operation_id="imports_parts",
        request={"multipart/form-data": PARTS_IN},
        responses={200: PartsOut, **errors(400, 401, 403, 404, 409, 413, 415, 507)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Send files or parts of them: up to a hundred, and `part_bytes` together.

        A part that has come before changes nothing; one that begins after what has come is refused
        with the code "gap".
        """
        record = get_object_or_404(Import, pk=pk)
        rows = uploads.receive(record=record, parts=list(_parts(request)))
        return Response(PartsOut({"files": rows}).data)


class CompleteImport(UploadView):
    @extend_schema(
        operation_id="imports_complete",
        request=CompleteIn,
        responses={202: ImportDetailOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Hand an upload to a worker, which reads it; refused while something has not come."""
        record = self.record(pk)
        options = valid(CompleteIn(data=request.data))
        if options["concepts"] is not None:
            options["concepts"] = runner.clean_names(options["concepts"])
        options["options"] = runner.checked_options(options.get("options", {}))
        record = uploads.complete(record=record, by=cast(User, request.user), **options)
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class ChooseConcepts(UploadView):
    @extend_schema(
        operation_id="imports_choose",
        request=ConceptsIn,
        responses={202: ImportDetailOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Import with these concepts; none means that nothing new is asked about the pictures."""
        record = self.record(pk)
        names = valid(ConceptsIn(data=request.data))["concepts"]
        record = runner.choose(record=record, by=cast(User, request.user), names=names)
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class ImportOptions(UploadView):
    @extend_schema(
        operation_id="imports_options",
        request=OptionsIn,
        responses={202: ImportDetailOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Read the source again by these options, while its concepts are to be chosen."""
        record = self.record(pk)
        options = valid(OptionsIn(data=request.data))
        record = runner.read_again(record=record, by=cast(User, request.user), options=options)
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class CancelImport(UploadView):
    @extend_schema(
        operation_id="imports_cancel",
        request=None,
        responses={200: ImportDetailOut, **errors(401, 403, 404, 409)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """End an import that has not ended; what it has taken stays, unseen, until it is undone."""
        return self.answer(runner.cancel(record=self.record(pk), by=cast(User, request.user)))


class RetryImport(UploadView):
    @extend_schema(
        operation_id="imports_retry",
        request=None,
        responses={202: ImportDetailOut, **errors(401, 403, 404, 409)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Try an import that failed again, from where it failed."""
        record = runner.retry(record=self.record(pk), by=cast(User, request.user))
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class UndoImport(UploadView):
    @extend_schema(
        operation_id="imports_undo",
        request=None,
        responses={202: ImportDetailOut, **errors(401, 403, 404, 409)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Take an import back whole: its pictures go, unless another import brought them too."""
        record = runner.undo_later(record=self.record(pk), by=cast(User, request.user))
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class ImportReport(UploadView):
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="imports_report",
        responses={(200, "text/csv"): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> FileResponse:
        """Send a table of every file: its path, what became of it, and why."""
        record = self.record(pk)
        if not record.report:
            raise NotFound("There is no report yet: wait until the import is done.")
        return report_response(record)


def report_response(record: Import) -> FileResponse:
    """Return the report of an import as a file to keep."""
    name = f"{record.project.slug}-import-{record.pk}.csv"
    file = record.report.open("rb")
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv")


def _parts(request: Request) -> Iterator[Part]:
    """Yield the parts of a request, by the names of their fields."""
    for name, files in request.FILES.lists():
        match = PART_NAME.fullmatch(str(name))
        if match is None:
            raise ValidationError("Name each part by its number, or number@offset: 17@4194304.")
        for file in cast(list["File[bytes]"], files):
            yield Part(int(match[1]), int(match[2] or 0), file)
    if not request.FILES:
        raise ValidationError("There is no part in the request.")


def _file(row: UploadedFile | None) -> dict[str, Any]:
    if row is None:
        return {"number": None, "received": 0, "problem": "passed over"}
    return {"number": row.number, "received": row.received, "problem": row.problem}
