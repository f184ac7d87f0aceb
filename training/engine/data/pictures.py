"""Pictures as arrays: decoded, scaled, tiled, and written as PNG."""

import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from labeling import marks
from labeling.marks import SYSTEM, Mark
from training.engine.files import TrainingError

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Tile = tuple[Path, Box | None]  # a picture's file, and the part of it; None: all of it

DRAWN = Mark(system=SYSTEM)  # by a model that is not named: it is still in training, say


def load_all(sources: Sequence[tuple[Path, Sequence[Box | None]]], size: int) -> Iterator[Pixels]:
    """Yield each picture's boxes as (boxes, size, size, 3), in order, decoded ahead by threads."""
    waiting = iter(sources)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        ahead = deque(pool.submit(load, *source, size) for source in islice(waiting, 64))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(load, *source, size) for source in islice(waiting, 1))


def load(path: Path, boxes: Sequence[Box | None], size: int) -> Pixels:
    """Return boxes of a picture as uint8 (boxes, size, size, 3); None is all of it.

    A box is (left, top, width, height) in pixels. What is not square is cropped to its middle.
    Raise ``TrainingError`` with the path where the picture is missing or broken.
    """
    picture = opened(path)
    return np.stack([_square(picture, box, size) for box in boxes])


def load_halves(path: Path, second: Path | None, size: int) -> Pixels:
    """Load both halves of a pair as uint8 (2, size, size, 3), each whole, on white.

    Without a file of its own the second half is the right square of the first one's picture, whose
    left square is the first half. Raise ``TrainingError`` where a picture is missing or broken.
    """
    if second is not None:
        return np.stack([load_whole(half, size) for half in (path, second)])
    picture = opened(path)
    width, height = picture.size
    boxes = (0, 0, height, height), (width - height, 0, height, height)
    return np.stack([_square(picture, box, size) for box in boxes])


def load_whole(path: Path, size: int) -> Pixels:
    """Load all of a picture as uint8 (size, size, 3), in the middle of a white square.

    It is scaled first: a square as wide as a strip is long may not fit in memory. Raise
    ``TrainingError`` where it is missing or broken.
    """
    picture = opened(path)
    if picture.width == picture.height:
        return _square(picture, None, size)
    scale = size / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    square = Image.new("RGB", (size, size), "white")
    scaled = picture.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(scaled, ((size - width) // 2, (size - height) // 2))
    return np.asarray(square)


def opened(path: Path) -> Image.Image:
    """Return a picture on white, as it is meant to be turned; raise ``TrainingError`` for none."""
    try:
        with Image.open(path) as image:
            return _on_white(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise TrainingError(
            f"The picture {path} is missing: put it back, or leave it out."
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise TrainingError(
            f"The picture {path} cannot be read: replace it, or leave it out."
        ) from None


def _on_white(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: what is transparent becomes white, 16 bits become 8."""
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


def uint8(pictures: Tensor) -> Pixels:
    """Convert pictures (n, 3, s, s) in [-1, 1] to uint8 (n, s, s, 3)."""
    return uint8_tensor(pictures).cpu().numpy()


def uint8_tensor(pictures: Tensor) -> Tensor:
    """Convert as `uint8` does, to a tensor."""
    values = (pictures.float().clamp(-1, 1) + 1).mul(127.5).round().to(torch.uint8)
    return values.permute(0, 2, 3, 1)


def resized(pixels: Pixels, size: int) -> Pixels:
    """Scale uint8 pictures (n, s, s, 3) to ``size``, a part at a time."""
    if pixels.shape[1] == size:
        return pixels
    parts = [np.zeros((0, size, size, 3), np.uint8)]
    for start in range(0, len(pixels), 1024):
        images = torch.from_numpy(np.array(pixels[start : start + 1024])).permute(0, 3, 1, 2)
        scaled = interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
        parts.append(scaled.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def png(pixels: Pixels, mark: Mark | None = None) -> bytes:
    """Encode a picture (height, width, 3) as PNG; give what a model drew its mark."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **marks.saving("PNG", mark))
    return buffer.getvalue()


def tiled(pixels: Pixels, columns: int) -> Pixels:
    """Tile pictures (n, s, s, 3) as one, row by row; leave out what fills no row."""
    count, size = len(pixels), pixels.shape[1]
    rows = count // columns
    grid = pixels[: rows * columns].reshape(rows, columns, size, size, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3)
