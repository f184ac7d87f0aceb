"""A snapshot: its rows, and its pictures packed into one memory-mapped array."""

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from training.engine.files import TrainingError

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
RESIDENT = 0.25  # of a GPU's free memory that pictures may take


@dataclass(frozen=True)
class Row:
    """One picture and what is believed of all of it; what parts of it show is left out."""

    path: Path
    captions: tuple[tuple[str, float], ...]
    tags: tuple[str, ...]
    concepts: dict[str, float]
    content: str = ""  # a hash of the picture, where its file is not named by one
    prompt: str = ""  # what a model drew it from
    right: float | None = None  # how far people believe that it shows what it was drawn from

    @property
    def key(self) -> str:
        """What stands for the picture's content in caches."""
        return self.content or self.path.name


@dataclass(frozen=True)
class Snapshot:
    folder: Path
    concepts: tuple[str, ...]
    train: tuple[Row, ...]
    test: tuple[Row, ...]
    digest: str


def digest(rows: Sequence[Row]) -> str:
    """A name for the rows' pictures; a snapshot's file names are hashes of their content."""
    names = "\n".join(row.key for row in rows)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def pack(rows: Sequence[Row], size: int, cache: Path, name: str) -> Pixels:
    """The rows' pictures as (n, size, size, 3), memory-mapped from ``cache`` and made once.

    ``name`` identifies the rows' content; the same name and size give the same file.
    """
    path = cache / f"images-{size}-{name}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.part")
        try:
            packed = open_memmap(
                temporary, mode="w+", dtype=np.uint8, shape=(len(rows), size, size, 3)
            )
            with temporary.open("r+b") as file:  # writing to a map on a full disk would kill us
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
            for index, whole in enumerate(load_all([(row.path, [None]) for row in rows], size)):
                packed[index] = whole[0]
            packed.flush()
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
    pixels: Pixels = np.load(path, mmap_mode="r")
    if pixels.shape != (len(rows), size, size, 3):
        raise TrainingError(f"{path} does not fit the snapshot: delete it and start again.")
    return pixels


def load_all(sources: Sequence[tuple[Path, Sequence[Box | None]]], size: int) -> Iterator[Pixels]:
    """Each picture's boxes as (boxes, size, size, 3), in order, decoded ahead by threads."""
    waiting = iter(sources)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        ahead = deque(pool.submit(load, *source, size) for source in islice(waiting, 64))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(load, *source, size) for source in islice(waiting, 1))


def load(path: Path, boxes: Sequence[Box | None], size: int) -> Pixels:
    """The (left, top, width, height) boxes of a picture, or all of it, scaled to squares."""
    try:
        with Image.open(path) as image:
            picture = _on_white(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise TrainingError(
            f"The picture {path} is missing: put it back, or leave it out."
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise TrainingError(
            f"The picture {path} cannot be read: replace it, or leave it out."
        ) from None
    return np.stack([_square(picture, box, size) for box in boxes])


def _on_white(image: Image.Image) -> Image.Image:
    """Any mode as RGB: what is transparent becomes white, 16 bits become 8."""
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint16)
        return Image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    whole = image.convert("RGBA")
    white = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(white, whole).convert("RGB")


def _square(picture: Image.Image, box: Box | None, size: int) -> Pixels:
    if box is not None:
        left, top, width, height = box
        picture = picture.crop((left, top, left + width, top + height))
    exact = picture.width == picture.height and picture.width % size == 0
    method = Image.Resampling.BOX if exact else Image.Resampling.LANCZOS
    return np.asarray(ImageOps.fit(picture, (size, size), method))


class Pictures:
    """Packed pictures, read a batch at a time: from the GPU's memory where they fit there."""

    def __init__(self, pixels: Pixels, device: torch.device) -> None:
        self.pixels = pixels
        self.device = device
        self._resident: Tensor | None = None
        if device.type == "cuda" and pixels.nbytes < RESIDENT * torch.cuda.mem_get_info(device)[0]:
            self._resident = torch.from_numpy(np.array(pixels)).to(device)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: Tensor) -> Tensor:
        """Float pictures (B, 3, s, s) in [-1, 1] of the rows (B,)."""
        if self._resident is None:
            chosen = torch.from_numpy(self.pixels[rows.cpu().numpy()])
            if self.device.type == "cuda":
                chosen = chosen.pin_memory().to(self.device, non_blocking=True)
        else:
            chosen = self._resident[rows.to(self.device)]
        return chosen.permute(0, 3, 1, 2).float() / 127.5 - 1


def uint8(pictures: Tensor) -> Pixels:
    """Pictures (n, 3, s, s) in [-1, 1] as uint8 (n, s, s, 3)."""
    values = (pictures.float().clamp(-1, 1) + 1).mul(127.5).round().to(torch.uint8)
    return values.permute(0, 2, 3, 1).cpu().numpy()


def resized(pixels: Pixels, size: int) -> Pixels:
    """The pictures (n, s, s, 3) scaled to ``size``, a part at a time."""
    if pixels.shape[1] == size:
        return pixels
    parts = [np.zeros((0, size, size, 3), np.uint8)]
    for start in range(0, len(pixels), 1024):
        images = torch.from_numpy(np.array(pixels[start : start + 1024])).permute(0, 3, 1, 2)
        scaled = interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
        parts.append(scaled.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def png(pixels: Pixels) -> bytes:
    """A picture (height, width, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def tiled(pixels: Pixels, columns: int) -> Pixels:
    """Pictures (n, s, s, 3) as one, filled row by row."""
    count, size = len(pixels), pixels.shape[1]
    rows = count // columns
    grid = pixels[: rows * columns].reshape(rows, columns, size, size, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3)
