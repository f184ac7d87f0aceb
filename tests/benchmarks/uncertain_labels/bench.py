"""The photographs, their latents and the judge; runs that are done are read, not repeated."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from tests.benchmarks.uncertain_labels.arms import (
    CLEAN,
    Conditioning,
    NoisyLabels,
    Posteriors,
    conditioning,
    transitions,
)
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
from tests.benchmarks.uncertain_labels.tables import GUIDANCES
from tests.benchmarks.uncertain_labels.tdsm import (
    NoisyPictureClassifier,
    TransitionAwareTraining,
    classifier_for,
)
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

    def __init__(
        self, folder: Path, out: Path, *, count: int, steps: int, batch: int, judge_epochs: float
    ) -> None:
        """Learn from the first ``count`` photographs; the judge, once, from all of them."""
        self.folder, self.out, self.steps, self.batch = folder, out, steps, batch
        pixels, (labels, truth) = photographs(folder, "train", out), people(folder)
        self.held_out = photographs(folder, "test", out)
        self.pca = fit(pixels, COMPONENTS, seed=0)
        self.judge: Judge = judge_for(out, pixels, truth, self.pca, epochs=judge_epochs, seed=0)
        self.pixels, self.labels, self.truth = pixels[:count], labels[:count], truth[:count]
        sides = [
            self.pca.encode_all(side).half() for side in (self.pixels, self.pixels[:, :, ::-1])
        ]
        self.latents = torch.stack(sides)
        self.names = load_text_encoder(default_spec()).encode(list(NAMES))
        self.real, _ = self.judge.judge(self.held_out)

    def posteriors(self, crowd: Crowd) -> Posteriors:
        """Return what a crowd's answers say of each photograph; computed once."""
        path = self.out / f"posteriors {crowd.name}, {len(self.truth)} photographs.npz"
        if not path.exists():
            of_crowd = answers(crowd, self.labels, self.truth, seed=0)
            votes = np.zeros((len(self.truth), len(NAMES)))
            np.add.at(votes, (of_crowd[0], of_crowd[2]), 1 / crowd.people)
            with_probe = posterior(of_crowd, features(self.pixels, self.out))
            np.savez(path, votes=votes, crowd=posterior(of_crowd, None), probe=with_probe)
        with np.load(path) as kept:
            return Posteriors(kept["votes"], kept["crowd"], kept["probe"])

    def run(self, name: str, crowd: Crowd, seed: int) -> dict[str, Any]:
        """Train and sample an arm once, and return its figures."""
        path = self._path(name, crowd, seed, ".json")
        if path.exists():
            done: dict[str, Any] = json.loads(path.read_text())
            return done
        condition = conditioning(name, self.posteriors(crowd), self.names, self.truth)
        since = time.monotonic()
        config = Config(steps=self.steps, batch=self.batch, learning_rate=2e-3, warmup=100)
        training, result = self._training(condition, config, seed)
        loop = Loop(training, config, seed)
        while not loop.finished:
            loop.advance()
        result |= {"seconds": time.monotonic() - since, "loss": loop.loss}
        confidence = condition.sampling_confidence
        for guidance in GUIDANCES:
            pictures = sample(loop.ema.network, self.pca, self.names, confidence, guidance, seed)
            result |= self._measure(pictures, guidance)
            by_class = pictures.reshape(len(NAMES), SAMPLES, 32, 32, 3)
            sheet = tiled(by_class[:, :SHOWN].reshape(-1, 32, 32, 3), SHOWN)
            self._path(name, crowd, seed, f" {guidance:g}.png").write_bytes(png(sheet))
        write_json(path, result)
        print(path.stem, result, flush=True)
        return result

    def _training(
        self, condition: Conditioning, config: Config, seed: int
    ) -> tuple[FlowTraining, dict[str, Any]]:
        """Return a training, and figures of the classifier that it needs where labels are noisy."""
        parts = condition, self.latents, self.pca.scale, seed
        if condition.noisy is None:
            return FlowTraining(*parts), {}
        classifier = classifier_for(condition.noisy, self.latents, config, seed)
        return TransitionAwareTraining(*parts, classifier), self._judged(
            classifier, condition.noisy
        )

    @torch.no_grad()
    def _judged(self, classifier: NoisyPictureClassifier, noisy: NoisyLabels) -> dict[str, float]:
        """Return how right a classifier is of photographs without noise, and of transitions."""
        seen = classifier(self.latents[0].float(), torch.ones(self.latents.shape[1]))
        right = seen.argmax(1).numpy() == self.truth
        actual = transitions(noisy.labels.numpy(), self.truth, len(NAMES))
        estimated = classifier.transitions()
        return {
            "classifier": float(right.mean()),
            "kept, actual": float(actual.diagonal().mean()),
            "kept, estimated": float(estimated.diagonal().mean()),
            "error of transitions": float((estimated - actual).abs().sum(1).mean() / 2),
        }

    def _measure(self, pictures: Pixels, guidance: float) -> dict[str, float]:
        seen, classes = self.judge.judge(pictures)
        right = classes.view(len(NAMES), SAMPLES) == torch.arange(len(NAMES))[:, None]
        return {
            f"accuracy {guidance:g}": float(right.float().mean()),
            f"kid {guidance:g}": kid(seen, self.real),
            f"spread {guidance:g}": spread(seen.view(len(NAMES), SAMPLES, -1)),
        }

    def shown(self, name: str, crowd: Crowd) -> Pixels:
        """Return samples (10, SHOWN, 32, 32, 3) of the first seed at the highest guidance."""
        picture = Image.open(self._path(name, crowd, 0, f" {GUIDANCES[-1]:g}.png"))
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

    def _path(self, name: str, crowd: Crowd, seed: int, ending: str) -> Path:
        """Return a file of a run; clean labels do not depend on the crowd."""
        arm = CLEAN if name == CLEAN else f"{crowd.name}, {name}"
        size = f"{len(self.truth)} photographs, {self.steps} × {self.batch}"
        return self.out / f"{arm}, {size}, seed {seed}{ending}"
