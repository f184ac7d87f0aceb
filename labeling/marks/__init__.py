"""The mark of pictures that models drew: what it says, and its way into files and out of them.

Nothing here knows Django: decoding, exports and the training engine all use it.
"""

from labeling.marks.files import of_bytes, of_image, saving
from labeling.marks.mark import COMPOSITE, GENERATED, SYSTEM, Mark, hash_of_prompt, is_hash

__all__ = [
    "COMPOSITE",
    "GENERATED",
    "SYSTEM",
    "Mark",
    "hash_of_prompt",
    "is_hash",
    "of_bytes",
    "of_image",
    "saving",
]
