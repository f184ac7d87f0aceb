"""Samples side by side: a row a class, a block of columns an arm."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from training.engine.data.pictures import Pixels

EACH, SIDE, GAP, MARGIN, HEAD = 3, 32, 10, 70, 16  # pictures a class and arm; pixels


def grid(arms: Mapping[str, Pixels], classes: tuple[str, ...]) -> Image.Image:
    """Return a picture of the first few of each arm's samples (classes, n, 32, 32, 3)."""
    block = EACH * SIDE + GAP
    picture = Image.new("RGB", (MARGIN + block * len(arms), HEAD + SIDE * len(classes)), "white")
    pen = ImageDraw.Draw(picture)
    for row, name in enumerate(classes):
        pen.text((2, HEAD + row * SIDE + 10), name, "black")
    for column, (name, samples) in enumerate(arms.items()):
        left = MARGIN + column * block
        pen.text((left, 2), name, "black")
        shown = samples[:, :EACH]  # (classes, EACH, 32, 32, 3)
        tiles = shown.transpose(0, 2, 1, 3, 4).reshape(len(classes) * SIDE, EACH * SIDE, 3)
        picture.paste(Image.fromarray(np.ascontiguousarray(tiles)), (left, HEAD))
    return picture.quantize(256)
