"""Who has a question in hand: never more people at once than it still needs answers.

A question holds, for each who has it in hand, until when. To take one more in hand is a single
statement that passes over rows which somebody else is changing: nobody waits, and what a row says
when it is locked is what counts.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from labeling.aggregation.online import NEWCOMER_EVIDENCE, log_odds
from labeling.models import Project
from labeling.question_state import MODEL_ANSWER_SHIFT

RESERVATION_TIME = timedelta(
    minutes=2
)  # after that an answer still counts, but others are asked as well
EDGE = 1e-6

# How many more answers a question needs: as many as its project and its reviewer want of it (a
# model that says the same stands for one: `beliefs.answers_needed`), and as many as settle it
# should they all agree, taken for independent: rather fewer than more. At least one, and no more
# than the cap allows.
_NEEDS = """greatest(1, {q}.answers_wanted - {q}.answers_count, least(
    %(cap)s - {q}.answers_count,
    greatest(
        %(least)s - {q}.answers_count - (%(least)s > 1 AND %(heard)s <=
            CASE WHEN {q}.probability >= 0.5 THEN {q}.prior_shift ELSE -{q}.prior_shift END)::int,
        ceil((%(certain)s - abs(
            ln(greatest({q}.probability, %(edge)s) / greatest(1 - {q}.probability, %(edge)s))
        )) / %(step)s)
    )
))"""
_HELD = "(SELECT count(*) FROM unnest({q}.reservations) AS until WHERE until > %(now)s)"

_TAKE = """
WITH free AS (
    SELECT id FROM labeling_question AS q
    WHERE id = ANY(%(wanted)s) AND state = 'open' AND {free}
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE labeling_question AS q
SET reservations = %(until)s
    || array(SELECT until FROM unnest(q.reservations) AS until WHERE until > %(now)s)
FROM free WHERE q.id = free.id
RETURNING q.id
"""

_GIVE_BACK = """
WITH mine AS (
    SELECT id FROM labeling_question
    WHERE id = ANY(%(questions)s) AND reservations @> ARRAY[%(until)s]
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE labeling_question AS q
SET reservations = reservations[:array_position(reservations, %(until)s) - 1]
    || reservations[array_position(reservations, %(until)s) + 1:]
FROM mine WHERE q.id = mine.id
"""


def free(question: str) -> str:
    """SQL: whether fewer people have it in hand than it needs. Reads the names of `terms`."""
    free = f"(cardinality({{q}}.reservations) = 0 OR {_HELD} < {_NEEDS})"
    return free.format(q=question)


def terms(project: Project, *, now: datetime) -> dict[str, Any]:
    """What `free` is reckoned with."""
    return {
        "now": now,
        "cap": project.answers_cap,
        "least": project.answers_min,
        "heard": MODEL_ANSWER_SHIFT,
        "certain": log_odds(project.settle_at),
        "edge": EDGE,
        "step": NEWCOMER_EVIDENCE,
    }


def reserve(
    questions: Collection[int], *, project: Project, until: datetime, now: datetime
) -> set[int]:
    """Take in hand those of the questions that are open and need one more; gives which.

    Call it inside a transaction, and wait for no other row in it afterwards.
    """
    if not questions:
        return set()
    values = terms(project, now=now) | {"wanted": list(questions), "until": until}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE.format(free=free("q")), values)
        return {pk for (pk,) in cursor.fetchall()}


def release(questions: Sequence[int], *, until: datetime | None) -> None:
    """Let others have what was taken until then; what has expired is gone already."""
    if until is not None and questions:
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_BACK, {"questions": list(questions), "until": until})
