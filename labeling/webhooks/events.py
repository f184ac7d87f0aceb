"""Write an event down for each webhook of a project that wants to know."""

import json
from typing import Any

from django.utils import timezone

from labeling.models import Delivery, HookEvent, Project, Webhook


def emit(*, project: Project, event: HookEvent, data: dict[str, Any]) -> None:
    """Write an event down, in the transaction of what happened; a worker sends it.

    data: JSON, small: whoever is told reads the rest over the API.
    """
    hooks = Webhook.objects.filter(project=project, active=True, events__contains=[event])
    Delivery.objects.bulk_create(
        delivery(hook, str(event), data, slug=project.slug) for hook in hooks
    )


def delivery(hook: Webhook, event: str, data: dict[str, Any], *, slug: str) -> Delivery:
    """Return the row of an event that is to be sent."""
    body = {
        "type": event,
        "timestamp": timezone.now().isoformat(),
        "project": slug,
        "data": data,
    }
    return Delivery(webhook=hook, event=event, body=json.dumps(body, ensure_ascii=False))
