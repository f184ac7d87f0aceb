"""How often labels are right, judged by gold that had no part in what judges them."""

from typing import Any

import numpy as np
import pytest

from labeling.aggregation import Aggregate, aggregate
from labeling.aggregation.answers import Floats
from labeling.aggregation.cross_fit import FOLDS, blind_posteriors, folds, label_accuracies
from labeling.aggregation.label_accuracy import LabelAccuracy, Labels
from tests.labeling.aggregation.test_dawid_skene import Crowd, crowd_of

GOLD = 60  # tasks


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return crowd_of(tasks=600, classes=3, skill=[0.6] * 30, share=0.1, seed=3)


def infer(crowd: Crowd, gold: dict[int, int]) -> Aggregate:
    return aggregate(crowd.task, crowd.worker, crowd.label, gold=gold, classes=range(3))


def blind(crowd: Crowd, gold: dict[int, int]) -> Floats:
    return blind_posteriors(crowd.task, crowd.worker, crowd.label, gold=gold, classes=range(3))


def judged(crowd: Crowd, gold: dict[int, int]) -> tuple[LabelAccuracy | None, list[Any]]:
    found = infer(crowd, gold)
    rest = ~np.isin(found.tasks, list(gold))
    labels = Labels(found.confidence[rest], found.label[rest])
    return label_accuracies(labels, blind(crowd, gold), np.array(list(gold.values())))


def gold_of(crowd: Crowd, count: int = GOLD) -> dict[int, int]:
    answered = np.random.default_rng(0).permutation(np.unique(crowd.task))[:count]
    return dict(zip(answered.tolist(), crowd.truth[answered].tolist(), strict=True))


def test_a_task_s_blind_posterior_does_not_know_its_own_gold(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    before = blind(crowd, gold)
    for row, name in enumerate(list(gold)[:3]):
        other = blind(crowd, gold | {name: (gold[name] + 1) % 3})
        assert (other[row] == before[row]).all()
        assert (other != before).any()  # the others know it


def test_nor_that_of_its_fold(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    before, names = blind(crowd, gold), np.array(list(gold))
    ranks = np.argsort(np.argsort(names))
    together = folds(len(gold))[ranks] == 0
    lies = {name: (gold[name] + 1) % 3 for name in names[together].tolist()}
    assert (blind(crowd, gold | lies)[together] == before[together]).all()


def test_it_does_not_hang_on_the_order_of_gold(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    assert (blind(crowd, dict(reversed(gold.items())))[::-1] == blind(crowd, gold)).all()


def test_what_others_gold_teaches_is_known(crowd: Crowd) -> None:
    """Three of four annotators tell the same lies, which is what gold is for."""
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 3, 200)
    task, worker = np.repeat(np.arange(200), 4), np.tile(np.arange(4), 200)
    label = (truth[task] + (worker < 3)) % 3
    gold = {each: int(truth[each]) for each in range(0, 200, 5)}
    found = blind_posteriors(task, worker, label, gold=gold, classes=range(3))
    assert (found.argmax(1) == truth[list(gold)]).all()


@pytest.mark.parametrize(("count", "used"), [(GOLD, FOLDS), (4, 4)])
def test_each_task_is_in_a_fold_of_as_many_as_the_others(count: int, used: int) -> None:
    sizes = np.bincount(folds(count))
    assert len(sizes) == used
    assert np.ptp(sizes) <= 1


def test_the_interval_holds_how_often_labels_are_right(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    found = infer(crowd, gold)
    whole, by_class = judged(crowd, gold)
    rest = ~np.isin(found.tasks, list(gold))
    right = (found.label == crowd.truth[found.tasks])[rest]
    assert whole is not None
    assert (whole.judged, whole.labels) == (GOLD, rest.sum())
    assert whole.low <= right.mean() <= whole.high
    for label, each in enumerate(by_class):
        own = found.label[rest] == label
        assert each is None or each.low <= right[own].mean() <= each.high
    assert any(by_class)


def test_a_little_gold_tells_nothing(crowd: Crowd) -> None:
    assert judged(crowd, gold_of(crowd, 12)) == (None, [None] * 3)
    with pytest.raises(ValueError, match="no gold"):
        blind(crowd, {})
    with pytest.raises(ValueError, match="task 10000 has gold, but no answers"):
        blind(crowd, {10_000: 1})
