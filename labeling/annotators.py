"""What is known of those who answer: how reliable they are, what they mistake, their pace."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from labeling.aggregation import online
from labeling.models import Annotator, Answer, Project

RECENT = 1_000  # an annotator's newest answers, on which a record rests
SUSPECT = 0.6  # whose whole interval of reliability lies below, a reviewer should look at
LOOKED_AT = 1_000  # of those with the lowest reliability

# By annotator: answers, timed ones, median seconds, (truth, said) expected and by gold.
_RECORDS = """
SELECT who.id, figures.* FROM unnest(%s::bigint[]) AS who(id) CROSS JOIN LATERAL (
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
        WHERE answer.annotator_id = who.id
        ORDER BY answer.created_at DESC LIMIT %s
    ) AS said
) AS figures
"""


@dataclass(frozen=True)
class Confusion:
    """Answers by what is so and what was said; expected counts where truth is only believed."""

    yes_yes: float  # it is so, and they said yes
    yes_no: float  # it is so, and they said no
    no_no: float
    no_yes: float

    @property
    def answers(self) -> float:
        return self.yes_yes + self.yes_no + self.no_no + self.no_yes

    @property
    def sensitivity(self) -> float | None:
        """Share of yes where it is so."""
        return _share(self.yes_yes, self.yes_no)

    @property
    def specificity(self) -> float | None:
        """Share of no where it is not so."""
        return _share(self.no_no, self.no_yes)


@dataclass(frozen=True)
class Record:
    """What an annotator's newest answers show, up to a thousand of them."""

    answers: int
    timed: int  # those of which it is known how long they took
    seconds: float | None  # median for a tile: a challenge's seconds are shared among its tiles
    confusion: Confusion  # by what is believed now, gold included
    gold: Confusion  # by known truth alone


NOTHING = Record(0, 0, None, Confusion(0, 0, 0, 0), Confusion(0, 0, 0, 0))


def reliability(annotator: Annotator) -> tuple[float, float, float]:
    """(mean, low, high) of the chance that an answer is right; 90 % interval."""
    return online.reliability(annotator.confusion_counts)


def records(annotators: Iterable[Annotator]) -> dict[int, Record]:
    """By id. One query, which reads no more than the newest answers of each."""
    ids = [annotator.pk for annotator in annotators]
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, [ids, RECENT])
        found = {
            pk: Record(given, timed, seconds, Confusion(*counts[:4]), Confusion(*counts[4:]))
            for pk, given, timed, seconds, *counts in cursor
        }
    return {pk: found.get(pk, NOTHING) for pk in ids}


def suspects(*, project: Project | None = None) -> list[Annotator]:
    """Whom a reviewer should look at, the least reliable first; of one project or of all.

    Those whose answers turned bad, and those whose interval of reliability lies below .6; whoever
    is blocked was looked at.
    """
    candidates = Annotator.objects.filter(
        Q(reliability__lt=SUSPECT) | Q(suspect_since__isnull=False), blocked=False
    )
    if project is not None:
        theirs = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
        candidates = candidates.filter(Exists(theirs))
    worst = candidates.select_related("user").order_by("reliability", "pk")[:LOOKED_AT]
    return [one for one in worst if suspected(one)]


def suspected(annotator: Annotator) -> bool:
    """Whether a reviewer should look at them."""
    if annotator.blocked:
        return False
    return annotator.suspect or reliability(annotator)[2] < SUSPECT


def _share(right: float, wrong: float) -> float | None:
    return right / (right + wrong) if right + wrong else None
