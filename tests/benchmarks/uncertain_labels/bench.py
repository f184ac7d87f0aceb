"""The photographs, their latents and the judge; runs that are done are read, not repeated."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from labeling.aggregation.probe import cross_val_predict
from tests.benchmarks.uncertain_labels.arms import Conditioning, certain, conditioning
from tests.benchmarks.uncertain_labels.crowds import (
    NAMES,
    Crowd,
    answers,
    people,
    photographs,
    posterior,
    test_truth,
)
from tests.benchmarks.uncertain_labels.features import features
from tests.benchmarks.uncertain_labels.flow import SAMPLES, FlowTraining, sample
from tests.benchmarks.uncertain_labels.judge import Judge, judge_for, kid, projected, spread
from tests.benchmarks.uncertain_labels.tables import CLEAN, GUIDANCES
from training.engine.data.conditioning import SUREST
from training.engine.data.pictures import Pixels, png, tiled
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import write_json
from training.engine.latents.pca import fit
from training.engine.loop.loop import Loop
from training.engine.recipes.base import Config

COMPONENTS = 192
FEW = 4000  # photographs, beside samples
SHOWN = 8  # samples of a class in pictures

Floats = npt.NDArray[np.float64]


class Bench:
    """CIFAR-10 with what people said of it; results are kept in ``out``."""

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
        """Return shares of votes, aggregated answers, and those with a probe: each (n, 10)."""
        path = self.out / f"posteriors {crowd.name}.npz"
        if not path.exists():
            of_crowd = answers(crowd, self.labels, self.truth, seed=0)
            votes = np.zeros((len(self.truth), len(NAMES)))
            np.add.at(votes, (of_crowd[0], of_crowd[2]), 1 / crowd.people)
            with_probe = posterior(of_crowd, features(self.pixels, self.out))
            np.savez(path, votes=votes, crowd=posterior(of_crowd, None), probe=with_probe)
        kept = np.load(path)
        return kept["votes"], kept["crowd"], kept["probe"]

    def run(self, name: str, crowd: Crowd | None, seed: int) -> dict[str, Any]:
        """Train and sample an arm once, and return its figures."""
        path = self.out / f"{run_name(name, crowd, seed)}.json"
        if path.exists():
            done: dict[str, Any] = json.loads(path.read_text())
            return done
        condition = self.conditioning(name, crowd)
        since = time.monotonic()
        config = Config(steps=self.steps, batch=256, learning_rate=2e-3, warmup=100)
        loop = Loop(FlowTraining(condition, self.latents, self.pca.scale, seed), config, seed)
        while not loop.finished:
            loop.advance()
        result: dict[str, Any] = {"seconds": time.monotonic() - since, "loss": loop.loss}
        for guidance in GUIDANCES:
            pictures = sample(
                loop.ema.network, self.pca, self.names, condition.sampling_confidence, guidance
            )
            result |= self._measure(pictures, guidance)
            by_class = pictures.reshape(len(NAMES), SAMPLES, 32, 32, 3)
            sheet = tiled(by_class[:, :SHOWN].reshape(-1, 32, 32, 3), SHOWN)
            path.with_name(f"{path.stem} {guidance:g}.png").write_bytes(png(sheet))
        write_json(path, result)
        print(path.stem, result, flush=True)
        return result

    def _measure(self, pictures: Pixels, guidance: float) -> dict[str, float]:
        seen, classes = self.judge.judge(pictures)
        right = classes.view(len(NAMES), SAMPLES) == torch.arange(len(NAMES))[:, None]
        return {
            f"accuracy {guidance:g}": float(right.float().mean()),
            f"kid {guidance:g}": kid(seen, self.real),
            f"spread {guidance:g}": spread(seen.view(len(NAMES), SAMPLES, -1)),
        }

    def conditioning(self, name: str, crowd: Crowd | None) -> Conditioning:
        """Return what an arm's network is conditioned on; without a crowd the true labels."""
        if crowd:
            return conditioning(name, *self.posteriors(crowd), self.names)
        clean = certain(self.truth, self.names)
        if name == CLEAN:
            return clean
        seen = cross_val_predict(features(self.pixels, self.out), np.eye(len(NAMES))[self.truth])
        confidence = torch.from_numpy(seen[np.arange(len(seen)), self.truth]).float()
        return Conditioning(
            clean.text, confidence, clean.weight, float(confidence.quantile(SUREST))
        )

    def shown(self, name: str, crowd: Crowd | None) -> Pixels:
        """Return samples (10, SHOWN, 32, 32, 3) of the first seed at the highest guidance."""
        picture = Image.open(self.out / f"{run_name(name, crowd, 0)} {GUIDANCES[-1]:g}.png")
        tiles = np.asarray(picture).reshape(len(NAMES), 32, SHOWN, 32, 3)
        shown: Pixels = tiles.transpose(0, 2, 1, 3, 4)
        return shown

    def photographs_judged(self) -> dict[str, tuple[float, float, float]]:
        """Return of photographs the share recognised, KID to held-out ones, spread of a class."""
        held_out = torch.from_numpy(test_truth(self.folder))
        trained = torch.from_numpy(self.truth)
        few = slice(FEW)
        sets = {
            "held-out photographs": (self.held_out, held_out),
            "the same, in the components' span": (projected(self.pca, self.held_out), held_out),
            "training photographs": (self.pixels[few], trained[few]),
        }
        figures = {}
        for name, (pictures, truth) in sets.items():
            seen, classes = self.judge.judge(pictures)
            by_class = torch.stack([seen[truth == c][:SAMPLES] for c in range(len(NAMES))])
            distance = 0.0 if name == "held-out photographs" else kid(seen[few], self.real)
            figures[name] = float((classes == truth).float().mean()), distance, spread(by_class)
        return figures


def run_name(name: str, crowd: Crowd | None, seed: int) -> str:
    """Return what a run's files are called."""
    return f"{crowd.name if crowd else CLEAN} {name} {seed}"
