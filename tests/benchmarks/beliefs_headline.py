"""What a model that draws makes of uncertain labels: CIFAR-10 with what people said of it.

    python -m tests.benchmarks.beliefs_headline CIFAR10 --out FOLDER [--arms a,b] [--crowds 1,3]

One network (a flow on principal components), equal steps, equal seeds; what differs is what it is
told of each photograph. A convolutional judge that was trained on the true labels says which class
each sample shows. Every run's result is kept in FOLDER, so that it goes on where it stopped; the
tables are printed at the end. About three minutes a run on one core.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tests.benchmarks.headline_crowds import (
    NAMES,
    Crowd,
    answers,
    people,
    photographs,
    posterior,
    test_truth,
)
from tests.benchmarks.headline_features import features
from tests.benchmarks.headline_judge import Judge, judge_for, projected
from training.clip import default_spec, text_encoder
from training.conditions import Condition
from training.data import Pixels, png, tiled
from training.files import write_json
from training.loop import Loop
from training.nets.mlp import ConditionalMLP
from training.nets.pca import PCA, fit
from training.recipes.base import Config, Phase
from training.samplers import euler, guided

COMPONENTS, WIDTH, DEPTH, EXPANSION = 192, 256, 3, 3
TIME_MEAN, TIME_CLAMP, DROP, FLIPS = -0.3, 0.25, 0.1, 0.5
SURE = 0.8  # the confidence under which a label is dropped
SAMPLES = 200  # a class
EULER = 20
GUIDANCES = (1.0, 2.0)
ARMS = ("majority", "weighted", "dropped", "belief", "probe")
CROWDS = {
    "1": Crowd(1, None),
    "3": Crowd(3, None),
    "3-40": Crowd(3, 0.4),
    "3-60": Crowd(3, 0.6),
    "1-40": Crowd(1, 0.4),
    "1-60": Crowd(1, 0.6),
}
CLEAN = "clean"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What the network is told of each picture, and how much each counts."""

    text: Tensor  # (n, E)
    belief: Tensor  # (n,)
    weight: Tensor  # (n,) mean 1
    asked: float  # the belief that samples are asked for at


def certain(classes: npt.NDArray[np.intp], names: Tensor) -> Told:
    """One class a picture, taken for granted."""
    count = len(classes)
    return Told(names[classes], torch.ones(count), torch.ones(count), 1.0)


def arm(name: str, votes: Floats, crowd: Floats, model: Floats, names: Tensor) -> Told:
    """The arm's view of posteriors (n, 10): shares of answers, aggregated, with a probe."""
    confidence = torch.from_numpy(crowd.max(1)).float()
    told = certain(crowd.argmax(1), names)
    match name:
        case "majority":
            return certain(votes.argmax(1), names)
        case "weighted":
            return Told(told.text, told.belief, confidence / confidence.mean(), 1.0)
        case "dropped":
            return Told(told.text, (confidence >= SURE).float(), told.weight, 1.0)
        case "belief":
            return expected(crowd, names)
        case _:
            return expected(model, names)


def expected(probability: Floats, names: Tensor) -> Told:
    """Σ q(y)·e(y) with q above the base rate, and how much that is in all (training.beliefs)."""
    base = np.minimum(probability.mean(0), 0.5)
    above = np.clip((probability - base) / (1 - base), 0, 1)
    weights = torch.from_numpy(above / np.maximum(above.sum(1, keepdims=True), 1)).float()
    belief = weights.sum(1)
    text = weights @ names / belief[:, None].clamp(min=1e-9)
    return Told(text, belief, torch.ones(len(belief)), float(belief.quantile(0.9)))


