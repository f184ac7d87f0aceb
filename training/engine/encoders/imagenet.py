"""What ImageNet's 1,000 classes are in words: how a classifier's opinion bears on any text."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from training.engine.encoders.embeddings import embed_texts
from training.engine.encoders.libraries import timm
from training.engine.encoders.text import TextEncoder

SHARPNESS = 0.5  # of the classes: over-confident about pictures that are no photographs
NARROWNESS = 0.08  # of cosines between texts: what is less like a class counts for e times less


def class_texts() -> list[str]:
    """Return each class's names and WordNet's definition: what it is a kind of is in there."""
    timm()
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [str(info.index_to_description(index, detailed=True)) for index in range(1000)]


def class_weights(texts: Sequence[str], encoder: TextEncoder, cache: Path) -> Tensor:
    """Return how far each class (1000,) speaks for each of n texts, above 0: (1000, n)."""
    cosines = embed_texts(class_texts(), encoder, cache) @ encoder.encode(list(texts)).T
    return (cosines / NARROWNESS).exp()


def scores(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the logarithm (B, n) of how far the classes' logits (B, 1000) speak for n texts."""
    return ((SHARPNESS * logits).softmax(1) @ weights).log()
