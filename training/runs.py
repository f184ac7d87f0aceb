"""A run's row: asked for, claimed by one worker, kept alive by its lease, finished once.

Every change of state is a conditional update whose row count says who won.
"""

import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling.models import Project, Snapshot
from training.engine.presets import PRESETS, RECIPES
from training.models import Model, Run

OPTION = re.compile(r"[a-z][a-z0-9_]{0,39}")
OPTIONS_LIMIT = 4000  # characters of JSON
OWN_TEXTS = ("clip", "lora")  # recipes that bring the text tower they learn with
LEASE = timedelta(seconds=60)
LOST_LIMIT = 10  # a run that took this many processes down with its workers is not tried again
SEED_LIMIT = 2**31

State = Run.State
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class RunError(ValueError):
    """A run that cannot be started, resumed or finished; the sentence says what to do."""


class Wish(TypedDict, total=False):
    """What a run is asked for: a snapshot, or a project of which the worker freezes one."""

    recipe: str
    preset: str
    trigger: str
    snapshot: Snapshot | None
    project: Project | None
    include_generated: bool
    options: dict[str, Any]
    clip: Model | None
    seed: int
    requested_by: AbstractBaseUser | None


def create(**wish: Unpack[Wish]) -> Run:
    """A queued run. Raises RunError."""
    snapshot, project = wish.get("snapshot"), wish.get("project")
    _check_preset(wish["recipe"], wish["preset"])
    _check_options(wish.get("options", {}))
    if not 0 <= wish.get("seed", 0) < SEED_LIMIT:
        raise RunError(f"The seed must be from 0 to {SEED_LIMIT - 1}, not {wish['seed']}.")
    if snapshot is not None:
        if snapshot.state != Snapshot.State.READY:
            raise RunError(f"Snapshot {snapshot.pk} is {snapshot.state}: freeze another one.")
        project = snapshot.project
    if project is None:
        raise RunError("Name a snapshot or a project to train on.")
    if clip := wish.get("clip"):
        _check_clip(clip, wish["recipe"], project)
    return Run.objects.create(**{**wish, "project": project})


def draws(recipe: str) -> bool:
    """Whether its models draw pictures."""
    return recipe != "clip"


def read_option(line: str) -> tuple[str, Any]:
    """`name=value`, the value as JSON where it is any, else as text. Raises RunError."""
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        raise RunError(f"{line!r} is no option: write name=value.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _check_preset(recipe: str, preset: str) -> None:
    if recipe not in RECIPES:
        raise RunError(f"There is no recipe {recipe!r}: use {_either(RECIPES)}.")
    if preset not in PRESETS[recipe]:
        raise RunError(
            f"The recipe {recipe} has no preset {preset!r}: use {_either(PRESETS[recipe])}."
        )


def _check_options(options: dict[str, Any]) -> None:
    """Roughly: the run's own process, which knows the recipe, checks each at once."""
    for name, value in options.items():
        if not OPTION.fullmatch(name):
            raise RunError(f"{name!r} is no name of an option: those are like batch or base.")
        items = value if isinstance(value, list) else [value]
        plain = all(isinstance(item, bool | int | float | str) for item in items)
        if not plain or not all(map(_sayable, items)):
            raise RunError(f"The option {name} must be a number, a text, true, false or texts.")
    if len(json.dumps(options)) > OPTIONS_LIMIT:
        raise RunError(f"The options are longer than {OPTIONS_LIMIT} characters.")


def _sayable(value: float | str) -> bool:
    """What the database takes."""
    return "\0" not in value if isinstance(value, str) else math.isfinite(value)


def _check_clip(clip: Model, recipe: str, project: Project) -> None:
    if recipe in OWN_TEXTS:
        raise RunError(f"The recipe {recipe} reads texts by itself: name no CLIP for it.")
    if clip.recipe != "clip" or clip.project_id != project.pk:
        raise RunError(f"Model {clip.pk} is no CLIP of {project}: choose another, or none.")


def claim(*, run_id: int) -> Run | None:
    """Take a queued run with a lease of one's own; None if someone else was first."""
    token = secrets.token_hex(16)
    now = timezone.now()
    won = Run.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING,
        lease_token=token,
        lease_until=now + LEASE,
        started_at=Coalesce("started_at", now),
        error="",
    )
    return Run.objects.select_related("project", "snapshot").get(pk=run_id) if won else None


