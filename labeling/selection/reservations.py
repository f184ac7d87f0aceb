"""Reservations of questions: never more people asked at once than a question still needs.

A question holds the expiry time of each of its reservations. Reserving is a single statement that
skips rows which somebody else is changing, so that nobody waits, and that checks a row as it is
once it is locked.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from labeling import prepared
from labeling.aggregation.online import EDGE, NEWCOMER_EVIDENCE, log_odds
from labeling.models import Project
from labeling.question_state import MODEL_ANSWER_SHIFT, ROUNDING

# After that time an answer still counts, but others are asked as well.
RESERVATION_TIME = timedelta(minutes=2)

# How many more answers a question needs: as many as its project and its reviewer ask for (a model
# that agrees stands for one: `question_state.answers_needed`), and as many average answers as
# settle it if they agree, taken for independent: rather too few than too many. At least one, and
# no more than the cap allows. The answers that it has count by their weight.
_NEEDED = """greatest(1, {q}.answers_wanted - {q}.answers_count, least(
    ceil(%(answers_cap)s - {q}.answers_weight - %(rounding)s),
    greatest(
        ceil(%(answers_min)s - {q}.answers_weight - %(rounding)s) - (%(answers_min)s > 1
            AND %(model_answer_shift)s <=
            ({q}.prior_shift + {q}.exclusion_shift)
            * CASE WHEN {q}.probability >= 0.5 THEN 1 ELSE -1 END)::int,
        ceil((%(settle_log_odds)s - abs(
            ln(greatest({q}.probability, %(edge)s) / greatest(1 - {q}.probability, %(edge)s))
        )) / %(newcomer_evidence)s)
    )
))"""
_ACTIVE = "(SELECT count(*) FROM unnest({q}.reservations) AS expiry WHERE expiry > %(now)s)"

_RESERVE = """
WITH available AS (
    SELECT id FROM labeling_question AS q
    WHERE id = ANY(%(questions)s) AND state = 'open' AND {available}
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE labeling_question AS q
SET reservations = %(until)s
    || array(SELECT expiry FROM unnest(q.reservations) AS expiry WHERE expiry > %(now)s)
FROM available WHERE q.id = available.id
RETURNING q.id
"""

_RELEASE = """
WITH reserved AS (
    SELECT q.id, released.expiry
    FROM labeling_question AS q
    JOIN unnest(%(questions)s::bigint[], %(expiries)s::timestamptz[]) AS released(id, expiry)
        ON released.id = q.id AND q.reservations @> ARRAY[released.expiry]
    ORDER BY q.id FOR NO KEY UPDATE OF q
)
UPDATE labeling_question AS q
SET reservations = reservations[:array_position(reservations, expiry) - 1]
    || reservations[array_position(reservations, expiry) + 1:]
FROM reserved WHERE q.id = reserved.id
"""


def available(question: str) -> str:
    """Return SQL: whether a question has fewer reservations than it needs answers.

    `question` is the row's name in the query, whose parameters are those of `parameters`.
    """
    condition = f"(cardinality({{q}}.reservations) = 0 OR {_ACTIVE} < {_NEEDED})"
    return condition.format(q=question)


def parameters(project: Project, *, now: datetime) -> dict[str, Any]:
    """Return the query parameters that `available` reads."""
    return {
        "now": now,
        "answers_cap": project.answers_cap,
        "answers_min": project.answers_min,
        "rounding": ROUNDING,
        "model_answer_shift": MODEL_ANSWER_SHIFT,
        "settle_log_odds": log_odds(project.settle_at),
        "edge": EDGE,
        "newcomer_evidence": NEWCOMER_EVIDENCE,
    }


def reserve(
    questions: Collection[int], *, project: Project, until: datetime, now: datetime
) -> set[int]:
    """Reserve those of the questions that are open and available; return their ids.

    Call it inside a transaction, and wait for no other row in it afterwards.
    """
    if not questions:
        return set()
    values = parameters(project, now=now) | {"questions": list(questions), "until": until}
    return {pk for (pk,) in prepared.fetch(_RESERVE.format(available=available("q")), values)}


def release(reservations: Mapping[int, datetime]) -> None:
    """Release the reservations, given as question id → expiry; those that are gone are skipped.

    All rows are locked in one statement in the order of their ids, as all that change several
    questions do: two calls in one transaction could wait for each other in a circle with those.
    """
    if reservations:
        values: dict[str, Any] = {
            "questions": list(reservations),
            "expiries": list(reservations.values()),
        }
        prepared.execute(_RELEASE, values)
