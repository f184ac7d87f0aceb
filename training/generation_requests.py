"""Requests for samples of a model: their limits, the queue that they wait in, and cancellation."""

import math
from typing import TypedDict, Unpack

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import captions, decoding
from training import generation_drafts, generators
from training.models import SEED_LIMIT, Generation, Model

COUNT_LIMIT = 16  # samples of one request
PROMPT_LIMIT = 500  # characters
GUIDANCE_LIMIT = 20.0
REQUESTER_LIMIT = 4  # unfinished requests of one person
COMPARISON_LIMIT = 16  # of one person who compares two models
SOURCE_IMAGE_BYTES = 8 * 2**20
SOURCE_IMAGE_PIXELS = 16_000_000

Kind = Generation.Kind
State = Generation.State
UNFINISHED = (State.QUEUED, State.RUNNING)
FROM_IMAGE = (Kind.INPAINTING, Kind.TRANSLATION)  # of a source image


class GenerationError(ValueError):
    """A request that cannot be granted; the message says why and what to do."""


class QueueFullError(GenerationError):
    """Too many requests wait already."""


class GenerationRequest(TypedDict, total=False):
    """What to generate; everything but the model has a default.

    An interpolation's second prompt and seed are its first where they are None. `source_image`
    holds the bytes of the file whose lower half is inpainted, or whose other half is drawn.
    `visitor` is the key of an anonymous person's session. `in_comparison` allows a person more at a
    time. A `draft` is drawn in one call, and takes the place of the person's last one.
    """

    model: Model
    kind: str
    prompt: str
    second_prompt: str | None
    count: int
    seed: int
    second_seed: int | None
    guidance: float | None
    source_image: bytes | None
    requested_by: AbstractBaseUser | None
    visitor: str
    in_comparison: bool
    draft: bool


def create(**request: Unpack[GenerationRequest]) -> Generation:
    """Check a request and put it in the queue. Raises GenerationError."""
    generation = _unsaved(request)
    check(
        prompt=generation.prompt,
        count=generation.count,
        seed=generation.seed,
        guidance=generation.guidance,
    )
    check_model(generation.model, generation.kind)
    if generation.is_interpolation:
        _set_second_end(generation, request)
    if generation.draft:
        _check_draft(generation)
        generation_drafts.give_up(_of_same_person(generation))
    _check_queue(generation, COMPARISON_LIMIT if request.get("in_comparison") else REQUESTER_LIMIT)
    if generation.kind in FROM_IMAGE:
        generation.source_image = _store_source_image(generation, request.get("source_image"))
    generation.save()
    return generation


def cancel(*, generation: Generation) -> None:
    """Cancel a queued request at once, a running one within moments. Raises GenerationError."""
    row = Generation.objects.filter(pk=generation.pk)
    if row.filter(state=State.QUEUED).update(state=State.CANCELLED, finished_at=timezone.now()):
        return
    if not row.filter(state=State.RUNNING).update(cancel_requested=True):
        generation.refresh_from_db()
        raise GenerationError(_("This drawing has ended already: there is nothing to cancel."))


def check(*, prompt: str, count: int, seed: int, guidance: float | None) -> None:
    """Raise GenerationError where a value is out of its range."""
    _check_prompt(prompt)
    _check_seed(seed)
    if not 1 <= count <= COUNT_LIMIT:
        raise GenerationError(
            _("From 1 to %(limit)s pictures can be drawn at once, not %(count)s.")
            % {"limit": COUNT_LIMIT, "count": count}
        )
    if guidance is not None and not (math.isfinite(guidance) and 0 <= guidance <= GUIDANCE_LIMIT):
        raise GenerationError(
            _("Guidance must be from 0 to %(limit)s, not %(guidance)s.")
            % {"limit": f"{GUIDANCE_LIMIT:.0f}", "guidance": guidance}
        )


def check_interpolation(*, prompts: tuple[str, str], seeds: tuple[int, int], count: int) -> None:
    """Raise GenerationError where an interpolation's two ends are wrong or the same."""
    _check_prompt(prompts[1])
    _check_seed(seeds[1])
    if count < 2:
        raise GenerationError(_("A strip has at least two pictures."))
    if prompts[0] == prompts[1] and seeds[0] == seeds[1]:
        raise GenerationError(_("A strip needs two prompts or two seeds: nothing would change."))


