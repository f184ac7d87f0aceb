"""What is shown of a run: sentences, figures and pictures, for its page and its poll."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.urls import reverse
from django.utils import timezone

from labeling import snapshots
from training import children, progress, runs
from training.models import Model, Run

LOG_LINES = 30
DOUBT = 0.05
STAGES = {
    "": "starting",
    "freeze": "freezing a snapshot",
    "prepare": "preparing pictures and texts",
    "train": "learning",
    "evaluate": "measuring what it has learnt",
    "done": "done",
}


def live(run: Run) -> dict[str, Any]:
    """What changes while a run goes on."""
    folder = Path(run.folder) if run.folder else None
    return {
        "state": run.state,
        "ended": run.state in runs.ENDED,
        "snapshot": run.snapshot_id,
        "headline": headline(run),
        "details": details(run),
        "fraction": fraction(run),
        "curve": progress.curve(folder) if folder else [],
        "samples": sample_urls(run),
        "log": children.tail(folder / "log.txt", lines=LOG_LINES) if folder else "",
    }


def headline(run: Run) -> str:
    """The run's state as a sentence."""
    if run.state == Run.State.QUEUED:
        return f"Queued: {_ahead(run)}"
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
    """Steps, speed and time left, as far as they are known."""
    words = []
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
    if run.state == Run.State.SUCCEEDED:
        return 1.0
    return min(1.0, run.step / run.steps) if run.steps else None


def duration(run: Run) -> str:
    if not run.started_at:
        return ""
    return seconds(((run.finished_at or timezone.now()) - run.started_at).total_seconds())


def seconds(value: float) -> str:
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def sample_urls(run: Run) -> list[dict[str, Any]]:
    """The sample grids, newest first."""
    names = progress.samples(Path(run.folder)) if run.folder else []
    return [
        {
            "step": int(name.removesuffix(".png")),
            "url": reverse("admin:training_run_sample", args=[run.pk, name]),
        }
        for name in reversed(names)
    ]


@lru_cache(maxsize=64)
def certainty(folder: str) -> str:
    """How much of what a snapshot believes of its pictures' concepts is certain."""
    beliefs = [
        probability
        for split in ("train", "test")
        for row in snapshots.read_rows(Path(folder), split)
        for probability in row["concepts"].values()
    ]
    certain = sum(not DOUBT < probability < 1 - DOUBT for probability in beliefs)
    if not beliefs:
        return "no concepts"
    share = f"{certain / len(beliefs):.0%} of {len(beliefs):,} beliefs about concepts"
    return f"{share} are surer than 95%"


def compared(run: Run) -> Model | None:
    """The model that the run's own is held against: the current one, else the one before."""
    others = Model.objects.filter(project=run.project, recipe=run.recipe).exclude(run=run)
    return others.filter(current=True).first() or others.filter(run__lt=run.pk).first()


def metrics(run: Run, other: Run | None) -> list[dict[str, str]]:
    """Each figure with that of the other run, and with what chance or real pictures reach."""
    theirs = other.metrics if other else {}
    numbers = {k: v for k, v in run.metrics.items() if isinstance(v, int | float)}
    rows = []
    for name, value in numbers.items():
        if _is_beside(name, numbers):
            continue
        rows.append(
            {
                "name": NAMES.get(name, _named(name)),
                "value": _number(value),
                "other": _number(theirs.get(name)),
                "beside": _beside(name, numbers),
                "help": next((h for start, h in HELP.items() if name.startswith(start)), ""),
            }
        )
    return rows


NAMES = {
    "concept_ap": "Average precision of concepts, after calibration",
    "concept_ap_zero_shot": "Average precision of concepts, from their names alone",
    "concept_log_loss": "Log loss of concepts",
    "caption_among_ten": "Its own caption preferred to nine others",
    "recall@10": "Its own caption among the first ten",
    "nearest_train": "Distance to the nearest training picture",
    "near_copies": "Share of near copies",
}
HELP = {
    "r_precision": "how often, of all fixed prompts, its own suits a picture best",
    "recall": "of all held-out captions",
    "concept_log_loss": "lower is better",
    "caption_among_ten": "for how many held-out pictures",
    "nearest_train": "median; small means that it recalls what it has seen",
    "near_copies": "pictures nearer to a training picture than half of what those are apart",
}


def _is_beside(name: str, numbers: dict[str, float]) -> bool:
    """Whether a figure is shown beside another one, or is not one of merit."""
    return (
        name in ("chance", "steps", "training_seconds")
        or name.removesuffix("_chance") != name
        or any(name.startswith(f"{other}_of_") for other in numbers)
    )


def _named(name: str) -> str:
    what, _, judge = name.partition("@")
    words = what.replace("_", " ").strip().capitalize().replace("R precision", "R-precision")
    return f"{words} by {judge}" if judge else words


def _beside(name: str, numbers: dict[str, float]) -> str:
    words = []
    if "precision" in name and "chance" in numbers:
        words.append(f"chance {_number(numbers['chance'])}")
    for key, value in numbers.items():
        if key.startswith(f"{name}_of_"):
            words.append(f"{key.rpartition('_of_')[2].replace('_', ' ')} {_number(value)}")
        base = key.removesuffix("_chance")
        if base != key and name.startswith(base):
            words.append(f"chance {_number(value)}")
    return ", ".join(words)


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _ahead(run: Run) -> str:
    before = Run.objects.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING], pk__lt=run.pk)
    count = before.count()
    return f"{count} before it" if count else "a worker takes it up within seconds"
