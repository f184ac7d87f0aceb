"""A project's progress and agreement, measured once in a while and kept in the cache for all."""

from dataclasses import asdict
from typing import Any, cast

from django.core.cache import cache
from django.utils import timezone

from labeling import agreement as agreements
from labeling import progress as project_progress
from labeling.agreement import ConceptAgreement
from labeling.models import Project

PROGRESS_SECONDS = 10
AGREEMENT_SECONDS = 60


def progress(project: Project) -> dict[str, int]:
    """Return the fields of `labeling.progress.Progress`, at most `PROGRESS_SECONDS` old."""
    stats = cache.get_or_set(
        _progress_key(project.pk),
        lambda: asdict(project_progress.measure(project=project)),
        PROGRESS_SECONDS,
    )
    return cast(dict[str, int], stats)


def agreement(project: Project) -> dict[str, Any]:
    """Return agreement in the project and by concept, at most `AGREEMENT_SECONDS` old.

    `whole` and each of `concepts` have the fields of `ConceptAgreement`, with the concept's id
    and name as `concept`; `measured_at` is an ISO 8601 time.
    """
    stats = cache.get_or_set(
        _agreement_key(project.pk), lambda: _agreement(project), AGREEMENT_SECONDS
    )
    return cast(dict[str, Any], stats)


def forget_all() -> None:
    """Measure all projects again when they are next looked at."""
    projects = Project.objects.values_list("pk", flat=True)
    cache.delete_many([key(pk) for pk in projects for key in (_progress_key, _agreement_key)])


def _progress_key(pk: int) -> str:
    return f"progress:{pk}"


def _agreement_key(pk: int) -> str:
    return f"agreement:{pk}"


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
