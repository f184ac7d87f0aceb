"""Files of answers and of gold over HTTP: sent as one, read and stored by a worker."""

from typing import cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from labeling.api.bodies import Body
from labeling.api.fields import YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.import_bodies import ImportDetailOut
from labeling.api.imports import UploadThrottle, UploadView
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.imports.answers import jobs
from labeling.imports.answers.options import LENGTH, Options
from labeling.models import Import, Project


class ColumnsIn(Body):
    """How a file is read; empty is what is detected."""

    task = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="The column of the picture."
    )
    worker = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="… of who answered."
    )
    label = serializers.CharField(  # type: ignore[assignment]
        default="", allow_blank=True, max_length=LENGTH, help_text="… of the answer."
    )
    concept = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="… of what was asked about."
    )
    truth = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="… of what is true, as gold."
    )
    worker_name = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="Where the file names nobody."
    )
    concept_name = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="Where labels are yes and no."
    )
    encoding = serializers.CharField(
        default="", allow_blank=True, max_length=LENGTH, help_text="Of texts that are not UTF-8."
    )
    crowd = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=LENGTH,
        help_text="A name for the crowd, where its worker ids are those of other projects or "
        "tools; empty: they are Mechanical Turk's, Toloka's, or this project's and tool's own.",
    )


class ReadingIn(ColumnsIn):
    strict = YesOrNo(default=False, help_text="Import nothing where anything is refused.")


class FileToReadIn(ColumnsIn):
    """A file, and how it is read; each as a field of a form."""

    file = serializers.FileField(help_text="A table, or what another tool exported.")
    strict = serializers.BooleanField(
        default=False, help_text="Import nothing where anything is refused."
    )
    wait = serializers.BooleanField(
        default=False, help_text="Wait until the columns are chosen, instead of beginning at once."
    )


class SendFile(UploadView):
    """Take a file, and hand it to a worker."""

    parser_classes = [MultiPartParser]
    kind = Import.Kind.ANSWERS

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, UploadThrottle()] if self.request.method == "POST" else throttles

    def send(self, request: Request, slug: str) -> Response:
        project = get_object_or_404(Project, slug=slug)
        chosen = valid(FileToReadIn(data=request.data))
        file, wait = chosen.pop("file"), chosen.pop("wait")
        record = jobs.begin(
            project=project,
            by=cast(User, request.user),
            kind=self.kind,
            file=file,
            options=Options.of(chosen),
            start_at_once=not wait,
        )
        return self.answer(record, code=status.HTTP_202_ACCEPTED)


class SendGold(SendFile):
    kind = Import.Kind.GOLD

    @extend_schema(
        operation_id="gold_import",
        request={"multipart/form-data": FileToReadIn},
        responses={
            202: ImportDetailOut,
            **errors(400, 401, 403, 404, 409, 413, 415, 429, 507),
        },
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Mark gold from a list with task, concept and truth; gold that differs is changed."""
        return self.send(request, slug)


class ChooseColumns(UploadView):
    @extend_schema(
        operation_id="imports_columns",
        request=ReadingIn,
        responses={202: ImportDetailOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Import a file of answers or gold that waits, read like this."""
        record = self.record(pk)
        options = Options.of(valid(ReadingIn(data=request.data)))
        record = jobs.confirm(record=record, options=options, by=cast(User, request.user))
        return self.answer(record, code=status.HTTP_202_ACCEPTED)
