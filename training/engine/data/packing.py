"""Pictures packed into one memory-mapped array, made once and read batch by batch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Pixels, load_all
from training.engine.data.rows import Row
from training.engine.files import TrainingError, array_draft

RESIDENT = 0.25  # of a GPU's free memory that pictures may take


def pack(rows: Sequence[Row], size: int, cache: Path, name: str) -> Pixels:
    """Return the rows' pictures as uint8 (n, size, size, 3), memory-mapped from ``cache``.

    ``name`` identifies the rows' content: of each name and size one file is made, once. Raise
    ``TrainingError`` where a picture cannot be read, or the file is of other rows.
    """
    path = cache / f"images-{size}-{name}.npy"
    if not path.exists():
        with array_draft(path, (len(rows), size, size, 3), np.uint8) as packed:
            for index, whole in enumerate(load_all([(row.path, [None]) for row in rows], size)):
                packed[index] = whole[0]
    pixels: Pixels = np.load(path, mmap_mode="r")
    if pixels.shape != (len(rows), size, size, 3):
        raise TrainingError(f"{path} does not fit the snapshot: delete it and start again.")
    return pixels


class PackedPictures:
    """Packed pictures, read batch by batch: from the GPU's memory where they fit there."""

    def __init__(self, pixels: Pixels, device: torch.device) -> None:
        self.pixels = pixels
        self.device = device
        self._resident: Tensor | None = None
        if device.type == "cuda" and pixels.nbytes < RESIDENT * torch.cuda.mem_get_info(device)[0]:
            self._resident = torch.from_numpy(np.array(pixels)).to(device)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: Tensor) -> Tensor:
        """Return the pictures of the rows (B,) as floats (B, 3, s, s) in [-1, 1]."""
        if self._resident is None:
            chosen = torch.from_numpy(self.pixels[rows.cpu().numpy()])
            if self.device.type == "cuda":
                chosen = chosen.pin_memory().to(self.device, non_blocking=True)
        else:
            chosen = self._resident[rows.to(self.device)]
        return chosen.permute(0, 3, 1, 2).float() / 127.5 - 1
