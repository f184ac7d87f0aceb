"""Encode texts by latent semantic analysis (Deerwester et al. 1990) of a snapshot's own words.

Words that describe the same pictures lie close, so that a picture of an apple is worth something
for "fruit". It knows nothing but the snapshot, and shares nothing with any text tower.
"""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.rows import Row
from training.engine.encoders.text import WIDTH, TextEncoder

WORDS = 6000  # the commonest
RANK = 384  # which tells held-out pictures apart better than 192
ROWS = 8000  # pictures, evenly spread, that it is fitted to


def fit(rows: Sequence[Row], identity: str) -> TextEncoder:
    """Return an encoder of texts as weighted sums of word vectors: unit rows (n, WIDTH).

    A text without any known word is a row of zeros. ``identity`` names the rows.
    """
    part = rows[:: max(1, -(-len(rows) // ROWS))]
    documents = [Counter(_words(_text(row))) for row in part]
    frequency = Counter(word for document in documents for word in document)
    vocabulary = {word: index for index, (word, _) in enumerate(frequency.most_common(WORDS))}
    rarity = torch.tensor([len(part) / frequency[word] for word in vocabulary]).log1p()
    matrix = torch.zeros(len(part), max(1, len(vocabulary)))
    for row, document in zip(matrix, documents, strict=True):
        _count(row, document, vocabulary)
    if vocabulary:
        matrix *= rarity
    torch.manual_seed(0)
    rank = min(RANK, -(-len(part) // 3), matrix.shape[1])
    _, _, vectors = torch.svd_lowrank(normalize(matrix, dim=1), q=rank, niter=2)  # (words, rank)

    def encode(texts: Sequence[str]) -> Tensor:
        counts = torch.zeros(len(texts), matrix.shape[1])
        for row, text in zip(counts, texts, strict=True):
            _count(row, Counter(_words(text)), vocabulary)
        if vocabulary:
            counts *= rarity
        embeddings = torch.zeros(len(texts), WIDTH)
        embeddings[:, :rank] = normalize(counts @ vectors, dim=1)
        return embeddings

    return TextEncoder({"kind": "lsa"}, f"lsa-{RANK}-{identity}", WIDTH, encode)


def _count(row: Tensor, document: Counter[str], vocabulary: dict[str, int]) -> None:
    for word, times in document.items():
        if word in vocabulary:
            row[vocabulary[word]] = times


def _text(row: Row) -> str:
    return " ".join([*(text for text, _ in row.captions), *row.tags])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
