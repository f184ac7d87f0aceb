"""A round's tiles as one picture: 4 × 4 cells in a JPEG.

One request for all tiles, so that neither its time nor its size tells anything of a single one;
each is varied as annotators' tiles are (`labeling.images.variants`).
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from labeling.captcha.composing import COLUMNS
from labeling.images import tiles, variants
from labeling.models import Tile

CELL = 128  # pixels of a cell's side
GREY = 128  # of what a tile leaves free
QUALITY = 88  # of the JPEG
CONTENT_TYPE = "image/jpeg"

Pixels = npt.NDArray[np.uint8]


def render(ids: Sequence[int], *, showing: str) -> bytes:
    """Return the sheet of these tiles, row by row, as one showing of them has it.

    showing: what makes it this showing; the same one gives the same bytes. Raises
    FileNotFoundError where a tile or its picture is gone.
    """
    rows = -(-len(ids) // COLUMNS)
    sheet = np.full((rows * CELL, COLUMNS * CELL, 3), GREY, np.uint8)
    for place, values in enumerate(tiles.pack(ids)):
        if values is None:
            raise FileNotFoundError(ids[place])
        cell = _cell(tiles.unpack(values), showing=f"{showing}/{place}")
        row, column = divmod(place, COLUMNS)
        height, width = cell.shape[:2]
        top = row * CELL + (CELL - height) // 2
        left = column * CELL + (CELL - width) // 2
        sheet[top : top + height, left : left + width] = cell
    file = io.BytesIO()
    Pillow.fromarray(sheet).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _cell(tile: Tile, *, showing: str) -> Pixels:
    """Return a tile's pixels, no side longer than a cell's; small ones at whole multiples."""
    with tiles.open_rendered(tile, longest=CELL) as picture:
        times = CELL // max(picture.size)
        pixels = variants.vary(np.asarray(picture), showing=showing)
    if times > 1:
        pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    return pixels
