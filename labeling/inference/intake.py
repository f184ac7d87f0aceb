"""Take in what a CLIP sees and predicts of a project: features, and the log-odds of all pairs.

Files are stored first, under new names; one transaction then names them and marks what follows
from them as due; earlier files are deleted last. Whoever is killed in between leaves the earlier
model in place, or what the next recomputation finishes. One process at a time does so for a
project, on all machines: else one might delete what another has stored and is about to name.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from django.db import OperationalError, connection, transaction
from safetensors import SafetensorError

from labeling import bulk_update, excluding, features, lease, predictions
from labeling.features import Features, Ids
from labeling.inference import model_prior, priors
from labeling.inference.arrays import columns
from labeling.models import Concept, Project, Recomputation

ATTEMPTS = 3  # where a transaction meets a deadlock

_TILES = """
SELECT tile.id FROM labeling_tile AS tile JOIN labeling_image AS image ON image.id = image_id
WHERE project_id = {project}
"""

logger = logging.getLogger(__name__)
LogOdds = npt.NDArray[np.float16]


def replace(
    *,
    project: Project,
    file: Path,
    log_odds: Path | None = None,
    phrases: Mapping[int, str] | None = None,
    encoder: str = "",
    expected: str | None = None,
    stands: Callable[[], bool] = lambda: True,
) -> int:
    """Replace a project's features and predictions; return how many pairs are predicted.

    1. Check the files: they must fit together and be about this project.
    2. Store the features, and an array of predictions for each concept.
    3. In one transaction, put them in the place of the earlier ones, mark all priors as stale, and
       have all concepts fitted again.
    4. Delete the earlier files.
    5. Update the priors of stored questions that nobody has answered, concept by concept, and renew
       the pools. The recomputation, which is due now, writes all others once.

    file: features, as safetensors (`labeling.features.TENSORS`). log_odds: (C, T) of the features'
    concepts and tiles, as float16 in a .npy file; without it, nothing is predicted before a probe
    is. phrases: by concept, what the model was asked. encoder: the frozen one that they are by;
    empty: a CLIP. expected: the name of the features to be replaced: where the project has others
    by now, nothing is changed, and 0 returned; and neither where the model does not stand any more,
    which is asked within the transaction. Raises ValueError where a file is no good; then nothing
    is changed.
    """
    seen, predicted = _checked(project, file, log_odds)
    own = set(project.concepts.values_list("pk", flat=True))
    known = {pk: phrase for pk, phrase in (phrases or {}).items() if pk in seen.concepts}
    with _alone(project.pk):
        name = features.save(file, project=project)
        names = {
            pk: predictions.save(row, concept=pk, features=name)
            for pk, row in zip(seen.concepts.tolist(), predicted, strict=False)
            if pk in own
        }
        switched = _switch(
            project, name, names, known, encoder=encoder, expected=expected, stands=stands
        )
        features.delete_others(project)
        predictions.delete_others(project)
    if not switched:
        return 0
    excluding.request_all(project)
    priors.update_stale(project, answered=False)
    return len(names) * len(seen.tiles)


def add(
    *,
    concept: Concept,
    phrase: str,
    features_name: str,
    log_odds: LogOdds,
    text: npt.NDArray[np.float16],
) -> bool:
    """Store the predictions (T,) and the text embedding (E,) of a concept that was added later.

    phrase: what they are about. features_name: that of the features that they rest on. Return False
    where the concept or the project's features have changed meanwhile. Raises ValueError where they
    do not fit the features.
    """
    seen = features.load(Project.objects.get(pk=concept.project_id))
    if seen is None or seen.name != features_name:
        return False
    if log_odds.shape != seen.tiles.shape or text.shape != (seen.width,):
        raise ValueError(
            f"{log_odds.shape} predictions and a text of {text.shape} do not fit "
            f"{len(seen.tiles)} tiles with {seen.width} features."
        )
    _check_finite(log_odds, text)
    with _alone(concept.project_id):
        name = predictions.save(log_odds, concept=concept.pk, features=features_name)
        text_name = predictions.save_text(text, concept=concept.pk, features=features_name)
        with transaction.atomic():
            unchanged = predictions.lock_unchanged(concept, features=features_name, phrase=phrase)
            stored = unchanged.update(
                predictions=name,
                text_embedding=text_name,
                embedded_phrase=phrase,
                priors_stale=True,
                known_when_fitted=0,
            )
        earlier = str(concept.predictions.name or ""), str(concept.text_embedding.name or "")
        for unused in earlier if stored else (name, text_name):
            predictions.delete(unused)
    if stored:
        excluding.request_all(concept.project)
        priors.update(concept, answered=False)
    return bool(stored)


def withdraw(*, project: Project) -> None:
    """Take back a project's features and predictions, since no model stands for them any more.

    Stored questions return to the priors that they would have without a model. Whoever is killed on
    the way leaves what the next recomputation finishes.
    """
    with _alone(project.pk):
        _switch(project, "", {}, {})
        features.delete_others(project)
        predictions.delete_others(project)
    excluding.request_all(project)
    priors.update_stale(project, answered=False)
    model_prior.withdraw(project)


def _alone(project: int) -> AbstractContextManager[None]:
    """Wait until nobody else takes in anything of this project, and let nobody do so."""
    return lease.awaited(f"predictions of project {project}")


def _checked(project: Project, file: Path, log_odds: Path | None) -> tuple[Features, LogOdds]:
    """Return the features, and the log-odds (C, T), mapped; (0, T) where there are none."""
    try:
        seen = features.read(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file} holds no features: {error}") from None
    tiles = np.sort(columns(_TILES.format(project=project.pk), "int8")[0])
    _check_own("tiles", seen.tiles, tiles, project)
    if log_odds is None:
        return seen, np.zeros((0, len(seen.tiles)), np.float16)
    concepts = np.array(sorted(project.concepts.values_list("pk", flat=True)), np.int64)
    _check_own("concepts", seen.concepts, concepts, project)
    try:
        predicted: LogOdds = np.load(log_odds, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{log_odds} holds no predictions: {error}") from None
    shape = len(seen.concepts), len(seen.tiles)
    if predicted.dtype != np.float16 or predicted.shape != shape:
        raise ValueError(
            f"The predictions are {predicted.dtype} {predicted.shape}; for the features' concepts "
            f"and tiles they must be float16 {shape}."
        )
    for row in predicted:
        _check_finite(row)
    return seen, predicted


def _check_own(what: str, ids: Ids, own: Ids, project: Project) -> None:
    """Raise ValueError where none of the ids is the project's own; log those that have gone."""
    others = int((~np.isin(ids, own)).sum())
    if others and others == len(ids):
        raise ValueError(f"The features are of another project: none of their {what} is in it.")
    if others:
        logger.warning("%d %s of the features are no longer in %s.", others, what, project)


