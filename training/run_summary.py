"""A run in words: its state, its progress, when it starts and how long it takes."""

import json
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from labeling import snapshot_folder, stored_folders
from labeling.models import Snapshot
from labeling.stored_folders import FolderMissing, StorageAway
from training import estimates, runs, workers
from training.engine.learnt import learnt_from_drawings
from training.engine.presets import wants_gpu
from training.engine.version import READABLE
from training.models import Model, Run

CERTAIN = 0.05  # distance to 0 or 1 up to which a probability is certain
STAGES = {
    "": "starting",
    "fetch": "fetching what it learns from",
    "freeze": "freezing a snapshot",
    "prepare": "preparing pictures and texts",
    "autoencoder": "learning how to draw details (the autoencoder)",
    "train": "learning",
    "one call": "learning how to draw in one step",
    "evaluate": "measuring what it has learnt",
    "done": "finishing up",
    "store": "storing what it has learnt",
}


def version(run: Run) -> str:
    """Return a string that changes where the page has to be reloaded."""
    reviewed = run.model.reviewed_at if hasattr(run, "model") else None
    return f"{run.state in runs.ENDED} {run.snapshot_id} {reviewed}"


def final(run: Run) -> bool:
    """Return whether nothing will change by itself any more, the verdict on its model included."""
    reviewed = not hasattr(run, "model") or run.model.reviewed_at is not None
    return run.state in runs.ENDED and reviewed


def headline(run: Run) -> str:
    """Return the run's state as a sentence."""
    if run.state == Run.State.QUEUED:
        return f"Queued: {starts(run)}"
    if run.state == Run.State.RUNNING:
        if run.cancel_requested:
            return "Stopping, once a checkpoint is written"
        return f"Running: {STAGES.get(run.stage, run.stage)}"
    took = duration(run)
    after = f" after {took}" if took else ""
    return {"succeeded": "Succeeded", "failed": "Failed", "cancelled": "Cancelled"}[
        run.state
    ] + after


def details(run: Run) -> str:
    """Return steps, speed and time left, as far as they are known."""
    words = []
    if run.state == Run.State.QUEUED:
        return f"takes {estimates.of_run(run).words}"
    if run.steps:
        words.append(f"step {run.step:,} of {run.steps:,}")
    if run.images_per_second:
        words.append(f"{run.images_per_second:,.0f} images/s")
    if run.loss is not None:
        words.append(f"loss {run.loss:.3f}")
    if run.seconds_left is not None and run.state == Run.State.RUNNING:
        words.append(f"about {seconds(run.seconds_left)} left")
    if run.attempts > 1:
        words.append(f"started {run.attempts} times")
    return " · ".join(words)


def fraction(run: Run) -> float | None:
    """Return the share of the steps that are done; None before it is known."""
    if run.state == Run.State.SUCCEEDED:
        return 1.0
    return min(1.0, run.step / run.steps) if run.steps else None


def duration(run: Run) -> str:
    """Return how long the run took, or has taken so far; empty before it started."""
    if not run.started_at:
        return ""
    return seconds(((run.finished_at or timezone.now()) - run.started_at).total_seconds())


def seconds(value: float) -> str:
    """Return seconds in the unit that suits them."""
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def certainty(snapshot: Snapshot) -> str:
    """Return which share of a snapshot's concept probabilities is certain, as a sentence.

    Empty where its folder cannot be had.
    """
    try:
        return _certainty(snapshot.folder)
    except (FolderMissing, StorageAway):
        return ""


@lru_cache(maxsize=64)  # a snapshot's folder never changes
def _certainty(folder: str) -> str:
    metadata = {f"{split}/{snapshot_folder.METADATA}" for split in snapshot_folder.SPLITS}
    local = stored_folders.fetch(folder, only=metadata & stored_folders.index(folder).keys())
    certain = count = 0
    for split in snapshot_folder.SPLITS:
        for row in snapshot_folder.read_rows(local, split):
            count += len(row["concepts"])
            certain += sum(_is_certain(concept["probability"]) for concept in row["concepts"])
    if not count:
        return "no concepts"
    return f"{certain / count:.0%} of {count:,} probabilities of concepts are surer than 95%"


def _is_certain(probability: float) -> bool:
    return not CERTAIN < probability < 1 - CERTAIN


def options(run: Run) -> str:
    """Return the options that replace values of the preset."""
    return ", ".join(f"{name} = {value}" for name, value in run.options.items())


def verdicts_on_drawings(run: Run) -> str:
    """Return how many of people's verdicts on drawings its model learnt from; empty for none."""
    if not hasattr(run, "model"):
        return ""
    try:
        with stored_folders.open(run.model.folder, "config.json") as file:
            about = json.load(file)
    except (FolderMissing, StorageAway, ValueError):
        return ""
    return learnt_from_drawings(about) if isinstance(about, dict) else ""


def compared(run: Run) -> Model | None:
    """Return the model to show the run's own beside: the current one, else the one before."""
    others = Model.objects.filter(project=run.project, recipe=run.recipe).exclude(run=run)
    return others.filter(current=True).first() or others.filter(run__lt=run.pk).first()


def starts(run: Run) -> str:
    """Return how many runs are before a queued one, and when it starts; or what it waits for."""
    if run.delay_reason:
        return f"it waits. {run.delay_reason.rstrip('.')}"
    if run.format not in READABLE:
        return f"it waits for a worker with version {run.code or 'of the program that began it'}"
    queue = workers.GPU if _needs_gpu(run) else workers.TRAIN
    if workers.are_missing(queue, since=run.created_at):
        return f"no worker takes it: start one with `tessera worker --queues {queue}`"
    before, wait = estimates.ahead(run)
    if wait is None and _needs_gpu(run):
        return "a worker with a GPU takes it up"
    if wait is None:
        return "a worker takes it up within seconds"
    return f"{before} before it, starts in {wait.words}"


def _needs_gpu(run: Run) -> bool:
    return bool(settings.GPU_RUNS_WAIT) and wants_gpu(run.recipe, run.preset)
