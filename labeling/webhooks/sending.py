"""Deliver what is due, one webhook after the other, and try again what was not taken."""

import time
from datetime import timedelta
from http import HTTPStatus

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Delivery, Webhook
from labeling.webhooks import hooks, posting, signing
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
PATIENCE = timedelta(days=3)  # for which an address may take nothing, before it is switched off
LOGGED = 1_000  # deliveries of one webhook that are kept once they are sent
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
        hook = Webhook.objects.filter(pk=delivery.webhook_id, failing_since__isnull=False)
        hook.update(failing_since=None)
        return True
    _note_failure(delivery, status)
    if status == HTTPStatus.GONE or delivery.attempts > len(WAITS):
        _finish(delivery, State.FAILED, status=status, error=error)
    else:
        due_at = timezone.now() + WAITS[delivery.attempts - 1]
        Delivery.objects.filter(pk=delivery.pk).update(due_at=due_at, status=status, error=error)
    return False


def forget() -> int:
    """Delete the log of what was sent long ago, or before `LOGGED` others; return how many."""
    ended = Delivery.objects.exclude(state=State.PENDING)
    deleted = ended.filter(created_at__lte=timezone.now() - KEPT).delete()[0]
    for hook in Webhook.objects.values_list("pk", flat=True):
        logged = ended.filter(webhook=hook).order_by("-pk").values_list("pk", flat=True)
        if newest := logged[LOGGED : LOGGED + 1]:
            deleted += ended.filter(webhook=hook, pk__lte=newest[0]).delete()[0]
    return deleted


def _note_failure(delivery: Delivery, status: int | None) -> None:
    """Switch an address off that is gone, or has taken nothing for days, and say so."""
    now, hook = timezone.now(), delivery.webhook
    rows = Webhook.objects.filter(pk=hook.pk)
    rows.filter(failing_since=None).update(failing_since=now)
    if status == HTTPStatus.GONE:
        hooks.switch_off(hook, "It answered 410: it is gone.")
    elif rows.filter(failing_since__lte=now - PATIENCE).exists():
        hooks.switch_off(hook, f"It took nothing for {PATIENCE.days} days.")


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
        delivery.webhook.secrets,
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
