"""What is shown of a run: sentences, figures and pictures, for its page and its poll."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.urls import reverse
from django.utils import timezone

from labeling import snapshots
from training import processes, runs
from training.engine import progress
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
        "page": version(run),
        "over": over(run),
        "headline": headline(run),
        "details": details(run),
        "fraction": fraction(run),
        "curve": progress.curve(folder) if folder else [],
        "samples": sample_urls(run),
        "log": processes.tail(folder / "log.txt", lines=LOG_LINES) if folder else "",
    }


def version(run: Run) -> str:
    """Changes where the page has to be made anew, and not only what `live` tells."""
    reviewed = run.model.reviewed_at if hasattr(run, "model") else None
    return f"{run.state in runs.ENDED} {run.snapshot_id} {reviewed}"


def over(run: Run) -> bool:
    """Whether nothing is to be waited for any more, the judges of its model included."""
    judged = not hasattr(run, "model") or run.model.reviewed_at is not None
    return run.state in runs.ENDED and judged


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


def wanted(run: Run) -> str:
    """What was asked for in place of the preset's values."""
    return ", ".join(f"{name} = {value}" for name, value in run.options.items())


def compared(run: Run) -> Model | None:
    """The model that the run's own is shown beside: the current one, else the one before."""
    others = Model.objects.filter(project=run.project, recipe=run.recipe).exclude(run=run)
    return others.filter(current=True).first() or others.filter(run__lt=run.pk).first()


def _ahead(run: Run) -> str:
    before = Run.objects.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING], pk__lt=run.pk)
    count = before.count()
    return f"{count} before it" if count else "a worker takes it up within seconds"