class Flow:
    """The network in training on latents (2, n, K): as they are, mirrored."""

    def __init__(self, told: Told, latents: Tensor, scale: Tensor, seed: int) -> None:
        self.told, self.latents = told, latents
        self.error_weight = scale / scale.mean()
        torch.manual_seed(seed)
        self.network: nn.Module = ConditionalMLP(
            len(scale), told.text.shape[1], WIDTH, DEPTH, EXPANSION
        )
        self.phases = (Phase("flow", self.network, self.loss),)

    def loss(self, count: int) -> Tensor:
        rows = torch.randint(self.latents.shape[1], (count,))
        mirrored = (torch.rand(count) < FLIPS).long()
        x0 = self.latents[mirrored, rows].float()
        kept = torch.rand(count) >= DROP
        condition = Condition(
            self.told.text[rows], self.told.belief[rows] * kept, torch.zeros(count, 0)
        )
        t = torch.sigmoid(torch.randn(count) + TIME_MEAN)[:, None]
        noisy = t * x0 + (1 - t) * torch.randn_like(x0)
        predicted = self.network(noisy, t[:, 0], condition, mirrored.float())
        error = (predicted - x0) / (1 - t).clamp(min=TIME_CLAMP)
        each = (self.error_weight * error.square()).mean(1)
        loss: Tensor = (each * self.told.weight[rows]).mean()
        return loss

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None: ...


@torch.no_grad()
def draw(network: nn.Module, pca: PCA, names: Tensor, asked: float, guidance: float) -> Pixels:
    """uint8 (10 · SAMPLES, 32, 32, 3), class after class, from the same noise for everybody."""
    assert isinstance(network, ConditionalMLP)
    parts = []
    for index, text in enumerate(names):
        noise = torch.Generator().manual_seed(index)
        x = torch.randn(SAMPLES, pca.components, generator=noise)
        condition = Condition(
            text.expand(SAMPLES, -1), torch.full((SAMPLES,), asked), torch.zeros(SAMPLES, 0)
        )
        predict = guided(network.eval(), condition, guidance)
        parts.append(pca.pictures(euler(predict, lambda x=x: x, EULER)))  # type: ignore[misc]
    return np.concatenate(parts)


def kid(first: Tensor, second: Tensor) -> float:
    """Unbiased squared MMD by the kernel (x·y/d + 1)³ of features of length √d."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T + 1).double() ** 3

    n, m = len(first), len(second)
    own = (kernel(first, first).sum() - 8 * n) / (n * (n - 1))
    other = (kernel(second, second).sum() - 8 * m) / (m * (m - 1))
    return float(own + other - 2 * kernel(first, second).mean())


class Bench:
    """The photographs, their latents and the judge; runs that are done are read, not repeated."""

    def __init__(self, folder: Path, out: Path, steps: int, epochs: float) -> None:
        self.folder, self.out, self.steps = folder, out, steps
        self.pixels = photographs(folder, "train", out)
        self.held_out = photographs(folder, "test", out)
        self.labels, self.truth = people(folder)
        self.pca = fit(self.pixels, COMPONENTS, seed=0)
        sides = [
            self.pca.encode_all(side).half() for side in (self.pixels, self.pixels[:, :, ::-1])
        ]
        self.latents = torch.stack(sides)
        self.judge: Judge = judge_for(out, self.pixels, self.truth, self.pca, epochs=epochs, seed=0)
        self.names = text_encoder(default_spec()).encode(list(NAMES))
        self.real, _ = self.judge.judge(self.held_out)

    def posteriors(self, crowd: Crowd) -> tuple[Floats, Floats, Floats]:
        """Shares of answers, aggregated, and with a probe: each (n, 10); kept in the folder."""
        path = self.out / f"posteriors {crowd.name}.npz"
        if not path.exists():
            said = answers(crowd, self.labels, self.truth, seed=0)
            votes = np.zeros((len(self.truth), len(NAMES)))
            np.add.at(votes, (said[0], said[2]), 1 / crowd.people)
            seen = features(self.pixels, self.out)
            np.savez(path, votes=votes, crowd=posterior(said, None), probe=posterior(said, seen))
        kept = np.load(path)
        return kept["votes"], kept["crowd"], kept["probe"]

    def run(self, name: str, crowd: Crowd | None, seed: int) -> dict[str, Any]:
        path = self.out / f"{crowd.name if crowd else CLEAN} {name} {seed}.json"
        if path.exists():
            done: dict[str, Any] = json.loads(path.read_text())
            return done
        told = (
            arm(name, *self.posteriors(crowd), self.names)
            if crowd
            else certain(self.truth, self.names)
        )
        since = time.monotonic()
        config = Config(steps=self.steps, batch=256, learning_rate=2e-3, warmup=100)
        loop = Loop(Flow(told, self.latents, self.pca.scale, seed), config, seed)
        while not loop.finished:
            loop.advance()
        result: dict[str, Any] = {"seconds": time.monotonic() - since, "loss": loop.loss}
        for guidance in GUIDANCES:
            drawn = draw(loop.ema.network, self.pca, self.names, told.asked, guidance)
            seen, classes = self.judge.judge(drawn)
            right = classes.view(len(NAMES), SAMPLES) == torch.arange(len(NAMES))[:, None]
            result[f"accuracy {guidance:g}"] = float(right.float().mean())
            result[f"kid {guidance:g}"] = kid(seen, self.real)
            shown = drawn.reshape(len(NAMES), SAMPLES, 32, 32, 3)[:, :8].reshape(-1, 32, 32, 3)
            path.with_name(f"{path.stem} {guidance:g}.png").write_bytes(png(tiled(shown, 8)))
        write_json(path, result)
        print(path.stem, result, flush=True)
        return result

    def floor(self) -> dict[str, float]:
        """What the judge makes of photographs: as they are, and in the components' span."""
        truth = torch.from_numpy(test_truth(self.folder))
        _, classes = self.judge.judge(projected(self.pca, self.held_out))
        trained, _ = self.judge.judge(self.pixels[:2000])
        trained_spanned, _ = self.judge.judge(projected(self.pca, self.pixels[:2000]))
        return {
            "held-out photographs": float(
                (self.judge.judge(self.held_out)[1] == truth).float().mean()
            ),
            "the same in the span": float((classes == truth).float().mean()),
            "kid of training photographs": kid(trained, self.real),
            "the same in the span (kid)": kid(trained_spanned, self.real),
        }


