"""What answers weigh by how probably they were given in earnest."""

import numpy as np
import pytest

from labeling.aggregation import earnest, online
from labeling.aggregation.online import ConfusionCounts

NEWCOMER = ConfusionCounts()


def weight(
    answers: list[bool], truths: list[float], *, counts: ConfusionCounts = NEWCOMER
) -> float:
    """Return what a challenge weighs in which these were answered."""
    weights = earnest.challenge_weights(
        np.zeros(len(answers), np.intp),
        np.array(answers),
        np.array(truths, float),
        np.full(len(answers), earnest.accuracy(counts)),
        np.array([earnest.challenge_prior(counts)]),
    )
    return float(weights[0])


@pytest.mark.parametrize("answer", [True, False])
def test_a_newcomer_weighs_less_than_half_of_what_a_proven_person_does(answer):
    assert 0.2 < earnest.trust(NEWCOMER, answer) < 0.5
    for invited in (ConfusionCounts(), ConfusionCounts(tp=2, tn=1)):
        assert earnest.trust(invited, answer, earnest.INVITED) > 0.85
    assert earnest.trust(ConfusionCounts(tp=2, tn=1), answer) > 0.85
    assert earnest.trust(ConfusionCounts(tp=20, fn=1, tn=30, fp=1), answer) > 0.99


def test_whoever_was_never_right_about_a_yes_says_a_no_that_weighs_little():
    only_no = ConfusionCounts(tn=20)
    assert abs(earnest.evidence(only_no, False)) < online.NEWCOMER_EVIDENCE / 2
    assert earnest.evidence(only_no, True) > online.NEWCOMER_EVIDENCE
    one_yes = only_no._replace(tp=2)
    assert abs(earnest.evidence(one_yes, False)) > 0.8 * online.NEWCOMER_EVIDENCE


@pytest.mark.parametrize(
    "counts",
    [
        ConfusionCounts(fn=5, tn=10),  # who always says no
        ConfusionCounts(tp=5, fp=10),  # always yes
        ConfusionCounts(tp=10, fn=10, tn=10, fp=10),  # anything
        ConfusionCounts(tp=1, fn=6, tn=1, fp=6),  # the opposite
    ],
)
def test_bots_weigh_next_to_nothing_and_are_not_read_the_other_way_round(counts):
    for answer in (True, False):
        towards = earnest.evidence(counts, answer) * (1 if answer else -1)
        assert 0 <= towards < 0.1


@pytest.mark.parametrize(
    "counts",
    [
        ConfusionCounts(tp=30, fn=10, tn=45, fp=15),  # right three times in four
        ConfusionCounts(tp=11, fn=9, tn=60, fp=1),  # who says no in doubt
        ConfusionCounts(tp=60, fn=1, tn=11, fp=9),  # yes in doubt
    ],
)
def test_people_who_err_are_trusted_as_what_they_are(counts):
    for answer in (True, False):
        assert earnest.trust(counts, answer) > 0.95


def test_the_shares_sum_to_one_whatever_was_counted():
    for counts in (NEWCOMER, ConfusionCounts(200, 0, 200, 0), ConfusionCounts(0, 200, 0, 200)):
        for prior in (earnest.ANYBODY, earnest.INVITED):
            assert sum(earnest.shares(counts, prior)) == pytest.approx(1)


def test_a_challenge_weighs_what_its_known_answers_say():
    passed = weight([True, True, False], [1, 1, 0])
    a_slip = weight([True, False, False], [1, 1, 0])
    two_slips = weight([True, False, True], [1, 1, 0])
    all_wrong = weight([False, False, True], [1, 1, 0])
    assert passed == 1
    assert passed >= a_slip > two_slips > all_wrong
    assert all_wrong < 0.06


def test_no_to_all_is_told_by_the_yes_that_it_misses():
    assert weight([False] * 3, [1, 1, 0]) < 0.2
    assert weight([False] * 4, [1, 0, 0, 0]) < weight([True, False, False, True], [1, 0, 0, 0])


def test_a_proven_person_is_forgiven_a_slip_but_not_a_challenge():
    careful = ConfusionCounts(tp=20, tn=30)
    assert weight([True, False, False], [1, 1, 0], counts=careful) > 0.75
    assert weight([False, False, True], [1, 1, 0], counts=careful) < 0.1


def test_settled_questions_tell_as_softly_as_they_are_certain():
    wrong = [weight([False, False, True], [p, p, 1 - p]) for p in (1.0, 0.95, 0.8, 0.5)]
    assert wrong == sorted(wrong)
    assert wrong[-1] == 1


def test_what_is_unknown_tells_nothing():
    known = weight([True, False, True], [1, 0, 0])
    assert weight([True, False, True, False, True], [1, 0, 0, np.nan, np.nan]) == known
