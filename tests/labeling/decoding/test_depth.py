"""Pictures of more than 8 bits: as bright as their files say, never as their pixels do."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling.decoding import ImageRejected, Picture, prepare
from tests.pictures import decoded, encoded

MIN_SAMPLE, MAX_SAMPLE, SMIN_SAMPLE, SMAX_SAMPLE = 280, 281, 340, 341  # tags of TIFF 6.0


def ramp(top: float, kind: Any, bottom: float = 0) -> Image.Image:
    """A picture of 96 × 96 pixels from the bottom value on the left to the top on the right."""
    return Image.fromarray(np.tile(np.linspace(bottom, top, 96), (96, 1)).astype(kind))


def prepared(image: Image.Image, kind: str = "TIFF", *, bits: int = 0, **options: Any) -> Picture:
    data = encoded(image, kind, **options)
    return prepare(data, bytes_max=1_000_000, pixels_max=1_000_000, bits=bits)


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


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_who_imports_may_say_how_many_of_sixteen_bits_are_used(bits):
    top = 2**bits - 1
    assert middle(prepared(ramp(top, np.uint16), "PNG", bits=bits)) == 128
    assert (
        middle(prepared(ramp(top, np.uint16), bits=bits, tiffinfo={MAX_SAMPLE: 4_095}))
        == {
            10: 32,  # what the file says comes first
            12: 128,
            14: 255,
        }[bits]
    )
    assert row(prepared(ramp(255, np.uint8), "PNG", bits=bits))[-1] == 255
    brighter = prepared(ramp(65_535, np.uint16), bits=bits)
    assert row(brighter)[-1] == 255 and f"more than {bits} bits" in brighter.remark


def test_the_significant_bits_of_a_png_are_its_upper_ones():
    data = encoded(ramp(65_535, np.uint16), "PNG")
    said = data[:33] + _chunk(b"sBIT", b"\x0c") + data[33:]  # after the header
    assert middle(prepare(said, bytes_max=1_000_000, pixels_max=1_000_000)) == 128


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_twelve_in_sixteen_bits_are_as_bright_as_a_tag_or_a_person_says(order, channels):
    values = np.stack([np.asarray(ramp(4_095, np.uint16))] * channels, axis=2)
    values[..., 3:] = 65_535  # opaque
    tags = {MAX_SAMPLE: (4_095, 4_095, 4_095, 65_535)[:channels]}
    assert middle(_prepared(_tiff_of_colours(values, order, tags))) == 128
    plain = _tiff_of_colours(values, order)
    dark = _prepared(plain)
    assert (middle(dark), row(dark)[-1]) == (8, 15)
    assert "nearly black: its values take 12 of 16 bits" in dark.remark
    chosen = _prepared(plain, bits=12)
    assert (middle(chosen), row(chosen)[-1], chosen.remark) == (128, 255, "")
    whole = _tiff_of_colours(values * 16, order)
    assert row(_prepared(whole))[-1] == 255 and not _prepared(whole).remark


def test_deep_colours_of_a_png_are_read_likewise():
    for channels in (2, 3, 4):
        values = np.stack([np.asarray(ramp(1_023, np.uint16))] * channels, axis=2)
        if channels != 3:
            values[..., -1] = 65_535
        data = _png(values)
        assert "10 of 16 bits" in _prepared(data).remark
        assert middle(_prepared(data, bits=10)) == 128


def test_channels_of_sixteen_bits_that_lie_apart_are_refused_rather_than_read_wrongly():
    values = np.stack([np.asarray(ramp(65_535, np.uint16))] * 3, axis=2)
    with pytest.raises(ImageRejected, match="channels lie apart"):
        _prepared(_tiff_of_colours(values, "<", {284: 2}))


def test_a_deep_picture_that_lies_on_its_side_is_turned_as_ever():
    values = np.stack([np.asarray(ramp(4_095, np.uint16))[:48]] * 3, axis=2)
    picture = _prepared(_tiff_of_colours(values, "<", {MAX_SAMPLE: (4_095,) * 3, 274: 6}))
    assert (picture.width, picture.height) == (48, 96)


def _prepared(data: bytes, bits: int = 0) -> Picture:
    return prepare(data, bytes_max=1_000_000, pixels_max=1_000_000, bits=bits)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(values: Any) -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow does not write itself."""
    height, width, channels = values.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    parts = header, _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _tiff_of_colours(
    values: Any, order: str, tags: dict[int, int | tuple[int, ...]] | None = None
) -> bytes:
    """Return a TIFF of 16 bits a channel, which Pillow does not write itself."""
    height, width, channels = values.shape
    entries: dict[int, Any] = {
        256: width,
        257: height,
        258: (16,) * channels,
        259: 1,
        262: 2,
        273: 0,
        277: channels,
        278: height,
        279: values.size * 2,
        **({338: 2} if channels == 4 else {}),
        **(tags or {}),
    }
    offset = 8 + 2 + 12 * len(entries) + 4
    directory, further = b"", b""
    for tag, value in sorted(entries.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        if tag in (273, 279):
            place = offset + 64 if tag == 273 else value
            directory += struct.pack(f"{order}HHII", tag, 4, 1, place)
            continue
        packed = struct.pack(f"{order}{len(numbers)}H", *numbers)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", offset + len(further))
            further += packed
        else:
            place = packed.ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, 3, len(numbers)) + place
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    count = struct.pack(f"{order}H", len(entries))
    data = values.astype(f"{order}u2").tobytes()
    return head + count + directory + bytes(4) + further.ljust(64, b"\0") + data


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
