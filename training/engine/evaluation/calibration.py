"""Turn a CLIP's similarities into calibrated probabilities (Platt 1999).

Texts are compared by *z-score*: similarity less the text's mean over reference pictures, in units
of its deviation there. A concept with judged pictures also gets a logistic probe on the embedding.
Both are scaled on held-out pictures where there are enough, else on out-of-fold predictions.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from training.engine.data.conditioning import TAG_PROBABILITY
from training.engine.data.rows import Row, Snapshot
from training.engine.encoders.clip import Clip
from training.engine.encoders.embeddings import encode_pictures
from training.engine.files import TrainingError, read_json, write_json, write_tensors
from training.engine.optimizers import LBFGS

REFERENCES = 512  # pictures that show a text's usual similarity
FEWEST = 3  # judged pictures on each side that a probe needs
ENOUGH = 20  # positive held-out pairs that a scale needs
UNKNOWN = (1.0, -2.0)  # the scale of a concept's z-score where no concept was ever judged


@dataclass(frozen=True)
class Calibration:
    """Log odds are a·x + b, with (a, b) a row of ``scales`` (3, 2).

    x is a probe's logit, the z-score of a concept without a probe, or that of a caption.
    """

    references: Tensor  # (r, E)
    concepts: list[str]  # those with a probe
    probes: Tensor  # (C, E + 2): weights on the embedding, on the z-score, and a constant
    scales: Tensor

    def z_scores(self, images: Tensor, text: Tensor) -> Tensor:
        """Return how many deviations better than usual a text (E,) suits pictures (n, E): (n,)."""
        usual = self.references @ text
        return (images @ text - usual.mean()) / usual.std().clamp(min=1e-4)

    def probability(self, images: Tensor, name: str, text: Tensor, kind: str) -> Tensor:
        """Return the probability (n,) that one text is true of pictures (n, E).

        ``text`` (E,) is the embedding of ``name``; ``kind`` is ``concept`` or ``caption``.
        """
        z = self.z_scores(images, text)
        if kind == "caption":
            x, scale = z, self.scales[2]
        elif bare(name) in self.concepts:
            probe = self.probes[self.concepts.index(bare(name))]
            x, scale = _features(images, z) @ probe, self.scales[0]
        else:
            x, scale = z, self.scales[1]
        return torch.sigmoid(scale[0] * x + scale[1])

    def linear(self, names: Sequence[str], texts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-odds of C concepts as weights (C, E) on a picture, and constants (C,).

        ``texts`` (C, E) are the embeddings of ``names``. Log-odds are those of ``probability``.
        """
        usual = self.references @ texts.T  # (r, C)
        deviation = usual.std(0).clamp(min=1e-4)
        weights, constants = texts / deviation[:, None], -usual.mean(0) / deviation  # of z-scores
        scales = self.scales[1].repeat(len(names), 1)  # (C, 2)
        for row, name in enumerate(names):
            if bare(name) in self.concepts:
                probe = self.probes[self.concepts.index(bare(name))]
                weights[row] = probe[:-2] + probe[-2] * weights[row]
                constants[row] = probe[-1] + probe[-2] * constants[row]
                scales[row] = self.scales[0]
        return scales[:, :1] * weights, scales[:, 0] * constants + scales[:, 1]

    def save(self, folder: Path) -> None:
        """Write the calibration into a model folder."""
        parts = {"references": self.references, "probes": self.probes, "scales": self.scales}
        write_tensors(folder / "calibration.safetensors", parts)
        write_json(folder / "calibration.json", {"concepts": self.concepts})

    @classmethod
    def load(cls, folder: Path) -> "Calibration":
        """Read what `save` wrote; raise ``TrainingError`` where it is missing or broken."""
        concepts = read_json(folder / "calibration.json")["concepts"]
        try:
            return cls(concepts=concepts, **load_file(folder / "calibration.safetensors"))
        except (OSError, SafetensorError, TypeError):
            raise TrainingError(f"{folder / 'calibration.safetensors'} cannot be read.") from None


def bare(text: str) -> str:
    """Return a concept's name without its article: "bicycle" of "a bicycle"."""
    return re.sub(r"^(a|an|the)\s+", "", text.strip().lower())


def calibrate(clip: Clip, snapshot: Snapshot, cache: Path) -> Calibration:
    """Fit probes and scales to the probabilities in a snapshot."""
    train, test = (encode_pictures(rows, clip, cache) for rows in (snapshot.train, snapshot.test))
    rows = torch.linspace(0, len(train) - 1, min(REFERENCES, len(train))).long()
    unscaled = Calibration(train[rows], [], torch.zeros(0, clip.width + 2), torch.ones(3, 2))
    names = list(snapshot.concepts)
    texts = clip.encode_texts(names) if names else torch.zeros(0, clip.width)
    z, truth = _z_scores(unscaled, train, texts), informed(snapshot.train, names)
    learnable = ((truth > 0.5).sum(0) >= FEWEST) & ((truth < 0.5).sum(0) >= FEWEST)
    probed = [i for i, enough in enumerate(learnable.tolist()) if enough]
    probes, logits = _probes(train, z[:, probed], truth[:, probed])
    test_z, test_truth = _z_scores(unscaled, test, texts), informed(snapshot.test, names)
    if int((test_truth[:, probed] > 0.5).sum()) >= ENOUGH:
        logits = _apply(test, test_z[:, probed], probes)
        z, truth = test_z, test_truth
    scales = [
        platt(logits, truth[:, probed]),
        platt(z, truth, UNKNOWN),
        _caption_scale(unscaled, clip, snapshot, train, test),
    ]
    concepts = [bare(names[i]) for i in probed]
    return Calibration(unscaled.references, concepts, probes, torch.tensor(scales))


