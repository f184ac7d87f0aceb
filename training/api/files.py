"""The files of generations over HTTP: samples, their nearest training images, source images."""

import mimetypes
from typing import IO, Any

from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from labeling import stored_folders
from labeling.access import Capability
from labeling.api.exceptions import NotFound
from labeling.api.negotiation import PictureNegotiation
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.stored_folders import FolderMissing
from training import examples, generation_requests, generators, run_folders, viewers
from training.models import Run, Sample

CACHE_CONTROL = "private, max-age=86400, immutable"
NOT_FOUND = "There is no such picture."
GONE = "The picture has gone."
SNAPSHOT_GONE = "The snapshot's picture has gone."

_PICTURE: dict[Any, Any] = {(200, "image/png"): OpenApiTypes.BINARY, **errors(401, 404)}


MAY_VIEW_RUN = may(Capability.VIEW, models=(Run,))
KINDS = {"log.txt": "text/plain", "report.html": "text/html"}


class RunFile(APIView):
    """A file of a run's folder."""

    permission_classes = [MAY_VIEW_RUN]
    content_negotiation_class = PictureNegotiation
    name = ""

    def send(self, pk: int) -> HttpResponse:
        """Send the file, which a browser never shows here. Raises NotFound."""
        run = get_object_or_404(Run, pk=pk)
        content = run_folders.read(run, self.name)
        if content is None:
            raise NotFound("There is no such file yet.")
        kind = f"{KINDS[self.name]}; charset=utf-8"
        response = HttpResponse(content, content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="run-{pk}-{self.name}"'
        return response


class RunLog(RunFile):
    name = "log.txt"

    @extend_schema(
        operation_id="runs_log",
        responses={(200, "text/plain"): OpenApiTypes.STR, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Send the whole log of a run."""
        return self.send(pk)


class RunReport(RunFile):
    name = "report.html"

    @extend_schema(
        operation_id="runs_report",
        responses={(200, "text/html"): OpenApiTypes.STR, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Send the report of a run as a page."""
        return self.send(pk)


class ImageView(APIView):
    """Send an image to whoever knows its address and may see the model's pictures."""

    permission_classes = [AllowAny]
    content_negotiation_class = PictureNegotiation


class SampleImage(ImageView):
    @extend_schema(operation_id="generations_sample", responses=_PICTURE)
    def get(self, request: Request, pk: object, number: int) -> FileResponse:
        """Return a generated image."""
        try:
            return _response(get_sample(request, pk, number).file.open("rb"), "picture.png")
        except FileNotFoundError:
            raise NotFound(GONE) from None


class NearestImage(ImageView):
    @extend_schema(operation_id="generations_nearest", responses=_PICTURE)
    def get(self, request: Request, pk: object, number: int, rank: int) -> FileResponse:
        """Return one of the training images that a sample is nearest to."""
        sample = get_sample(request, pk, number)
        nearest = generators.nearest(sample)
        if not 1 <= rank <= len(nearest):
            raise NotFound(NOT_FOUND)
        name = nearest[rank - 1]
        snapshot = sample.generation.model.run.snapshot
        if name is None or snapshot is None:
            raise NotFound(GONE)
        try:
            return _response(stored_folders.open(snapshot.folder, name), name)
        except FolderMissing:
            raise NotFound(SNAPSHOT_GONE) from None


class SourceImage(ImageView):
    @extend_schema(operation_id="generations_source_image", responses=_PICTURE)
    def get(self, request: Request, pk: object) -> FileResponse:
        """Return the image whose lower half, or other half, was to be drawn."""
        generation = get_object_or_404(viewers.generations(request._request, request.user), pk=pk)
        if not generation.source_image:
            raise NotFound(NOT_FOUND)
        try:
            return _response(generation.source_image.open("rb"), str(generation.source_image))
        except FileNotFoundError:
            raise NotFound(GONE) from None


class ExampleImage(ImageView):
    @extend_schema(operation_id="models_example", responses=_PICTURE)
    def get(self, request: Request, pk: int, number: int) -> HttpResponse:
        """Return one of the project's images that are offered to be drawn on.

        A model of pairs is offered first halves.
        """
        model = get_object_or_404(viewers.models(request._request, request.user), pk=pk)
        try:
            example = examples.read(model, number)
        except (FolderMissing, OSError):
            raise NotFound(SNAPSHOT_GONE) from None
        if example is None:
            raise NotFound(NOT_FOUND)
        return HttpResponse(
            example.data,
            content_type=example.content_type,
            headers={"Cache-Control": CACHE_CONTROL},
        )


def get_sample(request: Request, pk: object, number: int) -> Sample:
    """Return a sample that the sender may see by its number, from 1. Raises Http404."""
    generation = get_object_or_404(viewers.generations(request._request, request.user), pk=pk)
    samples = generation.samples.select_related("generation__model__run__snapshot")
    if not 1 <= number <= generation_requests.COUNT_LIMIT or number > samples.count():
        raise Http404(NOT_FOUND)
    return samples[number - 1]


def _response(file: IO[Any], name: str) -> FileResponse:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(file, content_type=content_type, headers={"Cache-Control": CACHE_CONTROL})