def interval(accuracy: float, count: int) -> float:
    """Half of a 95 % interval of a share."""
    return 1.96 * float(np.sqrt(accuracy * (1 - accuracy) / count))


def print_tables(bench: Bench, crowds: Sequence[Crowd], arms: Sequence[str], seeds: int) -> None:
    print("| the judge | |\n|---|---|")
    for name, value in bench.floor().items():
        print(f"| {name} | {value:.4f} |")
    print("\n| crowd | labels right: votes, aggregated, with the probe |\n|---|---|")
    for crowd in crowds:
        shares = [(p.argmax(1) == bench.truth).mean() for p in bench.posteriors(crowd)]
        print(f"| {crowd.name} | " + ", ".join(f"{share:.3f}" for share in shares) + " |")
    for guidance in GUIDANCES:
        print(f"\nguidance {guidance:g}: samples recognised as asked (KID × 1000; gap closed)\n")
        print("| told | " + " | ".join(crowd.name for crowd in crowds) + " |")
        print("|---|" + "---|" * len(crowds))
        clean = _mean(bench, CLEAN, None, guidance, seeds)
        print("| clean labels | " + f"{clean[0]:.3f} ({1000 * clean[1]:.0f}) | " * len(crowds))
        base = {crowd: _mean(bench, "majority", crowd, guidance, seeds)[0] for crowd in crowds}
        for name in arms:
            cells = []
            for crowd in crowds:
                accuracy, distance = _mean(bench, name, crowd, guidance, seeds)
                closed = (accuracy - base[crowd]) / (clean[0] - base[crowd])
                gap = "" if name == "majority" else f"; {closed:.0%}"
                cells.append(f"{accuracy:.3f} ({1000 * distance:.0f}{gap})")
            print(f"| {name} | " + " | ".join(cells) + " |")
    half = interval(0.7, SAMPLES * len(NAMES) * seeds)
    print(f"\nA share of .7 is known to ±{half:.3f}.")


def _mean(
    bench: Bench, name: str, crowd: Crowd | None, guidance: float, seeds: int
) -> tuple[float, float]:
    runs = [bench.run(name, crowd, seed) for seed in range(seeds)]
    return tuple(  # type: ignore[return-value]
        float(np.mean([run[f"{key} {guidance:g}"] for run in runs])) for key in ("accuracy", "kid")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("headline"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--judge-epochs", type=float, default=5.0)
    parser.add_argument("--crowds", default="1,3,3-40,3-60")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = Bench(options.folder, options.out, options.steps, options.judge_epochs)
    crowds = [CROWDS[name] for name in options.crowds.split(",")]
    print_tables(bench, crowds, options.arms.split(","), options.seeds)


if __name__ == "__main__":
    main()