def informed(rows: Sequence[Row], names: Sequence[str]) -> Tensor:
    """Return the probabilities (n, C) that rest on somebody's answers, NaN elsewhere.

    A snapshot does not say which do. From .8 upwards it takes a yes; below half of a concept's mean
    probability, and .2, a no, since a picture that nobody was asked about gets about the mean.
    """
    known = torch.full((len(rows), len(names)), torch.nan)
    for index, row in enumerate(rows):
        tags = set(row.tags)
        for column, name in enumerate(names):
            default = TAG_PROBABILITY if name in tags else torch.nan
            known[index, column] = row.concepts.get(name, default)
    low = (known.nanmean(0) / 2).clamp(max=0.2)
    return torch.where((known >= 0.8) | (known <= low), known, torch.nan)


def _z_scores(calibration: Calibration, images: Tensor, texts: Tensor) -> Tensor:
    columns = [calibration.z_scores(images, text) for text in texts]
    return torch.stack(columns, 1) if columns else torch.zeros(len(images), 0)


def _features(images: Tensor, z: Tensor) -> Tensor:
    return torch.cat([images, z[:, None], torch.ones(len(images), 1)], 1)


def _apply(images: Tensor, z: Tensor, probes: Tensor) -> Tensor:
    """Return logits (n, C) of the probes (C, E + 2)."""
    return images @ probes[:, :-2].T + z * probes[:, -2] + probes[:, -1]


def _probes(images: Tensor, z: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return probes (C, E + 2), and their out-of-fold logits (n, C), 0 where nothing is known."""
    from labeling.aggregation.probe import Probe  # by scipy, which takes a tenth of torch's time

    probes = torch.zeros(truth.shape[1], images.shape[1] + 2)
    logits = torch.zeros_like(truth)
    for column in range(truth.shape[1]):
        known = truth[:, column].isfinite()
        probability = truth[known, column].double()
        rows = torch.cat([images[known], z[known, column, None]], 1).numpy()
        probe = Probe(
            rows,
            torch.stack([1 - probability, probability], 1).numpy(),
            np.ones(len(rows)),
            hints=1,
        )
        weights = torch.from_numpy(probe.linear_weights())  # (E + 2, 2)
        probes[column] = (weights[:, 1] - weights[:, 0]).float()
        out_of_fold = torch.from_numpy(probe.out_of_fold[:, 1])
        logits[known, column] = out_of_fold.logit(1e-6).float()
    return probes, logits


def platt(x: Tensor, truth: Tensor, default: tuple[float, float] = (1.0, 0.0)) -> list[float]:
    """Return the (a, b) of σ(a·x + b) that fit the truth best, with a pull to the default.

    ``x`` and ``truth`` are of one shape; NaN in ``truth`` is unknown; a is 0 or more.
    """
    if not truth.isfinite().any():
        return list(default)
    start = torch.tensor(default)

    def loss(scale: Tensor) -> Tensor:
        fitted = _cross_entropy(scale[0] * x + scale[1], truth)
        return fitted + (scale - start).square().sum()

    a, b = _minimum(loss, start.clone()).tolist()
    return [max(a, 0.0), b]


def _caption_scale(
    unscaled: Calibration, clip: Clip, snapshot: Snapshot, train: Tensor, test: Tensor
) -> list[float]:
    """Fit a scale to pictures' own captions, and as many of another picture's."""
    rows, images = snapshot.test, test
    if sum(bool(row.captions) for row in rows) < ENOUGH:
        rows, images = snapshot.train[:1000], train[:1000]
    captioned = [i for i, row in enumerate(rows) if row.captions]
    if len(captioned) < 2:
        return [1.0, -1.0]
    texts = clip.encode_texts([rows[i].captions[0][0] for i in captioned])
    z = _z_scores(unscaled, images[captioned], texts)
    x = torch.cat([z.diagonal(), z.roll(1, 0).diagonal()])
    truth = torch.cat([torch.ones(len(captioned)), torch.zeros(len(captioned))])
    return platt(x, truth, (1.0, -1.0))


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    known = truth.isfinite()
    return binary_cross_entropy_with_logits(logits[known], truth[known], reduction="sum")


def _minimum(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    weights = start.requires_grad_()
    optimizer = LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(weights)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach()
