"""A run is a folder: fit what its ``config.json`` asks for, or resume where it stopped."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.engine.config import RunConfig, read_config
from training.engine.data.packing import pack
from training.engine.data.pairs import name_of, watched
from training.engine.data.preferences import preferences_of
from training.engine.data.prompts import fixed_prompts
from training.engine.data.rows import Drawings, Snapshot, digest
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.specs import FOLDER
from training.engine.evaluation.calibration import calibrate
from training.engine.evaluation.evaluate import evaluate
from training.engine.files import (
    BusyError,
    TrainingError,
    draft,
    remove_drafts,
    sha256_of,
    write_bytes,
    write_json,
)
from training.engine.latents.neighbours import Neighbours
from training.engine.loop import checkpoints, distributed
from training.engine.loop.loop import Loop
from training.engine.loop.progress import ProgressWriter
from training.engine.loop.stop import STOPPED, StopSignal
from training.engine.loop.tracking import Tracking
from training.engine.progress import samples
from training.engine.publishing.card import write_card
from training.engine.ranks import alone, rank
from training.engine.recipes import RECIPES, data_of, load_generator
from training.engine.recipes.base import OnStage, Source, Training
from training.engine.recipes.stored import WEIGHTS
from training.engine.report.report import machine, write_report
from training.engine.version import code_version

NEIGHBOUR_SIZE = 128  # pixels, at most, at which the model folder keeps training pictures
RESULTS = ("metrics.json", "model/config.json", "report.html")  # of a finished run


def fit(folder: Path) -> None:
    """Fit the run that the folder's ``config.json`` describes, or resume it.

    1. Join the other processes, where several were started; the first one leads.
    2. Read the config and lock the folder; leave a finished run alone.
    3. Read the snapshot and prepare the recipe, which packs, encodes and caches its data.
    4. Resume from the last checkpoint, with the same state in every process.
    5. Train, with checkpoints and grids of samples.
    6. Save the model; from here on the first process works alone, and the others wait for it.
    7. Evaluate the model.
    8. Write the model's card and the report.

    Raises ``TrainingError``, in every process where one fails, and ``SystemExit`` on SIGTERM.
    """
    stop = StopSignal()
    with distributed.joined(), ExitStack() as stack:  # 1
        leading = rank() == 0
        with distributed.together():  # 2
            config = read_config(folder)
            if leading:
                stack.enter_context(_locked(folder))
                remove_drafts(folder)
        if distributed.share_object(is_finished(folder)):
            return
        _set_up_torch(config)
        with distributed.together():
            about = {"name": folder.name, **config.facts}
            tracking = Tracking(config.tracker if leading else None, folder, about)
        stack.enter_context(tracking)
        path = folder / "progress.jsonl" if leading else None
        progress = ProgressWriter(path, config.settings.steps, tracking)
        stack.enter_context(progress.running())
        with distributed.first():  # 3
            snapshot = data_of(config.recipe, read_snapshot(config.snapshot))
            training = prepare(config, snapshot, progress.fitting)
        _require_same(config, snapshot)
        prompts = _prompts(config, snapshot)
        loop = Loop(training, config.settings, config.seed, config.time_limit)
        resume(folder, loop)  # 4
        loop.divide()
        progress.start_training(loop)
        train(folder, loop, prompts, progress, stop)  # 5
        network = loop.averaged()
        with distributed.together(), alone():
            if leading:
                about = _describe(config, loop, snapshot, prompts)
                save_model(folder, loop.training, network, about, config, snapshot)  # 6
                progress.stage("evaluate")
                _finish(folder, loop, config, snapshot, tracking)
                progress.stage("done")
        distributed.leave_together()


def _finish(
    folder: Path, loop: Loop, config: RunConfig, snapshot: Snapshot, tracking: Tracking
) -> None:
    """Evaluate the model; write its card and the run's report."""
    metrics = evaluate(folder / "model", snapshot, cache=config.cache, judge=config.encoder)
    metrics |= {"steps": loop.step, "training_seconds": round(loop.elapsed, 1)}
    write_json(folder / "metrics.json", metrics)  # 7
    tracking.numbers(loop.step, metrics)
    write_card(folder / "model", metrics, snapshot)
    write_report(folder)  # 8


def is_finished(folder: Path) -> bool:
    """Return whether the run has all of its results."""
    return all((folder / name).exists() for name in RESULTS)


def _prompts(config: RunConfig, snapshot: Snapshot) -> tuple[str, ...]:
    """Return what the rows of the run's grids show: prompts, or the names of watched pairs."""
    if RECIPES[config.recipe].translates:
        return tuple(name_of(row) for row in watched(snapshot))
    return config.settings.prompts or fixed_prompts(snapshot)


def prepare(config: RunConfig, snapshot: Snapshot, on_step: OnStage) -> Training:
    """Return the recipe with its data at hand, before its first step."""
    recipe = RECIPES[config.recipe]
    encoder, init = config.encoder, config.init
    if init and (recipe.generative or recipe.translates):
        encoder, init = {"kind": FOLDER, "path": str(init.resolve())}, None
    source = Source(
        snapshot, config.cache, config.seed, encoder, init, start=config.start, on_step=on_step
    )
    return recipe.training(config.settings, source)


