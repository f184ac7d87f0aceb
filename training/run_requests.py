"""Requests for training runs: what may be asked for, and a sentence for what may not."""

import json
import re
from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from django.contrib.admin.models import ADDITION
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from labeling import audit
from labeling.models import Event, Project, Snapshot
from training import generators, readiness
from training.engine.presets import OPTIONS, PRESETS, RECIPES, SMOKE, goes_on
from training.engine.values import is_number, is_text
from training.models import SEED_LIMIT, Model, Run
from training.runs import RunError

OPTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
OPTIONS_LENGTH_MAX = 4000  # characters of JSON
RECIPES_WITH_OWN_ENCODER = ("clip", "lora")  # which encode texts by what they train themselves


class RunRequest(TypedDict, total=False):
    """What to train, on a snapshot, or on a project of which the worker freezes one."""

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
    anyway: bool  # although there is hardly anything to learn from


def create(**request: Unpack[RunRequest]) -> Run:
    """Check a request and put it in the queue as a run.

    Raises RunError; with NothingToLearnError what is missing, unless the run is to start anyway.
    """
    recipe, seed = request["recipe"], request.get("seed", 0)
    check_preset(recipe, request["preset"])
    check_options(recipe, request.get("options", {}))
    if not 0 <= seed < SEED_LIMIT:
        raise RunError(f"The seed must be from 0 to {SEED_LIMIT - 1}, not {seed}.")
    project = _project(request)
    if clip := request.get("clip"):
        if goes_on(recipe, request["preset"]):
            raise RunError("It reads texts as the model does that it goes on from: name no CLIP.")
        _check_clip(clip, recipe, project)
    anyway = request.pop("anyway", False)
    if goes_on(recipe, request["preset"]):
        readiness.check_start(project, recipe, anyway=anyway)
    elif not anyway and (request["preset"] != SMOKE or generators.translates(recipe)):
        readiness.check(project, request.get("snapshot"), recipe)
    with transaction.atomic():
        run = Run.objects.create(**{**request, "project": project})
        audit.record(
            project=project,
            kind=Event.Kind.RUN,
            message=f"Asked for a run: {run}, preset {run.preset}.",
            by=run.requested_by,
            row=run,
            action=ADDITION,
        )
    return run


def check_preset(recipe: str, preset: str) -> None:
    """Raise RunError where there is no such recipe, or the recipe has no such preset."""
    if recipe not in RECIPES:
        raise RunError(f"There is no recipe {recipe!r}: use {_alternatives(RECIPES)}.")
    if preset not in PRESETS[recipe]:
        presets = _alternatives(PRESETS[recipe])
        raise RunError(f"The recipe {recipe} has no preset {preset!r}: use {presets}.")


def check_options(recipe: str, options: dict[str, Any]) -> None:
    """Raise RunError where the recipe lacks an option, or a value cannot be stored.

    The run's own process, which knows the ranges, checks the values.
    """
    for name, value in options.items():
        if not OPTION_NAME.fullmatch(name):
            raise RunError(f"{name!r} is no name of an option: those are like batch or base.")
        items = value if isinstance(value, list) else [value]
        if not all(map(_can_be_stored, items)):
            raise RunError(f"The option {name} must be a number, a text, true, false or texts.")
    if len(json.dumps(options)) > OPTIONS_LENGTH_MAX:
        raise RunError(f"The options are longer than {OPTIONS_LENGTH_MAX} characters.")
    if unknown := sorted(set(options) - OPTIONS[recipe]):
        known = _alternatives(sorted(OPTIONS[recipe]))
        raise RunError(f"The recipe {recipe} has no option {unknown[0]!r}: use {known}.")


def parse_option(line: str) -> tuple[str, Any]:
    """Parse `name=value`; the value is JSON where it can be, else text. Raises RunError."""
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        raise RunError(f"{line!r} is no option: write name=value.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _project(request: RunRequest) -> Project:
    if snapshot := request.get("snapshot"):
        if snapshot.state != Snapshot.State.READY:
            raise RunError(f"Snapshot {snapshot.pk} is {snapshot.state}: freeze another one.")
        return snapshot.project
    if project := request.get("project"):
        return project
    raise RunError("Name a snapshot or a project to train on.")


def _can_be_stored(value: object) -> bool:
    """Return whether PostgreSQL takes the value as JSON: no NaN, no NUL, no lone surrogate."""
    return isinstance(value, bool) or is_number(value) or is_text(value)


def _check_clip(clip: Model, recipe: str, project: Project) -> None:
    if recipe in RECIPES_WITH_OWN_ENCODER:
        raise RunError(f"The recipe {recipe} reads texts by itself: name no CLIP for it.")
    if clip.recipe != "clip" or clip.project_id != project.pk:
        raise RunError(f"Model {clip.pk} is no CLIP of {project}: choose another, or none.")


def _alternatives(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
