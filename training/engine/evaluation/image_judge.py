"""The frozen image encoder as a judge of sets of pictures: the same in every installation.

It knows no texts, has seen no picture of the snapshot, and conditions no model; so figures of two
projects, or of two installations, can be held beside each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, resized
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.encoders import efficientnet
from training.engine.encoders.efficientnet import EfficientNet, load_efficientnet
from training.engine.encoders.embeddings import cached
from training.engine.evaluation import distances, intervals, prompt_sets
from training.engine.evaluation.intervals import entries
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.files import TrainingError

SIZE = 96  # pixels that it sees


@dataclass(frozen=True)
class ImageJudge:
    """Unit features of pictures by the frozen encoder."""

    network: EfficientNet
    cache: Path
    name: str = efficientnet.NAME

    def embed_pictures(self, pixels: Pixels) -> Tensor:
        """Return unit rows (n, 1280) of uint8 pictures (n, s, s, 3) of any size."""
        features = efficientnet.pooled_features(self.network, resized(pixels, SIZE))
        return normalize(features, dim=1)

    def embed_rows(self, rows: Sequence[Row]) -> Tensor:
        """Return unit rows (n, 1280) of a snapshot's pictures, encoded once."""
        pixels = pack(rows, SIZE, self.cache, digest(rows))
        keys = [f"picture {row.key} {SIZE}" for row in rows]
        return cached(self.cache, self.name, keys, lambda i: self.embed_pictures(pixels[i]))


def choose(cache: Path) -> ImageJudge | None:
    """Return the judge, or None where the encoder's weights are missing or altered."""
    try:
        return ImageJudge(load_efficientnet(), cache)
    except TrainingError:
        return None


def measure(
    judge: ImageJudge | None,
    snapshot: Snapshot,
    fixed: tuple[PromptSet, Pixels],
    held_out: tuple[PromptSet, Pixels],
) -> dict[str, float]:
    """Return distances of the pictures of held-out captions, and the variety of each prompt's."""
    if judge is None:
        return {}
    figures = _variety(judge, *fixed)
    captions, pictures = held_out
    if len(captions.rows) >= distances.FEWEST:
        real = judge.embed_rows(captions.rows)
        training = judge.embed_rows(prompt_sets.spread(snapshot.train, len(captions.rows)))
        generated = judge.embed_pictures(pictures)
        figures |= distances.measure(generated, real, training, judge.name)
    return figures


def _variety(judge: ImageJudge, prompts: PromptSet, pictures: Pixels) -> dict[str, float]:
    """Return how unlike each other a prompt's pictures are: 1 − cosine, the mean of its pairs.

    ``…_chance`` is that of pictures of different prompts.
    """
    seeds = len(prompts.seeds)
    if seeds < 2 or not len(pictures):
        return {}
    features = judge.embed_pictures(pictures).view(-1, seeds, efficientnet.WIDTH)
    by_prompt = _mean_pair(features)
    beside = {}
    if len(features) > 1:
        beside["chance"] = float(_mean_pair(features.transpose(0, 1)).mean())
    return entries(f"variety@{judge.name}", intervals.mean(by_prompt.double().numpy()), **beside)


def _mean_pair(features: Tensor) -> Tensor:
    """Return the mean distance (n,) of the pairs in n groups (n, k, E) of unit rows, k ≥ 2."""
    cosines = features @ features.transpose(1, 2)  # (n, k, k)
    k = features.shape[1]
    off_diagonal = cosines.sum((1, 2)) - torch.diagonal(cosines, dim1=1, dim2=2).sum(1)
    return 1 - off_diagonal / (k * (k - 1))
