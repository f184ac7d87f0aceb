"""Take from an annotator what answers, that are gone, had shown about them."""

from collections.abc import Iterable, Mapping, Sequence

from labeling import answers, bulk_update, skip_debts
from labeling.aggregation.online import ConfusionCounts
from labeling.answers import FIGURES
from labeling.models import Annotator, Answer, Challenge, Question, Recomputation

COUNTS = "answers_count", "labels_count", "gold_count", "gold_right"
_COLUMNS = (*FIGURES, "suspect_since")
_SUBTRACTED = *COUNTS, *Annotator.COUNTS, "reliability", "skip_debt", "untold_until"


def restore(annotator: Annotator, challenge: Challenge, *, first_id: int) -> None:
    """Set a locked annotator to what they were before a challenge, or take its share off, and save.

    first_id: the smallest id of its answers. Where somebody else, such as a recomputation, has
    changed the annotator since, what its answers added is subtracted.
    """
    before, after = challenge.annotator_before, challenge.annotator_after
    if len(before) == len(after) == len(FIGURES):
        unchanged = answers.figures(annotator) == after
        if unchanged:
            _set(annotator, dict(zip(FIGURES, before, strict=True)))
        else:
            _subtract(annotator, before, after)
        _restore_spells(annotator, first_id=first_id)
        bulk_update.update([annotator], _COLUMNS)


def subtract(
    annotator: Annotator,
    questions: Sequence[Question],
    *,
    given: Mapping[int, Answer],
    challenges: Iterable[Challenge],
) -> None:
    """Subtract deleted answers from a locked annotator's counts, and save.

    given: the answer to each question, by id. challenges: those that have no answer left; the
    labels that came with them are taken off, since those of a single answer would tell which of
    several it settled; and each of them counts as skipped, up to where nothing waits yet, so that
    nobody looks at questions by answering and withdrawing. What the answers showed of the annotator
    is inferred again by the next recomputation; of somebody without any answer, nothing is known at
    once. Suspicion stays.
    """
    known = [question for question in questions if question.verdict is not None]
    right = sum(question.verdict == given[question.pk].value for question in known)
    annotator.answers_count = max(0, annotator.answers_count - len(questions))
    annotator.gold_count = max(0, annotator.gold_count - len(known))
    annotator.gold_right = max(0, annotator.gold_right - right)
    emptied = list(challenges)
    labels = sum(challenge.labels for challenge in emptied)
    annotator.labels_count = max(0, annotator.labels_count - labels)
    debt = min(annotator.skip_debt + len(emptied), skip_debts.FREE)
    annotator.skip_debt = max(annotator.skip_debt, debt)
    if not Answer.objects.filter(annotator=annotator).exists():
        annotator.answers_count = annotator.gold_count = annotator.gold_right = 0
        annotator.labels_count = 0
        annotator.confusion_counts = ConfusionCounts()
    bulk_update.update([annotator], _SUBTRACTED)


def request_recomputation(project_id: int) -> None:
    """Have the project recomputed soon: one that runs may have read what is gone.

    Call it at the end of a transaction: whoever recomputes locks this row last, too.
    """
    Recomputation.objects.update_or_create(project_id=project_id, defaults={"requested": True})


def _set(annotator: Annotator, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        setattr(annotator, name, type(getattr(annotator, name))(value))


def _subtract(annotator: Annotator, before: list[float], after: list[float]) -> None:
    added = {name: new - old for name, old, new in zip(FIGURES, before, after, strict=True)}
    for name in COUNTS:
        setattr(annotator, name, max(0, int(getattr(annotator, name) - added[name])))
    remaining = [max(0.0, getattr(annotator, name) - added[name]) for name in Annotator.COUNTS]
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
