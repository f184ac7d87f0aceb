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
CHROMA = 20.0  # below it a pixel is white, grey or black
WHITE = (0.9505, 1.0, 1.089)  # of daylight D65
FROM_RGB = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))

Floats = NDArray[np.float64]


def shares(pixels: Pixels) -> Floats:
    """How much of what is coloured in pictures (n, s, s, 3) has each colour (n, C); rows of 0
    where nothing is. A pixel has the colour that is nearest in CIELAB."""
    colours = lab(pixels.reshape(len(pixels), -1, 3))  # (n, p, 3)
    known = lab(np.array(list(PROTOTYPES.values()), np.uint8))  # (C, 3)
    away = np.stack([np.square(colours - one).sum(-1) for one in known], -1)  # (n, p, C)
    coloured = np.hypot(colours[..., 1], colours[..., 2]) > CHROMA
    votes = np.eye(len(known))[away.argmin(-1)] * coloured[..., None]
    found: Floats = votes.sum(1) / np.maximum(coloured.sum(1), 1)[:, None]
    return found


def lab(rgb: NDArray[np.uint8]) -> Floats:
    """sRGB (…, 3) in CIELAB (…, 3)."""
    values = rgb / 255
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    xyz = linear @ np.array(FROM_RGB).T / np.array(WHITE)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    parts = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(parts, -1)
