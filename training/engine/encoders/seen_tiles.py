"""What was seen of tiles elsewhere: files that others wrote, so that nobody looks at them again.

Such a file holds, as safetensors, `tiles` (t,) ids and `images` (t, E) in float16; of the frozen
encoder also `keys` (t, 32) of what the tiles show (`tile_features`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.engine.files import TrainingError, write_tensors

PATTERN = "*.safetensors"


class SeenTiles:
    """The rows of tiles in the files of a folder."""

    def __init__(self, folder: Path | None, identity: str) -> None:
        """Find out which tiles were seen; ``identity`` is that of the encoder.

        Raise ``TrainingError`` where a file cannot be read, or is by another encoder.
        """
        self._files = sorted(folder.glob(PATTERN)) if folder else []
        ids = [np.zeros(0, np.int64)]
        ids += [self._tensor(file, "tiles", identity).numpy() for file in self._files]
        lengths = [len(each) for each in ids[1:]]
        order = np.argsort(np.concatenate(ids), kind="stable")
        self._ids = np.concatenate(ids)[order]  # (n,), rising
        self._file = np.repeat(np.arange(len(lengths)), lengths)[order]
        rows = [np.arange(length) for length in lengths]
        self._row = np.concatenate([np.zeros(0, np.int64), *rows])[order]

    def among(self, tiles: Sequence[int]) -> NDArray[np.bool_]:
        """Return (n,): whether each of n tiles was seen."""
        return np.isin(np.asarray(tiles, np.int64), self._ids)

    def images(self, tiles: Sequence[int]) -> Tensor:
        """Return what was seen of n tiles, (n, E) in float16; all must be known, and one at least.

        Files are read one after another, so tiles of a file are to stand together.
        """
        return self._gathered("images", tiles)

    def keys(self, tiles: Sequence[int]) -> list[str]:
        """Return the keys of what n tiles show; all must be known."""
        if not len(tiles):
            return []
        return [bytes(row).hex() for row in self._gathered("keys", tiles).numpy()]

    def _gathered(self, name: str, tiles: Sequence[int]) -> Tensor:
        places = np.searchsorted(self._ids, np.asarray(tiles, np.int64))
        files, rows = self._file[places], self._row[places]
        gathered: Tensor | None = None
        for file in np.unique(files):
            of_file = self._tensor(self._files[file], name)
            if gathered is None:
                gathered = of_file.new_empty(len(rows), of_file.shape[1])
            gathered[torch.from_numpy(files == file)] = of_file[rows[files == file]]
        assert gathered is not None
        return gathered

    def _tensor(self, path: Path, name: str, identity: str = "") -> Tensor:
        try:
            with safe_open(path, framework="pt") as file:
                by = (file.metadata() or {}).get("by")
                tensor: Tensor = file.get_tensor(name)
        except (OSError, SafetensorError):
            raise TrainingError(f"{path} does not hold what was seen of tiles.") from None
        if identity and by != identity:
            raise TrainingError(f"{path} was seen by another model.")
        return tensor


def write(
    path: Path,
    identity: str,
    tiles: Sequence[int],
    images: Tensor,
    keys: NDArray[np.uint8] | None = None,
) -> None:
    """Write what an encoder saw of tiles."""
    tensors = {"tiles": torch.tensor(tiles, dtype=torch.int64), "images": images.half()}
    if keys is not None:
        tensors["keys"] = torch.from_numpy(keys)
    write_tensors(path, tensors, {"by": identity})
