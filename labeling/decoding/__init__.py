"""Bytes → picture: decode, strip, hash and encode, here or in processes of their own.

Nothing here knows Django, so that a process that decodes starts quickly and has no secrets.
"""

from labeling.decoding.pictures import (
    LOSSLESS_PIXELS,
    ImageRejected,
    Picture,
    difference_hash,
    prepare,
    read,
    too_large,
)

__all__ = [
    "LOSSLESS_PIXELS",
    "ImageRejected",
    "Picture",
    "difference_hash",
    "prepare",
    "read",
    "too_large",
]
