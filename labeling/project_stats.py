"""A project's progress, activity and agreement: measured now and then, kept in the cache for all.

What takes long to measure is kept longer, so that at most `MEASURING_SHARE` of the time is spent
on it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from labeling import activity as project_activity
from labeling import agreement as agreements
from labeling import gold, replica
from labeling import progress as project_progress
from labeling.activity import Activity
from labeling.agreement import ConceptAgreement
from labeling.captcha import statistics
from labeling.models import Event, Project
from labeling.progress import Progress
from labeling.selection import texts as text_questions
from labeling.selection.texts import Supply

PROGRESS_SECONDS = 10
SITE_SECONDS = 60
PUBLIC_SECONDS = 600
ACTIVITY_SECONDS = 30
AGREEMENT_SECONDS = 60
TEXTS_SECONDS = 30
GOLD_SECONDS = 30
MEASURING_SHARE = 0.02
STALE_FACTOR = 10  # times as long as it is good, for which it is kept while it is measured again
PATIENCE = 3  # seconds
MEASURING_SECONDS = 60  # after which somebody who measures is taken for gone


def progress(project: Project) -> Progress:
    """Return a project's progress, about `PROGRESS_SECONDS` old at most."""
    fields = cached(
        _progress_key(project.pk),
        lambda: asdict(project_progress.measure(project=project)),
        PROGRESS_SECONDS,
    )
    return Progress(**fields)


def public_progress(project: Project) -> Progress:
    """Return what anybody may know of a project's progress, about `PUBLIC_SECONDS` old.

    Gold never settles. Whoever saw at once what an answer of theirs changed would know what is
    gold.
    """
    fields = cached(
        f"public-progress:{project.pk}", lambda: asdict(progress(project)), PUBLIC_SECONDS
    )
    return Progress(**fields)


def activity(project: Project) -> Activity:
    """Return what came in by day, about `ACTIVITY_SECONDS` old at most."""
    fields = cached(
        _activity_key(project.pk),
        lambda: asdict(project_activity.measure(project=project)),
        ACTIVITY_SECONDS,
    )
    return Activity(**fields)


def agreement(project: Project) -> dict[str, Any]:
    """Return agreement in the project and by concept, about `AGREEMENT_SECONDS` old at most.

    `whole` and each of `concepts` have the fields of `ConceptAgreement`, with the concept's id
    and name as `concept`; `measured_at` is an ISO 8601 time.
    """
    return cached(_agreement_key(project.pk), lambda: _agreement(project), AGREEMENT_SECONDS)


def begun_today(project: Project) -> dict[int, int]:
    """Return by site how many attempts were begun today, about `SITE_SECONDS` old at most."""
    kept = cached(
        f"sites-today:{project.pk}",
        lambda: {
            "counts": [(site.pk, statistics.begun_today(site)) for site in project.sites.all()]
        },
        SITE_SECONDS,
    )
    return dict(kept["counts"])


def gold_missing(project: Project) -> int:
    """Return how many pictures are wanted as gold, about `GOLD_SECONDS` old at most."""
    fields = cached(
        _gold_key(project.pk),
        lambda: {"missing": sum(each.missing for each in gold.progress(project))},
        GOLD_SECONDS,
    )
    return int(fields["missing"])


def texts(project: Project) -> Supply:
    """Return what a project's text questions can be made of, about `TEXTS_SECONDS` old at most."""
    fields = cached(
        _texts_key(project.pk),
        lambda: text_questions.supply(project)._asdict(),
        TEXTS_SECONDS,
    )
    return Supply(**fields)


def cached(key: str, measure: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """Return what is kept under the key; measure and keep it where there is nothing.

    One alone measures: what has grown old is given to all others meanwhile, and where there is
    nothing they wait for `PATIENCE` at most.
    """
    kept: dict[str, Any] | None = cache.get(key)
    if kept is None or kept["good_until"] <= time.time():
        if _may_measure(key):
            return _measure(key, measure, seconds)
        kept = kept or _wait(key)
    return _measure(key, measure, seconds) if kept is None else kept["stats"]


def forget(project: Project) -> None:
    """Measure a project again when it is next looked at."""
    _forget([project.pk])


def follow_changes(project: Project) -> None:
    """Measure a project again if its history has grown: whoever changed it sees what came of it."""
    newest = Event.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True)
    seen, event = f"event-seen:{project.pk}", newest.first()
    if cache.get(seen) != event:
        forget(project)
        cache.set(seen, event)


def forget_all() -> None:
    """Measure all projects again when they are next looked at."""
    _forget(Project.objects.values_list("pk", flat=True))


def _forget(projects: Iterable[int]) -> None:
    """Forget what is kept, and whoever measures it: what they saw may be out of date."""
    keys = [key(pk) for pk in projects for key in _keys()]
    cache.delete_many([*keys, *map(_measuring, keys)])


def _measure(key: str, measure: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """Measure and keep it; let others measure again, even if it fails."""
    try:
        started = time.monotonic()
        stats = replica.read(measure)
        good = max(seconds, round((time.monotonic() - started) / MEASURING_SHARE))
        cache.set(key, {"stats": stats, "good_until": time.time() + good}, good * STALE_FACTOR)
    finally:
        cache.delete(_measuring(key))
    return stats


def _wait(key: str) -> dict[str, Any] | None:
    """Wait for whoever measures; return what they kept."""
    until = time.monotonic() + PATIENCE
    while cache.get(_measuring(key)) and time.monotonic() < until:
        time.sleep(0.05)
    kept: dict[str, Any] | None = cache.get(key)
    return kept


def _may_measure(key: str) -> bool:
    """Take the right to measure, unless somebody has it."""
    return bool(cache.add(_measuring(key), True, MEASURING_SECONDS))


def _measuring(key: str) -> str:
    return f"{key}:measuring"


def _keys() -> tuple[Callable[[int], str], ...]:
    """Return the functions that name what is kept of a project."""
    return _progress_key, _activity_key, _agreement_key, _gold_key, _texts_key


def _progress_key(pk: int) -> str:
    return f"progress:{pk}"


def _activity_key(pk: int) -> str:
    return f"activity:{pk}"


def _agreement_key(pk: int) -> str:
    return f"agreement:{pk}"


def _gold_key(pk: int) -> str:
    return f"gold-missing:{pk}"


def _texts_key(pk: int) -> str:
    return f"texts:{pk}"


def _agreement(project: Project) -> dict[str, Any]:
    measured = agreements.measure(project=project)
    return {
        "whole": _row(measured.whole),
        "concepts": [_row(concept) for concept in measured.concepts],
        "measured_at": timezone.now().isoformat(),
    }


def _row(row: ConceptAgreement) -> dict[str, Any]:
    """Return a row that JSON can hold."""
    concept = row.concept and {"id": row.concept.pk, "name": row.concept.name}
    fields = {name: value for name, value in vars(row).items() if name != "concept"}
    return {"concept": concept, **fields}
