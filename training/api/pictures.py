"""The files of drawings over HTTP: drawn pictures, what they are like, and what was given."""

import mimetypes
from pathlib import Path
from typing import Any

from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from training import generation_limits
from training.models import Generation, Sample

KEPT = "private, max-age=86400, immutable"
GONE = "There is no such picture."


@require_safe
def drawn(request: HttpRequest, pk: object, number: int) -> FileResponse:
    """A drawn picture."""
    try:
        return _file(sample(pk, number).file.open("rb"), "picture.png")
    except FileNotFoundError:
        raise Http404("The picture has gone.") from None


@require_safe
def nearest(request: HttpRequest, pk: object, number: int, rank: int) -> FileResponse:
    """One of the training pictures that a drawn picture is most like."""
    found = sample(pk, number)
    snapshot = found.generation.model.run.snapshot
    if snapshot is None or not 1 <= rank <= len(found.nearest):
        raise Http404(GONE)
    name = Path(str(found.nearest[rank - 1].get("file_name"))).name
    return _open(Path(snapshot.folder, "train", name))


@require_safe
def given(request: HttpRequest, pk: object) -> FileResponse:
    """The picture that was to be completed."""
    generation = get_object_or_404(Generation, pk=pk)
    if not generation.given:
        raise Http404(GONE)
    try:
        return _file(generation.given.open("rb"), str(generation.given))
    except FileNotFoundError:
        raise Http404("The picture has gone.") from None


@require_safe
def example(request: HttpRequest, pk: int, number: int) -> FileResponse:
    """One of the project's pictures, to be completed."""
    model = get_object_or_404(generation_limits.models(), pk=pk)
    offered = generation_limits.examples(model)
    if not 1 <= number <= len(offered):
        raise Http404(GONE)
    return _open(offered[number - 1])


def sample(pk: object, number: int) -> Sample:
    """The n-th picture of a drawing; raises Http404."""
    generation = get_object_or_404(Generation, pk=pk)
    samples = generation.samples.select_related("generation__model__run__snapshot")
    if not 1 <= number <= generation_limits.COUNT_LIMIT or number > samples.count():
        raise Http404(GONE)
    return samples[number - 1]


def _open(path: Path) -> FileResponse:
    try:
        return _file(path.open("rb"), path.name)
    except OSError:
        raise Http404("The snapshot's picture has gone.") from None


def _file(file: Any, name: str) -> FileResponse:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(file, content_type=kind, headers={"Cache-Control": KEPT})
