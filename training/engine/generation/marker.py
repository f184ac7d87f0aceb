"""Encode what a model drew, with its mark and, where its owner signs, a C2PA manifest.

The certificate and the key are read for each picture, so that new ones count at once.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from labeling.marks import COMPOSITE, GENERATED, SYSTEM, Mark, credentials, hash_of_prompt, is_hash
from labeling.marks.credentials import CERTIFICATE, KEY, Credentials, CredentialsError
from training.engine.data.pictures import Pixels, png
from training.engine.files import TrainingError, read_json
from training.engine.recipes import lora, stored

WEIGHTS = (stored.WEIGHTS, lora.FILE)  # of which a model folder has one


@dataclass(frozen=True)
class Marker:
    """The mark of one model's pictures."""

    mark: Mark

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model folder; raise ``TrainingError`` where nothing could be signed, either."""
        load_credentials()
        return cls(mark_of_model(folder))

    def png(self, pixels: Pixels, prompt: str | None, *, composite: bool = False) -> bytes:
        """Return a picture (height, width, 3) as PNG; ``composite``: only a part was drawn.

        Raises ``TrainingError`` where it cannot be signed.
        """
        mark = replace(
            self.mark,
            source_type=COMPOSITE if composite else GENERATED,
            prompt_sha256=hash_of_prompt(prompt),
        )
        owner, data = load_credentials(), png(pixels, mark)
        try:
            return owner.sign(data, mark, ".png") if owner else data
        except CredentialsError as error:
            raise TrainingError(str(error)) from None


def mark_of_model(folder: Path) -> Mark:
    """Return the mark of a model's pictures: the hashes of its weights and of its snapshot."""
    about = read_json(folder / "config.json")
    hashes = (about.get(name) for name in ("snapshot_sha256", "data_sha256"))
    snapshot = next(filter(is_hash, hashes), "")
    return Mark(system=SYSTEM, model_sha256=hash_of_weights(folder), snapshot_sha256=snapshot)


def hash_of_weights(folder: Path) -> str:
    """Return the SHA-256 of the file of a model's weights; "" where there is none."""
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_credentials() -> Credentials | None:
    """Return those that the environment names, or None; raise ``TrainingError``."""
    try:
        return credentials.load(os.environ.get(CERTIFICATE, ""), os.environ.get(KEY, ""))
    except CredentialsError as error:
        raise TrainingError(str(error)) from None
