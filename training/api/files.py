"""The files of generations over HTTP: samples, their nearest training images, source images."""

import mimetypes
from pathlib import Path
from typing import Any

from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from training import generation_requests, generators
from training.models import Generation, Sample

CACHE_CONTROL = "private, max-age=86400, immutable"
NOT_FOUND = "There is no such picture."
GONE = "The picture has gone."


@require_safe
def sample(request: HttpRequest, pk: object, number: int) -> FileResponse:
    """Return a generated image."""
    try:
        return _response(get_sample(pk, number).file.open("rb"), "picture.png")
    except FileNotFoundError:
        raise Http404(GONE) from None


@require_safe
def nearest(request: HttpRequest, pk: object, number: int, rank: int) -> FileResponse:
    """Return one of the training images that a sample is nearest to."""
    sample = get_sample(pk, number)
    snapshot = sample.generation.model.run.snapshot
    if snapshot is None or not 1 <= rank <= len(sample.nearest):
        raise Http404(NOT_FOUND)
    name = Path(str(sample.nearest[rank - 1].get("file_name"))).name
    return _local_file(Path(snapshot.folder, "train", name))


@require_safe
def source_image(request: HttpRequest, pk: object) -> FileResponse:
    """Return the image whose lower half was to be inpainted."""
    generation = get_object_or_404(Generation, pk=pk)
    if not generation.source_image:
        raise Http404(NOT_FOUND)
    try:
        return _response(generation.source_image.open("rb"), str(generation.source_image))
    except FileNotFoundError:
        raise Http404(GONE) from None


@require_safe
def example(request: HttpRequest, pk: int, number: int) -> FileResponse:
    """Return one of the project's images that are offered to be inpainted."""
    model = get_object_or_404(generators.all_models(), pk=pk)
    examples = generators.examples(model)
    if not 1 <= number <= len(examples):
        raise Http404(NOT_FOUND)
    return _local_file(examples[number - 1])


def get_sample(pk: object, number: int) -> Sample:
    """Return a generation's sample by its number, from 1. Raises Http404."""
    generation = get_object_or_404(Generation, pk=pk)
    samples = generation.samples.select_related("generation__model__run__snapshot")
    if not 1 <= number <= generation_requests.COUNT_LIMIT or number > samples.count():
        raise Http404(NOT_FOUND)
    return samples[number - 1]


def _local_file(path: Path) -> FileResponse:
    try:
        return _response(path.open("rb"), path.name)
    except OSError:
        raise Http404("The snapshot's picture has gone.") from None


def _response(file: Any, name: str) -> FileResponse:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(file, content_type=content_type, headers={"Cache-Control": CACHE_CONTROL})
