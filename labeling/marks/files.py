"""Marks in the files of pictures: PNG (iTXt), JPEG (APP1) and WebP (a chunk XMP)."""

import io
from typing import Any

from PIL import Image, PngImagePlugin

from labeling.marks import xmp
from labeling.marks.mark import Mark

PNG_KEYWORD = "XML:com.adobe.xmp"  # of the chunk, as XMP's part 3 says


def saving(kind: str, mark: Mark | None) -> dict[str, Any]:
    """Return what Pillow's `save` needs to write a mark into a PNG, JPEG or WEBP."""
    if mark is None:
        return {}
    packet = xmp.packet(mark)
    if kind != "PNG":
        return {"xmp": packet}
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(PNG_KEYWORD, packet.decode())
    return {"pnginfo": chunks}


def of_image(image: Image.Image) -> Mark | None:
    """Return the mark of a picture that was opened; None where it has none.

    A PNG may have it behind its pixels: load the picture first.
    """
    packet = image.info.get("xmp")
    return xmp.parse(packet) if isinstance(packet, bytes) else None


def of_bytes(data: bytes) -> Mark | None:
    """Return the mark of a picture's file; None where it has none.

    Raises OSError where the bytes are no picture.
    """
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return of_image(image)
