"""What a model that draws makes of uncertain labels: CIFAR-10 with what people said of it.

    python -m tests.benchmarks.beliefs_headline CIFAR10 --out FOLDER [--arms a,b] [--crowds 1,3]

One network (a flow on principal components), equal steps, equal seeds; what differs is what it is
told of each photograph. A convolutional judge that was trained on the true labels says which class
each sample shows. Every run's result is kept in FOLDER, so that it goes on where it stopped; the
tables are printed at the end. About three minutes a run on one core,
and eight for the judge before them.
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
from PIL import Image
from torch import Tensor, nn

from labeling.aggregation.probe import cross_val_predict
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
from tests.benchmarks.headline_grid import grid
from tests.benchmarks.headline_judge import Judge, judge_for, kid, projected, spread
from tests.benchmarks.headline_tables import (
    CLEAN,
    GUIDANCES,
    TYPICAL,
    print_judge,
    print_labels,
    print_samples,
)
from training.engine.data.conditioning import CHANCE, SUREST, normalized_above
from training.engine.data.pictures import Pixels, png, tiled
from training.engine.encoders.conditions import Condition
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import write_json
from training.engine.latents.pca import PCA, fit
from training.engine.loop.loop import Loop
from training.engine.networks.mlp import ConditionalMLP
from training.engine.recipes.base import Config, Phase
from training.engine.sampling.samplers import euler, guided

COMPONENTS, WIDTH, DEPTH, EXPANSION = 192, 256, 3, 3
TIME_MEAN, TIME_CLAMP, DROP, FLIPS = -0.3, 0.25, 0.1, 0.5
SURE = 0.8  # the confidence under which a label is dropped
SAMPLES = 200  # a class
FEW = 4000  # photographs, beside samples
SHOWN = 8  # of them in pictures
EULER = 20
ARMS = ("majority", "weighted", "dropped", "confidence", "probe majority", "probe")
CROWDS = {
    "1": Crowd(1, None),
    "3": Crowd(3, None),
    "3-40": Crowd(3, 0.4),
    "3-60": Crowd(3, 0.6),
    "1-40": Crowd(1, 0.4),
    "1-60": Crowd(1, 0.6),
}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What the network is told of each picture, and how much each counts."""

    text: Tensor  # (n, E)
    confidence: Tensor  # (n,)
    weight: Tensor  # (n,) mean 1
    asked: float  # the confidence that samples are asked for at


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
            return Told(told.text, told.confidence, confidence / confidence.mean(), 1.0)
        case "dropped":
            return Told(told.text, (confidence >= SURE).float(), told.weight, 1.0)
        case "confidence":
            return expected(crowd, names)
        case "probe majority":
            return certain(model.argmax(1), names)
        case _:
            return expected(model, names)


