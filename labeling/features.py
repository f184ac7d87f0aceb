"""A project's features: a CLIP's embeddings of tiles and concepts in one file, mapped to memory."""

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.storage import default_storage
from django.db.models import F
from safetensors import SafetensorError, safe_open

from labeling import local_files
from labeling.models import Project
from labeling.stored_folders import objects
from labeling.stored_folders.errors import asking

BLOCK = 20_000  # rows that are read together
FOLDER = "features"
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
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Features:
    """Embeddings of T tiles and of the concepts' phrases, E numbers each."""

    name: str  # in the project's storage
    path: Path  # on this machine
    tiles: Ids  # (T,) ids, ascending
    images: Halves  # (T, E), mapped from the file
    concepts: Ids  # (C,) ids of those that the model knew
    texts: dict[int, Singles]  # by concept: (E,)
    learned: Ids  # questions whose answers the model may have been trained on

    @property
    def width(self) -> int:
        """E, the numbers of an embedding."""
        return int(self.images.shape[1])

    def rows_of(self, tiles: Ids) -> Index:
        """Return the row of each tile (n,), -1 where there is none."""
        if not len(self.tiles):
            return np.full(len(tiles), -1)
        rows = np.searchsorted(self.tiles, tiles).clip(max=len(self.tiles) - 1)
        return np.where(self.tiles[rows] == tiles, rows, -1)

    def rows(self, rows: Index) -> Singles:
        """Return the embeddings (n, E) in these rows (n,); some may not be finite."""
        return self.images[rows].astype(np.float32)

    def blocks(self) -> Iterator[tuple[slice, Singles]]:
        """Yield all embeddings (m, E), block by block, with their rows."""
        for start in range(0, len(self.tiles), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self.tiles)))
            yield rows, self.images[rows].astype(np.float32)


def load(project: Project) -> Features | None:
    """Return the project's features; None where there are none, or they are unusable (logged)."""
    name = str(project.features.name or "")
    if not name:
        return None
    try:
        current = read(_local_path(name), name=name)
        texts = _texts_of(project, current)
    except (OSError, SafetensorError, ValueError, OverflowError) as error:
        logger.warning("The features %s of %s cannot be used: %s", name, project, error)
        return None
    return Features(**{**vars(current), "texts": texts})


def read(path: Path, *, name: str = "") -> Features:
    """Read and check a file of features; the tiles' embeddings are mapped, and not looked at.

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
        small = {tensor: file.get_tensor(tensor) for tensor in TENSORS if tensor != "images"}
    for tensor in ("tiles", "concepts"):
        if (np.diff(small[tensor]) <= 0).any():
            raise ValueError(f"its {tensor} are not in the order of their ids")
    pairs = zip(small["concepts"].tolist(), small["texts"].astype(np.float32), strict=True)
    return Features(
        name=name,
        path=path,
        tiles=small["tiles"],
        images=_mapped(path, shapes["images"]),
        concepts=small["concepts"],
        texts={pk: row for pk, row in pairs if np.isfinite(row).all()},
        learned=np.unique(small["learned"]),
    )


def save(file: Path, *, project: Project) -> str:
    """Store a file of features; return its name, which the project does not bear yet.

    Raises StorageAway.
    """
    # A new name each time, so that nobody takes a copy of the old file for the new one.
    name = f"{FOLDER}/{project.pk}-{secrets.token_hex(8)}.safetensors"
    with file.open("rb") as content, asking():
        return default_storage.save(name, content)


def delete_others(project: Project) -> None:
    """Delete the features of a project that it does not bear: earlier ones, and of lost intakes."""
    current = PurePosixPath(str(project.features.name or "")).name
    for name in local_files.listed(FOLDER)[1]:
        if name.startswith(f"{project.pk}-") and name != current:
            objects.delete(f"{FOLDER}/{name}")


def _local_path(name: str) -> Path:
    """Return the file's path on this machine; copies of the project's older features go."""
    project = Path(name).name.partition("-")[0]
    return local_files.fetch(name, cache=FOLDER, replaces=f"{project}-*")


def _texts_of(project: Project, current: Features) -> dict[int, Singles]:
    """Return the texts of the concepts' present phrases, wherever they are stored."""
    embedded = project.concepts.filter(embedded_phrase=F("phrase"))
    stored = dict(embedded.values_list("pk", "text_embedding"))
    texts = {pk: text for pk, text in current.texts.items() if pk in stored}
    added = {pk: _text(name, width=current.width) for pk, name in stored.items() if name}
    return texts | added


def _text(name: str, *, width: int) -> Singles:
    """Return the embedding (E,) of a concept's phrase that was added later."""
    concept = Path(name).name.partition("-")[0]
    path = local_files.fetch(name, cache="predictions/texts", replaces=f"{concept}-*")
    embedding = np.load(path, allow_pickle=False)
    if embedding.shape != (width,) or not np.isfinite(embedding).all():
        raise ValueError(f"{name} holds no text of {width} numbers")
    single: Singles = embedding.astype(np.float32)
    return single


def _mapped(path: Path, shape: list[int]) -> Halves:
    """Map the images of a checked safetensors file: its header says where they lie."""
    if not shape[0]:
        return np.zeros(shape, np.float16)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        first, _ = json.loads(file.read(size))["images"]["data_offsets"]
    return np.memmap(path, np.float16, "r", offset=8 + size + first, shape=tuple(shape))


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
