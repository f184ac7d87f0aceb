"""Deliver what is due, one webhook after the other, and try again what was not taken."""

import time
from datetime import timedelta
from http import HTTPStatus

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Delivery, Webhook
from labeling.webhooks import posting, signing
from labeling.webhooks.addresses import AddressError

# After each attempt that failed, until the next one: a week together.
WAITS = [
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=3),
]
LEASE = timedelta(seconds=6 * posting.SECONDS)  # for which nobody else tries the same
KEPT = timedelta(days=30)  # the log of what was sent
RUN_SECONDS = 20.0  # of one run; the next one goes on

State = Delivery.State


def due_hooks() -> list[int]:
    """Return the ids of the active webhooks that have something to be sent now."""
    rows = _due().order_by("webhook").values_list("webhook", flat=True)
    return list(rows.distinct())


def send_due(webhook: int) -> int:
    """Send what is due to one webhook, the oldest first; return how many were taken.

    It ends with the first one that is not taken, so that an address that hangs costs no more than
    one post.
    """
    end, taken = time.monotonic() + RUN_SECONDS, 0
    while time.monotonic() < end:
        delivery = _claim(webhook)
        if delivery is None or not attempt(delivery):
            break
        taken += 1
    return taken


def attempt(delivery: Delivery) -> bool:
    """Try a delivery that is claimed; return whether it was taken."""
    status, error = _post(delivery)
    taken = status is not None and 200 <= status < 300
    if taken:
        _finish(delivery, State.DELIVERED, status=status, error="")
    elif status == HTTPStatus.GONE:
        _finish(delivery, State.FAILED, status=status, error=error)
        Webhook.objects.filter(pk=delivery.webhook_id).update(active=False)
    elif delivery.attempts > len(WAITS):
        _finish(delivery, State.FAILED, status=status, error=error)
    else:
        due_at = timezone.now() + WAITS[delivery.attempts - 1]
        Delivery.objects.filter(pk=delivery.pk).update(due_at=due_at, status=status, error=error)
    return taken


def forget() -> int:
    """Delete the log of what was sent long ago; return how many rows there were."""
    old = Delivery.objects.filter(created_at__lte=timezone.now() - KEPT)
    return old.exclude(state=State.PENDING).delete()[0]


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        state=State.PENDING, due_at__lte=timezone.now(), webhook__active=True
    )


def _claim(webhook: int) -> Delivery | None:
    """Return the oldest delivery that is due, which nobody else tries for a minute."""
    with transaction.atomic():
        rows = _due().filter(webhook=webhook).select_for_update(skip_locked=True, of=("self",))
        delivery = rows.select_related("webhook").order_by("id").first()
        if delivery is not None:
            delivery.attempts += 1
            delivery.due_at = timezone.now() + LEASE
            delivery.save(update_fields=["attempts", "due_at"])
    return delivery


def _post(delivery: Delivery) -> tuple[int | None, str]:
    """Return the status that was answered, and why it was not taken."""
    headers = signing.headers(
        delivery.webhook.secret,
        uid=str(delivery.uid),
        timestamp=int(time.time()),
        body=delivery.body,
    )
    try:
        status = posting.post(delivery.webhook.url, delivery.body, headers)
    except (AddressError, posting.PostError) as error:
        return None, str(error)[:300]
    return status, "" if 200 <= status < 300 else f"It answered {status}."


def _finish(delivery: Delivery, state: State, *, status: int | None, error: str) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(
        state=state, status=status, error=error, finished_at=timezone.now()
    )
