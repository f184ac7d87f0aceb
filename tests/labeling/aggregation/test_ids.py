"""Columns of any ids as integers: the same as the plain way, and refused where no id is meant."""

import datetime
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.aggregation import ids
from labeling.aggregation.answers import encode, prior_rows

text = st.text(min_size=1, max_size=5)
kinds: list[st.SearchStrategy[Any]] = [
    text,
    st.text(alphabet="a\0é\U0001f986", min_size=1, max_size=3),
    st.binary(max_size=3),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(-(2**80), 2**80),
    st.integers(2**63 - 2, 2**63 + 2),
    st.floats(allow_nan=False),
    st.dates(),
    st.tuples(st.integers(0, 3), text),
]


@given(st.one_of(*(st.lists(kind, min_size=1, max_size=30) for kind in kinds)))
def test_every_entry_is_the_id_at_its_place_and_ids_are_sorted(entries: list[Any]) -> None:
    column = np.fromiter(entries, object, len(entries))
    distinct, places = ids.index(column, "task")
    assert [distinct.tolist()[place] for place in places] == entries
    assert distinct.tolist() == sorted(set(entries))
    assert places.dtype == np.int32


@given(st.one_of(*(st.lists(kind, min_size=1, max_size=30) for kind in kinds[:2] + kinds[3:8])))
def test_a_list_is_a_column_too(entries: list[Any]) -> None:
    distinct, places = ids.index(ids.column(entries, "task"), "task")
    assert [distinct.tolist()[place] for place in places] == entries


@given(
    st.sampled_from(["int8", "uint8", "int16", "int64", "uint64"]),
    st.lists(st.integers(0, 255), min_size=1, max_size=40),
    st.booleans(),
)
def test_integers_of_any_size_are_found(dtype: str, steps: list[int], high: bool) -> None:
    info = np.iinfo(dtype)
    entries = [info.max - step if high else info.min + step for step in steps]
    distinct, places = ids.index(np.array(entries, dtype), "task")
    assert distinct.dtype == dtype
    assert distinct[places].tolist() == entries
    assert distinct.tolist() == sorted(set(entries))


pairs = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=60
)


@given(pairs)
def test_encoded_answers_are_the_last_ones_by_task_and_worker(
    rows: list[tuple[int, int, str]],
) -> None:
    found = encode(*zip(*rows, strict=True))
    last = {(task, worker): label for task, worker, label in rows}
    encoded = zip(
        found.tasks[found.task].tolist(),
        found.workers[found.worker].tolist(),
        found.classes[found.label].tolist(),
        strict=True,
    )
    assert list(encoded) == [(*pair, last[pair]) for pair in sorted(last)]
    votes = found.votes()
    assert votes.sum() == len(last)
    assert votes.shape == (len({task for task, _ in last}), len({label for *_, label in rows}))


def test_it_tells_apart_what_looks_alike() -> None:
    found = encode(["1", "01", "1 "], ["a"] * 3, ["x"] * 3)
    assert found.tasks.tolist() == ["01", "1", "1 "]


def test_texts_of_any_length_are_ids() -> None:
    long = "x" * 10**6
    found = encode([long, "y"], [1, 1], [0, 0])
    assert found.tasks.tolist() == [long, "y"]


NAT = np.datetime64("NaT")


@pytest.mark.parametrize(
    "column",
    [
        [1.0, np.nan],
        [None, None],
        ["a", None],
        np.array(["a", None], object),
        np.array([1, np.nan], object),
        np.array(["2024-02-29", "NaT"], "datetime64[D]"),
        np.ma.array([1, 2], mask=[True, False]),
        np.array([NAT, np.datetime64("2024-01-01")], object),
    ],
)
def test_nothing_is_no_id(column: Any) -> None:
    with pytest.raises(ValueError, match="the worker column must not hold NaN or nothing"):
        encode([1, 2], column, [1, 1])


@pytest.mark.parametrize("column", [["", "a"], np.array(["a", ""])])
def test_empty_text_is_no_id(column: Any) -> None:
    with pytest.raises(ValueError, match="the label column must not hold empty text"):
        encode([1, 2], [1, 1], column)


@pytest.mark.parametrize(
    "column",
    [["1", 1], [1, "1"], [datetime.date(2024, 1, 1), "x"], [b"a", "a"], [{1}, {2}], [[1], "a"]],
)
def test_ids_of_several_kinds_are_not_made_alike(column: Iterable[Any]) -> None:
    with pytest.raises(ValueError, match="the worker column mixes kinds of ids"):
        encode([1, 2], column, [1, 1])  # type: ignore[arg-type]


@pytest.mark.parametrize("column", [[[1], [2]], [[1], [2, 3]], np.zeros((2, 1)), "ab", 7])
def test_a_column_is_flat(column: Any) -> None:
    with pytest.raises(ValueError, match="the worker column must be a flat list or array"):
        encode([1, 2], column, [1, 1])


def test_a_table_that_memory_cannot_hold_is_refused() -> None:
    many = np.arange(20_000)
    with pytest.raises(ValueError, match="20,000 classes times 20,000 tasks are too many"):
        encode(many, many, many).votes()


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ([[0.5, np.nan], [0.5, 0.5]], "the prior of task 1 does not hold probabilities"),
        ([[0.5, 0.5], [0.5, np.inf]], "the prior of task 2 does not hold probabilities"),
        ([[0.5, 0.5], [-np.inf, 1]], "the prior of task 2 does not hold probabilities"),
        ([[0.5, 0.5], [0, 0]], "the prior of task 2 does not hold probabilities"),
        ([[0.5, 0.5], [1e308, 1e308]], "the prior of task 2 does not hold probabilities"),
        ([["a", "b"], ["c", "d"]], "nothing but numbers"),
        ([[0.5, 0.5], [0.5]], "nothing but numbers"),
        ({1: [0.5, 0.5, 0]}, "must hold 2 numbers"),
        ({1: 0.5}, "must hold 2 numbers"),
        ({1: [None, "a"]}, "nothing but numbers"),
    ],
)
def test_a_prior_holds_probabilities(prior: Any, message: str) -> None:
    answers = encode([1, 2], [1, 1], [0, 1])
    with pytest.raises(ValueError, match=message):
        prior_rows(prior, answers)


def test_a_prior_may_be_silent_and_may_speak_of_other_tasks() -> None:
    answers = encode([1, 2], [1, 1], [0, 1])
    rows = prior_rows({2: [1, 3], 9: [1, 0]}, answers)
    np.testing.assert_array_equal(rows, [[np.nan, np.nan], [0.25, 0.75]])
