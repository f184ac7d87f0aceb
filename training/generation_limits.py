"""What may be wished for: limits, and a sentence for each way to miss them."""

import math
from functools import lru_cache
from pathlib import Path

from django.db.models import Case, QuerySet, When

from training.models import Generation, Model

COUNT_LIMIT = 16
PROMPT_LIMIT = 500
GUIDANCE_LIMIT = 20.0
SEED_LIMIT = 2**31
RECIPES = ("diffusion", "gan", "autoregressive", "lora")  # that draw
COMPLETING = ("autoregressive",)  # that draw the lower half of a given picture

EXAMPLES = 8  # of the project's pictures, offered to be completed
SUFFIXES = {".png", ".jpg", ".webp"}

Kind = Generation.Kind


class DrawingError(ValueError):
    """A wish that cannot be granted; the sentence says why."""


class QueueFullError(DrawingError):
    """Too many wishes wait already."""


def check(*, prompt: str, count: int, seed: int, guidance: float | None) -> None:
    """Raises DrawingError where a value is out of its range."""
    check_prompt(prompt)
    check_seed(seed)
    if not 1 <= count <= COUNT_LIMIT:
        raise DrawingError(f"From 1 to {COUNT_LIMIT} pictures can be drawn at once, not {count}.")
    if guidance is not None and not (math.isfinite(guidance) and 0 <= guidance <= GUIDANCE_LIMIT):
        raise DrawingError(f"Guidance must be from 0 to {GUIDANCE_LIMIT:.0f}, not {guidance}.")


def check_prompt(prompt: str) -> None:
    if len(prompt) > PROMPT_LIMIT or not prompt.isprintable():
        raise DrawingError(f"A prompt is one line of at most {PROMPT_LIMIT} characters.")


def check_seed(seed: int) -> None:
    if not 0 <= seed < SEED_LIMIT:
        raise DrawingError(f"The seed must be from 0 to {SEED_LIMIT - 1}, not {seed}.")


def check_strip(*, ends: tuple[str, str], seeds: tuple[int, int], count: int) -> None:
    """Raises DrawingError where a strip has no two ends."""
    check_prompt(ends[1])
    check_seed(seeds[1])
    if count < 2:
        raise DrawingError("A strip has at least two pictures.")
    if ends[0] == ends[1] and seeds[0] == seeds[1]:
        raise DrawingError("A strip needs two prompts or two seeds: nothing would change.")


def check_model(model: Model, kind: str) -> None:
    """Raises DrawingError where a model cannot draw such a thing."""
    if model.recipe not in RECIPES:
        raise DrawingError(f"Model {model.pk} draws no pictures: its recipe is {model.recipe}.")
    if kind == Kind.COMPLETION and model.recipe not in COMPLETING:
        raise DrawingError(
            f"Model {model.pk} completes no pictures: take one of the recipe "
            f"{' or '.join(COMPLETING)}."
        )


def models() -> QuerySet[Model]:
    """All that can draw: the current ones first, then by recipe, the newest first."""
    order = [When(recipe=recipe, then=place) for place, recipe in enumerate(RECIPES)]
    found = Model.objects.filter(recipe__in=RECIPES).select_related("project", "run__snapshot")
    return found.order_by("-current", Case(*order), "project__name", "-id")


def examples(model: Model) -> tuple[Path, ...]:
    """Some of the project's pictures: those that the model has not seen, where there are any."""
    snapshot = model.run.snapshot
    return _examples(snapshot.folder) if snapshot and snapshot.folder else ()


@lru_cache(maxsize=64)
def _examples(folder: str) -> tuple[Path, ...]:
    """A snapshot's folder never changes, and may hold many files."""
    for split in ("test", "train"):
        place = Path(folder, split)
        found = place.iterdir() if place.is_dir() else ()
        names = sorted(path for path in found if path.suffix in SUFFIXES)
        if names:
            return tuple(names[:: -(-len(names) // EXAMPLES)])
    return ()
