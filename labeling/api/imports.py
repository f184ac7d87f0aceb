"""Imports over HTTP: upload pictures in parts, choose concepts, follow the import to its report."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db.models import QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from labeling import reissues, tasks
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.exceptions import NotFound
from labeling.api.fields import Number, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.marked import MarkedSnapshotsOut
from labeling.api.negotiation import PictureNegotiation
from labeling.api.pagination import ById, NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, OneOf
from labeling.api.requests import valid
from labeling.api.responses import made
from labeling.api.schema import BINARY, errors
from labeling.api.throttles import Parts
from labeling.api.views import APIView
from labeling.imports import bucket_files, declarations, runner, uploads
from labeling.imports.options import Column, Masks, Texts
from labeling.imports.text_evidence import Separator
from labeling.imports.uploads import Announced, Part
from labeling.models import Import, Project, UploadedFile
from labeling.models.imports import ADDRESS_LENGTH

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


class UploadThrottle(UserRateThrottle):
    """Each user may begin some uploads a minute."""

    scope = "uploads"
    rate = "60/minute"


@extend_schema_field(OpenApiTypes.STR)
class AnyText(serializers.Field[Any, Any, Any, Any]):
    """A text of any characters: what is wrong with one path must not refuse the others."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("This is no text.")
        return data

    def to_representation(self, value: Any) -> str:
        return str(value)


class OptionsIn(Body):
    """How a source is read where it does not say so itself."""

    encoding = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Of names and texts that are not UTF-8: cp932, gb18030, cp1252 …",
    )
    texts = serializers.DictField(
        child=serializers.ChoiceField(list(Texts)),
        required=False,
        help_text="What its undecided texts are, by their group: a suffix (.txt), a column, or an "
        "empty name for all others.",
    )
    columns = serializers.DictField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text=f"Which columns of its tables hold what, by {', '.join(Column)}.",
    )
    masks = serializers.ChoiceField(
        list(Masks), required=False, help_text="What becomes of pictures that are masks of others."
    )
    bits = Number(
        required=False,
        min_value=9,
        max_value=15,
        help_text="How many are used of pictures of 16 bits whose files do not say so.",
    )


class OptionsOut(OptionsIn):
    """How a source is read; what was not chosen is not there."""


class DecisionOut(serializers.Serializer[Any]):
    """What the texts of a group are, and why."""

    group = serializers.CharField(help_text="A suffix with its dot (.txt), or a column.")
    texts = serializers.IntegerField()
    kind = serializers.ChoiceField([Texts.CAPTIONS, Texts.KEYWORDS, Texts.MIXED])
    reason = serializers.CharField()
    separator = serializers.ChoiceField(
        list(Separator), help_text="What stands between keywords, where they are some."
    )
    chosen = serializers.BooleanField(help_text="Whether a person chose it.")


class ForeseenOut(serializers.Serializer[Any]):
    """What will be refused of a source, known before it is imported."""

    reason = serializers.CharField()
    count = serializers.IntegerField(help_text="Files, rows and texts.")
    names = serializers.ListField(child=serializers.CharField(), help_text="The first of them.")


class ImportOut(serializers.ModelSerializer[Import]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    requested_by = serializers.StringRelatedField[Any]()
    share = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="Of the current step, from 0 to 1; null: unknown.",
    )
    seconds_left = serializers.FloatField(
        read_only=True, allow_null=True, help_text="At the rate so far; null: not known yet."
    )

    options = OptionsOut(read_only=True)
    concepts = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        allow_null=True,
        help_text="The names that were chosen; null: not yet.",
    )
    decisions = DecisionOut(many=True, read_only=True)
    foreseen = ForeseenOut(many=True, read_only=True)

    class Meta:
        model = Import
        fields = [
            "id",
            "project",
            "kind",
            "name",
            "address",
            "state",
            "files",
            "bytes",
            "received",
            "pictures",
            "done",
            "share",
            "seconds_left",
            "options",
            "decisions",
            "foreseen",
            "concepts",
            "counts",
            "error",
            *declarations.FIELDS,
            "requested_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class DeclarationIn(Body):
    """Where a whole import comes from; what a row of it says itself comes first."""

    vendor = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Who wrote or sold its texts."
    )
    batch = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="The vendor's name for it."
    )
    license = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Of what says no other license itself.",
    )
    url = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Where it was had from."
    )
    price = serializers.DecimalField(
        required=False,
        allow_null=True,
        max_digits=12,
        decimal_places=2,
        min_value=0,
        help_text="Of all of it together.",
    )
    currency = serializers.CharField(
        required=False, allow_blank=True, max_length=3, help_text="Of the price: EUR, USD."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class CandidateOut(serializers.Serializer[Any]):
    """A concept that keywords or folders name."""

    name = serializers.CharField()
    pictures = serializers.IntegerField(help_text="That are named so.")
    keywords = serializers.IntegerField(help_text="… by a keyword.")
    folders = serializers.IntegerField(help_text="… by their folder.")
    spellings = serializers.ListField(
        child=serializers.CharField(), help_text="Other spellings that count as the same."
    )
    concept = serializers.CharField(
        allow_null=True, help_text="The project's concept of that name or alias."
    )
    ticked = serializers.BooleanField(help_text="Whether it is proposed.")
    switched_off = serializers.BooleanField(
        default=False, help_text="Whether nobody is asked about that concept."
    )


class ReadingOut(serializers.Serializer[Any]):
    """How a file of answers or of gold is read."""

    remark = serializers.CharField()
    columns = serializers.ListField(
        child=serializers.CharField(), help_text="Among which may be chosen."
    )
    sample = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True)),
        help_text="What it says first.",
    )


