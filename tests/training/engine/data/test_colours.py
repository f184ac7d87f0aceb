"""Pixels say which colour a picture has."""

import numpy as np
import pytest

from training.engine.data import colours


@pytest.mark.parametrize("colour", colours.PROTOTYPES)
def test_the_pixels_say_their_colour(colour: str) -> None:
    pixels = np.full((1, 8, 8, 3), 255, np.uint8)
    pixels[0, 2:6, 2:6] = colours.PROTOTYPES[colour]
    shares = dict(zip(colours.PROTOTYPES, colours.shares(pixels)[0], strict=True))
    assert shares[colour] == 1
    assert sum(shares.values()) == 1


def test_white_and_grey_have_no_colour() -> None:
    grey = np.full((1, 4, 4, 3), 128, np.uint8)
    assert not colours.shares(grey).any()
