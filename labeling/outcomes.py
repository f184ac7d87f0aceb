"""What an answer to a known question seems to change, so that the outcome does not tell it.

Gold never settles, and neither does a check. A person is told how many questions became certain or
disputed by their challenge; so a known question takes over what an open one of the same challenge
has changed, drawn by a secret hash, and of those with the same answer where there are any. Thus
known and open questions change as much in the mean, whatever the project, the concept and the hour
are like. In a challenge without open questions it is drawn from what answers to such challenges of
the project changed of late.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from django.core.cache import cache
from django.utils.crypto import salted_hmac

REMEMBERED = 50  # outcomes of single open questions of a project
REMEMBERED_SECONDS = 30 * 24 * 3600


class ToldChange(NamedTuple):
    """What an answer to a question changed, as it is told."""

    settled: bool = False
    disputed: bool = False


class Answered(NamedTuple):
    """An answer to a question, whether it is known (gold, or a check), and what it changed."""

    question: int
    value: bool
    known: bool
    change: ToldChange


def told(answered: Sequence[Answered], *, annotator: int, project: int) -> list[ToldChange]:
    """Return what is told of each answer of a challenge, in their order."""
    open_ones = [each for each in answered if not each.known]
    if len(answered) == 1:
        return [_told_of_one(answered[0], annotator, project)]
    return [_told(each, open_ones, annotator) if each.known else each.change for each in answered]


def _told(known: Answered, open_ones: Sequence[Answered], annotator: int) -> ToldChange:
    same = [each for each in open_ones if each.value == known.value] or open_ones
    if not same:
        return ToldChange()
    return dice(annotator=annotator, question=known.question).choice(same).change


def _told_of_one(answered: Answered, annotator: int, project: int) -> ToldChange:
    key = f"outcomes:{project}"
    remembered = [ToldChange(*each) for each in cache.get(key, [])]
    if not answered.known:
        cache.set(key, [*remembered, answered.change][-REMEMBERED:], REMEMBERED_SECONDS)
        return answered.change
    if not remembered:
        return ToldChange()
    return dice(annotator=annotator, question=answered.question).choice(remembered)


def dice(*, annotator: int, question: int) -> random.Random:
    """Return the dice for an annotator's answer to a question: always the same, and secret."""
    return random.Random(salted_hmac("labeling.outcomes", f"{annotator} {question}").digest())