class ImportDetailOut(ImportOut):
    marked = serializers.SerializerMethodField(
        help_text="Of one that was taken back: snapshots that hold something removed; else null."
    )
    reading = ReadingOut(read_only=True, allow_null=True)
    candidates = CandidateOut(many=True, read_only=True)

    class Meta(ImportOut.Meta):
        fields = [*ImportOut.Meta.fields, "candidates", "reading", "marked"]
        read_only_fields = fields

    @extend_schema_field(MarkedSnapshotsOut(allow_null=True))
    def get_marked(self, record: Import) -> dict[str, Any] | None:
        if record.state != Import.State.UNDONE:
            return None
        return dict(MarkedSnapshotsOut(reissues.consequences(record.project)).data)


class BegunOut(ImportOut):
    part_bytes = serializers.SerializerMethodField(help_text="Of a request with parts, at most.")

    class Meta(ImportOut.Meta):
        fields = [*ImportOut.Meta.fields, "part_bytes"]
        read_only_fields = fields

    def get_part_bytes(self, record: Import) -> int:
        return settings.UPLOAD_PART_BYTES


class ImportIn(DeclarationIn):
    name = serializers.CharField(max_length=500, help_text="Of the folder or archive.")
    fingerprint = serializers.RegexField(
        "^([0-9a-f]{16,64})?$",
        default="",
        allow_blank=True,
        help_text="A hash of the list of files: an unfinished upload of the same one goes on.",
    )
    files = Number(default=0, min_value=0, max_value=10**9, help_text="How many will come.")
    bytes = Number(default=0, min_value=0, max_value=10**15, help_text="How many will come.")


class FileIn(Body):
    path = AnyText(help_text="In the folder, with slashes.")
    size = Number(min_value=0, max_value=10**15, help_text="In bytes.")
    modified = Number(
        default=0, min_value=0, max_value=10**15, help_text="Milliseconds since 1970."
    )


class FilesIn(Body):
    files = serializers.ListField(child=FileIn(), min_length=1)


class FileOut(serializers.Serializer[Any]):
    number = serializers.IntegerField(allow_null=True, help_text="Null: it is passed over.")
    received = serializers.IntegerField(help_text="Bytes that have come.")
    problem = serializers.CharField(
        allow_blank=True, help_text="Why it is refused, and must not be sent; empty: it is not."
    )


class FilesOut(serializers.Serializer[Any]):
    files = FileOut(many=True, help_text="In the order in which they were announced.")


class MissingOut(serializers.ModelSerializer[UploadedFile]):
    class Meta:
        model = UploadedFile
        fields = ["number", "path", "size", "received"]
        read_only_fields = fields


class PartOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    received = serializers.IntegerField(help_text="Bytes of this file that have come.")


class PartsOut(serializers.Serializer[Any]):
    files = PartOut(many=True)


class CompleteIn(Body):
    start_at_once = YesOrNo(
        default=False, help_text="Import with the proposed concepts, without waiting for a choice."
    )
    concepts = serializers.ListField(
        child=serializers.CharField(max_length=500),
        allow_null=True,
        default=None,
        help_text="Import with these concepts, without waiting for a choice.",
    )
    options = OptionsIn(required=False)


class BucketIn(DeclarationIn, CompleteIn):
    address = serializers.CharField(
        max_length=ADDRESS_LENGTH,
        help_text="s3://bucket/prefix, which the server's owner allows.",
    )


class ConceptsIn(Body):
    concepts = serializers.ListField(child=serializers.CharField(max_length=500))


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
