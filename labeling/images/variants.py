"""Show a tile a little differently each time, so that no picture can be recognised by its bytes.

Whoever collects what is shown (a bot that builds a book of answers, say) sees no file twice: each
showing has a crop, a shift, a tone, a grain and a quality of its own, drawn by a key that only the
server has. Within one challenge a tile stays as it is. All tiles are varied alike, whatever is
known of them: a grain that grew with the model's doubt would tell gold from the rest. People hardly
notice; a perceptual hash still does, and so would a network: docs/annotating.md has the figures.
"""

import io
from functools import cache

import numpy as np
import numpy.typing as npt
from django.utils.crypto import salted_hmac
from PIL import Image as Pillow

from labeling.images import tiles
from labeling.models import Tile

CONTENT_TYPE = "image/jpeg"  # which is encoded in a tenth of the time of WebP
SMALL = 96  # pixels: what is smaller is shown at whole multiples, so it is shifted and not cropped
CROP, PART_CROP = 0.03, 0.01  # of a side at most, at each edge; of a part its neighbours are shown
TONE = 0.05  # by which a showing is darker at most, and half of that each colour
GRAIN = 2.5, 5.0  # standard deviation of the noise, in steps of 255
QUALITY = 86, 94  # of the JPEG: coarser, it would smooth the grain away
NOISE_SIDE = 1024  # pixels of the square from which grain is cut

Pixels = npt.NDArray[np.uint8]


def render(tile: Tile, *, showing: str) -> bytes:
    """Return a tile as JPEG, as one showing of it has it.

    showing: what makes it this showing, as a challenge's token with the tile's number; the same one
    gives the same bytes. Raises FileNotFoundError.
    """
    draw = _generator(showing)
    pixels = np.asarray(tiles.open_rendered(tile))
    pixels = _moved(pixels, draw, part=tile.grid > 1)
    file = io.BytesIO()
    quality = int(draw.integers(*QUALITY, endpoint=True))
    picture = Pillow.fromarray(_toned(pixels, draw))
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def vary(pixels: Pixels, *, showing: str) -> Pixels:
    """Return (H, W, 3) pixels of a whole picture as one showing of it has them: a little fewer."""
    draw = _generator(showing)
    return _toned(_moved(pixels, draw, part=False), draw)


def _generator(showing: str) -> np.random.Generator:
    digest = salted_hmac("labeling.images.variants", showing, algorithm="sha256").digest()
    return np.random.Generator(np.random.SFC64(np.frombuffer(digest, np.uint32)))


def _moved(pixels: Pixels, draw: np.random.Generator, *, part: bool) -> Pixels:
    """Return (H, W, 3) pixels cropped at each edge; small ones shifted by a pixel at most."""
    height, width = pixels.shape[:2]
    if max(height, width) < SMALL:
        down, right = draw.integers(-1, 2, 2)
        rows = np.clip(np.arange(height) + down, 0, height - 1)
        columns = np.clip(np.arange(width) + right, 0, width - 1)
        shifted: Pixels = pixels[np.ix_(rows, columns)]
        return shifted
    most = PART_CROP if part else CROP
    top, bottom = draw.integers(0, int(height * most) + 1, 2)
    left, right = draw.integers(0, int(width * most) + 1, 2)
    return pixels[top : height - bottom, left : width - right]


def _toned(pixels: Pixels, draw: np.random.Generator) -> Pixels:
    """Return pixels with another tone and grain."""
    height, width = pixels.shape[:2]
    top, left = draw.integers(0, NOISE_SIDE - max(height, width) + 1, 2)
    grain = _noise()[top : top + height, left : left + width, np.newaxis]
    gain = (1 - draw.uniform(0, TONE)) * (1 - draw.uniform(0, TONE / 2, 3))  # white keeps its grain
    varied = pixels * gain.astype(np.float32) + grain * np.float32(draw.uniform(*GRAIN))
    result: Pixels = np.clip(varied + 0.5, 0, 255).astype(np.uint8)
    return result


@cache
def _noise() -> npt.NDArray[np.float32]:
    """Return (NOISE_SIDE, NOISE_SIDE) standard normal noise, which nobody else can compute."""
    return _generator("noise").standard_normal((NOISE_SIDE, NOISE_SIDE), np.float32)
