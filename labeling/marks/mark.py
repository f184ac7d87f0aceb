"""What a mark says: how a picture came about, and which model, snapshot and prompt it came from."""

import hashlib
import re
from dataclasses import dataclass

SYSTEM = "Tessera"
GENERATED = "trainedAlgorithmicMedia"  # a model drew all of it
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"  # a model drew a part of it
SOURCE_TYPES = (GENERATED, COMPOSITE)
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"  # of the IPTC

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark; "" stands for what is not known.

    A hash is a SHA-256 in 64 lower-case hexadecimal digits: of the file of the model's weights, of
    the snapshot as its manifest has it, and of the prompt in UTF-8.

    Raises ValueError for a value that is none of these.
    """

    source_type: str = GENERATED
    system: str = ""  # `SYSTEM`, or another that is not named
    model_sha256: str = ""
    snapshot_sha256: str = ""
    prompt_sha256: str = ""

    def __post_init__(self) -> None:
        hashes = self.model_sha256, self.snapshot_sha256, self.prompt_sha256
        known = self.source_type in SOURCE_TYPES and self.system in ("", SYSTEM)
        if not known or not all(value == "" or is_hash(value) for value in hashes):
            raise ValueError(f"{self} is no mark.")

    @property
    def source_address(self) -> str:
        """The source type as IPTC's vocabulary names it."""
        return VOCABULARY + self.source_type


def is_hash(value: object) -> bool:
    """Return whether a value is a SHA-256 as marks have it."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def hash_of_prompt(prompt: str | None) -> str:
    """Return the hash of a prompt; "" where there is none."""
    return hashlib.sha256(prompt.encode()).hexdigest() if prompt else ""
