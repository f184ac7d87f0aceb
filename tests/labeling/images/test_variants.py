"""Each showing of a tile has bytes of its own, and people see the same picture."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from labeling.images import tiles, variants
from tests.pictures import jpeg, patchwork, png

SHOWINGS = 60


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"), np.int16)


def small(picture: Pillow.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((16, 16)), np.float64)


@pytest.fixture
def tile(add):
    return tiles.whole(add(jpeg(size=(400, 300))))


def test_no_bytes_and_no_pixels_are_shown_twice(tile):
    shown = [variants.render(tile, showing=f"challenge/{number}") for number in range(SHOWINGS)]
    assert len(set(shown)) == SHOWINGS
    assert len({pixels(data).tobytes() for data in shown}) == SHOWINGS


@pytest.mark.parametrize("colour", ["white", "black", "red"])
def test_a_picture_of_a_single_colour_is_varied_too(add, colour):
    file = io.BytesIO()
    Pillow.new("RGB", (64, 64), colour).save(file, "PNG")
    tile = tiles.whole(add(file.getvalue()))
    assert len({variants.render(tile, showing=str(n)) for n in range(SHOWINGS)}) == SHOWINGS


def test_a_showing_stays_as_it_is(tile):
    """Averaging what the same address sends would bring the picture out of the grain."""
    assert variants.render(tile, showing="a/1") == variants.render(tile, showing="a/1")


def test_nobody_else_can_compute_a_showing(tile, settings):
    shown = variants.render(tile, showing="a/1")
    settings.SECRET_KEY = "another"
    assert variants.render(tile, showing="a/1") != shown


def test_people_see_the_same_picture(add):
    tile = tiles.whole(add(png(2, (300, 300))))
    stored = small(patchwork(2, (300, 300)))
    for number in range(20):
        data = variants.render(tile, showing=str(number))
        shown = small(Pillow.open(io.BytesIO(data)))
        assert np.corrcoef(shown.ravel(), stored.ravel())[0, 1] > 0.9


def test_a_small_picture_keeps_its_size(add):
    """It is shown at whole multiples of its pixels, beside others of the same size."""
    tile = tiles.whole(add(png(1, (32, 32))))
    assert {pixels(variants.render(tile, showing=str(n))).shape for n in range(9)} == {(32, 32, 3)}


def test_a_part_is_hardly_cropped_beside_its_neighbours(add):
    part = tiles.cut(add(png(2, (800, 800))))[5]
    shapes = [pixels(variants.render(part, showing=str(n))).shape for n in range(20)]
    assert min(min(height, width) for height, width, _ in shapes) >= 200 * 0.98


def test_the_picture_itself_is_read_once(tile):
    variants.render(tile, showing="a/1")
    tile.image.file.storage.delete(tile.image.file.name)
    variants.render(tile, showing="b/1")


def test_a_picture_that_is_gone_is_missed(tile):
    tile.image.file.storage.delete(tile.image.file.name)
    with pytest.raises(FileNotFoundError):
        variants.render(tile, showing="a/1")
