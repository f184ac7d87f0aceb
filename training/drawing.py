"""Wishes for pictures: asked for, drawn by a worker, shown, and put before people."""

import json
import math
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from labeling import images, questions, tiles
from labeling.models import Concept, Image, Question
from training import children
from training.models import Generation, Model, Sample

COUNT_LIMIT = 16
PROMPT_LIMIT = 500
GUIDANCE_LIMIT = 20.0
SEED_LIMIT = 2**31
SECONDS = 300.0  # a drawing may take
LOST_AFTER = timedelta(seconds=SECONDS + 60)
ATTEMPTS = 3
PRIOR = 0.5  # that a drawn picture shows what it was asked for

State = Generation.State


class DrawingError(ValueError):
    """A wish that cannot be granted; the sentence says why."""


class QueueFullError(DrawingError):
    """Too many wishes wait already."""


@dataclass(frozen=True)
class Picture:
    """A drawn picture, with the training pictures nearest to it."""

    path: Path
    prompt: str
    seed: int
    nearest: list[dict[str, Any]]


def request(
    *,
    model: Model,
    prompt: str = "",
    count: int = 4,
    seed: int = 0,
    guidance: float = 2.0,
    requested_by: AbstractBaseUser | None = None,
) -> Generation:
    """A wish that waits for a worker. Raises DrawingError."""
    check(prompt=prompt, count=count, seed=seed, guidance=guidance)
    waiting = Generation.objects.filter(state__in=[State.QUEUED, State.DRAWING]).count()
    if waiting >= settings.DRAW_QUEUE:
        raise QueueFullError(f"{waiting} drawings are waiting already: try again in a minute.")
    return Generation.objects.create(
        model=model,
        prompt=prompt.strip(),
        count=count,
        seed=seed,
        guidance=guidance,
        requested_by_id=requested_by.pk if requested_by else None,
    )


def check(*, prompt: str, count: int, seed: int, guidance: float) -> None:
    if len(prompt) > PROMPT_LIMIT or not prompt.isprintable():
        raise DrawingError(f"A prompt is one line of at most {PROMPT_LIMIT} characters.")
    if not 1 <= count <= COUNT_LIMIT:
        raise DrawingError(f"From 1 to {COUNT_LIMIT} pictures can be drawn at once, not {count}.")
    if not 0 <= seed < SEED_LIMIT:
        raise DrawingError(f"The seed must be from 0 to {SEED_LIMIT - 1}, not {seed}.")
    if not (math.isfinite(guidance) and 0 <= guidance <= GUIDANCE_LIMIT):
        raise DrawingError(f"Guidance must be from 0 to {GUIDANCE_LIMIT:.0f}, not {guidance}.")


def draw(*, generation_id: UUID | str) -> Generation | None:
    """Draw a waiting wish; None if another worker has it."""
    waiting = Generation.objects.filter(pk=generation_id, state=State.QUEUED)
    if not waiting.update(
        state=State.DRAWING, started_at=timezone.now(), attempts=F("attempts") + 1
    ):
        return None
    generation = Generation.objects.select_related("model__run").get(pk=generation_id)
    try:
        with tempfile.TemporaryDirectory(prefix="tessera-draw-") as name:
            drawn = sample(
                folder=generation.model.folder,
                prompts=[generation.prompt],
                out=Path(name) / "out",
                count=generation.count,
                seed=generation.seed,
                guidance=generation.guidance,
                log=Path(name) / "log.txt",
            )
            _store(generation, drawn)
    except (DrawingError, OSError, children.ChildError) as error:
        _end(generation, State.FAILED, str(error))
    except Exception:
        _end(generation, State.FAILED, "Something went wrong while drawing: see the worker's log.")
        raise
    return generation


