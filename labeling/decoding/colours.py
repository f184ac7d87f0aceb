"""Convert pictures to sRGB, the colours that browsers show, by the profiles in their files."""

import io
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageCms

PROFILE_MAX = 8 * 2**20  # bytes; those of printing presses have two or three
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # the profiles' kinds → modes they are for
FITTING = {"RGB": {"RGB", "L"}, "L": {"L"}, "CMYK": {"CMYK"}}  # and modes that can become those
TOO_LARGE = "its colour profile is too large and was passed over"
BROKEN = "its colour profile is broken and was passed over"
OF_OTHERS = "its colour profile is for {kind} pictures, which it is none of, and was passed over"


class _Profile(NamedTuple):
    kind: str  # as ICC calls it: "RGB", "GRAY", "CMYK", …
    to_srgb: ImageCms.ImageCmsTransform | None  # None: of a kind that no picture here is of


def to_srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a picture as its profile says it looks, and a remark where that cannot be told.

    A picture without a profile, or with one that is of no use, is returned as it is. Transparency
    is kept.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "LAB":  # whose colours need none
        return image, ""
    if len(profile) > PROFILE_MAX:
        return image, TOO_LARGE
    try:
        kind, transform = _profile(profile)
        return _converted(image, kind, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, BROKEN


def _converted(
    image: Image.Image, kind: str, transform: ImageCms.ImageCmsTransform | None
) -> tuple[Image.Image, str]:
    plain = _unpacked(image)
    alpha = plain.getchannel("A") if plain.mode in {"RGBA", "LA"} else None
    mode = plain.mode.removesuffix("A")
    if transform is None or mode not in FITTING[MODES[kind]]:
        return image, OF_OTHERS.format(kind=kind)
    colours = plain if plain.mode == MODES[kind] else plain.convert(MODES[kind])
    converted = ImageCms.applyTransform(colours, transform)
    if converted is None:
        raise ValueError("Nothing was converted.")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted, ""


def _unpacked(image: Image.Image) -> Image.Image:
    """Return a picture in L, LA, RGB, RGBA or CMYK, with what is transparent in a channel."""
    grey = image.mode in {"1", "L", "LA", "La"}
    if image.has_transparency_data:
        wanted = "LA" if grey else "RGBA"
    elif image.mode == "CMYK":
        return image
    else:
        wanted = "L" if grey else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


@lru_cache(maxsize=8)
def _profile(data: bytes) -> _Profile:
    """Read a profile. Raises PyCMSError and OSError where it is none, or of no use."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    kind = profile.profile.xcolor_space.strip()
    if kind not in MODES:
        return _Profile(kind, None)
    srgb = ImageCms.createProfile("sRGB")
    return _Profile(kind, ImageCms.buildTransform(profile, srgb, MODES[kind], "RGB"))
