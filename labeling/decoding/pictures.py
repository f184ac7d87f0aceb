"""Decode pictures, strip them of all but their pixels, and encode them again.

What stays of their files is the mark of those that a model drew (`labeling.marks`).
"""

import hashlib
import io
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import IO

from PIL import Image, ImageOps, TiffImagePlugin, WebPImagePlugin  # noqa: F401

from labeling import marks
from labeling.decoding import colours, depth
from labeling.marks import Mark

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
LOSSLESS_FORMATS = {"PNG", "GIF", "BMP", "TIFF"}  # sources whose pixels are kept as they are
NO_PICTURE = "not a readable picture (JPEG, PNG, WebP, GIF, BMP and TIFF are read)"
LOSSLESS_PIXELS = 512 * 512  # pixels; up to here lossless WebP costs little for any source
WEBP_SIDE = 16_383  # pixels; the format's limit
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of TIFF 6.0, section 15
SIDE_MIN = 4  # pixels; less can be neither looked at nor cut into 4 × 4

# The pixels are counted here, before anything is decoded, against a limit that can be set.
Image.MAX_IMAGE_PIXELS = None


class ImageRejected(ValueError):
    """The bytes are no picture that can be imported; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as it is stored, with the hashes of what came and of what is kept."""

    data: bytes
    suffix: str
    width: int
    height: int
    source_sha256: str
    sha256: str
    perceptual_hash: int
    remark: str = ""  # of its colours or depth, where the file leaves a doubt


def prepare(
    data: bytes, *, bytes_max: int, pixels_max: int, bits: int = 0, generated: bool = False
) -> Picture:
    """Check and re-encode a picture. Raises `ImageRejected`.

    bytes_max: of the file as it came. pixels_max: width × height, checked before decoding.
    bits: how many are used of pictures of 16 bits whose files do not say so; 0: all.
    generated: whether a model drew it, so that it is marked even where its file is not.
    """
    if len(data) > bytes_max:
        raise ImageRejected(too_large(bytes_max))
    try:
        image, mark, lossless, remark = _decode(data, pixels_max, bits)
        if generated and mark is None:
            mark = Mark()
        encoded, suffix = _encode(image, mark, lossless=lossless)
    except ImageRejected:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise ImageRejected("damaged or cut off") from error
    return Picture(
        data=encoded,
        suffix=suffix,
        width=image.width,
        height=image.height,
        source_sha256=hashlib.sha256(data).hexdigest(),
        sha256=hashlib.sha256(encoded).hexdigest(),
        perceptual_hash=difference_hash(image),
        remark=remark,
    )


def too_large(bytes_max: int) -> str:
    """Return the reason for rejecting a file over the limit."""
    return f"larger than {bytes_max / 2**20:,.4g} MB"


def read(file: IO[bytes], *, bytes_max: int) -> bytes:
    """Read a whole file of at most `bytes_max`, whatever its declared size.

    Raises `ImageRejected`.
    """
    data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ImageRejected(too_large(bytes_max))
    return data


def difference_hash(image: Image.Image) -> int:
    """Return the 64-bit difference hash, signed.

    Each bit says whether one of 8 × 8 grey cells is brighter than its neighbour on the right
    (N. Krawetz, "Kind of like that", 2013).
    """
    grey = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = 0
    for cell, (left, right) in enumerate(pairwise(grey)):
        if cell % 9 < 8:  # the last cell of a row has no neighbour
            bits = bits << 1 | (left > right)
    return bits - (bits >> 63 << 64)


def _decode(data: bytes, pixels_max: int, bits: int) -> tuple[Image.Image, Mark | None, bool, str]:
    """Return the picture, its mark, whether its pixels are kept as they are, and a remark."""
    try:
        opened = _open(data)
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageRejected(NO_PICTURE) from error
    with opened as image:
        width, height = image.size
        if width * height > pixels_max:
            raise ImageRejected(f"{width:,} × {height:,} is more than {pixels_max:,} pixels")
        if _tile_pixels(image) > pixels_max:
            raise ImageRejected(f"its tiles are of more than {pixels_max:,} pixels")
        if min(width, height) < SIDE_MIN:
            raise ImageRejected(f"{width} × {height} pixels are too few to be seen")
        # A JPEG with several frames is a still of a telephone with its preview (MPO).
        if image.format in FORMATS and getattr(image, "is_animated", False):
            raise ImageRejected("animated, or several pictures in one file")
        lossless = image.format in LOSSLESS_FORMATS or width * height <= LOSSLESS_PIXELS
        if depth.is_read_wrongly(image):
            raise ImageRejected("a TIFF of 16 bits whose channels lie apart: save it as one of RGB")
        deep_colours = depth.has_deep_colours(image)
        image.load()
        mark = marks.of_image(image)
        remark = depth.scale_colours(image, partial(_open, data), bits=bits) if deep_colours else ""
        remarks = [remark, _turn(image)]
        plain, remark = _to_srgb(image, bits)
        return _on_white(plain), mark, lossless, "; ".join(filter(None, [*remarks, remark]))


def _turn(image: Image.Image) -> str:
    """Turn a picture the way up that its camera noted; return a remark where that is broken."""
    try:
        ImageOps.exif_transpose(image, in_place=True)  # a copy of each picture costs a tenth
    except Exception:  # of what was noted, anything may be wrong
        return "its EXIF data is broken and was passed over"
    return ""


def _tile_pixels(image: Image.Image) -> int:
    """Return the pixels of a tile of a TIFF, which its decoder holds whole; 0: it has none."""
    tags = getattr(image, "tag_v2", {})
    sides = [tags.get(tag, 0) for tag in (TILE_WIDTH, TILE_LENGTH)]
    return int(sides[0] * sides[1])


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _to_srgb(image: Image.Image, bits: int) -> tuple[Image.Image, str]:
    """Return a picture with 8 bits and in sRGB, and what is to be remarked about that."""
    remarks = []
    if depth.is_deep(image):
        image, remark = depth.to_8_bits(image, bits=bits)
        remarks.append(remark)
    image, remark = colours.to_srgb(image)
    return image, "; ".join(filter(None, [*remarks, remark]))


def _on_white(image: Image.Image) -> Image.Image:
    """Convert to RGB: what is transparent on white, and nothing beside the pixels."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    plain = image if image.mode == "RGB" else image.convert("RGB")
    plain.info = {}
    return plain


def _encode(image: Image.Image, mark: Mark | None, *, lossless: bool) -> tuple[bytes, str]:
    """Encode as lossless WebP, or photographs as JPEG at 95: 16 times quicker than WebP at 92."""
    file = io.BytesIO()
    if lossless and max(image.size) <= WEBP_SIDE:
        saved = marks.saving("WEBP", mark)
        image.save(file, "WEBP", lossless=True, method=0, quality=30, **saved)
        return file.getvalue(), "webp"
    image.save(file, "JPEG", quality=95, subsampling=0, **marks.saving("JPEG", mark))
    return file.getvalue(), "jpg"
