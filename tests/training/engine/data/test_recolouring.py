"""Pictures in other hues, and their captions."""

from pathlib import Path

import numpy as np

from training.engine.data.colours import PROTOTYPES, shares
from training.engine.data.packing import pack
from training.engine.data.prompts import named_colour
from training.engine.data.recolouring import recolour, shift_hues
from training.engine.data.rows import Snapshot, digest


def test_pictures_in_other_hues_are_named_by_them(snapshot: Snapshot, cache: Path) -> None:
    rows = [row for row in snapshot.train if row.captions and "black" not in row.captions[0][0]]
    pixels = pack(rows, 32, cache, digest(rows))
    others, pictures = recolour(rows, pixels, seed=0)
    assert len(others) == len(pictures) > len(rows)
    assert all(row.captions[0][0].endswith(" a square") for row in others)
    assert not any(row.tags or row.concepts for row in others)
    for row, picture in zip(others, pictures, strict=True):
        share = shares(picture[None])[0]
        assert list(PROTOTYPES)[share.argmax()] == named_colour(row)


def test_turning_hues_leaves_white_white_and_comes_round() -> None:
    pixels = np.full((1, 4, 4, 3), 255, np.uint8)
    pixels[0, 0, 0] = (255, 0, 0)
    turned = shift_hues(pixels, np.array([85]))
    assert turned[0, 0, 0].argmax() == 1
    assert (turned[0, 1:] == 255).all()
    assert (shift_hues(pixels, np.array([256])) == pixels).all()
