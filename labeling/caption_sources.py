"""What a new caption's prior owes to who wrote it, by what is known of their earlier ones."""

from collections.abc import Collection, Mapping

from labeling.aggregation.online import log_odds, probability
from labeling.models import CaptionTrust, TextSource
from labeling.models.projects import movable

Scope = CaptionTrust.Scope


def prior(stated: float, shift: float) -> float:
    """Return the prior of a caption: what is stated, moved by what is known of its source."""
    return movable(probability(log_odds(stated) + shift)) if shift else stated


def shift(row: CaptionTrust) -> float:
    """Return what a source adds to the log-odds of what is stated."""
    return log_odds(row.trust) - log_odds(row.expected)


def shifts(
    project: int, source: str, text_sources: Collection[int | None]
) -> Mapping[int | None, float]:
    """Return by the ids of text sources what each adds to the log-odds of what is stated.

    source: a `Question.Source`. Captions of annotators, and others without a text source, have
    None there.
    """
    rows = list(CaptionTrust.objects.filter(project=project, source=source))
    if not rows:
        return dict.fromkeys(text_sources, 0.0)
    known = {(row.scope, row.vendor, row.imported_by_id): shift(row) for row in rows}
    found = TextSource.objects.filter(pk__in=[each for each in text_sources if each is not None])
    columns = "pk", "vendor", "imported_by", "imported_by__vendor"
    places = {
        pk: (own or of_all, record) for pk, own, record, of_all in found.values_list(*columns)
    }
    everybody = known.get((Scope.ALL, "", None), 0.0)
    result: dict[int | None, float] = {}
    for each in text_sources:
        vendor, record = places.get(each or 0, ("", None))
        of_vendor = known.get((Scope.VENDOR, vendor, None), everybody) if vendor else everybody
        result[each] = known.get((Scope.IMPORT, vendor, record), of_vendor)
    return result
