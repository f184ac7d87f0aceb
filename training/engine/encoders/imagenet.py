"""What ImageNet's 1,000 classes are in words: how a classifier's opinion bears on any text."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from training.engine.encoders import pinned
from training.engine.encoders.embeddings import embed_texts
from training.engine.encoders.text import TextEncoder
from training.engine.files import TrainingError

SHARPNESS = 0.5  # of the classes: over-confident about pictures that are no photographs
NARROWNESS = 0.08  # of cosines between texts: what is less like a class counts for e times less


def class_texts() -> list[str]:
    """Return each class's names and WordNet's definition: what it is a kind of is in there.

    timm's tables are read without timm, whose import takes seconds.
    """
    folder = pinned.find("", "timm", "data", "_info")
    if folder is None:
        raise TrainingError("timm's tables of ImageNet's classes are missing: install timm again.")
    classes = (folder / "imagenet_synsets.txt").read_text().split()
    names, definitions = (
        dict(line.split("\t", 1) for line in (folder / file).read_text().splitlines())
        for file in ("imagenet_synset_to_lemma.txt", "imagenet_synset_to_definition.txt")
    )
    return [f"{names[each]}: {definitions[each]}" for each in classes]


def class_weights(texts: Sequence[str], encoder: TextEncoder, cache: Path) -> Tensor:
    """Return how far each class (1000,) speaks for each of n texts, above 0: (1000, n)."""
    cosines = embed_texts(class_texts(), encoder, cache) @ encoder.encode(list(texts)).T
    return (cosines / NARROWNESS).exp()


def scores(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the logarithm (B, n) of how far the classes' logits (B, 1000) speak for n texts."""
    return ((SHARPNESS * logits).softmax(1) @ weights).log()
