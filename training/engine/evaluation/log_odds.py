"""Log-odds of every pair of a concept and a tile, by a clip model, written block by block."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.engine.encoders.clip import Clip
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.questions import read_subjects
from training.engine.files import TrainingError, array_draft, write_tensors

BLOCK = 20_000  # tiles at a time
LARGEST = 20.0  # of the log-odds, either way

Halves = NDArray[np.float16]


def write(
    path: Path, images: Tensor, names: list[str], texts: Tensor, calibration: Calibration
) -> None:
    """Write log-odds (C, T) as float16 (.npy) of C concepts, with texts (C, E), and T tiles.

    ``images`` (T, E) may be in any precision. What is not finite becomes NaN.
    """
    weights, constants = calibration.linear(names, texts)
    with array_draft(path, (len(names), len(images)), np.float16) as out:
        for start in range(0, len(images), BLOCK):
            log_odds = images[start : start + BLOCK].float() @ weights.T + constants  # (m, C)
            log_odds = log_odds.clamp(-LARGEST, LARGEST)
            out[:, start : start + BLOCK] = log_odds.T.half().numpy()


def predict_concepts(
    folder: Path, subjects: Path, features: Path, texts: Path, log_odds: Path
) -> int:
    """Predict further concepts from the features that ``predict`` wrote, without any picture.

    Write ``texts`` as safetensors, `concepts` (C,) ids, rising, and `texts` (C, E) in float16, and
    ``log_odds`` (C, T). Return the number of concepts. Raise ``TrainingError`` where a file or the
    model is no good, or where the features are another model's.
    """
    phrases = read_subjects(subjects).concepts
    clip, calibration = load_clip(folder), Calibration.load(folder)
    images = _images(features, clip)
    embedded = embed_concepts(clip, phrases)
    names = [phrases[concept] for concept in sorted(phrases)]
    write(log_odds, images, names, embedded["texts"].float(), calibration)
    write_tensors(texts, embedded)
    return len(phrases)


def embed_concepts(clip: Clip, phrases: Mapping[int, str]) -> dict[str, Tensor]:
    """Return the ids `concepts` (C,), rising, and the embeddings `texts` (C, E) in float16."""
    concepts = sorted(phrases)
    return {
        "concepts": torch.tensor(concepts, dtype=torch.int64),
        "texts": clip.encode_texts([phrases[concept] for concept in concepts]).half(),
    }


def _images(features: Path, clip: Clip) -> Tensor:
    """Return the tiles' embeddings (T, E) that this very model has written."""
    try:
        with safe_open(features, framework="pt") as file:
            written_by = (file.metadata() or {}).get("clip")
            images: Tensor = file.get_tensor("images")
    except (OSError, SafetensorError):
        raise TrainingError(f"{features} holds no features: predict all tiles again.") from None
    if written_by != clip.identity or images.shape[1:] != (clip.width,):
        raise TrainingError(f"{features} is another model's: predict all tiles again.")
    return images
