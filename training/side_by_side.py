"""Two models' pictures of the same prompts from the same seeds, in pairs.

Nothing of a comparison is stored but the generations: what a model has drawn of a prompt from these
seeds before is shown again, and only what is missing is requested.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from labeling.models import Project
from training import generation_requests, generators, project_state, sources
from training.generation_requests import GenerationError
from training.models import Generation, Model

PROMPTS_MAX = 8
COUNT_MAX = 4  # pictures of each prompt
COUNT = 2
PROMPTS = 4  # of the suggestions

State = Generation.State


@dataclass(frozen=True)
class Comparison:
    """What is compared: a model beside another, by prompts, and by seeds from `seed` on."""

    model: Model
    other: Model
    prompts: tuple[str, ...]
    seed: int = 0
    count: int = COUNT

    @property
    def seeds(self) -> range:
        """Return the seeds of each prompt."""
        return range(self.seed, self.seed + self.count)


@dataclass(frozen=True)
class Drawings:
    """One model's pictures of one prompt, as far as they are there."""

    model: Model
    prompt: str
    generation: Generation | None
    urls: tuple[str, ...]

    @property
    def state(self) -> str:
        """Return that of its generation, or "missing", or "gone" where it cannot be drawn."""
        if self.generation and self.generation.state in (*generation_requests.UNFINISHED, *_DONE):
            return str(self.generation.state)
        if self.model.lacks_files:
            return "gone"
        return str(self.generation.state) if self.generation else "missing"

    @property
    def in_words(self) -> str:
        """Return what is shown where there is no picture."""
        generation = self.generation
        if self.state == "gone":
            return f"{sources.missing(self.model)} It draws nothing new."
        if generation is None:
            return "Not drawn yet."
        if self.state == State.RUNNING:
            return f"Being drawn: {generation.progress:.0%}."
        if self.state == State.QUEUED:
            return "Waits to be drawn."
        return generation.error or f"The drawing was {generation.state}: draw it again."


_DONE = (State.SUCCEEDED,)


def of(
    model: Model, other: Model, *, prompts: list[str], seed: int = 0, count: int = COUNT
) -> Comparison:
    """Check what is to be compared. Raises GenerationError."""
    if model.project_id != other.project_id:
        raise GenerationError("Models of two projects cannot be compared.")
    if model == other:
        raise GenerationError("Choose two different models.")
    lines = list(dict.fromkeys(line.strip() for line in prompts if line.strip()))
    if not lines:
        raise GenerationError("Give a prompt or more, one a line.")
    if len(lines) > PROMPTS_MAX:
        raise GenerationError(f"At most {PROMPTS_MAX} prompts at once, not {len(lines)}.")
    if not 1 <= count <= COUNT_MAX:
        raise GenerationError(f"From 1 to {COUNT_MAX} pictures of a prompt, not {count}.")
    for line in lines:
        generation_requests.check(prompt=line, count=count, seed=seed, guidance=None)
    return Comparison(model, other, tuple(lines), seed, count)


def pair(
    project: Project, number: int | None = None, other_number: int | None = None
) -> tuple[Model | None, Model | None]:
    """Return two models of a project by their ids; None where there is none.

    Without ids, they are the newest candidate that draws, and the current model of its recipe.
    """
    models = Model.objects.filter(project=project).select_related("project", "run__snapshot")
    model = models.filter(pk=number).first() if number else _default(models, project)
    if model is None or other_number:
        return model, models.filter(pk=other_number or 0).first()
    others = models.exclude(pk=model.pk)
    alike = others.filter(recipe=model.recipe).order_by("-current", "-pk").first()
    drawing = others.filter(recipe__in=generators.RECIPES).order_by("-current", "-pk")
    return model, alike or drawing.first()


def _default(models: QuerySet[Model], project: Project) -> Model | None:
    waiting = (model.pk for model in project_state.waiting_models(project))
    drawing = models.filter(recipe__in=generators.RECIPES)
    return drawing.filter(pk__in=waiting).first() or drawing.first() or models.first()


def default_prompts(model: Model, other: Model) -> list[str]:
    """Return prompts to begin with: what the project knew best when either model was trained."""
    both = [*model.suggestions, *other.suggestions]
    names = both or list(
        model.project.concepts.filter(active=True, merged_into=None)
        .order_by("pk")
        .values_list("phrase", flat=True)[:PROMPTS]
    )
    return list(dict.fromkeys(names))[:PROMPTS]


def rows(comparison: Comparison) -> Iterator[tuple[str, Drawings, Drawings]]:
    """Yield each prompt with both models' drawings."""
    for prompt in comparison.prompts:
        yield (
            prompt,
            _drawings(comparison, comparison.model, prompt),
            _drawings(comparison, comparison.other, prompt),
        )


def request(comparison: Comparison, *, by: AbstractBaseUser) -> list[Generation]:
    """Request what is missing, all of it or nothing. Raises GenerationError."""
    for model in (comparison.model, comparison.other):
        generation_requests.check_model(model, Generation.Kind.SAMPLES)
    missing = [
        drawings
        for _, *both in rows(comparison)
        for drawings in both
        if drawings.state not in ("gone", State.SUCCEEDED, *generation_requests.UNFINISHED)
    ]
    with transaction.atomic():
        return [
            generation_requests.create(
                model=drawings.model,
                prompt=drawings.prompt,
                seed=comparison.seed,
                count=comparison.count,
                requested_by=by,
                in_comparison=True,
            )
            for drawings in missing
        ]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as the API and the page's script read it."""
    pairs = list(rows(comparison))
    every = [drawings for _, *both in pairs for drawings in both]
    unfinished = [d for d in every if d.state in generation_requests.UNFINISHED]
    return {
        "model": comparison.model.pk,
        "other": comparison.other.pk,
        "seeds": list(comparison.seeds),
        "drawn": sum(d.state == State.SUCCEEDED for d in every),
        "of": len(every),
        "unfinished": len(unfinished),
        "rows": [
            {"prompt": prompt, "model": _side(mine), "other": _side(others)}
            for prompt, mine, others in pairs
        ],
    }


def _side(drawings: Drawings) -> dict[str, Any]:
    note = "" if drawings.urls else drawings.in_words
    return {"state": drawings.state, "note": note, "pictures": list(drawings.urls)}


def _drawings(comparison: Comparison, model: Model, prompt: str) -> Drawings:
    """Return the best generation of a model that holds these seeds, and its pictures."""
    same = Generation.objects.filter(
        model=model,
        kind=Generation.Kind.SAMPLES,
        prompt=prompt,
        seed=comparison.seed,
        count__gte=comparison.count,
        guidance=None,
        draft=False,
    ).order_by("-created_at")
    done = same.filter(state=State.SUCCEEDED).first()
    generation = done or same.first()
    urls = tuple(
        reverse("generation_sample", args=[done.pk, number])
        for number in range(1, comparison.count + 1)
        if done
    )
    return Drawings(model, prompt, generation, urls)
