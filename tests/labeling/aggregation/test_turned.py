"""How far back it reaches what somebody who turned bad had answered."""

import numpy as np
import pytest

from labeling.aggregation import turned

ACCURACY = np.array([0.9])


def first_bad(value: np.ndarray, yes: np.ndarray) -> dict[int, int]:
    who = np.zeros(len(value), np.intp)
    return turned.first_bad(who, value, yes, ACCURACY, annotators=1)


def test_who_was_right_until_they_turned_keeps_their_answers() -> None:
    truth = np.arange(40) % 3 == 0
    slips = np.isin(np.arange(40), (5, 17, 30))
    assert first_bad(truth ^ slips, np.where(truth, 0.9, 0.1)) == {}


@pytest.mark.parametrize("begun", [0, 12, 30])
def test_lies_are_found_from_where_they_begin(begun: int) -> None:
    truth = np.arange(40) % 3 == 0
    lies = np.arange(40) >= begun
    assert first_bad(truth ^ lies, np.where(truth, 0.8, 0.2)) == {0: begun}


def test_where_nobody_else_knows_anything_answers_stand() -> None:
    assert first_bad(np.ones(40, bool), np.full(40, 0.5)) == {}


def test_each_annotator_is_judged_by_their_own_answers() -> None:
    who = np.tile([0, 2], 20)
    truth = np.arange(40) % 3 == 0
    found = turned.first_bad(
        who, truth ^ (who == 2), np.where(truth, 0.9, 0.1), np.full(3, 0.85), annotators=3
    )
    assert found == {2: 1}


def test_nobody_is_asked_about() -> None:
    none = np.zeros(0)
    assert turned.first_bad(none.astype(int), none > 0, none, ACCURACY, annotators=1) == {}


def test_those_who_turned_are_one_witness_where_they_agree() -> None:
    question, value = np.array([0, 0, 0, 0, 1, 1]), np.array([1, 1, 1, 0, 1, 1]) > 0
    bad = np.array([1, 1, 0, 1, 0, 1]) > 0
    assert turned.discount(question, value, bad).tolist() == [0.5, 0.5, 1, 1, 1, 1]
