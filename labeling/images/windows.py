"""Whether one picture is another one mirrored, cropped or brightened, by their pixels.

Each of the two is looked at through windows: parts of several sizes at several places, mirrored
too. Where a window of one shows what all of the other shows, but for its brightness, it is a copy.
"""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SIDE = 24  # pixels of what is compared
LARGER = 96  # pixels of what windows are cut from
SHARES = (1.0, 0.97, 0.95, 0.92, 0.9, 0.87, 0.85, 0.82, 0.8)  # of each side that a window shows
PLACES = (0.0, 0.5, 1.0)  # of a window, from the left or the top to the right or the bottom
MAX_DIFFERENCE = 11.0  # of 255: root mean square over the pixels
GAINS = (0.75, 1.34)  # by which all of a picture may be darker or brighter

Windows = NDArray[np.uint8]  # (w, SIDE · SIDE · 3); the first shows all of the picture


def cut(data: bytes) -> Windows:
    """Return the windows of a stored image. Raises OSError where it cannot be read."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "JPEG")) as image:
        image.draft("RGB", (2 * LARGER, 2 * LARGER))
        small = image.convert("RGB").resize((LARGER, LARGER), Image.Resampling.BOX)
    return np.stack([np.asarray(part).ravel() for part in _windows(small)])


def show_the_same(first: Windows, second: Windows) -> bool:
    """Return whether all of one picture is what a window of the other shows."""
    return _seen(first, second[0]) or _seen(second, first[0])


def _seen(windows: Windows, whole: NDArray[np.uint8]) -> bool:
    parts, target = windows.astype(np.float32), whole.astype(np.float32)
    gains = (parts @ target / np.maximum((parts**2).sum(1), 1)).clip(*GAINS)
    shown = (parts * gains[:, np.newaxis]).clip(0, 255)
    return bool(np.sqrt(((shown - target) ** 2).mean(1)).min() <= MAX_DIFFERENCE)


def _windows(image: Image.Image) -> Iterator[Image.Image]:
    for picture in (image, ImageOps.mirror(image)):
        for share in SHARES:
            rest = LARGER * (1 - share)
            for left, top in {(x * rest, y * rest): None for x in PLACES for y in PLACES}:
                box = (left, top, left + share * LARGER, top + share * LARGER)
                yield picture.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)
