"""Predict projects that have no CLIP yet, by the frozen encoders, before anybody has answered.

It is due where there are pictures or concepts that were not predicted; what was seen of a picture
is kept, so that only new ones are looked at. A CLIP's predictions take the place of these.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import F, Q, QuerySet

from labeling import json_lines
from labeling import predictions as stored_predictions
from labeling.batches import batched
from labeling.images import feature_duplicates
from labeling.inference import intake
from labeling.models import Concept, Project, Question, Tile
from labeling.models.questions import LIKELY_CAPTION
from training import predictions, processes, server_paths
from training.models import Model

ENCODER = "efficientnet-lite0"
TIME_LIMIT = 1800.0  # seconds
TILE_TIME = 0.5  # seconds that each tile adds to it
REST = 300.0  # seconds in which more pictures and concepts are awaited,
REST_SHARE = 20.0  # or so many times as long as it took
RETRY_AFTER = 3600.0  # seconds, where it failed


def due() -> list[Project]:
    """Return the open projects without a CLIP that have unpredicted pictures or concepts."""
    return [
        project
        for project in _without_clip().order_by("pk")
        if not cache.get(_rest_key(project)) and _has_unpredicted(project)
    ]


def is_awaited(project: Project) -> bool:
    """Return whether a project's first predictions are still due, or under way."""
    unseen = _without_clip().filter(pk=project.pk, features="")
    return unseen.exists() and not failure(project) and _has_unpredicted(project)


def predicts(project: Project) -> bool:
    """Return whether a project's predictions are those of the frozen encoder."""
    return bool(project.features) and project.encoder == ENCODER


def failure(project: Project) -> str | None:
    """Return why a project was not predicted, in a sentence, or None."""
    reason: str | None = cache.get(_failure_key(project))
    return reason


def predict(project: Project) -> int:
    """Predict all pairs of a project's tiles and concepts; return how many there are.

    1. Have a child process see the tiles, and predict them from what it has seen and from texts.
    2. Store that, unless a CLIP has predicted meanwhile.
    3. Mark the near-duplicates among new pictures that the encoder shows.

    Where it fails, `failure` says why, and it is tried again after RETRY_AFTER seconds. Raises
    ChildError, OSError or ValueError.
    """
    if project not in due():
        return 0
    started, known = time.monotonic(), stored_predictions.tile_ids(project)
    try:
        count = _predict(project)
    except Exception as error:
        cache.set(_rest_key(project), True, RETRY_AFTER)
        reason = server_paths.hidden(str(error)) or type(error).__name__
        cache.set(_failure_key(project), reason, None)
        raise
    cache.delete(_failure_key(project))
    if count:
        feature_duplicates.mark(project, known=known)
    took = time.monotonic() - started
    cache.set(_rest_key(project), True, max(REST, REST_SHARE * took))
    return count


def _predict(project: Project) -> int:
    expected = str(project.features.name or "")
    with tempfile.TemporaryDirectory(prefix="zero-shot-", dir=predictions.work_folder()) as name:
        folder = Path(name)
        concepts = list(project.concepts.filter(merged_into=None).order_by("pk"))
        subjects = chain(_tile_lines(project), _concept_lines(concepts))
        tiles = json_lines.write(folder / "subjects.jsonl", subjects) - len(concepts)
        arguments = ["zero-shot", str(folder / "subjects.jsonl")]
        arguments += ["--cache", str(Path(settings.CACHE_ROOT) / "training")]
        arguments += ["--features", str(folder / "features.safetensors")]
        arguments += ["--log-odds", str(folder / "log_odds.npy")]
        time_limit = TIME_LIMIT + TILE_TIME * tiles
        processes.call(arguments, log=folder / "log.txt", time_limit=time_limit)
        return intake.replace(
            project=project,
            file=folder / "features.safetensors",
            log_odds=folder / "log_odds.npy",
            phrases={concept.pk: concept.phrase for concept in concepts},
            encoder=ENCODER,
            expected=expected,
        )


def _without_clip() -> QuerySet[Project]:
    """Return the open projects that the frozen encoder predicts, or will."""
    clips = Model.objects.filter(recipe="clip", current=True).values("project")
    projects = Project.objects.filter(Q(features="") | Q(encoder=ENCODER), state=Project.State.OPEN)
    return projects.exclude(pk__in=clips)


def _has_unpredicted(project: Project) -> bool:
    """Return whether there is a concept or a newer tile that the predictions do not know."""
    concepts = project.concepts.filter(merged_into=None)
    if not concepts.exists():
        return False
    known = stored_predictions.tile_ids(project)
    tiles = Tile.objects.filter(image__project=project, pk__gt=known[-1] if len(known) else 0)
    unknown = Q(predictions="") | ~Q(embedded_phrase=F("phrase"))
    return tiles.exists() or (len(known) > 0 and concepts.filter(unknown).exists())


def _concept_lines(concepts: Sequence[Concept]) -> Iterator[dict[str, Any]]:
    for concept in concepts:
        yield {"concept": concept.pk, "text": concept.phrase, "prevalence": concept.prevalence}


def _tile_lines(project: Project) -> Iterator[dict[str, Any]]:
    """Yield a line for each tile of the project, with what is said to be seen on it."""
    tiles = Tile.objects.filter(image__project=project).select_related("image")
    files = predictions.LocalFiles()
    stream = tiles.order_by("image_id", "pk").iterator(chunk_size=predictions.BATCH)
    for batch in batched(stream, predictions.BATCH):
        captions = _captions(batch)
        for tile in batch:
            keywords = tile.image.keywords if tile.grid == 1 and not tile.image.generated else []
            texts = [*captions[tile.pk], *keywords]
            yield {"tile": tile.pk, **files.place(tile), "texts": texts}


def _captions(tiles: Sequence[Tile]) -> dict[int, list[str]]:
    """Return by tile the captions that are likely to be true."""
    likely = Question.objects.filter(LIKELY_CAPTION, tile__in=tiles).order_by("pk")
    by_tile: dict[int, list[str]] = defaultdict(list)
    for tile, text in likely.values_list("tile_id", "text"):
        by_tile[tile].append(text)
    return by_tile


def _rest_key(project: Project) -> str:
    return f"zero-shot-rests:{project.pk}"


def _failure_key(project: Project) -> str:
    return f"zero-shot-failed:{project.pk}"