def expected(probability: Floats, names: Tensor) -> Told:
    """Return Σ q(y)·e(y) with q above the base rate, as the product has it, and the total."""
    base = np.minimum(probability.mean(0), CHANCE)
    weights = torch.from_numpy(normalized_above(probability, base)).float()
    confidence = weights.sum(1)
    text = weights @ names / confidence[:, None].clamp(min=1e-9)
    return Told(text, confidence, torch.ones(len(confidence)), float(confidence.quantile(SUREST)))


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
            self.told.text[rows], self.told.confidence[rows] * kept, torch.zeros(count, 0)
        )
        t = torch.sigmoid(torch.randn(count) + TIME_MEAN)[:, None]
        noisy = t * x0 + (1 - t) * torch.randn_like(x0)
        predicted = self.network(noisy, t[:, 0], condition, mirrored.float())
        error = (predicted - x0) / (1 - t).clamp(min=TIME_CLAMP)
        each = (self.error_weight * error.square()).mean(1)
        loss: Tensor = (each * self.told.weight[rows]).mean()
        return loss

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
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
        self.names = load_text_encoder(default_spec()).encode(list(NAMES))
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
        path = self.out / f"{named(name, crowd, seed)}.json"
        if path.exists():
            done: dict[str, Any] = json.loads(path.read_text())
            return done
        told = self.told(name, crowd)
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
            result[f"spread {guidance:g}"] = spread(seen.view(len(NAMES), SAMPLES, -1))
            by_class = drawn.reshape(len(NAMES), SAMPLES, 32, 32, 3)
            sheet = tiled(by_class[:, :SHOWN].reshape(-1, 32, 32, 3), SHOWN)
            path.with_name(f"{path.stem} {guidance:g}.png").write_bytes(png(sheet))
        write_json(path, result)
        print(path.stem, result, flush=True)
        return result

    def told(self, name: str, crowd: Crowd | None) -> Told:
        if crowd:
            return arm(name, *self.posteriors(crowd), self.names)
        told = certain(self.truth, self.names)
        if name == CLEAN:
            return told
        seen = cross_val_predict(features(self.pixels, self.out), np.eye(len(NAMES))[self.truth])
        confidence = torch.from_numpy(seen[np.arange(len(seen)), self.truth]).float()
        return Told(told.text, confidence, told.weight, float(confidence.quantile(SUREST)))

    def shown(self, name: str, crowd: Crowd | None) -> Pixels:
        """Some samples of the first seed at the highest guidance, (10, SHOWN, 32, 32, 3)."""
        picture = Image.open(self.out / f"{named(name, crowd, 0)} {GUIDANCES[-1]:g}.png")
        tiles = np.asarray(picture).reshape(len(NAMES), 32, SHOWN, 32, 3)
        shown: Pixels = tiles.transpose(0, 2, 1, 3, 4)
        return shown

    def seen(self) -> dict[str, tuple[float, float, float]]:
        """What the judge makes of photographs: right, KID to held-out ones, spread of a class."""
        held_out = torch.from_numpy(test_truth(self.folder))
        trained = torch.from_numpy(self.truth)
        few = slice(FEW)
        sets = {
            "held-out photographs": (self.held_out, held_out),
            "the same, in the components' span": (projected(self.pca, self.held_out), held_out),
            "training photographs": (self.pixels[few], trained[few]),
        }
        found = {}
        for name, (pictures, truth) in sets.items():
            features, classes = self.judge.judge(pictures)
            each = torch.stack([features[truth == c][:SAMPLES] for c in range(len(NAMES))])
            distance = 0.0 if name == "held-out photographs" else kid(features[few], self.real)
            found[name] = float((classes == truth).float().mean()), distance, spread(each)
        return found


def named(name: str, crowd: Crowd | None, seed: int) -> str:
    return f"{crowd.name if crowd else CLEAN} {name} {seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(".data/headline"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--judge-epochs", type=float, default=5.0)
    parser.add_argument("--crowds", default="3-40,1,3-60,3")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--grid", type=Path, help="a PNG of samples for the first of the crowds")
    options = parser.parse_args()
    arms = options.arms.split(",")
    if not (options.folder / "human_labels_train.csv").is_file():
        parser.error(f"{options.folder} holds no human_labels_train.csv: name CIFAR-10's folder.")
    if not {*arms} <= {*ARMS} or not {*options.crowds.split(",")} <= {*CROWDS}:
        parser.error(f"Choose from the arms {', '.join(ARMS)} and the crowds {', '.join(CROWDS)}.")
    torch.set_num_threads(options.threads)
    bench = Bench(options.folder, options.out, options.steps, options.judge_epochs)
    crowds = [CROWDS[name] for name in options.crowds.split(",")]
    report(bench, crowds, arms, options.seeds)
    if options.grid:
        shown = {CLEAN: bench.shown(CLEAN, None)}
        shown |= {name: bench.shown(name, crowds[0]) for name in arms}
        grid(shown, NAMES).save(options.grid, optimize=True)


def report(bench: Bench, crowds: Sequence[Crowd], arms: Sequence[str], seeds: int) -> None:
    """Carry out what is missing, seed by seed, then print all of it."""

    def runs(name: str, crowd: Crowd | None) -> list[dict[str, Any]]:
        return [bench.run(name, crowd, seed) for seed in range(seeds)]

    for seed in range(seeds):
        for name in (CLEAN, TYPICAL):
            bench.run(name, None, seed)
        for crowd in crowds:
            for name in arms:
                bench.run(name, crowd, seed)
    print_judge(bench.seen())
    print_labels({crowd.name: bench.posteriors(crowd) for crowd in crowds}, bench.truth)
    print_samples(runs, crowds, arms, SAMPLES * len(NAMES))


if __name__ == "__main__":
    main()
