"""Answers that were taken back are final: else one could try what each answer to a question brings.

Whoever undoes an answer may answer that same challenge again, and is shown nothing of what it
changes. In other challenges a question is never put to somebody who has taken an answer to it back;
nor, on the same day, to anybody at the address from which that was done: a throw-away pseudonym
would go on where another one stopped.
"""

from collections.abc import Collection
from datetime import datetime

from django.utils import timezone

from labeling import prepared, showings

_NOTE = """
INSERT INTO labeling_takenback AS taken (annotator_id, question, address)
SELECT %(annotator)s, question,
    coalesce((SELECT id FROM labeling_addressday WHERE key = %(key)s), 0)
FROM unnest(%(questions)s::bigint[]) AS question
ON CONFLICT (annotator_id, question) DO UPDATE SET address = EXCLUDED.address
"""
# Hashed once a query, and empty for nearly everybody.
_MAY_BE_ASKED = """{question} NOT IN (
    SELECT question FROM labeling_takenback
    WHERE annotator_id = %(annotator)s OR (address = %(address)s AND address <> 0)
)"""
_MOVE = """
INSERT INTO labeling_takenback (annotator_id, question, address)
SELECT %(to)s, question, address FROM labeling_takenback WHERE annotator_id = %(of)s
ON CONFLICT (annotator_id, question) DO NOTHING
"""
_FORGET_ADDRESSES = """
UPDATE labeling_takenback AS taken SET address = 0 WHERE address <> 0
    AND NOT EXISTS (SELECT FROM labeling_addressday WHERE id = taken.address)
"""
_FORGET_NOBODYS = "DELETE FROM labeling_takenback WHERE annotator_id IS NULL AND address = 0"


def note(
    *,
    annotator: int,
    questions: Collection[int],
    project: int,
    address: str = "",
    now: datetime | None = None,
) -> None:
    """Note that somebody took back their answers to questions of a project.

    address: where the request comes from (`addresses.client_address`); empty: nobody knows.
    """
    if questions:
        key = showings.key(address, project, now=now or timezone.now()) if address else ""
        values = {"annotator": annotator, "questions": list(questions), "key": key}
        prepared.execute(_NOTE, values)


def move(*, of: int, to: int) -> None:
    """Let what one annotator took back count as taken back by another, too."""
    prepared.execute(_MOVE, {"of": of, "to": to})


def may_be_asked(question: str) -> str:
    """Return SQL: whether a question was not taken back by who asks, or at their address today.

    question: its id in the query, whose parameters are `annotator` and those of `Showings`.
    """
    return _MAY_BE_ASKED.format(question=question)


def forget() -> None:
    """Forget the addresses whose day is deleted, and what is nobody's any more."""
    prepared.execute(_FORGET_ADDRESSES, {})
    prepared.execute(_FORGET_NOBODYS, {})
