"""Wishes for pictures: asked for, drawn by a worker, shown, and put before people."""

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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

from labeling import images, questions
from labeling.images import decoding, tiles
from labeling.models import Concept, Image, Question
from training import processes, sampler_client
from training.generation_limits import (
    SEED_LIMIT,
    DrawingError,
    Kind,
    QueueFullError,
    check,
    check_model,
    check_strip,
)
from training.models import Generation, Model, Sample

SECONDS = 300.0  # a drawing may take
LEASE = timedelta(seconds=30)  # of a worker that draws; renewed as long as it does
TELL = 0.4  # seconds between two words on how far it is, at least
ATTEMPTS = 3
PRIOR = 0.5  # that a drawn picture shows what it was asked for
OWN_LIMIT = 4  # wishes of one person that may wait
GIVEN_BYTES = 8 * 2**20  # of a picture to be completed …
GIVEN_PIXELS = 16_000_000

State = Generation.State


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
    kind: str = Kind.PICTURES,
    prompt: str = "",
    second_prompt: str | None = None,
    count: int = 4,
    seed: int = 0,
    second_seed: int | None = None,
    guidance: float | None = None,
    given: bytes | None = None,
    requested_by: AbstractBaseUser | None = None,
    visitor: str = "",
) -> Generation:
    """A wish that waits for a worker. Raises DrawingError.

    A strip's second prompt and seed are its first where they are None. ``given`` is the picture
    to be completed, as it came.
    """
    wish = Generation(
        model=model,
        kind=kind,
        prompt=prompt.strip(),
        count=count,
        seed=seed,
        guidance=guidance,
        requested_by_id=requested_by.pk if requested_by else None,
        visitor=visitor,
    )
    check(prompt=wish.prompt, count=count, seed=seed, guidance=guidance)
    check_model(model, kind)
    if kind == Kind.STRIP:
        wish.second_prompt = wish.prompt if second_prompt is None else second_prompt.strip()
        wish.second_seed = seed if second_seed is None else second_seed
        ends = (wish.prompt, wish.second_prompt)
        check_strip(ends=ends, seeds=(seed, wish.second_seed), count=count)
    _check_queue(wish)
    if kind == Kind.COMPLETION:
        wish.given = _keep_given(wish.pk, given)
    wish.save()
    return wish


def _check_queue(wish: Generation) -> None:
    waiting = Generation.objects.filter(state__in=[State.QUEUED, State.DRAWING])
    if (total := waiting.count()) >= settings.DRAW_QUEUE:
        raise QueueFullError(f"The queue is full, with {total} waiting: try again in a minute.")
    own = waiting.filter(requested_by=wish.requested_by_id, visitor=wish.visitor)
    if (wish.requested_by_id or wish.visitor) and own.count() >= OWN_LIMIT:
        raise QueueFullError(
            f"{OWN_LIMIT} of your drawings are waiting already: wait for them, or cancel one."
        )


def _keep_given(pk: UUID, data: bytes | None) -> str:
    """Check a picture that somebody sent, strip it of all but its pixels, and store it."""
    if data is None:
        raise DrawingError("Give a picture whose lower half shall be drawn.")
    try:
        picture = decoding.prepare(data, bytes_max=GIVEN_BYTES, pixels_max=GIVEN_PIXELS)
    except decoding.ImageRejected as error:
        raise DrawingError(f"This picture cannot be taken: {error}.") from None
    return default_storage.save(f"given/{pk}.{picture.suffix}", ContentFile(picture.data))


def cancel(*, generation: Generation) -> None:
    """Nobody waits for it any more; what is being drawn ends in a moment. Raises DrawingError."""
    this = Generation.objects.filter(pk=generation.pk)
    gone = {"state": State.CANCELLED, "finished_at": timezone.now()}
    if this.filter(state=State.QUEUED).update(**gone):
        return
    if not this.filter(state=State.DRAWING).update(cancel_requested=True):
        generation.refresh_from_db()
        raise DrawingError(f"This drawing is {generation.state}: there is nothing to cancel.")


def draw(*, generation_id: UUID | str) -> Generation | None:
    """Draw a waiting wish; None if another worker has it."""
    waiting = Generation.objects.filter(pk=generation_id, state=State.QUEUED)
    now = timezone.now()
    if not waiting.update(
        state=State.DRAWING,
        progress=0.0,
        started_at=now,
        lease_until=now + LEASE,
        attempts=F("attempts") + 1,
    ):
        return None
    generation = Generation.objects.select_related("model__run").get(pk=generation_id)
    try:
        with tempfile.TemporaryDirectory(prefix="tessera-draw-") as name:
            lines = sampler_client.draw(
                _wish(generation, Path(name)), tell=_teller(generation), seconds=SECONDS
            )
            _store(generation, [(Path(name, Path(line["file"]).name), line) for line in lines])
    except sampler_client.CancelledError:
        _end(generation, State.CANCELLED, "")
    except (DrawingError, OSError, processes.ChildError) as error:
        _end(generation, State.FAILED, str(error))
    except Exception:
        _end(generation, State.FAILED, "Something went wrong while drawing: see the worker's log.")
        raise
    return generation


