"""All answers of a project, and what they are about, as arrays: no object an answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from labeling.aggregation.binary import BinaryAggregate
from labeling.models import Project

Ids = npt.NDArray[np.int64]
Index = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HEADER, TRAILER = 19, 2  # bytes of PostgreSQL's binary COPY around its rows
CHUNK = 50_000  # rows that are turned into an array at once
KINDS = {"int8": ">i8", "float8": ">f8", "int2": ">i2", "bool": "u1"}

_ANSWERS = """
SELECT answer.id, question_id, annotator_id, value
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN labeling_annotator AS who ON who.id = annotator_id
WHERE question.project_id = {project} AND answer.id <= {newest} AND NOT who.blocked
"""
_QUESTIONS = """
SELECT id, prior, coalesce(model_probability, 'NaN'), probability,
    answers_count::bigint, yes_count::bigint,
    CASE verdict WHEN true THEN 1::int2 WHEN false THEN 0::int2 ELSE -1::int2 END, state = 'gold'
FROM labeling_question AS question
WHERE project_id = {project} AND (
    answers_count > 0 OR yes_count > 0
    OR EXISTS (SELECT FROM labeling_answer WHERE question_id = question.id)
)
"""


@dataclass(frozen=True)
class Asked:
    """Q questions that were ever answered, by id, as they are stored."""

    id: Ids
    prior: Floats
    model_probability: Floats  # NaN: none
    probability: Floats
    count: Ids
    yes: Ids
    verdict: npt.NDArray[np.int8]  # -1: none
    gold: Bools  # whether it was asked as gold, rather than decided after it was answered


@dataclass(frozen=True)
class Given:
    """N answers in the order of their ids, and the W annotators who gave them, but for blocked."""

    id: Ids
    question: Index  # (N,) place among the questions asked
    annotator: Index  # (N,) place among the annotators
    value: Bools
    annotators: Ids  # (W,) ids


@dataclass(frozen=True)
class Found:
    """What the answers add up to, by place in `Asked` and `Given`."""

    inferred: BinaryAggregate
    count: Ids  # (Q,) answers
    yes: Ids  # (Q,)
    turned: dict[int, int]  # annotator's id → the id of the first answer that weighs nothing


def read(project: Project, *, newest: int) -> tuple[Asked, Given]:
    """What was said up to the answer `newest`. Answers before questions: none is without."""
    answers = columns(
        _ANSWERS.format(project=project.pk, newest=newest), "int8", "int8", "int8", "bool"
    )
    questions = columns(
        _QUESTIONS.format(project=project.pk),
        *("int8", "float8", "float8", "float8", "int8", "int8", "int2", "bool"),
    )
    order = np.argsort(questions[0])
    asked = Asked(*(column[order] for column in questions))
    return asked, _given(asked.id, answers)


def _given(asked: Ids, columns: list[npt.NDArray[Any]]) -> Given:
    order = np.argsort(columns[0])
    ids, questions, people, values = (column[order] for column in columns)
    place = np.searchsorted(asked, questions)
    if len(asked):
        there = asked[place.clip(max=len(asked) - 1)] == questions  # others are deleted meanwhile
        ids, place, people, values = (column[there] for column in (ids, place, people, values))
    annotators, annotator = np.unique(people, return_inverse=True)
    return Given(ids, place, annotator.astype(np.intp), values, annotators)


def columns(query: str, *kinds: str) -> list[npt.NDArray[Any]]:
    """The columns of a query without NULLs, in the machine's own byte order."""
    fields = [("fields", ">i2")]
    for number, kind in enumerate(kinds):
        fields += [(f"length{number}", ">i4"), (f"column{number}", KINDS[kind])]
    row = np.dtype(fields)
    parts = [
        [block[f"column{n}"].astype(row[f"column{n}"].newbyteorder("=")) for n in range(len(kinds))]
        for block in (np.frombuffer(data, row) for data in _rows(query, row.itemsize))
    ]
    empty = [np.zeros(0, row[f"column{n}"].newbyteorder("=")) for n in range(len(kinds))]
    whole = [np.concatenate(column) for column in zip(empty, *parts, strict=True)]
    return [c.astype(bool) if kind == "bool" else c for c, kind in zip(whole, kinds, strict=True)]


def _rows(query: str, size: int) -> Iterator[bytes]:
    """The bytes of whole rows, many at a time."""
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
