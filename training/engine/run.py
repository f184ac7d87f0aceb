"""A run is a folder: fit what its ``config.json`` asks for, and go on where it stopped."""

import fcntl
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import torch

from training.engine.config import RunConfig, read_config
from training.engine.data.packing import pack
from training.engine.data.prompts import fixed_prompts
from training.engine.data.rows import Snapshot, digest
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.evaluation import evaluate
from training.engine.evaluation.calibration import calibrate
from training.engine.files import (
    TrainingError,
    append_line,
    code_version,
    write_bytes,
    write_json,
)
from training.engine.latents.neighbours import Neighbours
from training.engine.loop import distributed
from training.engine.loop.loop import BrokenCheckpointError, Loop
from training.engine.recipes import RECIPES, load_generator
from training.engine.recipes.base import Source, Training
from training.engine.report.report import machine, write_report

KEEP = 2  # checkpoints
COMPARED = 128  # pixels; training pictures beside what was drawn need be no larger
BEAT = 0.7  # seconds between lines of progress
STOPPED = 143  # exit status after SIGTERM


class Progress:
    """Lines in ``progress.jsonl``: one a beat, from a thread, whatever the run is busy with."""

    def __init__(self, path: Path | None, steps: int) -> None:
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
            "images_per_second": round(len(losses) * loop.config.batch / seconds, 1),
            "seconds_left": loop.seconds_left,
        }

    def write(self) -> None:
        if self.path:
            append_line(self.path, {"time": time.time(), **self.now})
        self._losses, self._since = [], time.monotonic()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(OSError):  # a full disk is the main thread's to report
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
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")  # TF32 for what is not done in bf16
    distributed.join()
    try:
        with _locked(folder) if distributed.rank() == 0 else nullcontext():
            if not _ended(folder):
                _begin(folder, config, stop)
    finally:
        distributed.leave()


def _ended(folder: Path) -> bool:
    written = ("metrics.json", "model/config.json", "report.html")
    return all((folder / name).exists() for name in written)


def _begin(folder: Path, config: RunConfig, stop: Stop) -> None:
    leading = distributed.rank() == 0
    progress = Progress(folder / "progress.jsonl" if leading else None, config.settings.steps)
    progress.write()
    with progress.beating():
        _fit(folder, config, progress, stop)


def _fit(folder: Path, config: RunConfig, progress: Progress, stop: Stop) -> None:
    with distributed.first():
        snapshot = read_snapshot(config.snapshot)
        training = prepare(config, snapshot)
    prompts = config.settings.prompts or fixed_prompts(snapshot)
    loop = Loop(training, config.settings, config.seed, config.time_limit)
    _resume(folder, loop)
    distributed.share(training.network)
    if distributed.rank() == 0:
        write_json(folder / "prompts.json", list(prompts))
    progress.now["step"] = loop.step
    progress.stage("train")
    _train(folder, loop, progress, stop, prompts)
    leading = distributed.rank() == 0
    distributed.leave(together=True)  # the judge is trained by the first process alone
    if leading:
        progress.stage("evaluate")
        _finish(folder, config, loop, snapshot, prompts)
        progress.stage("done")


def _finish(
    folder: Path, config: RunConfig, loop: Loop, snapshot: Snapshot, prompts: tuple[str, ...]
) -> None:
    """The model folder, what it is worth, and all of it on one page."""
    about = {
        "format": 1,
        "recipe": config.recipe,
        "preset": config.preset,
        "prompts": list(prompts),
        "snapshot": snapshot.digest,
        "seed": config.seed,
        "steps": loop.step,
        "code": code_version(),
        "machine": machine(),
    }
    _save_model(folder, loop, about, snapshot, config.cache)
    model, judge = folder / "model", config.encoder  # which judges what it did not condition
    metrics = evaluate.evaluate(model, snapshot, cache=config.cache, judge=judge)
    metrics |= {"steps": loop.step, "training_seconds": round(loop.elapsed, 1)}
    write_json(folder / "metrics.json", metrics)
    write_report(folder)


def prepare(config: RunConfig, snapshot: Snapshot) -> Training:
    """The recipe with its data at hand."""
    recipe = RECIPES[config.recipe]
    encoder, init = config.encoder, config.init
    if recipe.draws and init:
        encoder, init = {"kind": "folder", "path": str(init.resolve())}, None
    source = Source(snapshot, config.cache, config.seed, encoder, init)
    return recipe.training(config.settings, source)


def _train(
    folder: Path, loop: Loop, progress: Progress, stop: Stop, prompts: tuple[str, ...]
) -> None:
    config, leading = loop.config, distributed.rank() == 0
    stop.training = True
    while not loop.finished:
        progress.trained(loop, loop.advance())
        stopping = any(distributed.agree(stop.asked))
        if leading and config.grid_steps and _due(loop, config.grid_steps):
            _draw(folder, loop, prompts)  # before its checkpoint: a killed run draws it again
        if leading and (stopping or _due(loop, config.checkpoint_steps)):
            loop.save(folder / "checkpoints" / f"{loop.step:06}.safetensors")
            _prune(folder)
        if stopping:
            progress.write()
            raise SystemExit(STOPPED)
    stop.training = False
    if stop.asked:
        raise SystemExit(STOPPED)


def _due(loop: Loop, every: int) -> bool:
    return loop.finished or loop.step % every == 0


def _draw(folder: Path, loop: Loop, prompts: tuple[str, ...]) -> None:
    picture = loop.training.sample_grid(loop.ema.network, prompts)
    if picture is not None:
        write_bytes(folder / "samples" / f"{loop.step:06}.png", picture)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("[0-9]*.safetensors"), key=lambda path: path.stem)


def _prune(folder: Path) -> None:
    for path in _checkpoints(folder)[:-KEEP]:
        path.unlink()


def _resume(folder: Path, loop: Loop) -> None:
    """Go on from the last checkpoint that is whole."""
    for path in (folder / "checkpoints").glob(".*"):  # parts that a killed process left
        path.unlink(missing_ok=True)
    for path in reversed(_checkpoints(folder)):
        try:
            return loop.load(path)
        except BrokenCheckpointError as error:
            print(f"note: {error} It is passed over.", file=sys.stderr)


def _save_model(
    folder: Path, loop: Loop, about: dict[str, Any], snapshot: Snapshot, cache: Path
) -> None:
    """Write the model folder beside its place, then move it there whole."""
    part, whole = folder / "model.part", folder / "model"
    for path in (part, whole):
        shutil.rmtree(path, ignore_errors=True)
    loop.training.save(loop.ema.network, part, about)
    if RECIPES[about["recipe"]].draws:
        rows = snapshot.train
        size = min(load_generator(part).size, COMPARED)
        pixels = pack(rows, size, cache, digest(rows))
        Neighbours.fit(pixels, [row.path.name for row in rows]).save(part)
    else:
        calibrate(load_clip(part), snapshot, cache).save(part)
    part.rename(whole)


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TrainingError(f"Another process is at work on the run {folder}.") from None
        yield file