def sample(
    *,
    folder: str,
    prompts: Sequence[str],
    out: Path,
    log: Path,
    count: int = 1,
    seed: int = 0,
    guidance: float = 2.0,
) -> list[Picture]:
    """`count` pictures of each prompt, drawn into `out` by a child process."""
    if not Path(folder, "config.json").is_file():
        raise DrawingError(f"The model's folder {folder} has gone: train another model.")
    out.mkdir(parents=True, exist_ok=True)
    wishes = log.with_name(f"prompts-{secrets.token_hex(4)}.txt")
    wishes.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")
    options = ["--count", str(count), "--seed", str(seed), "--guidance", str(guidance)]
    try:
        children.call(
            ["sample", folder, "--prompts", str(wishes), "--out", str(out), *options],
            log=log,
            seconds=SECONDS,
        )
    finally:
        wishes.unlink()
    lines = (out / "samples.jsonl").read_text("utf-8").splitlines()
    return [_picture(out, json.loads(line)) for line in lines]


def sweep() -> list[Any]:
    """Queue again what lost its worker. Returns the waiting wishes, oldest first."""
    lost = Generation.objects.filter(
        state=State.DRAWING, started_at__lt=timezone.now() - LOST_AFTER
    )
    lost.filter(attempts__gte=ATTEMPTS).update(
        state=State.FAILED,
        error=f"Its worker was lost {ATTEMPTS} times: draw it again.",
        finished_at=timezone.now(),
    )
    lost.update(state=State.QUEUED)
    waiting = Generation.objects.filter(state=State.QUEUED).order_by("created_at")
    return list(waiting.values_list("pk", flat=True))


def ask_about(*, generation: Generation) -> int:
    """Put a drawing's pictures before people. Returns the number of new questions."""
    if not generation.prompt:
        raise DrawingError("These were drawn from no prompt: there is nothing to ask.")
    if generation.state != State.DONE:
        raise DrawingError(
            f"This drawing is {generation.state}: there is nothing to ask about yet."
        )
    asked = 0
    for drawn in generation.samples.all():
        with drawn.file.open("rb") as file:
            image = keep(model=generation.model, data=file.read(), prompt=generation.prompt)
        drawn.image = image
        drawn.save(update_fields=["image"])
        asked += ask(image=image)
    return asked


def keep(*, model: Model, data: bytes, prompt: str) -> Image:
    """A drawn picture becomes an image of the project, marked with its model and prompt."""
    image, _ = images.add(
        project=model.project,
        data=data,
        source=f"{model}: {prompt}"[:300],
        generated_by=str(model),
        prompt=prompt,
    )
    return image


def ask(*, image: Image) -> int:
    """Ask people whether a drawn picture shows what it was drawn from."""
    tile = tiles.whole(image)
    concept = Concept.objects.filter(
        Q(name__iexact=image.prompt) | Q(phrase__iexact=image.prompt), project=image.project
    ).first()
    if concept:
        return questions.ask_concepts(tiles=[tile], concepts=[concept])
    return questions.ask_captions(
        captions=[(tile, image.prompt)], source=Question.Source.MODEL, prior=PRIOR
    )


def _picture(out: Path, line: dict[str, Any]) -> Picture:
    return Picture(
        path=out / Path(line["file"]).name,
        prompt=line["prompt"],
        seed=int(line["seed"]),
        nearest=list(line.get("nearest") or []),
    )


def _store(generation: Generation, drawn: Sequence[Picture]) -> None:
    names = [
        default_storage.save(
            f"samples/{generation.pk}-{number}.png", ContentFile(picture.path.read_bytes())
        )
        for number, picture in enumerate(drawn, 1)
    ]
    with transaction.atomic():
        if not _end(generation, State.DONE, ""):
            return
        Sample.objects.bulk_create(
            Sample(generation=generation, file=name, seed=picture.seed, nearest=picture.nearest)
            for name, picture in zip(names, drawn, strict=True)
        )


def _end(generation: Generation, state: Generation.State, error: str) -> bool:
    generation.state, generation.error = state, error
    held = Generation.objects.filter(
        pk=generation.pk, state=State.DRAWING, attempts=generation.attempts
    )
    return bool(held.update(state=state, error=error, finished_at=timezone.now()))
