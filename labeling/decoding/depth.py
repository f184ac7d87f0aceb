"""Bring pictures that are deeper than 8 bits to 8 bits, by what their files say of white.

PNG's `sBIT` says how many of the upper bits matter (its section 11.3.2.5), so it changes nothing.
"""

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import Image

# Tags of TIFF 6.0, sections 8, 19
BITS, PHOTOMETRIC, PLANAR, SAMPLE_FORMAT = 258, 262, 284, 339
MIN_SAMPLE, MAX_SAMPLE, SMIN_SAMPLE, SMAX_SAMPLE = 280, 281, 340, 341
WHITE_IS_ZERO = 0
UNSIGNED, SIGNED = 1, 2  # sample formats

FLOAT_WHITES = 1.0, 255.0, 65_535.0  # all are in use
OVERSHOOT = 1.25  # times white: a picture that was sharpened or scaled goes over it
DEEP = ";16"  # in the raw modes of colours of which Pillow keeps the upper 8 bits alone
GREY_WITH_ALPHA = "LA;16B"  # of PNG
BITS_RANGE = range(9, 16)  # of 16 bits, that may be said to be used
DARK = 16  # a picture that stays below such a part of white shows nothing to the eye


class Scale(NamedTuple):
    """The values that stand for black and for white, and what is to be remarked about them."""

    black: float
    white: float
    remark: str = ""


def is_deep(image: Image.Image) -> bool:
    """Whether a picture is grey of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def is_read_wrongly(image: Image.Image) -> bool:
    """Whether Pillow takes bytes of a TIFF's 16-bit channels, which lie apart, for pixels."""
    return int(_tag(image, PLANAR, 1)) != 1 and int(_tag(image, BITS, 8)) > 8 and not is_deep(image)


def has_deep_colours(image: Image.Image) -> bool:
    """Whether a picture that is not loaded yet has 16 bits a channel, and Pillow keeps eight."""
    return not is_deep(image) and any(DEEP in raw_mode for raw_mode in _raw_modes(image))


def scale_colours(image: Image.Image, reopen: Callable[[], Image.Image], *, bits: int = 0) -> str:
    """Scale the colours of a loaded picture of 16 bits a channel; return a remark, if any.

    Pillow has kept the upper eight. Where fewer bits are used, as TIFF's SMaxSampleValue or
    MaxSampleValue say, or `bits`, they are read again. reopen: opens the same file again.
    """
    import numpy as np

    upper = np.asarray(image)
    coloured = upper[..., :-1] if image.mode in {"LA", "RGBA"} else upper
    brightest = int(coloured.max(initial=0)) << 8 | 0xFF
    whites = _colour_whites(image, bits)
    if all(white == 0xFFFF for white in whites):
        return _dark_remark(brightest, 16) if brightest < 0xFFFF / DARK else ""
    lower = _lower_bits(reopen())
    scaled, is_over = np.empty_like(upper), False
    for channel, white in enumerate(whites):
        values = upper[..., channel].astype(np.uint16) << 8 | lower[..., channel]
        steps = np.rint(np.arange(0x10000) * (255 / white)).clip(0, 255).astype(np.uint8)
        scaled[..., channel] = steps[values]
        is_over |= int(values.max(initial=0)) > white
    image.paste(Image.frombytes(image.mode, image.size, scaled.tobytes()))
    return _clipped(bits) if bits and is_over else ""


def to_8_bits(image: Image.Image, *, bits: int = 0) -> tuple[Image.Image, str]:
    """Return a deep grey picture in mode L, and a remark where its file leaves a doubt.

    White is the largest value of its kind, or the one that TIFF's SMaxSampleValue or
    MaxSampleValue give, never the brightest pixel; except for floating-point numbers without such
    a tag, for which there is no rule. What is no number is black. bits: how many of 16 are used,
    where the file does not say so; 0: all.
    """
    import numpy as np  # which takes as long to import as five hundred pictures to decode

    values = _values(image)
    seen = np.isfinite(values) if image.mode == "F" else np.True_
    brightest = float(values.max(initial=0, where=seen))
    scale = _float_scale(image, brightest) if image.mode == "F" else _scale(image, brightest, bits)
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


