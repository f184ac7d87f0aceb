"""Colour profiles: pictures are stored as their files say that they look."""

import struct
from typing import Any

import pytest
from PIL import Image, ImageCms

from labeling.decoding import Picture, prepare
from labeling.decoding.colours import BROKEN, PROFILE_MAX, TOO_LARGE
from tests.pictures import decoded, encoded, patchwork

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LINE = bytes(range(256))  # a table that leaves each value as it is


def prepared(image: Image.Image, kind: str, **options: Any) -> Picture:
    data = encoded(image, kind, **options)
    return prepare(data, bytes_max=50_000_000, pixels_max=1_000_000)


def pixel(picture: Picture, place: tuple[int, int] = (3, 3)) -> tuple[int, ...]:
    """A pixel of the picture as it is stored."""
    return decoded(picture.data).convert("RGB").getpixel(place)  # type: ignore[return-value]


def test_srgb_stays_as_it_is_and_the_profile_goes():
    image = patchwork()
    picture = prepared(image, "PNG", icc_profile=SRGB)
    assert "icc_profile" not in decoded(picture.data).info
    assert pixel(picture, (2, 2)) == image.getpixel((2, 2)) and picture.remark == ""


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_in_which_red_and_blue_are_exchanged_exchanges_them(mode):
    image = Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    assert pixel(prepared(image, "PNG", icc_profile=_exchanged())) == (0, 0, 255)


def test_a_palette_with_a_transparent_colour_keeps_it():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((3, 3), 1)
    picture = prepared(image, "PNG", icc_profile=_exchanged(), transparency=1)
    assert (pixel(picture, (0, 0)), pixel(picture, (3, 3))) == ((0, 0, 255), (255, 255, 255))


@pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("L", "JPEG"), ("LA", "PNG")])
def test_a_grey_picture_is_as_bright_as_its_profile_says(mode, kind):
    image = Image.new("L", (8, 8), 128).convert(mode)
    assert pixel(prepared(image, kind, icc_profile=_grey(gamma=1))) == pytest.approx(
        (188, 188, 188), abs=1
    )


def test_a_deep_grey_picture_has_a_profile_as_well():
    image = Image.new("I;16", (8, 8), 32_896)
    assert pixel(prepared(image, "PNG", icc_profile=_grey(gamma=1)))[0] == pytest.approx(188, abs=1)


def test_a_grey_picture_may_have_a_profile_for_colours():
    assert pixel(prepared(Image.new("L", (8, 8), 90), "PNG", icc_profile=SRGB)) == (90, 90, 90)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_look_as_their_profile_says(kind):
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert pixel(prepared(image, kind)) == pytest.approx((0, 255, 255), abs=2)  # for want of better
    assert pixel(prepared(image, kind, icc_profile=_inks()))[0] == pytest.approx(119, abs=3)


@pytest.mark.parametrize(
    "profile", [b"nonsense", SRGB[:200], SRGB[:128] + b"\xff" * 400, b"\0" * 128]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_profile_says_nothing(profile, mode):
    image = Image.new("RGB", (8, 8), (128, 128, 128)).convert(mode)
    picture = prepared(image, "TIFF", icc_profile=profile)
    assert (pixel(picture), picture.remark) == ((128, 128, 128), BROKEN)


def test_damage_to_any_byte_of_a_profile_does_no_harm():
    image = Image.new("CMYK", (8, 8), (10, 20, 30, 40))
    profile = _inks()
    values = [place for place in range(len(profile)) if profile[place:].startswith(LINE)]
    assert len(values) == 7, "tables in which any byte is a value like all others"
    in_tables = {place for start in values for place in range(start, start + len(LINE))}
    others = [place for place in range(len(profile)) if place not in in_tables]
    for place in [*others[::2], *sorted(in_tables)[::40]]:
        damaged = profile[:place] + bytes([profile[place] ^ 0xFF]) + profile[place + 1 :]
        assert prepared(image, "TIFF", icc_profile=damaged).width == 8


def test_a_profile_beyond_the_limit_is_passed_over():
    profile = SRGB + bytes(PROFILE_MAX)
    image = Image.new("RGB", (8, 8), (9, 8, 7))
    picture = prepared(image, "TIFF", icc_profile=profile)
    assert (pixel(picture), picture.remark) == ((9, 8, 7), TOO_LARGE)


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "CMYK"), ("RGB", "GRAY"), ("CMYK", "RGB")])
def test_a_profile_for_pictures_of_another_kind_is_remarked_upon(mode, kind):
    profile = {"CMYK": _inks(), "GRAY": _grey(gamma=1), "RGB": SRGB}[kind]
    picture = prepared(Image.new(mode, (8, 8), "white"), "TIFF", icc_profile=profile)
    assert f"for {kind} pictures" in picture.remark


def _exchanged() -> bytes:
    """Return sRGB with its red and blue exchanged."""
    return (
        SRGB.replace(b"rXYZ", b"????", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"????", b"bXYZ", 1)
    )


def _grey(*, gamma: float) -> bytes:
    """Return a profile for grey pictures."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve, b"wtpt": _white()})


def _inks() -> bytes:
    """Return a profile for CMYK in which the paper is white, cyan a mid grey, all else black."""
    corners = []
    for corner in range(16):  # cyan, magenta, yellow and black, the last changing fastest
        lightness = {0: 255, 8: 128}.get(corner, 0)
        corners.append(bytes([lightness, 128, 128]))
    matrix = struct.pack(">9i", *(65_536 if each % 4 == 0 else 0 for each in range(9)))
    table = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + LINE * 4 + b"".join(corners) + LINE * 3
    )
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table, b"wtpt": _white()})


def _white() -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", 63_190, 65_536, 54_061)  # D50


def _profile(kind: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile with the header of lcms' own sRGB (ICC.1:2010, section 7)."""
    directory, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        directory += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    device = b"prtr" if kind == b"CMYK" else b"mntr"
    header = SRGB[4:8] + b"\x02\x10\0\0" + device + kind + connection + SRGB[24:128]
    body = struct.pack(">I", len(tags)) + directory + data
    return struct.pack(">I", 128 + len(body)) + header + body
