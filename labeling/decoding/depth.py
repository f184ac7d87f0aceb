"""Bring grey pictures that are deeper than 8 bits to 8 bits, by what their files say of white."""

import math
from typing import Any, NamedTuple

from PIL import Image

# Tags of TIFF 6.0, sections 8, 19
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
MIN_SAMPLE, MAX_SAMPLE, SMIN_SAMPLE, SMAX_SAMPLE = 280, 281, 340, 341
WHITE_IS_ZERO = 0
UNSIGNED, SIGNED = 1, 2  # sample formats

FLOAT_WHITES = 1.0, 255.0, 65_535.0  # all are in use
OVERSHOOT = 1.25  # times white: a picture that was sharpened or scaled goes over it
DARK = 16  # a picture that stays below such a part of white shows nothing to the eye


class Scale(NamedTuple):
    """The values that stand for black and for white, and what is to be remarked about them."""

    black: float
    white: float
    remark: str = ""


def is_deep(image: Image.Image) -> bool:
    """Whether a picture is grey of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def to_8_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a deep grey picture in mode L, and a remark where its file leaves a doubt.

    White is the largest value of its kind, or the one that TIFF's SMaxSampleValue or
    MaxSampleValue give, never the brightest pixel; except for floating-point numbers without such
    a tag, for which there is no rule. What is no number is black.
    """
    import numpy as np  # which takes as long to import as five hundred pictures to decode

    values = _values(image)
    seen = np.isfinite(values) if image.mode == "F" else np.True_
    brightest = float(values.max(initial=0, where=seen))
    scale = _float_scale(image, brightest) if image.mode == "F" else _scale(image, brightest)
    with np.errstate(all="ignore"):  # a file may say anything
        grey = values.astype(np.float32)
        grey -= scale.black
        grey *= 255 / (scale.white - scale.black)
        np.nan_to_num(grey, copy=False, nan=0, posinf=255, neginf=0)
    np.rint(grey, out=grey).clip(0, 255, out=grey)
    if _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO:
        np.subtract(255, grey, out=grey)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # the one value of a PNG that is not seen
        grey[values == transparent] = 255
    plain = Image.fromarray(grey.astype(np.uint8))
    plain.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return plain, scale.remark


def _values(image: Image.Image) -> Any:
    """Return the values (H, W); those of 32 bits without a sign do not fit Pillow's mode I."""
    import numpy as np

    values = np.asarray(image)
    if image.mode == "I" and _tag(image, SAMPLE_FORMAT, UNSIGNED) == UNSIGNED:
        return values.view(np.uint32)
    return values


def _scale(image: Image.Image, brightest: float) -> Scale:
    """Return the scale of whole numbers: of all their bits, or of as many as a tag says."""
    bits = int(_tag(image, BITS, 16 if image.mode.startswith("I;16") else 32))
    bits -= _tag(image, SAMPLE_FORMAT, UNSIGNED) == SIGNED
    white = 2**bits - 1
    for tag in (SMAX_SAMPLE, MAX_SAMPLE):
        stated = _tag(image, tag)
        # Others are the brightest pixel, noted for statistics (TIFF 6.0, section 8).
        if stated is not None and 255 <= stated < white and math.log2(stated + 1).is_integer():
            return Scale(0, stated)
    used = int(brightest).bit_length()
    if 0 < brightest < white / DARK:
        remark = (
            f"it is nearly black: its values take {used} of {bits} bits. Where {used} are all it "
            "has, say so in the TIFF tag MaxSampleValue"
        )
        return Scale(0, white, remark)
    return Scale(0, white)


def _float_scale(image: Image.Image, brightest: float) -> Scale:
    """Return the scale of floating-point numbers: a tag's, or the usual one that holds them."""
    black = min(_number(image, SMIN_SAMPLE, MIN_SAMPLE) or 0.0, 0.0)
    stated = _number(image, SMAX_SAMPLE, MAX_SAMPLE)
    if stated is not None and stated > max(black, 0):
        return Scale(black, stated)
    white = next((each for each in FLOAT_WHITES if brightest <= each * OVERSHOOT), None)
    where = "its brightest pixel" if white is None else f"{white:.6g}"
    remark = (
        "its values are floating-point numbers, and no tag says which of them is white: it was "
        f"read with white at {where}"
    )
    return Scale(black, brightest if white is None else white, remark)


def _number(image: Image.Image, *tags: int) -> float | None:
    """Return the first of these tags that holds a finite number."""
    for tag in tags:
        value = _tag(image, tag)
        if value is not None and math.isfinite(value):
            return float(value)
    return None


def _tag(image: Image.Image, tag: int, default: Any = None) -> Any:
    """Return the first value of a tag; the default where the file has none that is a number."""
    value = getattr(image, "tag_v2", {}).get(tag)
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int | float) else default