def renew(*, run: Run, lease: timedelta = LEASE, **progress: Any) -> bool:
    """Prolong the lease and store progress; False once the run is someone else's."""
    for name, value in progress.items():
        setattr(run, name, value)
    return bool(_held(run).update(lease_until=timezone.now() + lease, **progress))


def release(*, run: Run) -> bool:
    """Put a run back in the queue because its worker is told to stop."""
    return bool(_held(run).update(state=State.QUEUED, lease_token="", lease_until=None))


def succeed(*, run: Run, folder: str, metrics: Mapping[str, Any]) -> Model | None:
    """The run's model, a candidate that the gate has yet to judge; None if the lease was lost."""
    with transaction.atomic():
        if not finish(run=run, state=State.SUCCEEDED, metrics=metrics, stage="done"):
            return None
        return Model.objects.create(project=run.project, run=run, recipe=run.recipe, folder=folder)


def finish(*, run: Run, state: Run.State, **fields: Any) -> bool:
    """End a run that is held; False if the lease was lost."""
    fields |= {"state": state, "finished_at": timezone.now(), "seconds_left": None}
    for name, value in fields.items():
        setattr(run, name, value)
    return bool(_held(run).update(lease_token="", lease_until=None, **fields))


def cancel(*, run: Run) -> None:
    """A queued run ends at once; a running one as soon as its worker hears of it."""
    now = timezone.now()
    queued = Run.objects.filter(pk=run.pk, state=State.QUEUED)
    running = Run.objects.filter(pk=run.pk, state=State.RUNNING)
    if not (
        queued.update(state=State.CANCELLED, cancel_requested=True, finished_at=now)
        or running.update(cancel_requested=True)
    ):
        raise RunError(f"Run {run.pk} has ended already: there is nothing to cancel.")


def resume(*, run: Run) -> None:
    """Queue a failed or cancelled run again; it goes on from its last checkpoint."""
    ended = Run.objects.filter(pk=run.pk, state__in=[State.FAILED, State.CANCELLED])
    if not ended.update(
        state=State.QUEUED, cancel_requested=False, error="", attempts=0, finished_at=None
    ):
        raise RunError(f"Run {run.pk} has neither failed nor been cancelled.")


def sweep() -> list[int]:
    """Queue again what lost its worker. Returns the queued runs, oldest first."""
    now = timezone.now()
    lapsed = Run.objects.filter(state=State.RUNNING, lease_until__lt=now)
    ended = {"lease_token": "", "lease_until": None, "finished_at": now, "seconds_left": None}
    lapsed.filter(cancel_requested=True).update(state=State.CANCELLED, **ended)
    lapsed.filter(attempts__gte=LOST_LIMIT).update(
        state=State.FAILED,
        error=f"Its worker was lost {LOST_LIMIT} times. Is there enough memory? Then resume it.",
        **ended,
    )
    lapsed.update(state=State.QUEUED, lease_token="", lease_until=None, seconds_left=None)
    return list(Run.objects.filter(state=State.QUEUED).order_by("pk").values_list("pk", flat=True))


def older_is_queued(*, run_id: int) -> bool:
    return Run.objects.filter(state=State.QUEUED, pk__lt=run_id).exists()


def busy(*, project: Project) -> bool:
    """Whether a run of the project is queued or running."""
    return Run.objects.filter(project=project).exclude(state__in=ENDED).exists()


def config(run: Run, *, snapshot: Snapshot) -> dict[str, Any]:
    """What the child process reads: a run folder's config.json."""
    return {
        "recipe": run.recipe,
        "preset": run.preset,
        "snapshot": snapshot.folder,
        "seed": run.seed,
        "options": run.options,
        "init": run.clip.folder if run.clip else None,
        "clip_model": settings.CLIP_MODEL or None,
        "clip_pretrained": settings.CLIP_PRETRAINED or None,
        "cache": str(settings.CACHE_ROOT / "training"),
        "time_limit": None,
        "threads": settings.TRAINING_THREADS or None,
    }


def _held(run: Run) -> QuerySet[Run]:
    return Run.objects.filter(pk=run.pk, state=State.RUNNING, lease_token=run.lease_token)


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
