"""The colour of a picture by its pixels alone: a judge that nobody trained."""

import numpy as np
from numpy.typing import NDArray

from training.engine.data.pictures import Pixels

PROTOTYPES = {
    "red": (235, 45, 55),
    "orange": (250, 125, 20),
    "yellow": (250, 210, 50),
    "green": (60, 165, 70),
    "blue": (45, 110, 220),
    "purple": (135, 70, 190),
    "pink": (250, 165, 205),
    "brown": (130, 80, 50),
}
CHROMA = 20.0  # in CIELAB; below it a pixel is white, grey or black
WHITE = (0.9505, 1.0, 1.089)  # of daylight D65, in XYZ
RGB_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))

Floats = NDArray[np.float64]


def shares(pixels: Pixels) -> Floats:
    """Return how much of what is coloured in pictures (n, s, s, 3) has each colour: (n, C).

    Rows sum to 1, or to 0 where nothing is coloured. A pixel has the colour of the prototype that
    is nearest in CIELAB.
    """
    colours = lab(pixels.reshape(len(pixels), -1, 3))  # (n, p, 3)
    prototypes = lab(np.array(list(PROTOTYPES.values()), np.uint8))  # (C, 3)
    distances = np.stack([np.square(colours - each).sum(-1) for each in prototypes], -1)
    coloured = np.hypot(colours[..., 1], colours[..., 2]) > CHROMA  # (n, p)
    votes = np.eye(len(prototypes))[distances.argmin(-1)] * coloured[..., None]  # (n, p, C)
    of_coloured: Floats = votes.sum(1) / np.maximum(coloured.sum(1), 1)[:, None]
    return of_coloured


def lab(rgb: NDArray[np.uint8]) -> Floats:
    """Convert sRGB (…, 3) to CIELAB (…, 3): L from 0 to 100, a and b about ±100."""
    values = rgb / 255
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    xyz = linear @ np.array(RGB_TO_XYZ).T / np.array(WHITE)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    parts = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(parts, -1)
