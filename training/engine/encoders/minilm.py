"""The network of all-MiniLM-L6-v2: a BERT of six layers whose outputs are averaged.

transformers would do; importing it, and what it brings along, takes longer than most of what asks
for a few texts' embeddings.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import ftfy
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

WIDTH, HEADS, LAYERS, INNER = 384, 12, 6, 1536
WORDS, PLACES = 30522, 512
PADDING = 0  # the token's number
EPSILON = 1e-12

NAMES = {  # the file's names of a layer's parts
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attended",
    "attention.output.LayerNorm": "first_norm",
    "intermediate.dense": "inner",
    "output.dense": "outer",
    "output.LayerNorm": "second_norm",
}


class _Layer(nn.Module):
    """Attention and a perceptron, each with a norm after it."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.attended = nn.Linear(WIDTH, WIDTH)
        self.first_norm = nn.LayerNorm(WIDTH, EPSILON)
        self.inner, self.outer = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.second_norm = nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        heads = scaled_dot_product_attention(
            query, key, value, mask
        )  # (B, HEADS, L, WIDTH / HEADS)
        x = self.first_norm(x + self.attended(heads.transpose(1, 2).flatten(2)))
        normed: Tensor = self.second_norm(x + self.outer(gelu(self.inner(x))))
        return normed


class MiniLM(nn.Module):
    """Map tokens (B, L), padded with 0, to the mean (B, WIDTH) of their last states."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.types = (
            nn.Embedding.from_pretrained(torch.empty(number, WIDTH))  # type: ignore[no-untyped-call]
            for number in (WORDS, PLACES, 2)
        )
        self.norm = nn.LayerNorm(WIDTH, EPSILON)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))

    def forward(self, tokens: Tensor) -> Tensor:
        known = tokens != PADDING
        x = self.words(tokens) + self.places.weight[: tokens.shape[1]] + self.types.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, known[:, None, None])
        mean: Tensor = (x * known[..., None]).sum(1) / known.sum(1, keepdim=True)
        return mean


def load(folder: Path) -> MiniLM:
    """Return the network with the weights in a folder, which must fit."""
    with torch.device("meta"):
        network = MiniLM()
    weights = load_file(folder / "model.safetensors")
    named = {_renamed(name): weight for name, weight in weights.items()}
    own = {name: named[name] for name in network.state_dict()}
    network.load_state_dict(own, assign=True)
    return network


class Words:
    """Turn texts into tokens (n, length), padded with 0 and cut."""

    def __init__(self, folder: Path, length: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(length=length, pad_id=PADDING)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        encoded = self._tokenizer.encode_batch([_cleaned(text) for text in texts])
        return torch.tensor([each.ids for each in encoded])


def _cleaned(text: str) -> str:
    """Return a text as open_clip cleans it: mojibake and HTML's entities mended, spaces single."""
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())


def _renamed(name: str) -> str:
    """Return the network's own name for one of the file's."""
    for theirs, own in (
        ("embeddings.word_embeddings", "words"),
        ("embeddings.position_embeddings", "places"),
        ("embeddings.token_type_embeddings", "types"),
        ("embeddings.LayerNorm", "norm"),
    ):
        name = name.replace(theirs, own)
    if not name.startswith("encoder.layer."):
        return name
    number, _, part = name.removeprefix("encoder.layer.").partition(".")
    layer, _, kind = part.rpartition(".")
    return f"layers.{number}.{NAMES[layer]}.{kind}"
