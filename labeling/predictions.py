"""The model's predictions of all pairs of a tile and a concept: an array a concept, in storage.

Each array holds float16 log-odds of yes in the order of the tiles of the project's features
(`labeling.features`), NaN where nothing is predicted. It is valid for those features alone: its
folder bears their name.
"""

import io
import logging
import secrets
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from numpy.lib.format import open_memmap
from safetensors import SafetensorError, safe_open

from labeling import local_files
from labeling.models import Concept, Project
from labeling.stored_folders import objects
from labeling.stored_folders.errors import asking

FOLDER = "predictions"
logger = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]
Index = npt.NDArray[np.intp]
LogOdds = npt.NDArray[np.float16]


def tile_ids(project: Project) -> Ids:
    """Return the ids (T,), ascending, of the tiles with features; none where those are missing."""
    name = str(project.features.name or "")
    if not name:
        return np.zeros(0, np.int64)
    try:
        return _tile_ids(name)
    except (OSError, SafetensorError) as error:
        logger.warning("The features %s cannot be read: %s", name, error)
        return np.zeros(0, np.int64)


def rows_of(tile_ids: Ids, tiles: Ids) -> Index:
    """Return the row of each of `tiles` (n,) among the ascending `tile_ids` (T,), -1 without."""
    if not len(tile_ids):
        return np.full(len(tiles), -1)
    rows = np.searchsorted(tile_ids, tiles).clip(max=len(tile_ids) - 1)
    return np.where(tile_ids[rows] == tiles, rows, -1)


def load(concept: Concept, project: Project) -> LogOdds | None:
    """Return a concept's predictions (T,), mapped from its file.

    None where there are none, or where they do not belong to the project's features (logged).
    """
    name = str(concept.predictions.name or "")
    if not name:
        return None
    try:
        if PurePosixPath(name).parent.name != _stem(str(project.features.name or "")):
            raise ValueError("it belongs to other features")
        array = open_memmap(_local_path(name), mode="r")
        if array.dtype != np.float16 or array.shape != tile_ids(project).shape:
            raise ValueError(f"it holds {array.dtype} {array.shape}")
    except (OSError, ValueError, OverflowError, TokenError) as error:
        logger.warning("The predictions %s of %s cannot be used: %s", name, concept, error)
        return None
    loaded: LogOdds = array
    return loaded


def save(array: npt.NDArray[Any], *, concept: int, features: str) -> str:
    """Store a concept's predictions (T,) for the features of that name; return their name.

    The concept itself still names the earlier ones.
    """
    return _store(array, f"{_stem(features)}/{concept}-{secrets.token_hex(4)}.npy")


def save_text(embedding: npt.NDArray[Any], *, concept: int, features: str) -> str:
    """Store the embedding (E,) of a concept's phrase beside its predictions; return its name."""
    return _store(embedding, f"{_stem(features)}/{concept}-{secrets.token_hex(4)}.text.npy")


def delete(name: str) -> None:
    """Delete predictions that no concept names any more."""
    if name:
        objects.delete(name)


def delete_others(project: Project) -> None:
    """Delete the predictions that do not belong to the project's features."""
    current = _stem(str(project.features.name or ""))
    for folder in local_files.listed(FOLDER)[0]:
        if folder.startswith(f"{project.pk}-") and folder != current:
            for name in local_files.listed(f"{FOLDER}/{folder}")[1]:
                objects.delete(f"{FOLDER}/{folder}/{name}")
            objects.delete(f"{FOLDER}/{folder}")


def lock_unchanged(concept: Concept, *, features: str, **values: float | str) -> QuerySet[Concept]:
    """Lock a concept until the transaction ends; return it, to be updated, unless it has changed.

    It is unchanged while it has the predictions that were read, the project has the features of
    that name, and `values` of further fields are the same. The lock is a statement of its own: an
    UPDATE with a join that waits for somebody else would then compare what was before them.
    """
    same = Concept.objects.filter(pk=concept.pk)
    same.order_by("pk").select_for_update(no_key=True).values_list("pk").first()
    return same.filter(predictions=concept.predictions.name, project__features=features, **values)


def _store(array: npt.NDArray[Any], name: str) -> str:
    file = io.BytesIO()
    np.save(file, np.asarray(array, np.float16), allow_pickle=False)
    with asking():
        return default_storage.save(f"{FOLDER}/{name}", ContentFile(file.getvalue()))


def _stem(features: str) -> str:
    """Return the name of the folder of predictions that belong to the features of that name."""
    return PurePosixPath(features).stem


def _local_path(name: str) -> Path:
    concept = Path(name).name.partition("-")[0]
    return local_files.fetch(name, cache=FOLDER, replaces=f"{concept}-*")


@lru_cache(maxsize=4)
def _tile_ids(name: str) -> Ids:
    """Return the tiles of a features file, which never changes under its name.

    Raises OSError or SafetensorError, and then is read again the next time.
    """
    project = Path(name).name.partition("-")[0]
    path = local_files.fetch(name, cache="features", replaces=f"{project}-*")
    with safe_open(path, framework="np") as file:
        ids: Ids = file.get_tensor("tiles")
    return ids
