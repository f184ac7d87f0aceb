"""What one more answer is worth, and when no further one is."""

import numpy as np
import pytest

from labeling.aggregation.information import (
    STEP,
    TYPICAL_ACCURACY,
    information_gain,
    lookahead,
    relative_value,
)
from labeling.aggregation.online import NEWCOMER_EVIDENCE, tempered_posterior

GRID = np.linspace(0.01, 0.99, 25)


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_it_is_the_entropy_that_an_answer_is_expected_to_take_away():
    sensitivity, specificity, p = np.meshgrid(GRID, GRID, GRID, indexing="ij")
    yes = p * sensitivity + (1 - p) * (1 - specificity)
    after = yes * entropy(p * sensitivity / yes)
    after += (1 - yes) * entropy(p * (1 - sensitivity) / (1 - yes))
    assert information_gain(sensitivity, specificity, p) == pytest.approx(
        entropy(p) - after, abs=1e-12
    )


def test_it_is_between_nothing_and_what_is_not_known():
    gain = information_gain(GRID[:, None], GRID, 0.3)
    assert gain.shape == (25, 25)
    assert gain.min() >= 0 and gain.max() <= entropy(0.3)


def test_a_coin_tells_nothing_and_an_oracle_everything():
    assert information_gain(0.5, 0.5, GRID) == pytest.approx(0, abs=1e-12)
    assert information_gain(0.2, 0.8, GRID) == pytest.approx(0, abs=1e-12)  # "no" to everything
    assert information_gain(1, 1, GRID) == pytest.approx(entropy(GRID))
    assert information_gain(0.9, 0.9, [0, 1]) == pytest.approx(0)


def test_a_known_liar_tells_as_much_as_an_honest_annotator():
    assert information_gain(0.1, 0.2, GRID) == pytest.approx(information_gain(0.8, 0.9, 1 - GRID))


def test_yes_and_no_are_alike():
    assert information_gain(0.7, 0.95, GRID) == pytest.approx(information_gain(0.95, 0.7, 1 - GRID))


def worth(yes, no, *, cap=9, settle_at=0.9, prior=0.5):
    """Of a question that newcomers answered so."""
    posterior = tempered_posterior(prior, [NEWCOMER_EVIDENCE] * yes + [-NEWCOMER_EVIDENCE] * no)
    left = cap - yes - no
    return relative_value(posterior, prior=prior, yes=yes, no=no, left=left, settle_at=settle_at)


def test_a_new_question_is_worth_one():
    assert worth(0, 0) == 1


def test_the_more_evenly_people_are_split_the_less_another_answer_is_worth():
    even = [worth(n, n) for n in range(5)]
    assert even == sorted(even, reverse=True) and even[-1] == 0


def test_what_lacks_little_is_worth_more_than_what_is_new():
    assert worth(3, 0) > 1 and worth(0, 3) == pytest.approx(worth(3, 0))


def test_what_no_answer_allowed_can_settle_is_worth_nothing():
    assert worth(4, 4) == 0 and worth(5, 4) == 0
    assert worth(4, 4, cap=20) > 0


def test_three_to_three_of_nine_is_given_up_and_less_than_that_is_not():
    assert worth(3, 3) < 0.25 < min(worth(1, 1), worth(2, 1), worth(2, 2), worth(3, 2), worth(4, 2))


def test_what_is_rare_is_not_given_up_while_people_still_say_that_it_is_there():
    assert min(worth(n, 0, prior=0.1) for n in range(5)) > 0.25
    assert worth(3, 1, prior=0.1) > 0.25


@pytest.mark.parametrize("settle_at", [0.5, 0.6, 0.95, 0.99, 0.9999])
@pytest.mark.parametrize("cap", [2, 3, 5, 9, 30])
def test_a_threshold_out_of_reach_does_not_make_new_questions_worthless(settle_at, cap):
    assert worth(0, 0, cap=cap, settle_at=settle_at) == 1
    if cap > 4:
        assert worth(1, 0, cap=cap, settle_at=settle_at) > 0.25


@pytest.mark.parametrize("left", [1, 2, 5])
def test_a_lookahead_keeps_within_what_is_left(left):
    for posterior in GRID:
        found = lookahead(posterior, prior=0.3, yes=2, no=1, left=left, settle_at=0.95)
        assert 0 <= found.settled <= 1 and 0 <= found.answers <= left


def test_a_lookahead_is_what_typical_annotators_bring_about():
    dice = np.random.default_rng(0)
    rounds, settled, used = 4_000, 0.0, 0
    for _ in range(rounds):
        evidence: list[float] = []
        while len(evidence) < 6:
            posterior = tempered_posterior(0.5, evidence)
            if max(posterior, 1 - posterior) >= 0.9:
                settled += max(posterior, 1 - posterior)
                break
            chance = posterior * TYPICAL_ACCURACY + (1 - posterior) * (1 - TYPICAL_ACCURACY)
            evidence.append(STEP if dice.random() < chance else -STEP)
        else:
            posterior = tempered_posterior(0.5, evidence)
            settled += max(posterior, 1 - posterior) if max(posterior, 1 - posterior) >= 0.9 else 0
        used += len(evidence)
    found = lookahead(0.5, prior=0.5, yes=0, no=0, left=6, settle_at=0.9)
    assert found.settled == pytest.approx(settled / rounds, abs=0.02)
    assert found.answers <= used / rounds  # which asks on where nothing can settle any more
