"""How often labels are right, judged by gold that had no part in what judges them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from labeling.aggregation import Aggregate, aggregate
from labeling.aggregation.cross_fit import FOLDS, blind_posteriors, label_accuracies
from tests.labeling.aggregation.test_dawid_skene import Crowd, crowd_of

GOLD = 60  # tasks


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return crowd_of(tasks=600, classes=3, skill=[0.6] * 30, share=0.1, seed=3)


def infer(crowd: Crowd, gold: Mapping[Any, Any]) -> Aggregate:
    return aggregate(crowd.task, crowd.worker, crowd.label, gold=gold, classes=range(3))


def gold_of(crowd: Crowd, count: int = GOLD) -> dict[int, int]:
    answered = np.random.default_rng(0).permutation(np.unique(crowd.task))[:count]
    return dict(zip(answered.tolist(), crowd.truth[answered].tolist(), strict=True))


def test_a_task_s_blind_posterior_does_not_know_its_own_gold(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    before = blind_posteriors(lambda some: infer(crowd, some), gold)
    for row, name in enumerate(list(gold)[:3]):
        other = blind_posteriors(
            lambda some: infer(crowd, some), gold | {name: (gold[name] + 1) % 3}
        )
        assert (other[row] == before[row]).all()
        assert (other != before).any()  # the others know it


@pytest.mark.parametrize(("count", "folds"), [(GOLD, FOLDS), (4, 4)])
def test_each_fold_is_left_out_once(crowd: Crowd, count: int, folds: int) -> None:
    gold, seen = gold_of(crowd, count), []

    def inferred(some: Mapping[Any, Any]) -> Aggregate:
        seen.append(some)
        return infer(crowd, some)

    blind_posteriors(inferred, gold)
    assert len(seen) == folds
    assert sorted(name for some in seen for name in gold if name not in some) == sorted(gold)


def test_the_interval_holds_how_often_labels_are_right(crowd: Crowd) -> None:
    gold = gold_of(crowd)
    found = infer(crowd, gold)
    whole, by_class = label_accuracies(found, lambda some: infer(crowd, some), gold | {"nobody": 1})
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
    gold = gold_of(crowd, 12)
    whole, by_class = label_accuracies(infer(crowd, gold), lambda some: infer(crowd, some), gold)
    assert whole is None
    assert by_class == [None] * 3
    with pytest.raises(ValueError, match="no gold"):
        blind_posteriors(lambda some: infer(crowd, some), {})
