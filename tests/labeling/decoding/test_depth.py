"""Grey pictures of more than 8 bits: as bright as their files say, never as their pixels do."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling.decoding import Picture, prepare
from tests.pictures import decoded, encoded

MIN_SAMPLE, MAX_SAMPLE, SMIN_SAMPLE, SMAX_SAMPLE = 280, 281, 340, 341  # tags of TIFF 6.0


def ramp(top: float, kind: Any, bottom: float = 0) -> Image.Image:
    """A picture of 96 × 96 pixels from the bottom value on the left to the top on the right."""
    return Image.fromarray(np.tile(np.linspace(bottom, top, 96), (96, 1)).astype(kind))


def prepared(image: Image.Image, kind: str = "TIFF", **options: Any) -> Picture:
    data = encoded(image, kind, **options)
    return prepare(data, bytes_max=1_000_000, pixels_max=1_000_000)


def row(picture: Picture) -> list[int]:
    """The middle row of a picture as it is stored, in grey."""
    grey = decoded(picture.data).convert("L")
    return [grey.getpixel((x, grey.height // 2)) for x in range(grey.width)]


def middle(picture: Picture) -> int:
    """The value in the middle of a ramp, which lies between two pixels."""
    values = row(picture)
    return round((values[47] + values[48]) / 2)


@pytest.mark.parametrize(
    ("top", "values", "kind", "right"),
    [
        (65_535, np.uint16, "PNG", 128),
        (250, np.uint16, "PNG", 0),
        (300, np.uint16, "PNG", 1),
        (65_535, np.uint16, "TIFF", 128),
        (300, np.uint16, "TIFF", 1),
        (32_767, np.int16, "TIFF", 128),
        (2**31 - 1, np.int32, "TIFF", 128),
        (65_535, np.int32, "TIFF", 0),
        (1.0, np.float32, "TIFF", 128),
        (255.0, np.float32, "TIFF", 128),
        (65_535.0, np.float32, "TIFF", 128),
    ],
)
def test_a_deep_grey_is_as_bright_as_its_kind_says(top, values, kind, right):
    image = ramp(top, values)
    if values is np.int16:
        data = _tiff(np.asarray(image.convert("I")).astype("<i2"), signed=True)
        picture = prepare(data, bytes_max=1_000_000, pixels_max=1_000_000)
    else:
        picture = prepared(image, kind)
    assert middle(picture) == right


def test_all_of_32_bits_without_a_sign_are_read():
    values = np.tile(np.linspace(0, 2**32 - 1, 96), (96, 1)).astype("<u4")
    picture = prepare(_tiff(values, signed=False), bytes_max=1_000_000, pixels_max=1_000_000)
    assert (row(picture)[0], middle(picture), row(picture)[-1]) == (0, 128, 255)


def test_values_are_rounded_rather_than_cut_off():
    image = Image.fromarray(np.full((8, 8), 200, np.uint16))  # .78 of one of 255 steps
    assert row(prepared(image, "PNG")) == [1] * 8


@pytest.mark.parametrize("tag", [MAX_SAMPLE, SMAX_SAMPLE])
def test_a_tag_says_that_twelve_of_sixteen_bits_are_used(tag):
    assert middle(prepared(ramp(4_095, np.uint16), tiffinfo={tag: 4_095})) == 128
    assert prepared(ramp(4_095, np.uint16), tiffinfo={tag: 4_095}).remark == ""


def test_the_brightest_pixel_noted_for_statistics_is_not_white():
    picture = prepared(ramp(300, np.uint16), tiffinfo={MAX_SAMPLE: 300})
    assert middle(picture) == 1


def test_a_picture_that_is_nearly_black_for_its_bits_is_remarked_upon():
    remark = prepared(ramp(4_095, np.uint16)).remark
    assert "nearly black" in remark and "12 of 16 bits" in remark and "MaxSampleValue" in remark
    assert prepared(ramp(65_535, np.uint16)).remark == ""
    assert prepared(Image.fromarray(np.zeros((8, 8), np.uint16))).remark == ""


def test_it_is_remarked_how_floating_point_numbers_were_read():
    assert prepared(ramp(0.75, np.float32)).remark.endswith("with white at 1")
    assert prepared(ramp(250.0, np.float32)).remark.endswith("with white at 255")
    assert prepared(ramp(1e9, np.float32)).remark.endswith("with white at its brightest pixel")


def test_a_tag_says_which_floating_point_numbers_are_black_and_white():
    picture = prepared(
        ramp(100.0, np.float32, bottom=-100.0), tiffinfo={SMIN_SAMPLE: -100.0, SMAX_SAMPLE: 100.0}
    )
    assert (row(picture)[0], middle(picture), row(picture)[-1]) == (0, 128, 255)
    assert picture.remark == ""


def test_a_little_over_white_is_white():
    values = row(prepared(ramp(1.1, np.float32)))
    assert values[-1] == 255 and values[86] == pytest.approx(254, abs=1)


def test_what_is_no_number_is_black_and_what_is_endless_white():
    values = np.full((8, 8), 0.5, np.float32)
    values[:, 0], values[:, 1], values[:, 2] = np.nan, np.inf, -np.inf
    assert row(prepared(Image.fromarray(values)))[:4] == [0, 255, 0, 128]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, 1e-44, 3e38])
def test_a_tag_that_says_nonsense_does_no_harm(value):
    picture = prepared(ramp(1.0, np.float32), tiffinfo={SMAX_SAMPLE: value})
    assert (picture.width, picture.height) == (96, 96)


def test_a_picture_in_which_zero_is_white_is_turned_round():
    data = _tiff(np.tile(np.linspace(0, 65_535, 96), (96, 1)).astype("<u2"), white_is_zero=True)
    values = row(prepare(data, bytes_max=1_000_000, pixels_max=1_000_000))
    assert (values[0], values[-1]) == (255, 0)


def test_the_value_of_a_deep_png_that_is_transparent_is_white():
    image = Image.fromarray(np.full((8, 8), 300, np.uint16))
    assert row(prepared(image, "PNG", transparency=300))[0] == 255


def _tiff(values: Any, *, signed: bool = False, white_is_zero: bool = False) -> bytes:
    """Return a TIFF of grey values that Pillow does not write itself."""
    height, width = values.shape
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, values.itemsize * 8),
        (259, 3, 1),
        (262, 3, 0 if white_is_zero else 1),
        (273, 4, 8 + 2 + 9 * 12 + 4),  # where the values begin
        (277, 3, 1),
        (279, 4, values.nbytes),
        (339, 3, 2 if signed else 1),
    ]
    directory = b"".join(
        tag.to_bytes(2, "little")
        + kind.to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, kind, value in entries
    )
    count = len(entries).to_bytes(2, "little")
    return b"II*\0" + (8).to_bytes(4, "little") + count + directory + bytes(4) + values.tobytes()
