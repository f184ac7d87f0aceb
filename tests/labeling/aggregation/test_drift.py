"""Whose answers turn bad, and when."""

import numpy as np
import pytest

from labeling.aggregation import drift

RELIABLE = 0.9


def guesses(seed: int, good: int, bad: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.concatenate([draw.random(good) < RELIABLE, draw.random(bad) < 0.5]).astype(float)


def answers_until_threshold(right: np.ndarray) -> int | None:
    score = 0.0
    for number, each in enumerate(right, 1):
        score = drift.score(score, each, RELIABLE)
        if score >= drift.THRESHOLD:
            return number
    return None


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_where_a_sleepers_answers_change(seed: int) -> None:
    assert drift.change_point(guesses(seed, 200, 100)) == pytest.approx(200, abs=12)


def test_an_honest_annotator_turns_nowhere() -> None:
    draw = np.random.default_rng(0)
    for rate in (0.95, 0.85, 0.7, 0.55):
        assert not any(drift.change_point((draw.random(500) < rate) * 1.0) for _ in range(50))


def test_somebody_who_was_never_good_did_not_turn() -> None:
    assert drift.change_point(guesses(0, 0, 300)) is None


def test_somebody_who_got_better_did_not_turn() -> None:
    assert drift.change_point(guesses(0, 100, 100)[::-1]) is None


@pytest.mark.parametrize("count", [0, 1, drift.BEFORE + drift.AFTER - 1])
def test_few_answers_show_nothing(count: int) -> None:
    assert drift.change_point(np.arange(count) < count / 2) is None


def test_answers_of_which_nothing_is_known_show_nothing() -> None:
    assert drift.change_point(np.full(500, 0.5)) is None


def test_many_annotators_are_looked_at_as_one_by_one() -> None:
    draw = np.random.default_rng(1)
    theirs = [guesses(seed, 50 * (seed % 3), 40) for seed in range(6)]
    worker = draw.permutation(np.repeat(range(6), [len(each) for each in theirs]))
    right = np.zeros(len(worker))
    for who, each in enumerate(theirs):
        right[worker == who] = each
    one_by_one = [drift.change_point(each) for each in theirs]
    found = drift.change_points(worker, right, workers=7)
    assert found.tolist() == [-1 if each is None else each for each in one_by_one] + [-1]
    assert {-1} < set(found.tolist())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, right = np.repeat(range(8), 150), np.concatenate([guesses(s, 90, 60) for s in range(8)])
    whole = drift.change_points(worker, right, workers=8)
    monkeypatch.setattr(drift, "BLOCK", 200)
    assert (drift.change_points(worker, right, workers=8) == whole).all()


def test_the_alarm_is_raised_soon_after_a_turn() -> None:
    delays = [answers_until_threshold(guesses(seed, 0, 200)) or 200 for seed in range(50)]
    assert np.median(delays) < 25


def test_the_alarm_is_seldom_raised_for_nothing() -> None:
    alarms = [answers_until_threshold(guesses(seed, 500, 0)) for seed in range(50)]
    assert sum(alarm is not None for alarm in alarms) <= 5


def test_a_liar_is_found_out_within_ten_answers() -> None:
    assert (answers_until_threshold(np.zeros(50)) or 50) <= 10


def test_what_nobody_knows_leaves_the_score() -> None:
    assert drift.score(3.0, 0.5, RELIABLE) == 3.0


def test_right_answers_lower_the_score() -> None:
    score, needed = drift.THRESHOLD, 0
    while score:
        score, needed = drift.score(score, 1.0, RELIABLE), needed + 1
    assert 10 <= needed <= 20


@pytest.mark.parametrize("right", [[0.5, 1.1], [-0.1], [float("nan")]])
def test_it_refuses_what_is_no_probability(right: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        drift.change_point(right)


def test_it_refuses_columns_that_do_not_fit_together() -> None:
    with pytest.raises(ValueError, match="same length"):
        drift.change_points([0, 1], [1.0], workers=2)


@pytest.mark.parametrize("known", [0.5, 0.6, 0.75])
def test_whoever_goes_ahead_of_the_others_did_not_turn(known: float) -> None:
    draw = np.random.default_rng(0)
    with_others = np.where(draw.random(200) < RELIABLE, 0.97, 0.03)
    ahead = np.where(draw.random(400) < RELIABLE, known, 1 - known)
    assert drift.change_point(np.concatenate([with_others, ahead])) is None


def test_a_turn_is_found_among_answers_of_which_little_is_known() -> None:
    right = guesses(0, 200, 100)
    unsure = np.full(3 * len(right), 0.5)
    unsure[::3] = np.where(right == 1, 0.95, 0.05)
    assert drift.change_point(unsure) == pytest.approx(600, abs=36)