def resume(folder: Path, loop: Loop) -> None:
    """Continue from the last checkpoint that any process finds, or from the first one's weights.

    Other machines may have run folders of their own, and the first process may have been on one of
    them before.
    """
    last = checkpoints.paths(folder)
    _, source = distributed.largest(int(last[-1].stem) if last else -1)
    with distributed.together():
        if rank() == source and (checkpoint := checkpoints.latest(folder)):
            loop.restore(checkpoint)
    loop.share(source)
    with distributed.together():
        if rank() == 0:
            _remove_grids_after(folder, loop.step)


def train(
    folder: Path, loop: Loop, prompts: tuple[str, ...], progress: ProgressWriter, stop: StopSignal
) -> None:
    """Advance to the end; raise ``SystemExit`` after the current step's checkpoint on SIGTERM.

    A grid comes before the checkpoint of its step, so that a killed run samples it again.
    """
    if rank() == 0:
        write_json(folder / "prompts.json", list(prompts))
    stop.training = True
    while not loop.finished:
        with distributed.peers():
            progress.stepped(loop, loop.advance(stop.received))
        if _due(loop, loop.config.grid_steps):
            _save_grid(folder, loop, prompts, progress.tracking)
        if loop.stopping or _due(loop, loop.config.checkpoint_steps):
            _save_checkpoint(folder, loop)
        if loop.stopping:
            progress.write()
            raise SystemExit(STOPPED)
    stop.training = False
    if _stopping(stop):
        raise SystemExit(STOPPED)


def save_model(
    folder: Path,
    training: Training,
    network: nn.Module,
    about: dict[str, Any],
    config: RunConfig,
    snapshot: Snapshot,
) -> None:
    """Write the model folder: the averaged network, and what its samples are compared with."""
    with draft(folder / "model") as model:
        training.save(network, model, about)
        if RECIPES[config.recipe].generative:
            rows = snapshot.train
            size = min(load_generator(model).size, NEIGHBOUR_SIZE)
            pixels = pack(rows, size, config.cache, digest(rows))
            Neighbours.fit(pixels, [row.path.name for row in rows]).save(model)
        elif not RECIPES[config.recipe].translates:
            calibrate(load_clip(model), snapshot, config.cache).save(model)


def _set_up_torch(config: RunConfig) -> None:
    if config.threads:
        torch.set_num_threads(config.threads)
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")  # TF32 for what is not done in bf16


def _require_same(config: RunConfig, snapshot: Snapshot) -> None:
    """Check that all processes train on the same data by the same settings."""
    own = repr((config.recipe, config.settings, config.seed, config.time_limit, snapshot.digest))
    first = distributed.share_object(own)
    with distributed.together():
        if own != first:
            raise TrainingError(
                "The config.json or the snapshot of this process is not that of the first one: "
                "give all processes the same."
            )


def _stopping(stop: StopSignal) -> bool:
    """Return whether SIGTERM has reached any of the processes."""
    return any(distributed.mean(stop.received))


def _due(loop: Loop, every: int) -> bool:
    """Return whether ``every`` steps have passed again, or all; 0 is never."""
    return every > 0 and (loop.finished or loop.step % every == 0)


def _save_grid(folder: Path, loop: Loop, prompts: tuple[str, ...], tracking: Tracking) -> None:
    state, network = loop.state(), loop.averaged()
    leading = rank() == 0
    with distributed.together(), alone():
        if leading:
            state.check_finite()
            picture = loop.training.sample_grid(network, prompts)
            if picture is not None:
                write_bytes(folder / "samples" / f"{loop.step:06}.png", picture)
                tracking.picture(loop.step, picture)


def _remove_grids_after(folder: Path, step: int) -> None:
    """Remove grids of steps that the run has yet to make, or never will under a time limit."""
    for name in samples(folder):
        if int(Path(name).stem) > step:
            (folder / "samples" / name).unlink()


def _save_checkpoint(folder: Path, loop: Loop) -> None:
    state = loop.state()
    with distributed.together():
        if rank() == 0:
            checkpoints.save(folder, state)


def _describe(
    config: RunConfig, loop: Loop, snapshot: Snapshot, prompts: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the model's ``config.json`` says of its origin."""
    return {
        "format": 1,
        "recipe": config.recipe,
        "preset": config.preset,
        "prompts": list(prompts),
        "snapshot_sha256": snapshot.sha256,
        "data_sha256": snapshot.digest,
        "seed": config.seed,
        "steps": loop.step,
        "code": code_version(),
        "machine": machine(),
        **_learnt(config, snapshot.drawings),
    }


def _learnt(config: RunConfig, drawings: Drawings) -> dict[str, Any]:
    """Return how many judged drawings were learnt from, if there are any, and why not from others.

    ``preferences``: whether pairs of them were, in a run that goes on from the model whose
    ``weights_sha256`` that is.
    """
    learnt: dict[str, Any] = {}
    if RECIPES[config.recipe].learns_from_drawings and drawings.read:
        pairs = preferences_of(drawings.rows)
        learnt["drawings"] = {
            "used": len(drawings.rows),
            "left_out": drawings.left_out,
            "pairs": pairs.count,
            "preferences": config.start is not None and pairs.enough,
        }
    if config.start:
        learnt["start"] = {"weights_sha256": sha256_of(config.start / WEIGHTS)}
    return learnt


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(f"Another process is at work on the run {folder}.") from None
        yield
