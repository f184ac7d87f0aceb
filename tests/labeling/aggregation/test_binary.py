"""Yes and no added up; answers from a change point on weigh nothing."""

from dataclasses import dataclass

import numpy as np
import pytest

from labeling.aggregation import aggregate, binary, online_tempering
from labeling.aggregation.online import tempered_posterior

QUESTIONS, PEOPLE = 600, 10
SLEEPER, TURN = 3, 150


@dataclass
class Crowd:
    truth: np.ndarray
    question: np.ndarray
    annotator: np.ndarray
    value: np.ndarray


@pytest.fixture
def crowd() -> Crowd:
    """Everybody answers every other question; one lies about all from some time on."""
    draw = np.random.default_rng(0)
    truth = draw.random(QUESTIONS) < 0.4
    pairs = draw.permutation(
        [(q, a) for q in range(QUESTIONS) for a in range(PEOPLE) if (q + a) % 2]
    )
    question, annotator = pairs.T
    value = truth[question] ^ (draw.random(len(pairs)) < 0.1)
    theirs = np.flatnonzero(annotator == SLEEPER)[TURN:]
    value[theirs] = draw.random(len(theirs)) < 0.5
    return Crowd(truth, question, annotator, value)


def infer(crowd: Crowd, **known: np.ndarray) -> binary.BinaryAggregate:
    usual = {
        "prior": np.full(QUESTIONS, 0.5),
        "verdict": np.full(QUESTIONS, -1, np.int8),
        "gold": np.zeros(QUESTIONS, bool),
        "suspect": np.zeros(len(crowd.question), bool),
    }
    columns = crowd.question, crowd.annotator, crowd.value
    return binary.infer(*columns, annotators=PEOPLE, **{**usual, **known})


def test_it_finds_who_turned_and_leaves_out_the_rest(crowd: Crowd) -> None:
    found = infer(crowd)
    theirs = np.flatnonzero(crowd.annotator == SLEEPER)
    assert list(found.change_points) == [SLEEPER]
    assert np.searchsorted(theirs, found.change_points[SLEEPER]) == pytest.approx(TURN, abs=12)
    assert found.suspect.sum() == (theirs >= found.change_points[SLEEPER]).sum()
    assert found.sensitivity[SLEEPER] > 0.8 and found.specificity[SLEEPER] > 0.8
    assert ((found.probability > 0.5) == crowd.truth).mean() > 0.97


def test_whoever_is_known_to_be_suspect_is_not_found_again(crowd: Crowd) -> None:
    first = infer(crowd)
    again = infer(crowd, suspect=first.suspect)
    assert again.change_points == {}
    assert again.probability == pytest.approx(first.probability)


def test_whoever_was_bad_once_is_found_when_they_turn_again(crowd: Crowd) -> None:
    theirs = np.flatnonzero(crowd.annotator == SLEEPER)
    crowd.value[theirs[:30]] ^= True
    once = np.isin(np.arange(len(crowd.question)), theirs[:30])
    found = infer(crowd, suspect=once)
    assert list(found.change_points) == [SLEEPER]
    assert np.searchsorted(theirs, found.change_points[SLEEPER]) == pytest.approx(TURN, abs=12)
    assert found.suspect[theirs[:30]].all() and not found.suspect[theirs[30 : TURN - 12]].any()


def test_of_those_who_turned_earlier_lies_are_left_out_and_what_was_right_is_kept(
    crowd: Crowd,
) -> None:
    theirs = np.flatnonzero(crowd.annotator == SLEEPER)
    crowd.value[theirs] = crowd.truth[crowd.question[theirs]]
    for begun in (0, 60, len(theirs) - 20):
        lying = Crowd(crowd.truth, crowd.question, crowd.annotator, crowd.value.copy())
        lying.value[theirs[begun:]] ^= True
        suspect = np.isin(np.arange(len(crowd.question)), theirs[-20:])
        found = infer(lying, suspect=suspect)
        assert found.change_points == {} and found.suspect[theirs].sum() == len(theirs) - begun
        assert found.earlier == ({} if begun > 60 else {SLEEPER: theirs[begun]})


def test_those_who_are_suspect_settle_nothing_by_what_they_had_said_alike(crowd: Crowd) -> None:
    asked = np.zeros(9, np.intp)
    question, annotator = np.concatenate([asked, asked + 1]), np.tile(np.arange(9), 2)
    known = {"prior": np.full(2, 0.5), "verdict": np.full(2, -1, np.int8)}
    known["gold"] = np.zeros(2, bool)
    late = np.arange(18) >= 9
    columns = question, annotator, np.ones(18, bool)
    found = binary.infer(*columns, suspect=late, annotators=9, **known)
    before = binary.infer(*columns, suspect=~late & late, annotators=9, **known)
    assert found.weight[~late] == pytest.approx(1 / 9) and (before.weight == 1).all()
    assert found.probability[0] < before.probability[0]


