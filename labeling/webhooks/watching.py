"""Look once in a while for labels that settled, and annotators that turned bad.

So no answer writes an event, and labels are reported by the hundred.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labeling.models import Answer, Delivery, HookEvent, Question, SuspectSpell, Webhook
from labeling.webhooks.events import delivery

BATCH = 500  # labels of one event
BATCHES = 20  # of one look; the next one goes on
# Rows that are this old are there: a transaction writes the time at which it began to.
LAG = timedelta(seconds=30)
ID_MAX = 2**63 - 1
_COLUMNS = (
    "pk",
    "settled_at",
    "tile_id",
    "tile__image_id",
    "concept__name",
    "kind",
    "probability",
)


def look() -> None:
    """Write down what happened since the last look, for each webhook that wants to know."""
    for hook in Webhook.objects.filter(active=True).values_list("pk", flat=True):
        with transaction.atomic():
            rows = Webhook.objects.select_for_update(skip_locked=True, of=("self",))
            locked = rows.select_related("project").filter(pk=hook, active=True).first()
            if locked is not None:
                _look_for(locked, timezone.now() - LAG)


def _look_for(hook: Webhook, until: datetime) -> None:
    if HookEvent.LABEL_SETTLED in hook.events:
        for _ in range(BATCHES):
            if not _tell_labels(hook, until):
                break
    if HookEvent.ANNOTATOR_BAD in hook.events:
        _tell_annotators(hook, until)


def _tell_labels(hook: Webhook, until: datetime) -> bool:
    """Write down a batch of labels; return whether there may be more.

    The last one told is kept by time and id: a recomputation settles thousands in one moment.
    """
    later = Q(settled_at__gt=hook.labels_until)
    same_moment = Q(settled_at=hook.labels_until, pk__gt=hook.labels_after)
    rows = hook.project.questions.filter(later | same_moment, state=Question.State.SETTLED).filter(
        settled_at__gte=hook.labels_until, settled_at__lte=until
    )
    labels = list(rows.order_by("settled_at", "pk").values(*_COLUMNS)[:BATCH])
    if labels:
        _write(hook, HookEvent.LABEL_SETTLED, {"labels": [_label(row) for row in labels]})
    is_full = len(labels) == BATCH
    hook.labels_until = (labels[-1]["settled_at"] or until) if is_full else until
    hook.labels_after = labels[-1]["pk"] if is_full else ID_MAX
    hook.save(update_fields=["labels_until", "labels_after"])
    return is_full


def _label(row: Mapping[str, object]) -> dict[str, object]:
    return {
        "question": row["pk"],
        "kind": row["kind"],
        "tile": row["tile_id"],
        "image": row["tile__image_id"],
        "concept": row["concept__name"],
        "probability": row["probability"],
    }


def _tell_annotators(hook: Webhook, until: datetime) -> None:
    """Write down those whose answers were found bad, and who answered in the project.

    Visitors of other sites, who may be many and never come back, are not reported.
    """
    spells = SuspectSpell.objects.filter(
        started_at__gt=hook.spells_until, started_at__lte=until, annotator__site=None
    ).order_by("started_at")
    for spell in spells:
        answered = Answer.objects.filter(
            annotator=spell.annotator_id, question__project=hook.project_id
        )
        if answered.exists():
            data = {"annotator": spell.annotator_id, "since": spell.started_at.isoformat()}
            _write(hook, HookEvent.ANNOTATOR_BAD, data)
    Webhook.objects.filter(pk=hook.pk).update(spells_until=until)


def _write(hook: Webhook, event: HookEvent, data: dict[str, object]) -> Delivery:
    row = delivery(hook, str(event), data, slug=hook.project.slug)
    row.save()
    return row
