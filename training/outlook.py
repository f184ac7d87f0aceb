"""What runs would learn from, how long they take and when they start, before they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling.models import Project, Snapshot
from training import estimates, readiness
from training.engine.presets import SMOKE, goes_on
from training.estimates import Estimate
from training.models import Run
from training.readiness import Readiness


@dataclass(frozen=True)
class Outlook:
    """What is known of runs that are not asked for yet."""

    numbers: str  # what they learn from
    warning: str  # what is missing; empty where nothing is
    takes: Estimate
    basis: str  # what that rests on
    before: int  # runs that end first
    wait: Estimate | None  # until the first starts; None: seconds
    trial: bool  # whether the preset only tries whether everything works


def of(
    *,
    project: Project,
    recipes: Sequence[str],
    preset: str,
    snapshot: Snapshot | None = None,
    options: dict[str, Any] | None = None,
) -> Outlook:
    """Say what is to be expected of one run a recipe, one after the other.

    options: of the last one.
    """
    takes = [
        estimates.of_request(
            recipe=recipe,
            preset=preset,
            project=project,
            snapshot=snapshot,
            options=options if recipe == recipes[-1] else None,
        )
        for recipe in recipes
    ]
    known = readiness.of_snapshot(snapshot) if snapshot else readiness.of_project(project)
    before, wait = estimates.ahead(Run(project=project, trigger=Run.Trigger.PAGE))
    return Outlook(
        numbers=known.numbers,
        warning=_warning(project, known, recipes[-1], preset),
        takes=sum(takes[1:], takes[0]),
        basis=min(takes, key=lambda each: each.runs).basis,
        before=before,
        wait=wait,
        trial=preset == SMOKE,
    )


def _warning(project: Project, known: Readiness, recipe: str, preset: str) -> str:
    """Return what is missing to learn from; empty where nothing is, and for a trial."""
    if preset == SMOKE:
        return ""
    if goes_on(recipe, preset):
        return readiness.few_preferences(project)
    return readiness.warning(known, recipe)
