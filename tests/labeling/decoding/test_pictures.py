import io
import struct
import zlib
from contextlib import suppress

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from labeling.decoding import (
    LOSSLESS_PIXELS,
    ImageRejected,
    Picture,
    difference_hash,
    prepare,
    read,
)
from tests.pictures import decoded, encoded, jpeg, patchwork, png

PIXELS = 4_000_000


def prepared(data: bytes) -> Picture:
    return prepare(data, bytes_max=1_000_000, pixels_max=PIXELS)


def refusal(data: bytes) -> str:
    with pytest.raises(ImageRejected) as refused:
        prepared(data)
    return str(refused.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_it_takes_the_usual_formats(kind):
    picture = prepared(encoded(patchwork(), kind))
    assert (picture.width, picture.height) == (96, 64)
    assert decoded(picture.data).format == "WEBP"


def test_it_keeps_every_pixel_of_a_png():
    image = patchwork(3)
    assert decoded(prepared(encoded(image, "PNG")).data).convert("RGB").tobytes() == image.tobytes()


def test_it_stores_a_large_photograph_as_jpeg():
    picture = prepared(jpeg(size=(LOSSLESS_PIXELS // 256, 300)))
    assert (picture.suffix, decoded(picture.data).format) == ("jpg", "JPEG")


def test_it_turns_a_picture_the_way_up_that_its_camera_noted():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture = prepared(jpeg(exif=exif))
    assert (picture.width, picture.height) == (64, 96)


def test_it_strips_all_that_is_not_pixels():
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    info = PngInfo()
    info.add_text("Comment", "SECRET PLACE")
    for data in (
        jpeg(exif=exif, comment=b"SECRET", size=(600, 600)),
        jpeg(exif=exif, comment=b"SECRET"),
        encoded(patchwork(), "PNG", pnginfo=info),
    ):
        kept = prepared(data).data
        assert b"SECRET" not in kept
        assert not decoded(kept).getexif()


def test_it_puts_transparent_pictures_on_white():
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    image.putpixel((3, 3), (0, 0, 255, 255))
    stored = decoded(prepared(encoded(image, "PNG")).data).convert("RGB")
    assert stored.getpixel((0, 0)) == (255, 255, 255)
    assert stored.getpixel((3, 3)) == (0, 0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "CMYK", "I", "I;16", "RGBA"])
def test_it_makes_rgb_of_every_mode(mode):
    kind = "JPEG" if mode == "CMYK" else "TIFF" if mode in {"I", "PA"} else "PNG"
    image = Image.new("I;16", (20, 20), 40_000) if mode == "I;16" else patchwork(1, (20, 20))
    image = image if image.mode == mode else image.convert(mode)
    if mode == "PA":
        image = image.convert("LA")
    assert decoded(prepared(encoded(image, kind)).data).mode == "RGB"


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 500, b"hello, this is text", b"GIF89a", b"\xff\xd8\xff\xe0", b"%PDF-1.7"]
)
def test_it_refuses_what_is_not_a_picture(data):
    assert refusal(data)


def test_it_refuses_formats_that_are_not_on_the_list():
    assert "not a readable picture" in refusal(encoded(patchwork(), "PPM"))
    assert "not a readable picture" in refusal(encoded(patchwork(), "ICO"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_it_refuses_a_truncated_picture(kind):
    data = encoded(patchwork(2, (300, 200)), kind)
    assert refusal(data[: len(data) * 2 // 3]) == "damaged or cut off"
    data = encoded(patchwork(2, (300, 200)), "WEBP")
    assert "not a readable picture" in refusal(data[: len(data) * 2 // 3])


def test_it_refuses_a_decompression_bomb_before_decoding():
    assert "pixels" in refusal(_huge_png(100_000, 100_000))


def test_it_refuses_files_over_the_limit():
    with pytest.raises(ImageRejected, match="larger than"):
        prepare(png(), bytes_max=100, pixels_max=PIXELS)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_it_refuses_animations_and_pages(kind):
    data = encoded(patchwork(1), kind, save_all=True, append_images=[patchwork(2)])
    assert "animated" in refusal(data)


def test_it_takes_the_still_of_a_telephone_that_comes_with_a_preview():
    data = encoded(patchwork(1), "MPO", save_all=True, append_images=[patchwork(2)])
    assert prepared(data).width == 96


def test_it_refuses_a_picture_too_small_to_be_seen():
    assert "too few" in refusal(png(size=(3, 50)))


def test_noise_of_any_kind_is_refused_and_never_raises_anything_else():
    whole = encoded(patchwork(1), "PNG")
    for cut in range(0, len(whole), 7):
        damaged = whole[:cut] + bytes([whole[cut] ^ 0xFF]) + whole[cut + 1 :]
        with suppress(ImageRejected):
            prepared(damaged)


def test_reading_stops_at_the_limit_whatever_the_size_is_said_to_be():
    with pytest.raises(ImageRejected, match="larger than"):
        read(io.BytesIO(b"x" * 100), bytes_max=99)
    assert len(read(io.BytesIO(b"x" * 100), bytes_max=100)) == 100


def test_pictures_that_look_alike_have_hashes_that_are_near():
    image = patchwork(5, (200, 150))
    smaller = image.resize((100, 75))
    apart = difference_hash(image) ^ difference_hash(smaller)
    assert (apart & (2**64 - 1)).bit_count() <= 6
    assert -(2**63) <= difference_hash(image) < 2**63


def _huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_exif_data_that_is_broken_costs_no_picture():
    whole = png()
    head, rest = whole[:33], whole[33:]
    body = b"eXIfgarbage"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    picture = prepared(head + chunk + rest)
    assert picture.remark == "its EXIF data is broken and was passed over"
    assert decoded(picture.data).tobytes() == decoded(whole).tobytes()


def test_a_small_tiff_of_a_huge_tile_is_refused_before_decoding():
    data = zlib.compress(bytes(1_000))
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 30_000, 323: 30_000, 324: 8}
    entries = {**tags, 325: len(data)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    start = struct.pack("<4sI", b"II*\0", 8 + len(data))
    file = start + data + struct.pack("<H", len(entries)) + table + bytes(4)
    assert "tiles are of more than" in refusal(file)
