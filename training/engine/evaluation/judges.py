"""The CLIPs that judge generated pictures: none has conditioned the model that it judges.

- an open_clip model, where one is configured and the judged model was not conditioned on it;
- ``lsa-clip``: resnet10t, trained on the snapshot to match word vectors of the snapshot's words;
- ``lsa-linear``: ridge regression from 16 × 16 thumbnails to the same vectors, in milliseconds, for
  runs whose option ``judge_steps`` is 0.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, resized
from training.engine.data.prompts import text_of
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.device import device
from training.engine.encoders import lsa
from training.engine.encoders.clip import Clip
from training.engine.encoders.clip_models import SmallClip, load_weights
from training.engine.encoders.embeddings import embed_pictures
from training.engine.encoders.open_clip_models import load_open_clip
from training.engine.encoders.specs import FOLDER
from training.engine.encoders.text import Spec
from training.engine.files import TrainingError, read_json, write_tensors
from training.engine.loop.loop import Loop
from training.engine.recipes.base import Source
from training.engine.recipes.clip import ClipConfig, ClipTraining

SIZE = 32  # pixels that lsa-clip sees
THUMBNAIL = 16  # pixels that lsa-linear sees
RIDGE = 1e-3  # the penalty per picture


@dataclass(frozen=True)
class Judge:
    """A CLIP that scores generated pictures, and the name that its metrics bear."""

    name: str
    clip: Clip
    cache: Path

    def embed_pictures(self, pixels: Pixels) -> Tensor:
        """Return unit rows (n, E) of uint8 pictures (n, s, s, 3) of any size."""
        if not len(pixels):
            return torch.zeros(0, self.clip.width)
        return self.clip.encode_images(resized(pixels, self.clip.size))

    def embed_rows(self, rows: Sequence[Row]) -> Tensor:
        """Return unit rows (n, E) of a snapshot's pictures, encoded once."""
        return embed_pictures(rows, self.clip, self.cache)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Return unit rows (n, E) of texts."""
        return self.clip.encode_texts(list(texts))


def choose(
    snapshot: Snapshot,
    steps: int,
    cache: Path,
    *,
    spec: Spec | None = None,
    conditioners: Sequence[dict[str, Any]] = (),
) -> Judge:
    """Return a judge of models with these ``conditioners`` (``clip`` in their ``config.json``).

    ``spec`` names an open_clip model, which judges if it conditioned none of them. Otherwise a
    judge is trained on the snapshot for so many ``steps``, or is linear where they are 0.
    """
    if spec:
        clip = load_open_clip(spec["model"], spec["pretrained"])
        if not any(clip.identity in _weights(conditioner) for conditioner in conditioners):
            return Judge(clip.identity, clip, cache)
    if steps and sum(bool(text_of(row)) for row in snapshot.train) >= 2:
        return Judge("lsa-clip", train_judge(snapshot, steps, cache), cache)
    return Judge("lsa-linear", linear_judge(snapshot, cache), cache)


def _weights(conditioner: dict[str, Any]) -> set[str]:
    """Return the identities of the text towers that a model was conditioned on."""
    names = {str(conditioner.get("identity"))}
    if conditioner.get("kind") == FOLDER:
        try:
            config = read_json(Path(conditioner["path"]) / "config.json")
            names.add(str(config["network"].get("weights")))
        except (TrainingError, KeyError, TypeError, AttributeError):
            pass
    return names


def train_judge(snapshot: Snapshot, steps: int, cache: Path) -> Clip:
    """Return ``lsa-clip``, trained on the snapshot once and kept in ``cache``."""
    config = ClipConfig(steps=steps, size=SIZE, text="words", compile=False)
    identity = f"lsa-clip {lsa.RANK} {snapshot.digest} {config}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    model = SmallClip("words", SIZE, lsa.fit(snapshot.train, snapshot.digest))
    folder = cache / f"judge-{name}"
    if not (folder / "model.safetensors").exists():
        training = ClipTraining(config, Source(snapshot, cache, seed=1), model=model)
        loop = Loop(training, config, seed=1)
        while not loop.finished:
            loop.advance()
        write_tensors(folder / "model.safetensors", loop.ema.network.state_dict())
    load_weights(folder, model.network)
    model.network.to(device())
    return model.finished(name)


def linear_judge(snapshot: Snapshot, cache: Path) -> Clip:
    """Return ``lsa-linear``: ridge regression of text embeddings on thumbnails."""
    encoder = lsa.fit(snapshot.train, snapshot.digest)
    rows = [row for row in snapshot.train if row.captions or row.tags] or list(snapshot.train)
    pixels = pack(rows, THUMBNAIL, cache, digest(rows))
    x = _thumbnails(pixels).double()
    targets = encoder.encode([" ".join([text_of(row), *row.tags]) for row in rows]).double()
    penalty = RIDGE * len(rows) * torch.eye(x.shape[1], dtype=torch.double)
    weights = torch.linalg.solve(x.T @ x + penalty, x.T @ targets).float()
    return Clip(
        identity=f"lsa-linear-{lsa.RANK}-{snapshot.digest[:16]}",
        size=THUMBNAIL,
        width=encoder.width,
        encode_images=lambda pixels: normalize(_thumbnails(pixels) @ weights, dim=1),
        encode_texts=encoder.encode,
    )


def _thumbnails(pixels: Pixels) -> Tensor:
    """Return thumbnails (n, 769) of uint8 (n, 16, 16, 3), from -1 to 1, and a constant."""
    values = torch.from_numpy(np.asarray(pixels).reshape(len(pixels), -1) / 127.5 - 1).float()
    return torch.cat([values, torch.ones(len(values), 1)], 1)
