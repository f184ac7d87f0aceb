"""What is known of annotators: reliability, confusions and pace; and whom to look at."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from labeling import prepared
from labeling.aggregation import online
from labeling.models import Annotator, Answer, Project
from labeling.models.annotators import CAME_HERE

RECENT = 1_000  # newest answers in a record
UNRELIABLE = 0.6  # reliability: a reviewer should look at those whose interval lies below it
CHECKED = 1_000  # annotators with the lowest reliability

# By annotator: answers, timed ones, median seconds, confusions by posterior and by gold.
_RECORDS = """
SELECT annotator.id, record.* FROM unnest(%s::bigint[]) AS annotator(id) CROSS JOIN LATERAL (
    SELECT count(*), count(seconds), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
        coalesce(sum(p) FILTER (WHERE value), 0), coalesce(sum(p) FILTER (WHERE NOT value), 0),
        coalesce(sum(1 - p) FILTER (WHERE NOT value), 0),
        coalesce(sum(1 - p) FILTER (WHERE value), 0),
        count(*) FILTER (WHERE gold AND verdict AND value),
        count(*) FILTER (WHERE gold AND verdict AND NOT value),
        count(*) FILTER (WHERE gold AND NOT verdict AND NOT value),
        count(*) FILTER (WHERE gold AND NOT verdict AND value)
    FROM (
        SELECT value, verdict, state = 'gold' AS gold, probability AS p,
            answer.seconds / greatest(cardinality(challenge.tiles), 1) AS seconds
        FROM labeling_answer AS answer
        JOIN labeling_question AS question ON question.id = question_id
        LEFT JOIN labeling_challenge AS challenge ON challenge.id = challenge_id
        WHERE answer.annotator_id = annotator.id
            AND (%s::bigint IS NULL OR question.project_id = %s)
        ORDER BY answer.created_at DESC LIMIT %s
    ) AS answer
) AS record
"""

_PROGRESS = """
SELECT answers_count + (SELECT count(*) FROM labeling_question WHERE author_id = annotator.id),
    labels_count
FROM labeling_annotator AS annotator WHERE id = %s
"""


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of answers by truth and answer; expected ones where the truth is a posterior."""

    true_positives: float  # the truth is yes, and so is the answer
    false_negatives: float  # the truth is yes, the answer no
    true_negatives: float
    false_positives: float

    @property
    def answers(self) -> float:
        return (
            self.true_positives + self.false_negatives + self.true_negatives + self.false_positives
        )

    @property
    def sensitivity(self) -> float | None:
        """Share of yes where the truth is yes; None without such answers."""
        return _share(self.true_positives, self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """Share of no where the truth is no; None without such answers."""
        return _share(self.true_negatives, self.false_positives)


@dataclass(frozen=True)
class Record:
    """An annotator's newest answers, up to RECENT of them."""

    answers: int
    timed: int  # of them, those with known seconds
    seconds: float | None  # median for a tile: a challenge's seconds are shared among its tiles
    confusion: ConfusionMatrix  # by the present posterior, gold included
    gold: ConfusionMatrix  # by known truth alone


EMPTY_RECORD = Record(0, 0, None, ConfusionMatrix(0, 0, 0, 0), ConfusionMatrix(0, 0, 0, 0))


def reliability(annotator: Annotator) -> tuple[float, float, float]:
    """Return (mean, low, high) of the probability of a right answer, with a 90 % interval."""
    return online.reliability(annotator.confusion_counts)


def progress(annotator: Annotator) -> tuple[int, int]:
    """Return how many answers and captions the annotator has given, and their `labels_count`.

    That is how often a label became certain with their answers. One that was asked again may become
    so more than once, or be open now: it is no number of labels.
    """
    ((answers, labels),) = prepared.fetch(_PROGRESS, [annotator.pk])
    return answers, labels


def records(
    annotators: Iterable[Annotator], *, project: Project | None = None
) -> dict[int, Record]:
    """Return the record of each by id, from their newest answers, by one query.

    project: in which alone; None is all.
    """
    project_id = project.pk if project else None
    ids = [annotator.pk for annotator in annotators]
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, [ids, project_id, project_id, RECENT])
        by_id = {
            pk: Record(
                answers, timed, seconds, ConfusionMatrix(*counts[:4]), ConfusionMatrix(*counts[4:])
            )
            for pk, answers, timed, seconds, *counts in cursor
        }
    return {pk: by_id.get(pk, EMPTY_RECORD) for pk in ids}


def to_review(*, project: Project | None = None) -> list[Annotator]:
    """Return whom a reviewer should look at, in one project or in all, the least reliable first.

    Those are suspect, or their interval of reliability lies below UNRELIABLE, and nobody has
    blocked them yet. Visitors of other sites are none of them: there are too many to look at each,
    each answers once, and what they answer weighs by what is known of it.
    """
    candidates = Annotator.objects.filter(
        CAME_HERE,
        Q(reliability__lt=UNRELIABLE) | Q(suspect_since__isnull=False),
        blocked=False,
    )
    if project is not None:
        answered_here = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
        candidates = candidates.filter(Exists(answered_here))
    worst = candidates.select_related("user").order_by("reliability", "pk")[:CHECKED]
    return [annotator for annotator in worst if needs_review(annotator)]


def needs_review(annotator: Annotator) -> bool:
    """Whether a reviewer should look at this annotator."""
    if annotator.blocked:
        return False
    return annotator.suspect or reliability(annotator)[2] < UNRELIABLE


def _share(right: float, wrong: float) -> float | None:
    return right / (right + wrong) if right + wrong else None
