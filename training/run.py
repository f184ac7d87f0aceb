"""A run is a folder: fit what its ``config.json`` asks for, and go on where it stopped."""

import fcntl
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TextIO

import torch
from torch import Tensor, nn

from training import evaluate
from training.calibration import calibrate
from training.config import RunConfig, read_config
from training.data import Snapshot, read_snapshot
from training.files import TrainingError, append_line, write_bytes, write_json
from training.loop import Loop
from training.prompts import fixed_prompts
from training.recipes import clip as clip_recipe
from training.recipes.clip import ClipConfig, ClipTraining
from training.recipes.diffusion import DiffusionTraining

KEEP = 2  # checkpoints
BEAT = 0.7  # seconds between lines of progress
STOPPED = 143  # exit status after SIGTERM


class Recipe(Protocol):
    """What a run needs of a recipe in training."""

    @property
    def network(self) -> nn.Module: ...
    def loss(self) -> Tensor: ...
    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None: ...
    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None: ...


class Progress:
    """Lines in ``progress.jsonl``: one a beat, from a thread, whatever the run is busy with."""

    def __init__(self, path: Path, steps: int) -> None:
        self.path = path
        self.now: dict[str, Any] = {
            "step": 0,
            "steps": steps,
            "loss": None,
            "images_per_second": None,
            "seconds_left": None,
            "stage": "prepare",
        }
        self._losses: list[float] = []
        self._since = time.monotonic()
        self._ended = threading.Event()

    @contextmanager
    def beating(self) -> Iterator[None]:
        thread = threading.Thread(target=self._beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def stage(self, name: str) -> None:
        self.now |= {"stage": name, "seconds_left": None}
        self.write()

    def trained(self, loop: Loop, loss: float) -> None:
        """Take in a step: losses and speed are means since the line before."""
        losses = self._losses  # the other thread may begin a new list at any moment
        losses.append(loss)
        seconds = max(time.monotonic() - self._since, 1e-6)
        self.now |= {
            "step": loop.step,
            "loss": sum(losses) / len(losses),
            "images_per_second": round(len(losses) * loop.settings.batch / seconds, 1),
            "seconds_left": loop.seconds_left,
        }

    def write(self) -> None:
        append_line(self.path, {"time": time.time(), **self.now})
        self._losses, self._since = [], time.monotonic()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            self.write()


class Stop:
    """SIGTERM ends the process at once, or after the step under way and its checkpoint."""

    def __init__(self) -> None:
        self.training = False
        self.asked = False
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self.training:
            raise SystemExit(STOPPED)


def fit(folder: Path) -> None:
    """Start the run, or go on with it; raises ``TrainingError``, or ``SystemExit`` on SIGTERM."""
    config = read_config(folder)
    stop = Stop()
    if config.threads:
        torch.set_num_threads(config.threads)
    with _locked(folder):
        if (folder / "metrics.json").exists() and (folder / "model" / "config.json").exists():
            return
        progress = Progress(folder / "progress.jsonl", config.settings.steps)
        progress.write()
        with progress.beating():
            _fit(folder, config, progress, stop)


def _fit(folder: Path, config: RunConfig, progress: Progress, stop: Stop) -> None:
    snapshot = read_snapshot(config.snapshot)
    recipe = prepare(config, snapshot)
    prompts = getattr(config.settings, "prompts", ()) or fixed_prompts(snapshot)
    write_json(folder / "prompts.json", list(prompts))
    loop = Loop(recipe, config.settings, config.seed, config.time_limit)
    _resume(folder, loop)
    progress.now["step"] = loop.step
    progress.stage("train")
    _train(folder, config, recipe, loop, progress, stop, prompts)
    progress.stage("evaluate")
    about = {
        "format": 1,
        "recipe": config.recipe,
        "preset": config.preset,
        "prompts": list(prompts),
        "snapshot": snapshot.digest,
        "seed": config.seed,
        "steps": loop.step,
    }
    _save_model(folder, recipe, loop, about, snapshot, config.cache)
    metrics = evaluate.evaluate(folder / "model", snapshot, cache=config.cache)
    metrics |= {"steps": loop.step, "training_seconds": round(loop.elapsed, 1)}
    write_json(folder / "metrics.json", metrics)
    progress.stage("done")


def prepare(config: RunConfig, snapshot: Snapshot) -> Recipe:
    """The recipe with its data at hand.

    ``init`` is the model folder of a clip run: the diffusion takes its text tower from it, and
    another clip run its weights to start from.
    """
    if isinstance(config.settings, ClipConfig):
        return ClipTraining(
            config.settings,
            snapshot,
            cache=config.cache,
            seed=config.seed,
            encoder=config.encoder,
            init=config.init,
        )
    encoder = config.encoder
    if config.init:
        encoder = {"kind": "folder", "path": str(config.init.resolve())}
    return DiffusionTraining(
        config.settings, snapshot, cache=config.cache, seed=config.seed, encoder=encoder
    )


def _train(
    folder: Path,
    config: RunConfig,
    recipe: Recipe,
    loop: Loop,
    progress: Progress,
    stop: Stop,
    prompts: tuple[str, ...],
) -> None:
    settings = config.settings
    stop.training = True
    saved = drawn = loop.step
    while not loop.finished:
        progress.trained(loop, loop.advance())
        if stop.asked or loop.finished or loop.step - saved >= settings.checkpoint_steps:
            loop.save(folder / "checkpoints" / f"{loop.step:06}.safetensors")
            saved = loop.step
            _prune(folder)
        if stop.asked:
            progress.write()
            raise SystemExit(STOPPED)
        if settings.grid_steps and (loop.finished or loop.step - drawn >= settings.grid_steps):
            _draw(folder, recipe, loop, prompts)
            drawn = loop.step
    stop.training = False
    if stop.asked:
        raise SystemExit(STOPPED)


def _draw(folder: Path, recipe: Recipe, loop: Loop, prompts: tuple[str, ...]) -> None:
    picture = recipe.grid(loop.ema.network, prompts)
    if picture is not None:
        write_bytes(folder / "samples" / f"{loop.step:06}.png", picture)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*.safetensors"))


def _prune(folder: Path) -> None:
    for path in _checkpoints(folder)[:-KEEP]:
        path.unlink()


def _resume(folder: Path, loop: Loop) -> None:
    found = _checkpoints(folder)
    if found:
        loop.load(found[-1])


def _save_model(
    folder: Path,
    recipe: Recipe,
    loop: Loop,
    about: dict[str, Any],
    snapshot: Snapshot,
    cache: Path,
) -> None:
    """Write the model folder beside its place, then move it there whole."""
    part, whole = folder / "model.part", folder / "model"
    for path in (part, whole):
        shutil.rmtree(path, ignore_errors=True)
    recipe.save(loop.ema.network, part, about)
    if isinstance(recipe, ClipTraining):
        calibrate(clip_recipe.load(part), snapshot, cache).save(part)
    part.rename(whole)


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TrainingError(f"Another process is at work on the run {folder}.") from None
        yield file