def _wish(generation: Generation, folder: Path) -> dict[str, Any]:
    """A wish as `training.engine.generation.server` reads it."""
    model, count = Path(generation.model.folder), generation.count
    if not (model / "config.json").is_file():
        raise DrawingError(f"The model's folder {model} has gone: train another model.")
    wish: dict[str, Any] = {
        "model": str(model),
        "out": str(folder),
        "guidance": generation.guidance,
        "prompts": [generation.prompt] * count,
        "seeds": [(generation.seed + i) % SEED_LIMIT for i in range(count)],
    }
    if generation.is_strip:
        wish["prompts"] = [generation.prompt, generation.second_prompt]
        wish["seeds"] = [generation.seed, generation.second_seed]
        wish["strip"] = count
    if generation.given:
        given = folder / "given"
        with generation.given.open("rb") as file:
            given.write_bytes(file.read())
        wish["given"] = str(given)
    return wish


def _teller(generation: Generation) -> Callable[[float], bool]:
    """Renews the lease and says how far it is; whether the pictures are wanted still."""
    held = Generation.objects.filter(
        pk=generation.pk,
        state=State.DRAWING,
        attempts=generation.attempts,
        cancel_requested=False,
    )
    told = -TELL

    def tell(share: float) -> bool:
        nonlocal told
        if time.monotonic() - told < TELL:
            return True
        told = time.monotonic()
        return bool(held.update(progress=share, lease_until=timezone.now() + LEASE))

    return tell


def sample(
    *,
    folder: str,
    prompts: Sequence[str],
    out: Path,
    log: Path,
    count: int = 1,
    seed: int = 0,
    guidance: float | None = None,
    more: Sequence[str] = (),
) -> list[Picture]:
    """`count` pictures of each prompt, drawn into `out` by a child process of its own.

    `more` holds other options of `python -m training sample`.
    """
    if not Path(folder, "config.json").is_file():
        raise DrawingError(f"The model's folder {folder} has gone: train another model.")
    out.mkdir(parents=True, exist_ok=True)
    wishes = log.with_name(f"prompts-{secrets.token_hex(4)}.txt")
    wishes.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")
    options = ["--count", str(count), "--seed", str(seed), *more]
    if guidance is not None:
        options += ["--guidance", str(guidance)]
    try:
        processes.call(
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
    now = timezone.now()
    lost = Generation.objects.filter(state=State.DRAWING, lease_until__lt=now)
    lost.filter(cancel_requested=True).update(state=State.CANCELLED, finished_at=now)
    lost.filter(attempts__gte=ATTEMPTS).update(
        state=State.FAILED,
        error=f"Its worker was lost {ATTEMPTS} times: draw it again.",
        finished_at=now,
    )
    lost.update(state=State.QUEUED)
    waiting = Generation.objects.filter(state=State.QUEUED).order_by("created_at")
    return list(waiting.values_list("pk", flat=True))


def ask_about(*, generation: Generation) -> int:
    """Put a drawing's pictures before people. Returns the number of new questions."""
    if generation.state != State.DONE:
        raise DrawingError(
            f"This drawing is {generation.state}: there is nothing to ask about yet."
        )
    if not (asked := list(_askable(generation))):
        raise DrawingError("These were drawn from no prompt: there is nothing to ask.")
    new = 0
    for drawn, prompt in asked:
        with drawn.file.open("rb") as file:
            image = keep(model=generation.model, data=file.read(), prompt=prompt)
        drawn.image = image
        drawn.save(update_fields=["image"])
        new += ask(image=image)
    return new


def _askable(generation: Generation) -> Iterator[tuple[Sample, str]]:
    """Pictures with what they should show; of a strip from one prompt to another, its ends."""
    samples = list(generation.samples.all())
    ends = generation.prompt, generation.second_prompt
    if not generation.is_strip or ends[0] == ends[1]:
        found = [(drawn, generation.prompt) for drawn in samples]
    else:
        found = [(samples[0], ends[0]), (samples[-1], ends[1])] if samples else []
    yield from ((drawn, prompt) for drawn, prompt in found if prompt)


def keep(*, model: Model, data: bytes, prompt: str) -> Image:
    """A drawn picture becomes an image of the project, marked with its model and prompt."""
    image, _ = images.add(
        project=model.project,
        data=data,
        source=f"{model}: {prompt}"[:300],
        generated=True,
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
        prompt=line["prompt"] or "",
        seed=int(line["seed"] or 0),
        nearest=list(line.get("nearest") or []),
    )


def _store(generation: Generation, drawn: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    names = [
        default_storage.save(f"samples/{generation.pk}-{n}.png", ContentFile(path.read_bytes()))
        for n, (path, _) in enumerate(drawn, 1)
    ]
    with transaction.atomic():
        if not _end(generation, State.DONE, ""):
            return
        Sample.objects.bulk_create(
            Sample(
                generation=generation, file=name, seed=line["seed"], nearest=line["nearest"] or []
            )
            for name, (_, line) in zip(names, drawn, strict=True)
        )


def _end(generation: Generation, state: Generation.State, error: str) -> bool:
    generation.state, generation.error = state, error
    held = Generation.objects.filter(
        pk=generation.pk, state=State.DRAWING, attempts=generation.attempts
    )
    changes = {"state": state, "error": error, "finished_at": timezone.now()}
    return bool(held.update(**changes, **({"progress": 1.0} if state == State.DONE else {})))
