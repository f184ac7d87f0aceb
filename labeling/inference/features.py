"""What a CLIP sees in a project's tiles: one file of embeddings, read a block at a time."""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.core.files.storage import default_storage
from safetensors import SafetensorError, safe_open

from labeling.models import Concept, Project

BLOCK = 20_000  # rows that are read at once
KINDS = {
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

    path: Path
    width: int  # E
    tiles: Ids  # (T,) ids, rising
    texts: dict[int, Singles]  # by concept: (E,)
    learned: Ids  # questions whose answers the model may have been trained on

    def places(self, tiles: Ids) -> Index:
        """Where each tile's row is, -1 where there is none."""
        if not len(self.tiles):
            return np.full(len(tiles), -1)
        place = np.searchsorted(self.tiles, tiles).clip(max=len(self.tiles) - 1)
        return np.where(self.tiles[place] == tiles, place, -1)

    def blocks(self, places: Index) -> Iterator[tuple[Index, Singles]]:
        """The rows at `places` that are numbers, in parts: (which of the places, their rows)."""
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        with safe_open(self.path, framework="np") as file:
            rows = file.get_slice("images")
            for start in range(0, len(self.tiles), BLOCK):
                first, last = np.searchsorted(ordered, [start, start + BLOCK])
                if last > first:
                    stop = min(start + BLOCK, len(self.tiles))
                    block = rows[start:stop][ordered[first:last] - start].astype(np.float32)
                    usable = np.isfinite(block).all(1)
                    yield order[first:last][usable], block[usable]


def of(project: Project) -> Features | None:
    """The project's features; None where there are none, or they cannot be used (it is logged)."""
    name = str(project.features.name or "")
    if not name:
        return None
    try:
        return _read(_local(name), set(project.concepts.values_list("pk", flat=True)))
    except (OSError, SafetensorError, ValueError, OverflowError) as error:
        logger.warning("The features %s of %s cannot be used: %s", name, project, error)
        return None


def replace(*, project: Project, path: Path) -> None:
    """Keep the file as the project's features, and have the model judged anew by what is known.

    Raises ValueError where it is none.
    """
    try:
        _read(path, set())
    except SafetensorError as error:
        raise ValueError(f"{path} holds no features: {error}") from None
    old = str(project.features.name or "")
    with path.open("rb") as file:
        # a name of its own, so that nobody who keeps a copy takes the old for the new
        name = f"features/{project.pk}-{secrets.token_hex(8)}.safetensors"
        name = default_storage.save(name, file)
    Project.objects.filter(pk=project.pk).update(features=name)
    project.features.name = name
    Concept.objects.filter(project=project).update(known_when_fitted=0)
    if old:
        default_storage.delete(old)


def _local(name: str) -> Path:
    """Where the file lies on this machine, fetched if the storage is elsewhere."""
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        path = Path(settings.CACHE_ROOT) / "features" / Path(name).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{path.name.partition('-')[0]}-*"):
            old.unlink(missing_ok=True)
        draft = path.with_suffix(".part")
        with default_storage.open(name) as file, draft.open("wb") as out:
            for chunk in file.chunks():
                out.write(chunk)
        draft.rename(path)
    return path


def _read(path: Path, concepts: set[int]) -> Features:
    """Check everything but the embeddings themselves, which are as large as the project."""
    if not path.is_file():
        raise ValueError("the file is missing")
    with safe_open(path, framework="np") as file:
        shapes = {name: _shape(file, name) for name in KINDS}
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
    return Features(path, shapes["images"][1], tiles, texts, np.unique(learned))


def _shape(file: Any, name: str) -> list[int]:
    if name not in file.keys():  # noqa: SIM118  (it is no mapping)
        raise ValueError(f"it holds no {name}")
    part = file.get_slice(name)
    kind, dimensions = KINDS[name]
    shape = list(part.get_shape())
    if part.get_dtype() != kind or len(shape) != dimensions:
        raise ValueError(f"its {name} are {part.get_dtype()} {shape}")
    return shape
