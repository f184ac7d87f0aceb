"""Calibration against known truths, and against answers of people who err."""

from typing import NamedTuple

import numpy as np
import pytest

from labeling.aggregation import aggregate
from labeling.aggregation.calibration import AnnotatorAccuracies, by_answers, by_truth

PERFECT = AnnotatorAccuracies(np.ones(1), np.ones(1), np.full(1, np.inf), np.full(1, np.inf))


class World(NamedTuple):
    """n questions, each believed, true or not, and answered by one of W annotators."""

    probability: np.ndarray
    truth: np.ndarray
    answer: np.ndarray
    annotator: np.ndarray
    accuracies: AnnotatorAccuracies


def world(seed: int, n: int, *, overconfident: float = 1.0, known: float = np.inf) -> World:
    """Posteriors whose log-odds are too large by a factor, and annotators known by so many answers.

    The annotators: good, hasty, rather yes, rather no, and one who clicks at random.
    """
    rng = np.random.default_rng(seed)
    honest = rng.beta(0.5, 0.8, n).clip(1e-9, 1 - 1e-9)
    truth = rng.random(n) < honest
    odds = overconfident * np.log(honest / (1 - honest))
    sensitivity = np.array([0.97, 0.8, 0.9, 0.65, 0.5])
    specificity = np.array([0.95, 0.75, 0.6, 0.92, 0.5])
    annotator = rng.integers(5, size=n)
    yes = np.where(truth, sensitivity[annotator], 1 - specificity[annotator])
    answer = rng.random(n) < yes
    if np.isfinite(known):  # what is thought of the annotators differs from what they are
        sensitivity = rng.binomial(int(known), sensitivity) / known
        specificity = rng.binomial(int(known), specificity) / known
    accuracies = AnnotatorAccuracies(sensitivity, specificity, np.full(5, known), np.full(5, known))
    return World(1 / (1 + np.exp(-odds)), truth, answer, annotator, accuracies)


def test_a_bin_says_how_often_its_labels_were_right() -> None:
    found = by_truth([0.85, 0.15, 0.85, 0.85, 0.62], [True, False, True, False, False])
    assert found is not None
    sixty, eighty = found.bins
    assert (sixty.at_least, sixty.below, sixty.reliability.n) == (0.6, 0.7, 1)
    assert (sixty.reliability.confidence, sixty.reliability.accuracy) == (0.62, 0)
    assert (eighty.reliability.n, eighty.reliability.confidence) == (4, pytest.approx(0.85))
    assert eighty.reliability.accuracy == 0.75
    assert (found.whole.n, found.whole.accuracy) == (5, pytest.approx(0.6))
    assert found.ece == pytest.approx((1 * 0.62 + 4 * 0.10) / 5)
    assert found.brier == pytest.approx((3 * 0.15**2 + 0.85**2 + 0.62**2) / 5)


def test_its_interval_is_wilsons_where_the_truth_is_known() -> None:
    found = by_truth(np.full(10, 0.9), [True] * 8 + [False] * 2)
    assert found is not None
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998), by hand
    assert found.whole.low == pytest.approx(0.4902, abs=1e-4)
    assert found.whole.high == pytest.approx(0.9433, abs=1e-4)
    certain = by_truth(np.full(10, 1.0), [True] * 10)
    assert certain is not None
    assert (certain.whole.accuracy, certain.whole.high) == (1, 1)
    assert certain.whole.low == pytest.approx(0.7225, abs=1e-4)


def test_answers_are_corrected_for_what_their_annotator_gets_wrong() -> None:
    accuracies = AnnotatorAccuracies(
        np.array([0.9]), np.array([0.8]), np.full(1, np.inf), np.full(1, np.inf)
    )
    found = by_answers(
        np.full(100, 0.7), [True] * 69 + [False] * 31, np.zeros(100, int), accuracies
    )
    assert found is not None
    assert found.whole.accuracy == pytest.approx((0.69 - (1 - 0.8)) / (0.9 + 0.8 - 1))  # .7


@pytest.mark.parametrize("overconfident", [0.5, 1.0, 2.5])
def test_it_is_unbiased_however_wrong_the_beliefs_are(overconfident: float) -> None:
    errors, brier = [], []
    for seed in range(600):
        w = world(seed, 80, overconfident=overconfident)
        found = by_answers(w.probability, w.answer, w.annotator, w.accuracies)
        exact = by_truth(w.probability, w.truth)
        assert found is not None and exact is not None
        errors.append(found.whole.accuracy - np.mean((w.probability >= 0.5) == w.truth))
        brier.append(found.brier - exact.brier)
    for wrong in (errors, brier):
        assert abs(np.mean(wrong)) < 3.5 * np.std(wrong) / np.sqrt(len(wrong))


def test_it_is_unbiased_in_each_bin() -> None:
    w = world(1, 200_000, overconfident=2.0)
    found = by_answers(w.probability, w.answer, w.annotator, w.accuracies)
    exact = by_truth(w.probability, w.truth)
    assert found is not None and exact is not None
    assert found.ece > 0.07
    for ours, theirs in zip(found.bins, exact.bins, strict=True):
        assert ours.reliability.accuracy == pytest.approx(theirs.reliability.accuracy, abs=0.02)
        assert ours.reliability.low < theirs.reliability.accuracy < ours.reliability.high
    assert found.ece == pytest.approx(exact.ece, abs=0.01)


