"""Predict projects that have no CLIP yet, by the frozen encoders, before anybody has answered.

It is due where there are pictures or concepts that were not predicted; what was seen of a picture
is kept, so that only new ones are looked at. A CLIP's predictions take the place of these.
"""

import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
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
from training import delays, prediction_shares, processes, server_paths, tile_files
from training.models import Model
from training.prediction_shares import OnShared, Overtaken, Prediction
from training.tile_files import Seen

ENCODER = "efficientnet-lite0"
TIME_LIMIT = 1800.0  # seconds
TILE_TIME = 0.5  # seconds that each tile adds to it
REST = 300.0  # seconds in which more pictures and concepts are awaited,
REST_SHARE = 20.0  # or so many times as long as it took
RETRY_AFTER = 3600.0  # seconds, where it failed

logger = logging.getLogger(__name__)


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


def predict(project: Project, on_shared: OnShared = lambda free: None) -> int:
    """Predict all pairs of a project's tiles and concepts; return how many there are.

    1. Look at new tiles together with other workers, if they are many: on_shared wakes them.
    2. Have a child process see the others, and predict all from what was seen and from texts.
    3. Store that, unless a CLIP has predicted meanwhile.
    4. Mark the near-duplicates among new pictures that the encoder shows.

    Where it fails, `failure` says why, and it is tried again after RETRY_AFTER seconds. What has to
    wait, as for a storage that is away, is tried again soon. Raises ChildError, OSError or
    ValueError.
    """
    if project not in due():
        return 0
    started, known = time.monotonic(), stored_predictions.tile_ids(project)
    prediction = Prediction(project, None)
    try:
        with delays.translated():
            count = _predict(prediction, known, on_shared)
    except delays.DelayedError as error:
        logger.warning("The first predictions of %s wait: %s", project, error)
        cache.set(_rest_key(project), True, error.after.total_seconds())
        return 0
    except Overtaken:
        count = 0
    except Exception as error:
        cache.set(_rest_key(project), True, RETRY_AFTER)
        reason = server_paths.hidden(str(error)) or type(error).__name__
        cache.set(_failure_key(project), reason, None)
        raise
    prediction_shares.forget(prediction)
    cache.delete(_failure_key(project))
    if count:
        feature_duplicates.mark(project, known=known)
    took = time.monotonic() - started
    cache.set(_rest_key(project), True, max(REST, REST_SHARE * took))
    return count


def _predict(prediction: Prediction, known: stored_predictions.Ids, on_shared: OnShared) -> int:
    project = prediction.project
    expected = str(project.features.name or "")
    check = partial(_check_without_clip, project)
    seen = prediction_shares.look(
        prediction,
        check=check,
        on_shared=on_shared,
        after=int(known[-1]) if len(known) else 0,  # what was seen of them is kept
    )
    with tempfile.TemporaryDirectory(prefix="zero-shot-", dir=tile_files.work_folder()) as name:
        folder = Path(name)
        concepts = list(project.concepts.filter(merged_into=None).order_by("pk"))
        subjects = chain(_tile_lines(project, seen), _concept_lines(concepts))
        tiles = json_lines.write(folder / "subjects.jsonl", subjects) - len(concepts)
        arguments = ["zero-shot", str(folder / "subjects.jsonl")]
        arguments += ["--cache", str(Path(settings.CACHE_ROOT) / "training")]
        arguments += ["--features", str(folder / "features.safetensors")]
        arguments += ["--log-odds", str(folder / "log_odds.npy")]
        arguments += seen.option(folder)
        time_limit = TIME_LIMIT + TILE_TIME * tiles
        processes.call(arguments, log=folder / "log.txt", time_limit=time_limit, watch=check)
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


def _check_without_clip(project: Project) -> None:
    """Raise Overtaken unless the frozen encoder still predicts a project."""
    if not _without_clip().filter(pk=project.pk).exists():
        raise Overtaken(f"A CLIP predicts {project} by now, or it is not open any more.")


def _tile_lines(project: Project, seen: Seen) -> Iterator[dict[str, Any]]:
    """Yield a line for each tile of the project, with what is said to be seen on it."""
    tiles = Tile.objects.filter(image__project=project).select_related("image")
    files = tile_files.LocalFiles(seen)
    stream = tiles.order_by("image_id", "pk").iterator(chunk_size=tile_files.BATCH)
    for batch in batched(stream, tile_files.BATCH):
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