def _scale(image: Image.Image, brightest: float, chosen: int) -> Scale:
    """Return the scale of whole numbers: of all their bits, or of as many as a tag says."""
    bits = int(_tag(image, BITS, 16 if image.mode.startswith("I;16") else 32))
    bits -= _tag(image, SAMPLE_FORMAT, UNSIGNED) == SIGNED
    white = 2**bits - 1
    if stated := _stated_white(image, white, 0):
        return Scale(0, stated)
    if chosen and bits == 16:
        white = 2**chosen - 1
        return Scale(0, white, _clipped(chosen) if brightest > white else "")
    return Scale(0, white, _dark_remark(brightest, bits) if brightest < white / DARK else "")


def _stated_white(image: Image.Image, white: int, channel: int) -> int:
    """Return the value of white that a tag gives a channel; 0: none below that of all bits."""
    for tag in (SMAX_SAMPLE, MAX_SAMPLE):
        stated = _tag(image, tag, channel=channel)
        # Others are the brightest pixel, noted for statistics (TIFF 6.0, section 8).
        if stated is not None and 255 <= stated < white and math.log2(stated + 1).is_integer():
            return int(stated)
    return 0


def _dark_remark(brightest: float, bits: int) -> str:
    """Say that a picture is nearly black, and what may be done where it should not be."""
    used = int(brightest).bit_length()
    if not brightest:
        return ""
    ways = "say so in the TIFF tag MaxSampleValue"
    if bits == 16 and used in BITS_RANGE:
        ways = f"take the import back and import it with the option bits {used}, or {ways}"
    return (
        f"it is nearly black: its values take {used} of {bits} bits. Where {used} are all it has, "
        f"{ways}"
    )


def _clipped(bits: int) -> str:
    return f"it has values of more than {bits} bits, which became white"


def _colour_whites(image: Image.Image, bits: int) -> list[int]:
    """Return the value of white of each channel of 16 bits; alpha is read whole unless a tag."""
    bands = image.getbands()
    whole = 2**bits - 1 if bits else 0xFFFF
    return [
        _stated_white(image, 0xFFFF, min(channel, 2) if band != "A" else channel)
        or (0xFFFF if band == "A" else whole)
        for channel, band in enumerate(bands)
    ]


def _lower_bits(image: Image.Image) -> Any:
    """Return the lower bits (H, W, channels) of a picture of 16 bits a channel: load it again.

    Told the other order of bytes, Pillow keeps the lower ones.
    """
    import numpy as np

    is_grey = GREY_WITH_ALPHA in _raw_modes(image)
    image.tile = [tile._replace(args=_other_order(tile.args)) for tile in image.tile]  # type: ignore[attr-defined]
    image.load()
    values = np.asarray(image)
    return values[..., [1, 1, 1, 3]] if is_grey else values


def _other_order(arguments: Any) -> Any:
    if arguments == GREY_WITH_ALPHA:
        return "RGBA"  # its four bytes
    if isinstance(arguments, str):
        native = "L" if sys.byteorder == "little" else "B"
        order = native if arguments[-1] == "N" else arguments[-1]
        return arguments[:-1] + {"L": "B", "B": "L"}[order]
    return (_other_order(arguments[0]), *arguments[1:])


def _raw_modes(image: Image.Image) -> list[str]:
    """Return how the codec of a picture that is not loaded yet is told to unpack its channels."""
    arguments = [tile.args for tile in getattr(image, "tile", ())]
    first = [each[0] if isinstance(each, tuple) and each else each for each in arguments]
    return [each for each in first if isinstance(each, str)]


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


def _tag(image: Image.Image, tag: int, default: Any = None, *, channel: int = 0) -> Any:
    """Return the value of a tag for a channel; the default where there is none, or no number."""
    value = getattr(image, "tag_v2", {}).get(tag)
    if isinstance(value, tuple) and value:
        value = value[min(channel, len(value) - 1)]
    first = value
    return first if isinstance(first, int | float) else default
