"""The interval of a label accuracy: it holds the truth, and is as narrow as labels allow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from labeling.aggregation.calibration import AnnotatorAccuracies
from labeling.aggregation.label_accuracy import Judgements, LabelAccuracy, Labels, estimate

REPLAYS = 150


def alike(n: int, confidence: float = 0.9, group: int = 0) -> Labels:
    return Labels(np.full(n, confidence), np.full(n, group, np.intp))


def many(n: int, confidence: float = 0.9) -> Labels:
    return Labels(np.full(1, confidence), np.zeros(1, np.intp), np.full(1, float(n)))


def judged(right: int, n: int, confidence: float = 0.9, group: int = 0) -> Judgements:
    return Judgements(alike(n, confidence, group), np.arange(n) < right)


def wilson(right: int, n: int) -> tuple[float, float]:
    z = 1.959964
    centre = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(right * (n - right) / n + z**2 / 4)
    return centre - half, centre + half


class Labelled:
    """Labels of which many are sure, and how often they are right: less often than they say."""

    def __init__(self, dice: np.random.Generator, n: int = 4000) -> None:
        self.confidence = np.where(dice.random(n) < 0.8, 0.99, dice.uniform(0.5, 0.95, n))
        self.right = dice.random(n) < expit(0.8 * logit(self.confidence))
        self.group = np.zeros(n, np.intp)

    def labels(self, rows: np.ndarray) -> Labels:
        return Labels(self.confidence[rows], self.group[rows])

    def judge(self, drawn: np.ndarray) -> tuple[LabelAccuracy, float]:
        """Return what is estimated by those that were drawn, and the truth of the others."""
        rest = np.setdiff1d(np.arange(len(self.right)), drawn)
        found = estimate(self.labels(rest), Judgements(self.labels(drawn), self.right[drawn]))
        assert found is not None
        return found, float(self.right[rest].mean())


@pytest.mark.parametrize(("right", "n"), [(20, 20), (19, 20), (60, 100), (0, 30)])
def test_of_labels_that_are_equally_sure_it_is_wilsons_interval(right, n):
    found = estimate(many(10**7), judged(right, n))
    assert (found.low, found.high) == pytest.approx(wilson(right, n), abs=1e-4)
    assert found.low <= found.accuracy <= found.high
    assert found.accuracy == pytest.approx(right / n, abs=1e-6)
    assert (found.labels, found.judged) == (10**7, n)


def test_too_few_judged_labels_tell_nothing():
    assert estimate(alike(100), judged(19, 19)) is None
    assert estimate(alike(100), judged(0, 0)) is None
    assert estimate(alike(0), judged(30, 30)) is None


def test_it_holds_the_truth_nineteen_times_in_twenty():
    dice, held, width = np.random.default_rng(5), 0, 0.0
    for _ in range(REPLAYS):
        labelled = Labelled(dice)
        found, truth = labelled.judge(dice.permutation(4000)[:100])
        held += found.low <= truth <= found.high
        plain = wilson(round(100 * truth), 100)
        width += (found.high - found.low) / (plain[1] - plain[0]) / REPLAYS
    assert held >= 0.92 * REPLAYS
    assert width < 0.9


def test_those_in_doubt_may_be_judged_more_often():
    """The share of right ones among the judged ones is then no estimate; yet it is narrower."""
    dice, held, width, share = np.random.default_rng(2), 0, 0.0, 0.0
    for _ in range(REPLAYS):
        labelled = Labelled(dice)
        chance = np.where(labelled.confidence == 0.99, 0.3, 1.0)
        drawn = dice.choice(4000, 200, replace=False, p=chance / chance.sum())
        found, truth = labelled.judge(drawn)
        share += (labelled.right[drawn].mean() - truth) / REPLAYS
        held += found.low <= truth <= found.high
        plain = wilson(round(200 * truth), 200)
        width += (found.high - found.low) / (plain[1] - plain[0]) / REPLAYS
    assert held >= 0.92 * REPLAYS
    assert width < 0.9
    assert share < -0.02


def test_of_few_other_labels_as_much_is_known_as_of_few():
    found, few = estimate(many(10**6), judged(90, 100)), estimate(alike(50), judged(90, 100))
    assert few.high - few.low > 1.3 * (found.high - found.low)


def test_groups_weigh_as_many_labels_as_they_have_however_many_were_judged():
    """Ten times as many yes were judged as there are; and of a third group, nearly none."""
    labels = Labels(np.full(3, 0.9), np.arange(3), count=np.array([100.0, 9900.0, 500.0]))
    sample = Judgements(
        Labels(np.full(602, 0.9), np.repeat([0, 1, 2], [500, 100, 2])),
        np.concatenate([np.arange(500) < 250, np.arange(100) < 99, [False, False]]),
    )
    found = estimate(labels, sample)
    assert found.accuracy == pytest.approx(0.01 * 0.5 + 0.99 * 0.99, abs=1e-3)
    assert (found.labels, found.judged) == (10_000, 600)


def test_of_labels_that_are_surer_than_any_judged_one_nothing_is_said():
    labels = Labels(np.array([0.8, 0.99]), np.zeros(2, np.intp), np.array([100.0, 900.0]))
    found = estimate(labels, judged(60, 100, confidence=0.8))
    assert found.labels == 100 and found.high < 0.75


def test_counted_labels_are_as_good_as_listed_ones():
    dice = np.random.default_rng(3)
    labelled = Labelled(dice, 2000)
    sample = Judgements(labelled.labels(np.arange(150)), labelled.right[:150])
    rows = np.arange(150, 2000)
    values, counts = np.unique(labelled.confidence[rows], return_counts=True)
    counted = Labels(values, np.zeros(len(values), np.intp), counts.astype(float))
    found, listed = estimate(counted, sample), estimate(labelled.labels(rows), sample)
    assert vars(found) == pytest.approx(vars(listed))


def test_answers_of_people_who_err_judge_as_well_as_they_are_known():
    """The labels are right in .9, and answers in .8, as is known from 400 of each truth."""
    dice, held = np.random.default_rng(4), 0
    known = 400
    for _ in range(REPLAYS):
        yes = dice.random(600) < 0.5
        right = dice.random(600) < 0.9
        annotator = dice.integers(10, size=600)
        agrees = dice.random(600) < np.where(right, 0.8, 0.2)
        accuracies = AnnotatorAccuracies(
            sensitivity=dice.binomial(known, 0.8, 10) / known,
            specificity=dice.binomial(known, 0.8, 10) / known,
            positives=np.full(10, float(known)),
            negatives=np.full(10, float(known)),
        )
        answers = Judgements(alike(600), agrees, yes, annotator, accuracies)
        found = estimate(many(10**6), answers)
        held += found.low <= 0.9 <= found.high
    assert held >= 0.92 * REPLAYS
    sure = replace(accuracies, positives=np.full(10, 1e9), negatives=np.full(10, 1e9))
    narrow = estimate(many(10**6), replace(answers, accuracies=sure))
    assert narrow.high - narrow.low < found.high - found.low


def test_answers_at_random_tell_nothing():
    nobody = AnnotatorAccuracies(*(np.full(1, each) for each in (0.5, 0.5, 50.0, 50.0)))
    answers = Judgements(
        alike(100), np.arange(100) < 50, np.ones(100, bool), np.zeros(100, np.intp), nobody
    )
    assert estimate(alike(1000), answers) is None


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="as many"):
        Labels(np.ones(3), np.zeros(2, np.intp))
    with pytest.raises(ValueError, match="between 0 and 1"):
        Labels(np.full(1, np.nan), np.zeros(1, np.intp))
    with pytest.raises(ValueError, match="as many"):
        estimate(alike(10), Judgements(alike(30), np.ones(29, bool)))
