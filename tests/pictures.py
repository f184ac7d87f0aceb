"""Pictures for the tests, the same in every run: shapes, patchwork, stripes and plain colours."""

import io
from random import Random
from typing import Any

from PIL import Image, ImageDraw


def draw(
    *, shape: str, colour: str | tuple[int, int, int], corner: int | tuple[int, int], side: int = 48
) -> bytes:
    """Return a PNG of a circle or a square, half as wide as the picture, on white.

    Its upper left corner lies `corner` pixels from the left and the top edge.
    """
    left, top = (corner, corner) if isinstance(corner, int) else corner
    picture = Image.new("RGB", (side, side), "white")
    brush = ImageDraw.Draw(picture)
    box = (left, top, left + side // 2, top + side // 2)
    (brush.ellipse if shape == "circle" else brush.rectangle)(box, fill=colour)
    return encoded(picture, "PNG")


def striped(number: int) -> bytes:
    """Return a PNG that shows the lowest eight bits of a number as white stripes."""
    picture = Image.new("RGB", (32, 32), (number * 37 % 256, number * 91 % 256, 40))
    for bit in range(8):
        if number >> bit & 1:
            picture.paste((255, 255, 255), (bit * 4, 0, bit * 4 + 3, 32))
    return encoded(picture, "PNG")


def plain(size: tuple[int, int] = (32, 32), colour: str = "teal") -> bytes:
    """Return a PNG of one colour."""
    return encoded(Image.new("RGB", size, colour), "PNG")


def patchwork(seed: int = 0, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """Return six rectangles in random colours; no two seeds give the same picture."""
    random = Random(seed)
    image = Image.new(mode, size, "white")
    brush = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = random.randrange(size[0]), random.randrange(size[1])
        colour = tuple(random.randrange(256) for _ in range(3))
        brush.rectangle((x - size[0] // 4, y - size[1] // 4, x + 9, y + 9), fill=colour)
    return image


def jpeg(seed: int = 0, size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    """Return a patchwork as a JPEG."""
    return encoded(patchwork(seed, size), "JPEG", **{"quality": 92, **options})


def with_many_scans(count: int, side: int = 2000) -> bytes:
    """Return a grey JPEG that goes over its picture so many times more than it need."""
    data = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True, quality=10)
    end = data.rindex(b"\xff\xd9")
    scan = data.rindex(b"\xff\xc4", 0, data.rindex(b"\xff\xda", 0, end))  # with its table
    return data[:end] + data[scan:end] * count + data[end:]


def png(seed: int = 0, size: tuple[int, int] = (96, 64)) -> bytes:
    """Return a patchwork as a PNG."""
    return encoded(patchwork(seed, size), "PNG")


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return the file of a picture; options are Pillow's."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Read a picture, down to its last pixel."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