def check_model(model: Model, kind: str) -> None:
    """Raise GenerationError where a model cannot generate samples of this kind."""
    if model.recipe in generators.KINDS[Kind(kind)]:
        return
    if not generators.draws(model.recipe):
        sentence = _("Model %(number)s draws no pictures: its recipe is %(recipe)s.")
    elif generators.translates(model.recipe):
        sentence = _(
            "Model %(number)s draws the other halves of pictures, and nothing from words alone: "
            "give it a picture."
        )
    elif kind == Kind.TRANSLATION:
        sentence = _(
            "Model %(number)s draws no other halves: take one of these recipes: %(recipes)s."
        )
    else:
        sentence = _(
            "Model %(number)s completes no pictures: take one of these recipes: %(recipes)s."
        )
    recipes = ", ".join(generators.KINDS[Kind(kind)])
    facts = {"number": model.pk, "recipe": model.recipe, "recipes": recipes}
    raise GenerationError(sentence % facts)


def _unsaved(request: GenerationRequest) -> Generation:
    person = request.get("requested_by")
    return Generation(
        model=request["model"],
        kind=request.get("kind", Kind.SAMPLES),
        prompt=request.get("prompt", "").strip(),
        count=request.get("count", 4),
        seed=request.get("seed", 0),
        guidance=request.get("guidance"),
        requested_by_id=person.pk if person else None,
        visitor=request.get("visitor", ""),
        draft=request.get("draft", False),
    )


def _set_second_end(generation: Generation, request: GenerationRequest) -> None:
    prompt, seed = request.get("second_prompt"), request.get("second_seed")
    generation.second_prompt = generation.prompt if prompt is None else prompt.strip()
    generation.second_seed = generation.seed if seed is None else seed
    check_interpolation(
        prompts=(generation.prompt, generation.second_prompt),
        seeds=(generation.seed, generation.second_seed),
        count=generation.count,
    )


def _check_prompt(prompt: str) -> None:
    if len(prompt) > PROMPT_LIMIT or captions.has_controls(prompt):
        sentence = _("A prompt is one line of at most %(limit)s characters.")
        raise GenerationError(sentence % {"limit": PROMPT_LIMIT})


def _check_seed(seed: int) -> None:
    if not 0 <= seed < SEED_LIMIT:
        sentence = _("The seed must be from 0 to %(limit)s, not %(seed)s.")
        raise GenerationError(sentence % {"limit": SEED_LIMIT - 1, "seed": seed})


def _check_queue(generation: Generation, limit: int) -> None:
    """Raise QueueFullError where the queue, or this person's share of it, is used up."""
    unfinished = Generation.objects.filter(state__in=UNFINISHED)
    room = settings.GENERATION_QUEUE_LIMIT
    if generation.draft:
        room = max(1, room // 2)  # whoever types leaves room for those who press Draw
    if (total := unfinished.count()) >= room:
        sentence = _("The queue is full, with %(total)s waiting: try again in a minute.")
        raise QueueFullError(sentence % {"total": total})
    if not (generation.requested_by_id or generation.visitor):
        return
    if _of_same_person(generation).filter(state__in=UNFINISHED).count() >= limit:
        raise QueueFullError(
            _("%(limit)s of your drawings are waiting already: wait for them, or cancel one.")
            % {"limit": limit}
        )


def _of_same_person(generation: Generation) -> QuerySet[Generation]:
    return Generation.objects.filter(
        requested_by=generation.requested_by_id, visitor=generation.visitor
    )


def _check_draft(generation: Generation) -> None:
    if generation.kind != Kind.SAMPLES or generation.guidance is not None:
        raise GenerationError(_("A draft is of one prompt, at the model's own guidance."))
    if not generators.draws_in_one_call(generation.model):
        sentence = _("Model %(number)s draws in many steps: it makes no drafts.")
        raise GenerationError(sentence % {"number": generation.model.pk})


def _store_source_image(generation: Generation, data: bytes | None) -> str:
    """Check an uploaded image, strip it of all but its pixels, and return its stored name."""
    if data is None:
        inpaints = generation.kind == Kind.INPAINTING
        raise GenerationError(
            _("Give a picture whose lower half shall be drawn.")
            if inpaints
            else _("Give a picture whose other half shall be drawn.")
        )
    try:
        picture = decoding.prepare(
            data, bytes_max=SOURCE_IMAGE_BYTES, pixels_max=SOURCE_IMAGE_PIXELS
        )
    except decoding.ImageRejected as error:
        sentence = _("This picture cannot be taken: %(reason)s.")
        raise GenerationError(sentence % {"reason": error}) from None
    return default_storage.save(
        f"source-images/{generation.pk}.{picture.suffix}", ContentFile(picture.data)
    )
