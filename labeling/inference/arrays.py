"""A project's answers and their questions as arrays, by PostgreSQL's binary COPY."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from labeling.models import Project
from labeling.models.answers import COUNTED

Ids = npt.NDArray[np.int64]
Index = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HEADER, TRAILER = 19, 2  # bytes of PostgreSQL's binary COPY around its rows
CHUNK = 50_000  # rows converted at a time
TYPES = {  # of PostgreSQL, and how COPY writes them
    "int8": ">i8",
    "float8": ">f8",
    "int2": ">i2",
    "bool": "u1",
}

_ANSWERS = f"""
SELECT answer.id, question_id, annotator_id, value, weight,
    coalesce(uuid_hash_extended(challenge_id, 0), 0), answer.reason = 'gold',
    answer.reason = 'imported', annotator.site_id IS NOT NULL
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
WHERE question.project_id = {{project}} AND answer.id <= {{newest}} AND {COUNTED}
"""
_QUESTIONS = """
SELECT id, prior, exclusion_shift, probability, answers_count::bigint, yes_count::bigint,
    answers_weight,
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END,
    state = 'gold' AND NOT EXISTS (
        SELECT FROM labeling_goldmark AS mark
        WHERE mark.ended_at IS NULL AND mark.origin IN ('question', 'proposal') AND (
            mark.concept_id = question.concept_id AND mark.tile_id = question.tile_id
            OR mark.question_id = question.id
        )
    ), coalesce(model_probability, 'NaN'), tile_id, coalesce(concept_id, 0),
    coalesce(stated, 'NaN'), prior_shift
FROM labeling_question AS question
WHERE project_id = {project} AND (
    answers_count > 0 OR yes_count > 0
    OR EXISTS (SELECT FROM labeling_answer WHERE question_id = question.id)
)
"""


@dataclass(frozen=True)
class QuestionArrays:
    """Q questions that were ever answered, sorted by id, as they are stored."""

    id: Ids  # (Q,)
    prior: Floats  # (Q,) probability of yes before any answer
    exclusion: Floats  # (Q,) log-odds of it by answers about other concepts of the picture
    probability: Floats  # (Q,) posterior probability of yes
    answers_count: Ids  # (Q,)
    yes_count: Ids  # (Q,)
    answers_weight: Floats  # (Q,)
    verdict: npt.NDArray[np.int8]  # (Q,) 1 yes, 0 no, -1 unknown
    gold: Bools  # (Q,) chosen regardless of its answers, rather than decided because of them
    predicted: Floats  # (Q,) probability of yes by the project's model; NaN without one
    tile: Ids  # (Q,)
    concept: Ids  # (Q,) 0 of captions
    stated: Floats  # (Q,) probability of yes by an import or an author; NaN without one
    shift: Floats  # (Q,) log-odds of the prior by the model


@dataclass(frozen=True)
class AnswerArrays:
    """N counted answers, sorted by id, and the W annotators who gave them."""

    id: Ids  # (N,)
    question: Index  # (N,) index into the questions
    annotator: Index  # (N,) index into the annotators
    value: Bools  # (N,)
    weight: Floats  # (N,) of its challenge, as stored
    challenge: Ids  # (N,) a hash of its id; 0 without one
    check: Bools  # (N,) asked because the truth was known, or nearly
    imported: Bools  # (N,)
    visitor: Bools  # (N,) given by a visitor of another site
    annotators: Ids  # (W,) ids


def read(project: Project, *, newest: int) -> tuple[QuestionArrays, AnswerArrays]:
    """Read a project's answers up to the id `newest`, and all questions that have any.

    Answers are read before questions, so that every answer has its question.
    """
    answers = columns(
        _ANSWERS.format(project=project.pk, newest=newest),
        *("int8", "int8", "int8", "bool", "float8", "int8", "bool", "bool", "bool"),
    )
    rows = columns(
        _QUESTIONS.format(project=project.pk),
        *("int8", "float8", "float8", "float8", "int8", "int8"),
        *("float8", "int2", "bool", "float8", "int8", "int8", "float8", "float8"),
    )
    order = np.argsort(rows[0])
    questions = QuestionArrays(*(column[order] for column in rows))
    return questions, _answers(questions.id, answers)


def _answers(question_ids: Ids, columns: list[npt.NDArray[Any]]) -> AnswerArrays:
    order = np.argsort(columns[0])
    columns = [column[order] for column in columns]
    index = np.searchsorted(question_ids, columns[1])
    if len(question_ids):
        present = question_ids[index.clip(max=len(question_ids) - 1)] == columns[1]
        index = index[present]  # the others were deleted meanwhile
        columns = [column[present] for column in columns]
    ids, _, annotators, value, weight, challenge, check, imported, visitor = columns
    distinct, annotator = np.unique(annotators, return_inverse=True)
    return AnswerArrays(
        id=ids,
        question=index,
        annotator=annotator.astype(np.intp),
        value=value,
        weight=weight,
        challenge=challenge,
        check=check,
        imported=imported,
        visitor=visitor,
        annotators=distinct,
    )


def columns(query: str, *types: str) -> list[npt.NDArray[Any]]:
    """Return the columns of a query without NULLs, by their types; see `TYPES`."""
    fields = [("fields", ">i2")]
    for number, type_ in enumerate(types):
        fields += [(f"length{number}", ">i4"), (f"column{number}", TYPES[type_])]
    row = np.dtype(fields)
    parts = [
        [block[f"column{n}"].astype(row[f"column{n}"].newbyteorder("=")) for n in range(len(types))]
        for block in (np.frombuffer(data, row) for data in _rows(query, row.itemsize))
    ]
    empty = [np.zeros(0, row[f"column{n}"].newbyteorder("=")) for n in range(len(types))]
    whole = [np.concatenate(column) for column in zip(empty, *parts, strict=True)]
    return [c.astype(bool) if type_ == "bool" else c for c, type_ in zip(whole, types, strict=True)]


def _rows(query: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of whole rows, about CHUNK rows at a time."""
    kept = bytearray()
    skip = HEADER
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        for data in copy:
            kept += data
            if len(kept) >= size * CHUNK + skip:
                end = skip + (len(kept) - skip) // size * size
                yield bytes(kept[skip:end])
                del kept[:end]
                skip = 0
    yield bytes(kept[skip : len(kept) - TRAILER])
