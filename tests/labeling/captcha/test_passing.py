"""Who passes: people do, whoever does not look does not."""

import itertools
import math
from random import Random

import numpy as np
import pytest

from labeling.captcha import passing
from labeling.captcha.passing import Evidence, Outcome

NORMAL = passing.THRESHOLDS["normal"]
KNOWN = [1.0, 0.0] * 7
NOT_PREDICTED = [-1.0] * 14


def blind(values, known):
    return passing.grid_evidence(values, known, [-1.0] * len(values)).blind


@pytest.mark.parametrize("answers", [[1, 0, 0, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]])
def test_the_mean_ratio_over_all_orders_is_one_whatever_was_answered(answers):
    orders = list(itertools.permutations([1.0, 1.0, 0.0, 0.0, 0.97]))
    ratios = [math.exp(blind([bool(each) for each in answers], order)) for order in orders]
    assert math.fsum(ratios) / len(ratios) == pytest.approx(1)


def test_always_and_never_say_nothing_for_a_person():
    for answer in (True, False):
        assert blind([answer] * 14, KNOWN) == pytest.approx(0)


def test_right_answers_pass_after_two_rounds_and_slips_cost():
    right = [bool(each) for each in KNOWN]
    first = passing.grid_evidence(right, KNOWN, NOT_PREDICTED)
    assert passing.decide(first, threshold=NORMAL, last_round=False) == Outcome.ANOTHER
    both = passing.grid_evidence(right * 2, KNOWN * 2, NOT_PREDICTED * 2, first_round=14)
    assert passing.decide(both, threshold=NORMAL, last_round=True) == Outcome.PASSED
    slip = passing.grid_evidence(
        [False, *right[1:], *right], KNOWN * 2, NOT_PREDICTED * 2, first_round=14
    )
    assert first.blind < slip.blind < both.blind
    assert passing.decide(slip, threshold=NORMAL, last_round=True) == Outcome.PASSED


def test_one_round_may_be_enough_but_where_it_is_hard():  # as owners are told
    most = []
    for count in range(passing.KNOWN_TILES[0], passing.KNOWN_TILES[1] + 1):
        known = [1.0] * (count // 2) + [0.0] * (count - count // 2)
        most.append(blind([truth > 0.5 for truth in known], known))
    thresholds = passing.GRID_THRESHOLDS
    assert thresholds["easy"] < min(most) and thresholds["normal"] < max(most) < thresholds["hard"]


def test_unknown_tiles_say_nothing():
    right = [bool(each) for each in KNOWN]
    known = passing.grid_evidence(right, KNOWN, [0.9, 0.2] * 7)
    both = passing.grid_evidence(
        [*right, True, False], [*KNOWN, -1.0, -1.0], [*[0.9, 0.2] * 7, 0.1, 0.9]
    )
    assert both.blind == pytest.approx(known.blind)
    assert both.model == pytest.approx(known.model)


def test_a_doubtful_truth_says_less_than_a_certain_one():
    right = [bool(each) for each in KNOWN]
    assert 0 < blind(right, [0.8, 0.2] * 7) < blind(right, [0.95, 0.05] * 7) < blind(right, KNOWN)


def test_whoever_errs_as_the_model_does_is_the_model():
    predicted = [0.9, 0.1] * 7
    predicted[:3] = [0.1, 0.9, 0.1]  # it is wrong
    right, as_model = [bool(each) for each in KNOWN], [each > 0.5 for each in predicted]
    person = passing.grid_evidence(right, KNOWN, predicted)
    model = passing.grid_evidence(as_model, KNOWN, predicted)
    assert model.model < passing.MODEL_LIMIT < 5 < person.model
    assert passing.decide(model, threshold=1.0, last_round=False) == Outcome.FAILED


def test_what_is_hopeless_fails_at_once():
    wrong = [not each for each in KNOWN]
    evidence = passing.grid_evidence(wrong, KNOWN, NOT_PREDICTED)
    assert passing.decide(evidence, threshold=NORMAL, last_round=False) == Outcome.FAILED
    nothing = Evidence()
    assert passing.decide(nothing, threshold=NORMAL, last_round=False) == Outcome.ANOTHER
    assert passing.decide(nothing, threshold=NORMAL, last_round=True) == Outcome.FAILED


def test_the_ratio_of_sentences_has_mean_one_over_all_options():
    for choices in ([0, 0, 0], [0, 1, 2], [1, 1, 2]):
        ratios = [
            math.exp(passing.text_evidence(choices, right).blind)
            for right in itertools.product(range(3), repeat=3)
        ]
        assert math.fsum(ratios) / len(ratios) == pytest.approx(1)


def test_sentences_pass_whoever_reads_them():
    right = [0, 1, 2] * 6
    assert passing.text_evidence(right, right).blind > passing.THRESHOLDS["hard"]
    assert passing.text_evidence([0, 0, *right[2:]], right).blind > NORMAL
    assert passing.text_evidence([1] * 18, right).blind < 0
    assert passing.text_evidence([1], [-1]).blind == pytest.approx(0)


def test_of_attentive_people_nineteen_in_twenty_pass_and_of_guessers_none():
    random = Random(1)
    draw = np.random.default_rng(1)

    def passes(answer):
        values, known, first = [], [], None
        for last_round in (False, True):
            count, true = passing.draw_known(random)
            truth = draw.permutation([1.0] * true + [0.0] * (count - true))
            values += answer(truth).tolist()
            known += truth.tolist()
            first = first or count
            evidence = passing.grid_evidence(values, known, [-1.0] * len(known), first_round=first)
            outcome = passing.decide(evidence, threshold=NORMAL, last_round=last_round)
            if outcome != Outcome.ANOTHER:
                break
        return outcome == Outcome.PASSED

    def attentive(truth):  # as people label small photographs
        right = draw.random(len(truth)) < np.where(truth > 0, 0.952, 0.995)
        return right == (truth > 0)

    def guessing(truth):
        return draw.random(len(truth)) < 0.5

    assert sum(passes(attentive) for _ in range(300)) >= 285
    assert sum(passes(guessing) for _ in range(300)) == 0


def test_rounds_vary_in_what_is_known_and_true():
    drawn = {passing.draw_known(Random(seed)) for seed in range(300)}
    assert {known for known, _ in drawn} == {12, 13, 14, 15}
    assert all(0.35 <= true / known <= 0.65 for known, true in drawn)
