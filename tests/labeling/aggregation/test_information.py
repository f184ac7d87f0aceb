"""What one more answer is worth, and when no further one is."""

import numpy as np
import pytest

from labeling.aggregation.information import information, prospect, relative_worth
from labeling.aggregation.online import log_odds, probability

GRID = np.linspace(0.01, 0.99, 25)


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_it_is_the_entropy_that_an_answer_is_expected_to_take_away():
    sensitivity, specificity, p = np.meshgrid(GRID, GRID, GRID, indexing="ij")
    yes = p * sensitivity + (1 - p) * (1 - specificity)
    after = yes * entropy(p * sensitivity / yes)
    after += (1 - yes) * entropy(p * (1 - sensitivity) / (1 - yes))
    assert information(sensitivity, specificity, p) == pytest.approx(entropy(p) - after, abs=1e-12)


def test_it_is_between_nothing_and_what_is_not_known():
    gain = information(GRID[:, None], GRID, 0.3)
    assert gain.shape == (25, 25)
    assert gain.min() >= 0 and gain.max() <= entropy(0.3)


def test_a_coin_tells_nothing_and_an_oracle_everything():
    assert information(0.5, 0.5, GRID) == pytest.approx(0, abs=1e-12)
    assert information(0.2, 0.8, GRID) == pytest.approx(0, abs=1e-12)  # "no" to everything
    assert information(1, 1, GRID) == pytest.approx(entropy(GRID))
    assert information(0.9, 0.9, [0, 1]) == pytest.approx(0)


def test_a_known_liar_tells_as_much_as_an_honest_annotator():
    assert information(0.1, 0.2, GRID) == pytest.approx(information(0.8, 0.9, 1 - GRID))


def test_yes_and_no_are_alike():
    assert information(0.7, 0.95, GRID) == pytest.approx(information(0.95, 0.7, 1 - GRID))


def worth(yes, no, *, cap=9, settle_at=0.95):
    """Of a question that was answered so by average annotators, from even odds on."""
    belief = probability((yes - no) * log_odds(0.85))
    return relative_worth(belief, yes=yes, no=no, left=cap - yes - no, settle_at=settle_at)


def test_a_new_question_is_worth_one():
    assert worth(0, 0) == 1


def test_the_more_evenly_people_are_split_the_less_another_answer_is_worth():
    even = [worth(n, n) for n in range(5)]
    assert even == sorted(even, reverse=True) and even[-1] == 0


def test_what_lacks_one_answer_is_worth_more_than_what_is_new():
    assert worth(1, 0) > 1 and worth(0, 1) == worth(1, 0)


def test_what_no_answer_allowed_can_settle_is_worth_nothing():
    assert worth(4, 4) == 0 and worth(5, 4) == 0
    assert worth(4, 4, cap=12) > 0


def test_three_to_three_of_nine_is_given_up_and_two_to_two_is_not():
    for settle_at in (0.9, 0.95, 0.99):
        assert worth(3, 3, settle_at=settle_at) < 0.7 < worth(2, 2, settle_at=settle_at)


def test_an_unbelievable_threshold_does_not_make_new_questions_worthless():
    for settle_at in (0.5, 0.6, 0.95, 0.999, 0.9999):
        assert worth(0, 0, settle_at=settle_at) in {0, 1}
        assert worth(1, 1, settle_at=settle_at) <= 1


@pytest.mark.parametrize("left", [1, 2, 5])
def test_a_prospect_keeps_within_what_is_left(left):
    for belief in GRID:
        found = prospect(belief, yes=2, no=1, left=left, settle_at=0.95)
        assert 0 <= found.settled <= 1 and 0 <= found.answers <= left


def test_a_prospect_is_what_a_simulation_gives():
    dice = np.random.default_rng(0)
    rounds, settled, used = 40_000, 0, 0
    for coin, truth in zip(dice.random(rounds) < 0.1, dice.random(rounds) < 0.5, strict=True):
        odds = count = 0
        while abs(odds) < 2 and count < 9:  # two more on one side than on the other settle it
            right = dice.random() < (0.5 if coin else 0.85)
            odds += 1 if right == truth else -1
            count += 1
            if abs(odds) + 9 - count < 2:
                break
        settled += abs(odds) == 2 and not coin and (odds > 0) == truth
        used += count
    found = prospect(0.5, yes=0, no=0, left=9, settle_at=0.95)
    assert found.settled == pytest.approx(settled / rounds, abs=0.01)
    assert found.answers == pytest.approx(used / rounds, rel=0.01)
