"""Take from an annotator what answers, that are gone, had shown about them."""

from labeling import answers, bulk_update
from labeling.aggregation.online import ConfusionCounts
from labeling.models import Annotator, Challenge, Recomputation

COUNTS = "answers_count", "labels_count", "gold_count", "gold_right"
_CONFUSIONS = "true_positives", "false_negatives", "true_negatives", "false_positives"
_COLUMNS = (*answers.FIGURES, "suspect_since")


def restore(annotator: Annotator, challenge: Challenge, *, first_id: int) -> None:
    """Set a locked annotator to what they were before a challenge, or take its share off, and save.

    first_id: the smallest id of its answers. Where somebody else, such as a recomputation, has
    changed the annotator since, what its answers added is subtracted.
    """
    before, after = challenge.annotator_before, challenge.annotator_after
    if len(before) == len(after) == len(answers.FIGURES):
        unchanged = answers.figures(annotator) == after
        if unchanged:
            _set(annotator, dict(zip(answers.FIGURES, before, strict=True)))
        else:
            _subtract(annotator, before, after)
        _restore_spells(annotator, first_id=first_id)
        bulk_update.update([annotator], _COLUMNS)


def request_recomputation(project_id: int) -> None:
    """Have the project recomputed soon: one that runs may have read what is gone.

    Call it at the end of a transaction: whoever recomputes locks this row last, too.
    """
    Recomputation.objects.update_or_create(project_id=project_id, defaults={"requested": True})


def _set(annotator: Annotator, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        setattr(annotator, name, type(getattr(annotator, name))(value))


def _subtract(annotator: Annotator, before: list[float], after: list[float]) -> None:
    added = {name: new - old for name, old, new in zip(answers.FIGURES, before, after, strict=True)}
    for name in COUNTS:
        setattr(annotator, name, max(0, int(getattr(annotator, name) - added[name])))
    remaining = [max(0.0, getattr(annotator, name) - added[name]) for name in _CONFUSIONS]
    annotator.confusion_counts = ConfusionCounts(*remaining)


def _restore_spells(annotator: Annotator, *, first_id: int) -> None:
    """Forget the suspect spell that the answers began; let one that they ended go on."""
    spells = annotator.suspect_spells
    spells.filter(start__gte=first_id).delete()
    ended = spells.filter(stop=first_id).first()
    if ended is not None and not spells.filter(stop=None).exists():
        ended.stop = ended.ended_at = None
        ended.save(update_fields=["stop", "ended_at"])
    current = spells.filter(stop=None).first()
    annotator.suspect_since = current.started_at if current else None