@pytest.mark.parametrize("known", [np.inf, 60])
def test_its_interval_covers_the_truth_though_annotators_are_not_quite_known(known: float) -> None:
    covered = 0
    for seed in range(500):
        w = world(seed, 150, known=known)
        found = by_answers(w.probability, w.answer, w.annotator, w.accuracies)
        assert found is not None
        honest = np.maximum(w.probability, 1 - w.probability).mean()
        covered += found.whole.low <= honest <= found.whole.high
    assert 460 <= covered <= 490


def test_annotators_who_are_hardly_known_widen_the_interval() -> None:
    w = world(2, 400)
    widths = []
    for rests_on in (10.0, 100.0, np.inf):
        accuracies = w.accuracies.__class__(
            w.accuracies.sensitivity,
            w.accuracies.specificity,
            np.full(5, rests_on),
            np.full(5, rests_on),
        )
        found = by_answers(w.probability, w.answer, w.annotator, accuracies)
        assert found is not None
        widths.append(found.whole.high - found.whole.low)
    assert widths == sorted(widths, reverse=True)


def test_several_answers_to_one_question_tell_less_than_as_many_to_different_ones() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat(rng.random(100) < 0.7, 4)
    answer = np.where(rng.random(400) < 0.9, truth, ~truth)
    accuracies = AnnotatorAccuracies(
        np.full(4, 0.9), np.full(4, 0.9), np.full(4, np.inf), np.full(4, np.inf)
    )
    columns = np.full(400, 0.7), answer, np.tile(np.arange(4), 100), accuracies
    alone = by_answers(*columns)
    shared = by_answers(*columns, question=np.repeat(np.arange(100), 4))
    assert alone is not None and shared is not None
    assert shared.whole.accuracy == alone.whole.accuracy
    assert 1.5 < (shared.whole.high - shared.whole.low) / (alone.whole.high - alone.whole.low) < 2


def test_whoever_clicks_at_random_tells_nothing() -> None:
    w = world(4, 2000)
    chance = w.annotator == 4
    honest = by_answers(
        w.probability[~chance], w.answer[~chance], w.annotator[~chance], w.accuracies
    )
    everybody = by_answers(w.probability, w.answer, w.annotator, w.accuracies)
    assert honest is not None and everybody is not None
    assert everybody.whole.accuracy == pytest.approx(honest.whole.accuracy)
    assert everybody.whole.high == pytest.approx(honest.whole.high)
    only = by_answers(w.probability[chance], w.answer[chance], w.annotator[chance], w.accuracies)
    assert only is None


def test_an_annotator_worse_than_chance_tells_as_much_the_other_way_round() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(3000) < 0.8
    liar = AnnotatorAccuracies(
        np.array([0.1]), np.array([0.1]), np.full(1, np.inf), np.full(1, np.inf)
    )
    answer = np.where(rng.random(3000) < 0.1, truth, ~truth)
    found = by_answers(np.full(3000, 0.8), answer, np.zeros(3000, int), liar)
    assert found is not None
    assert found.whole.accuracy == pytest.approx(truth.mean(), abs=0.03)


def test_chance_says_what_error_is_to_be_expected_of_good_beliefs() -> None:
    found = [by_answers(*_columns(world(seed, 200))) for seed in range(200)]
    errors = [each.ece for each in found if each is not None]
    expected = [each.chance for each in found if each is not None]
    assert np.mean(errors) == pytest.approx(np.mean(expected), rel=0.1)


def test_it_finds_how_right_a_crowd_is_by_what_the_crowd_shows_of_its_annotators() -> None:
    """No truth is known: accuracies, answers and posteriors all come from the crowd itself."""
    errors = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth = rng.random(1500) < 0.35
        right = rng.uniform(0.65, 0.95, (2, 12))
        task = np.repeat(np.arange(1500), 4)
        worker = np.argsort(rng.random((1500, 12)), 1)[:, :4].ravel()
        chance = right[truth[task].astype(int), worker]
        label = np.where(rng.random(len(task)) < chance, truth[task], ~truth[task]).astype(int)
        whole = aggregate(task, worker, label, classes=[0, 1])
        last = np.arange(3, len(task), 4)
        others = np.delete(np.arange(len(task)), last)
        before = aggregate(task[others], worker[others], label[others], classes=[0, 1])
        accuracies = AnnotatorAccuracies(
            whole.confusion[:, 1, 1], whole.confusion[:, 0, 0], np.full(12, 100), np.full(12, 300)
        )
        sharpened = before.posterior[:, 1] ** 2
        sharpened /= sharpened + (1 - before.posterior[:, 1]) ** 2  # far too sure
        found = by_answers(sharpened, label[last], worker[last], accuracies)
        exact = by_truth(sharpened, truth)
        assert found is not None and exact is not None
        assert found.whole.low < exact.whole.accuracy < found.whole.high
        errors.append(found.whole.accuracy - exact.whole.accuracy)
    assert abs(np.mean(errors)) < 0.015


def test_nothing_is_said_without_answers() -> None:
    assert by_truth([], []) is None
    assert by_answers([], [], [], PERFECT) is None


def test_it_refuses_what_does_not_fit_together() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        by_truth([1.2], [True])
    with pytest.raises(ValueError, match="between 0 and 1"):
        by_truth([np.nan], [True])
    with pytest.raises(ValueError, match="as many"):
        by_truth([0.5, 0.5], [True])


def _columns(w: World) -> tuple[np.ndarray, np.ndarray, np.ndarray, AnnotatorAccuracies]:
    return w.probability, w.answer, w.annotator, w.accuracies
