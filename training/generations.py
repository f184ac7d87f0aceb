"""Execute generation requests: lease one, have its samples generated, store them.

The worker that executes a request holds its lease; `sweep` queues a request again whose worker was
lost.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from labeling import database_errors, lease
from labeling.models import LeaseLost
from labeling.stored_folders import FolderMissing
from labeling.stored_folders.errors import asking
from training import delays, processes, sampler_client, server_paths, sources
from training.generation_requests import GenerationError
from training.models import SEED_LIMIT, Generation, Model, Sample
from training.sampling import GeneratedImage

TIME_LIMIT = 300.0  # seconds that a request may take
RENEWAL_INTERVAL = 0.4  # seconds between two renewals of the lease, at least
ATTEMPTS = 3  # workers that may be lost over a request

State = Generation.State
logger = logging.getLogger(__name__)


def execute(*, generation_id: UUID | str) -> Generation | None:
    """Generate and store the samples of a queued request; return None if another worker has it."""
    queued = Generation.objects.filter(state=State.QUEUED)
    generation = queued.acquire(
        generation_id,
        state=State.RUNNING,
        progress=0.0,
        started_at=Now(),
        attempts=F("attempts") + 1,
        delay_reason="",
        error="",
    )
    if generation is None:
        return None
    with suppress(LeaseLost):  # whoever holds the lease now ends it
        _execute(generation)
    return generation


def _execute(generation: Generation) -> None:
    """Generate the samples and end the request, whatever comes. Raises LeaseLost.

    What has to wait for the storage or for room stays queued.
    """
    try:
        with (
            delays.translated(),
            tempfile.TemporaryDirectory(prefix="tessera-generation-") as folder,
        ):
            out = Path(folder)
            with lease.kept(generation):
                message = _message(generation, out)
            records = sampler_client.generate(
                message, on_progress=_renewing(generation), time_limit=TIME_LIMIT
            )
            _succeed(generation, [GeneratedImage.from_record(out, r) for r in records])
    except delays.DelayedError as delay:
        logger.warning("The drawing %s waits: %s", generation.pk, delay)
        attempts = generation.attempts - 1
        waiting = {"state": State.QUEUED, "progress": 0.0, "error": str(delay)}
        delays.put_off(generation, delay, attempts=attempts, **waiting)
    except sampler_client.CancelledError:
        _end(generation, State.CANCELLED)
    except (GenerationError, OSError, processes.ChildError) as error:
        _end(generation, State.FAILED, error=server_paths.hidden(str(error)))
    except LeaseLost:
        raise
    except Exception as error:
        if reason := database_errors.why(error):  # it is drawn again
            attempts = generation.attempts - 1
            lease.give_back(
                generation, state=State.QUEUED, progress=0.0, error=reason, attempts=attempts
            )
            raise
        sentence = "Something went wrong while drawing: see the worker's log."
        with suppress(LeaseLost):
            _end(generation, State.FAILED, error=sentence)
        raise


def _message(generation: Generation, out: Path) -> dict[str, Any]:
    """Return the request as `training.engine.generation.server` reads it.

    Raises GenerationError where the model's files are gone, and StorageAway.
    """
    count = generation.count
    try:
        model = sources.fetch(generation.model)
    except FolderMissing as error:
        raise GenerationError(
            f"{error} Put them back and draw again, or train another model."
        ) from error
    message: dict[str, Any] = {
        "model": str(model),
        "out": str(out),
        "guidance": generation.guidance,
        "prompts": [generation.prompt] * count,
        "seeds": [(generation.seed + i) % SEED_LIMIT for i in range(count)],
    }
    if generation.draft:
        message["steps"] = 1
    if generation.is_interpolation:
        message["prompts"] = [generation.prompt, generation.second_prompt]
        message["seeds"] = [generation.seed, generation.second_seed]
        message["frames"] = count
    if generation.source_image:
        local = out / "source-image"
        with asking(), generation.source_image.open("rb") as file:
            local.write_bytes(file.read())
        message["image"] = str(local)
    return message


def _renewing(generation: Generation) -> Callable[[float], bool]:
    """Return a callback that stores progress and renews the lease.

    It returns False once the samples are no longer wanted: the request was cancelled, or its lease
    has passed to another worker.
    """
    renewed_at = -RENEWAL_INTERVAL

    def on_progress(share: float) -> bool:
        nonlocal renewed_at
        if time.monotonic() - renewed_at < RENEWAL_INTERVAL:
            return True
        renewed_at = time.monotonic()
        try:
            generation.renew(progress=share)
        except LeaseLost:
            return False
        return not Generation.objects.filter(pk=generation.pk, cancel_requested=True).exists()

    return on_progress


def _succeed(generation: Generation, images: Sequence[GeneratedImage]) -> None:
    """Store the samples and end the request, or neither. Raises LeaseLost.

    The lease is released last: a failure before that can still be recorded under it.
    """
    with asking(), transaction.atomic():
        _store_samples(generation, images)
        _end(generation, State.SUCCEEDED, progress=1.0)


def record(*, model: Model, prompt: str, images: Sequence[GeneratedImage]) -> Generation:
    """Store images that nobody waited for, as a request that has succeeded."""
    with transaction.atomic():
        generation = Generation.objects.create(
            model=model,
            prompt=prompt,
            count=len(images),
            seed=images[0].seed or 0,
            state=State.SUCCEEDED,
            progress=1.0,
            finished_at=timezone.now(),
        )
        _store_samples(generation, images)
    return generation


def _store_samples(generation: Generation, images: Sequence[GeneratedImage]) -> None:
    Sample.objects.bulk_create(
        Sample(
            generation=generation,
            file=default_storage.save(
                f"samples/{generation.pk}-{number}.png", ContentFile(image.path.read_bytes())
            ),
            seed=image.seed,
            nearest=image.nearest,
        )
        for number, image in enumerate(images, 1)
    )


def _end(generation: Generation, state: Generation.State, **fields: Any) -> None:
    """Give the lease back and end the request. Raises LeaseLost."""
    generation.release(state=state, finished_at=timezone.now(), **fields)


def sweep() -> list[UUID]:
    """Queue again every request whose worker was lost; return the queued ones, oldest first."""
    now = timezone.now()
    lost = Generation.objects.filter(state=State.RUNNING).expired()
    lost.filter(cancel_requested=True).revoke(state=State.CANCELLED, finished_at=now)
    lost.filter(attempts__gte=ATTEMPTS).revoke(
        state=State.FAILED,
        error=f"Its worker was lost {ATTEMPTS} times: draw it again.",
        finished_at=now,
    )
    lost.revoke(state=State.QUEUED)
    queued = Generation.objects.filter(state=State.QUEUED).free().order_by("created_at")
    return list(queued.values_list("pk", flat=True))
