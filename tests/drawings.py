"""Pictures to import, drawn on the spot: no two seeds alike, the same seed always the same."""

import io
from random import Random
from typing import Any

from PIL import Image, ImageDraw


def drawing(seed: int = 0, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    random = Random(seed)
    image = Image.new(mode, size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = random.randrange(size[0]), random.randrange(size[1])
        colour = tuple(random.randrange(256) for _ in range(3))
        draw.rectangle((x - size[0] // 4, y - size[1] // 4, x + 9, y + 9), fill=colour)
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(seed: int = 0, size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    return encoded(drawing(seed, size), "JPEG", **{"quality": 92, **options})


def png(seed: int = 0, size: tuple[int, int] = (96, 64)) -> bytes:
    return encoded(drawing(seed, size), "PNG")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
