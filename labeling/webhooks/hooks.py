"""Make, change and delete webhooks; test one, and send something again."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from labeling import audit
from labeling.models import Delivery, Event, HookEvent, Project, Webhook
from labeling.webhooks import addresses
from labeling.webhooks.events import delivery

MOST = 20  # of one project
OLD_SECRET = timedelta(days=1)  # for which a secret that was replaced signs as well


class HookError(ValueError):
    """A webhook cannot be like this; the message says why and what to do."""


def create(*, project: Project, url: str, events: Collection[str], by: User) -> Webhook:
    """Make a webhook; its `secret` is shown once. Raises AddressError, and HookError."""
    addresses.check(url)
    hook = Webhook(
        project=project,
        url=url,
        events=_checked(events),
        secret=Webhook.new_secret(),
        created_by=by,
    )
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.webhooks.count() >= MOST:
            raise HookError(f"A project has {MOST} webhooks at most.")
        hook.save()
        _record(hook, "Added", by)
    return hook


def change(
    *,
    hook: Webhook,
    by: User,
    url: str | None = None,
    events: Collection[str] | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given of a webhook. Raises AddressError, and HookError.

    What happened while it was switched off is not sent later.
    """
    changes: dict[str, Any] = {}
    if url is not None:
        addresses.check(url)
        changes["url"] = url
    if events is not None:
        changes["events"] = _checked(events)
    if active is not None:
        changes["active"] = active
    if active:
        changes |= {"failing_since": None, "off_reason": ""}
    if active and not hook.active:
        now = timezone.now()
        changes |= {"labels_until": now, "labels_after": 0, "spells_until": now}
    with transaction.atomic():
        Webhook.objects.filter(pk=hook.pk).update(**changes)
        hook.refresh_from_db()
        _record(hook, "Changed", by)
    return hook


def replace_secret(*, hook: Webhook, by: User) -> str:
    """Give a webhook another secret, and return it; the old one signs as well for a day."""
    with transaction.atomic():
        hook = Webhook.objects.select_for_update(of=("self",)).get(pk=hook.pk)
        hook.old_secret, hook.old_secret_until = hook.secret, timezone.now() + OLD_SECRET
        hook.secret = Webhook.new_secret()
        hook.save(update_fields=["secret", "old_secret", "old_secret_until"])
        _record(hook, "Replaced the secret of", by)
    return hook.secret


def switch_off(hook: Webhook, reason: str) -> None:
    """Tell an address nothing more, and note in the history why."""
    with transaction.atomic():
        active = Webhook.objects.filter(pk=hook.pk, active=True)
        if active.update(active=False, off_reason=reason):
            host = urlsplit(hook.url).hostname
            audit.record(
                project=hook.project,
                kind=Event.Kind.PROJECT,
                message=f"Switched off the webhook to {host}. {reason}",
                row=hook,
            )


def delete(*, hook: Webhook, by: User) -> None:
    """Delete a webhook with its log; what is not sent yet is not sent."""
    with transaction.atomic():
        _record(hook, "Deleted", by)
        hook.delete()


def ping(*, hook: Webhook) -> Delivery:
    """Write down a test, which a worker sends whatever the webhook wants to know."""
    row = delivery(hook, "ping", {}, slug=hook.project.slug)
    row.save()
    return row


def resend(*, delivery: Delivery) -> Delivery:
    """Have something sent again, under the same id: the receiver knows whether it has had it."""
    Delivery.objects.filter(pk=delivery.pk).update(
        state=Delivery.State.PENDING, attempts=0, due_at=timezone.now(), finished_at=None
    )
    delivery.refresh_from_db()
    return delivery


def _checked(events: Collection[str]) -> list[str]:
    chosen = [event for event in HookEvent.values if event in events]
    if not chosen or len(chosen) != len(set(events)):
        raise HookError("Choose at least one kind of event.")
    return chosen


def _record(hook: Webhook, verb: str, by: User) -> None:
    host = urlsplit(hook.url).hostname
    audit.record(
        project=hook.project,
        kind=Event.Kind.PROJECT,
        message=f"{verb} a webhook to {host}: {', '.join(hook.events)}.",
        by=by,
        row=hook,
    )