def test_a_question_that_only_the_suspect_answered_keeps_its_prior(crowd: Crowd) -> None:
    found = infer(crowd, suspect=crowd.question == 7)
    assert found.probability[7] == 0.5
    assert ((found.probability > 0.5) == crowd.truth).mean() > 0.97


def test_verdicts_hold_and_gold_is_seen_blindly_too(crowd: Crowd) -> None:
    verdict = np.full(QUESTIONS, -1, np.int8)
    verdict[:40] = ~crowd.truth[:40]
    gold = np.arange(QUESTIONS) < 20
    found = infer(crowd, verdict=verdict, gold=gold)
    assert (found.probability[:40] == verdict[:40]).all()
    assert found.leave_one_out[:20].min() > 0 and found.leave_one_out[:20].max() < 1


def test_a_question_without_answers_keeps_its_prior() -> None:
    none = Crowd(*(np.zeros(0, kind) for kind in (bool, int, int, bool)))
    found = infer(none, prior=np.full(QUESTIONS, 0.2))
    assert (found.probability == 0.2).all() and np.isnan(found.sensitivity).all()


def test_answers_as_they_come_are_tempered_to_arrive_where_all_at_once_arrive(
    crowd: Crowd,
) -> None:
    found, prior = infer(crowd), np.full(QUESTIONS, 0.5)
    accuracies = found.sensitivity[crowd.annotator], found.specificity[crowd.annotator]
    ratios = online_tempering.evidence(*accuracies, crowd.value)
    ratios[found.suspect] = 0
    temper = online_tempering.fit_tempering(crowd.question, ratios, prior, found.probability)
    live = [
        tempered_posterior(0.5, ratios[crowd.question == q].tolist(), temper)
        for q in range(QUESTIONS)
    ]
    assert np.abs(live - found.probability).mean() < 0.03


def test_answers_of_no_weight_turn_nothing_and_earn_nobody_anything(crowd: Crowd) -> None:
    """Half as many answers again are the opposite of the truth, by one who never came before."""
    honest = infer(crowd)
    lied_about = np.arange(0, QUESTIONS, 2)
    attacked = Crowd(
        crowd.truth,
        np.concatenate([crowd.question, lied_about]),
        np.concatenate([crowd.annotator, np.full(len(lied_about), PEOPLE)]),
        np.concatenate([crowd.value, ~crowd.truth[lied_about]]),
    )
    weight = np.where(attacked.annotator == PEOPLE, 1e-3, 1.0)
    columns = attacked.question, attacked.annotator, attacked.value
    found = binary.infer(
        *columns,
        prior=np.full(QUESTIONS, 0.5),
        verdict=np.full(QUESTIONS, -1, np.int8),
        gold=np.zeros(QUESTIONS, bool),
        suspect=np.zeros(len(attacked.question), bool),
        annotators=PEOPLE + 1,
        weight=weight,
    )
    assert found.probability == pytest.approx(honest.probability, abs=0.02)
    tp, fn, tn, fp = binary.confusion_counts(found, *columns)[PEOPLE]
    assert fn > 10 * tp and fp > 10 * tn, "by their answers, not by what the crowd is like"


def test_a_weight_of_one_is_no_weight(crowd: Crowd) -> None:
    weighted = infer(crowd, weight=np.ones(len(crowd.question)))
    assert (weighted.probability == infer(crowd).probability).all()


@pytest.mark.parametrize("weight", [[0.0, 1.0], [1.0, 1.1], [1.0]])
def test_it_refuses_weights_that_are_none(weight: list[float]) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        aggregate([1, 1], ["a", "b"], [0, 1], weight=weight)


def test_the_first_to_answer_many_new_questions_did_not_turn() -> None:
    draw = np.random.default_rng(0)
    truth = draw.random(600) < 0.25
    question = np.concatenate([np.arange(200), np.arange(600)])
    annotator = np.repeat([0, 1], [200, 600])
    found = binary.infer(
        question,
        annotator,
        truth[question],
        prior=np.full(600, 0.25),
        verdict=np.full(600, -1, np.int8),
        gold=np.zeros(600, bool),
        suspect=np.zeros(800, bool),
        annotators=2,
    )
    assert found.change_points == {} and not found.suspect.any()