def _check_finite(*arrays: npt.NDArray[np.float16]) -> None:
    """Raise ValueError where a number is infinite; NaN says that nothing is predicted."""
    if any(np.isinf(array).any() for array in arrays):
        raise ValueError("The predictions hold infinite numbers.")


class _Outdated(Exception):
    """Others have replaced the features meanwhile, or are about to."""


def _switch(
    project: Project,
    name: str,
    names: Mapping[int, str],
    phrases: Mapping[int, str],
    *,
    encoder: str = "",
    expected: str | None = None,
    stands: Callable[[], bool] = lambda: True,
) -> bool:
    """Name the new files in the place of the earlier ones, in one transaction.

    Return whether those were the ``expected`` ones, and the model stands; else nothing is changed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                _set_files(project, name, names, phrases, encoder, expected)
                if not stands():
                    raise _Outdated
        except _Outdated:
            project.refresh_from_db(fields=["features", "encoder"])
            return False
        except OperationalError:
            if attempt == ATTEMPTS or connection.in_atomic_block:
                raise
            logger.warning("Taking in the predictions of %s is tried again.", project)
        else:
            break
    project.features.name, project.encoder = name, encoder
    return True


def _set_files(
    project: Project,
    name: str,
    names: Mapping[int, str],
    phrases: Mapping[int, str],
    encoder: str,
    expected: str | None,
) -> None:
    concepts = list(project.concepts.order_by("pk").select_for_update(no_key=True))
    for concept in concepts:
        concept.predictions.name = names.get(concept.pk, "")
        concept.embedded_phrase = phrases.get(concept.pk, "")
        concept.text_embedding.name = ""
        concept.priors_stale, concept.known_when_fitted = True, 0
    fields = "predictions", "embedded_phrase", "text_embedding", "priors_stale", "known_when_fitted"
    bulk_update.update(concepts, fields)
    replaced = Project.objects.filter(pk=project.pk)
    if expected is not None:
        replaced = replaced.filter(features=expected)
    if not replaced.update(features=name, encoder=encoder):
        raise _Outdated
    Recomputation.objects.update_or_create(project=project, defaults={"requested": True})
