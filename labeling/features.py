"""A project's features: a CLIP's embeddings of tiles and concepts in one file, read in blocks."""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.storage import default_storage
from django.db import transaction
from safetensors import SafetensorError, safe_open

from labeling import local_files
from labeling.models import Concept, Project

BLOCK = 20_000  # rows that are read together
# The tensors of a features file: type and number of dimensions.
TENSORS = {
    "tiles": ("I64", 1),
    "images": ("F16", 2),
    "concepts": ("I64", 1),
    "texts": ("F16", 2),
    "learned": ("I64", 1),
}
logger = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]
Index = npt.NDArray[np.intp]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """Embeddings of T tiles and of the concepts' phrases, E numbers each."""

    name: str  # in the project's storage
    path: Path  # on this machine
    width: int  # E
    tiles: Ids  # (T,) ids, ascending
    texts: dict[int, Singles]  # by concept: (E,)
    learned: Ids  # questions whose answers the model may have been trained on

    def rows_of(self, tiles: Ids) -> Index:
        """Return the row of each tile (n,), -1 where there is none."""
        if not len(self.tiles):
            return np.full(len(tiles), -1)
        rows = np.searchsorted(self.tiles, tiles).clip(max=len(self.tiles) - 1)
        return np.where(self.tiles[rows] == tiles, rows, -1)

    def blocks(self, rows: Index) -> Iterator[tuple[Index, Singles]]:
        """Yield the finite ones of `rows` (n,), block by block: index (m,), embeddings (m, E)."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        with safe_open(self.path, framework="np") as file:
            images = file.get_slice("images")
            for start in range(0, len(self.tiles), BLOCK):
                first, last = np.searchsorted(ordered, [start, start + BLOCK])
                if last > first:
                    stop = min(start + BLOCK, len(self.tiles))
                    block = images[start:stop][ordered[first:last] - start].astype(np.float32)
                    usable = np.isfinite(block).all(1)
                    yield order[first:last][usable], block[usable]


def load(project: Project) -> Features | None:
    """Return the project's features; None where there are none, or they are unusable (logged)."""
    name = str(project.features.name or "")
    if not name:
        return None
    try:
        concepts = set(project.concepts.values_list("pk", flat=True))
        return _read(name, _local_path(name), concepts)
    except (OSError, SafetensorError, ValueError, OverflowError) as error:
        logger.warning("The features %s of %s cannot be used: %s", name, project, error)
        return None


def replace(*, project: Project, path: Path) -> None:
    """Store the file as the project's features, and have all its concepts fitted again.

    Raises ValueError where it holds no features.
    """
    try:
        _read("", path, set())
    except SafetensorError as error:
        raise ValueError(f"{path} holds no features: {error}") from None
    old = str(project.features.name or "")
    with path.open("rb") as file:
        # A new name each time, so that nobody takes a copy of the old file for the new one.
        name = f"features/{project.pk}-{secrets.token_hex(8)}.safetensors"
        name = default_storage.save(name, file)
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(features=name)
        Concept.objects.filter(project=project).update(known_when_fitted=0)
    project.features.name = name
    if old:
        default_storage.delete(old)


def _local_path(name: str) -> Path:
    """Return the file's path on this machine; copies of the project's older features go."""
    project = Path(name).name.partition("-")[0]
    return local_files.fetch(name, cache="features", replaces=f"{project}-*")


def _read(name: str, path: Path, concepts: set[int]) -> Features:
    """Read and check everything but the tiles' embeddings, which are as large as the project.

    Raises OSError, SafetensorError or ValueError.
    """
    if not path.is_file():
        raise ValueError("the file is missing")
    with safe_open(path, framework="np") as file:
        shapes = {tensor: _shape(file, tensor) for tensor in TENSORS}
        if (
            shapes["images"][0] != shapes["tiles"][0]
            or not shapes["images"][1]
            or shapes["texts"][0] != shapes["concepts"][0]
            or (shapes["texts"][0] and shapes["texts"][1] != shapes["images"][1])
        ):
            raise ValueError(f"its shapes {shapes} do not fit together")
        tiles, learned = file.get_tensor("tiles"), file.get_tensor("learned")
        if (np.diff(tiles) <= 0).any():
            raise ValueError("its tiles are not in the order of their ids")
        texts = {
            int(pk): row.astype(np.float32)
            for pk, row in zip(file.get_tensor("concepts"), file.get_tensor("texts"), strict=True)
            if pk in concepts and np.isfinite(row).all()
        }
    return Features(name, path, shapes["images"][1], tiles, texts, np.unique(learned))


def _shape(file: Any, name: str) -> list[int]:
    """Return the shape of a tensor. Raises ValueError where it is missing or of another type."""
    if name not in file.keys():  # noqa: SIM118  (it is no mapping)
        raise ValueError(f"it holds no {name}")
    tensor = file.get_slice(name)
    dtype, dimensions = TENSORS[name]
    shape = list(tensor.get_shape())
    if tensor.get_dtype() != dtype or len(shape) != dimensions:
        raise ValueError(f"its {name} are {tensor.get_dtype()} {shape}")
    return shape
