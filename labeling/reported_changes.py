"""What an answer to a known question seems to change, so that the outcome does not tell it.

Gold never settles, and neither does a check. It is reported how many questions became certain or
disputed by their challenge; so a known question takes over what an open one of the same challenge
has changed, drawn by a secret hash, and of those with the same answer where there are any. Thus
known and open questions change as much in the mean, whatever the project, the concept and the hour
are like. In a challenge without open questions it is drawn from what answers to challenges of the
project changed of late: from those of the same value where there are several, since a single one
would be repeated until another comes.

Where a known question was answered wrong, the other answers of the challenge weigh little, and
hardly anything becomes certain. Whoever answers one tile wrong on purpose would see by that whether
it is known: so what is reported of such a challenge is drawn from the project's late ones as well.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from django.core.cache import cache
from django.utils.crypto import salted_hmac

REMEMBERED = 100  # changes by answers of a value to open questions of a project, by their kind
LEAST = 10  # of the same value, without which those of the other are drawn, too
REMEMBERED_SECONDS = 30 * 24 * 3600


class ReportedChange(NamedTuple):
    """What an answer to a question changed, as it is reported to its author."""

    settled: bool = False
    disputed: bool = False


class Answered(NamedTuple):
    """An answer to a question, whether it is known (gold, or a check), and what it changed."""

    question: int
    value: bool
    known: bool
    change: ReportedChange


def reported(
    answered: Sequence[Answered], *, annotator: int, project: int, passed: bool
) -> list[ReportedChange]:
    """Return what is reported of each answer of a challenge, in their order.

    passed: False where what is known was answered wrong.
    """
    open_ones = [each for each in answered if not each.known]
    key = f"reported-changes:{project}:{len(answered) > 1}"
    if passed and open_ones:
        _remember(key, open_ones)
        return [
            _drawn(each, open_ones, annotator) if each.known else each.change for each in answered
        ]
    remembered = _remembered(key)
    return [_drawn(each, remembered, annotator, least=LEAST) for each in answered]


def _remember(key: str, open_ones: Sequence[Answered]) -> None:
    """Keep the newest changes of either value: one of them may be rare."""
    late = [[each.value, *each.change] for each in open_ones] + cache.get(key, [])
    kept = [[row for row in late if row[0] == value][:REMEMBERED] for value in (True, False)]
    cache.set(key, [*kept[0], *kept[1]], REMEMBERED_SECONDS)


def _remembered(key: str) -> list[Answered]:
    return [
        Answered(0, value, False, ReportedChange(*change)) for value, *change in cache.get(key, [])
    ]


def _drawn(
    answered: Answered, some: Sequence[Answered], annotator: int, least: int = 1
) -> ReportedChange:
    """Return what one of these answers has changed, of the same value where there are so many."""
    same = [each for each in some if each.value == answered.value]
    drawn = same if len(same) >= least else some
    if not drawn:
        return ReportedChange()
    return _dice(annotator=annotator, question=answered.question).choice(drawn).change


def _dice(*, annotator: int, question: int) -> random.Random:
    """Return the dice for an annotator's answer to a question: always the same, and secret."""
    return random.Random(
        salted_hmac("labeling.reported_changes", f"{annotator} {question}").digest()
    )


def unit(question: int) -> float:
    """Return a question's secret number in [0, 1), always the same."""
    return random.Random(
        salted_hmac("labeling.reported_changes.unit", str(question)).digest()
    ).random()
