"""Gold that contradicts nearly all answers is doubted in one sentence, and believed."""

import warnings

import numpy as np
import pytest

from labeling.aggregation import GoldWarning, aggregate
from tests.labeling.aggregation.crowds import CrowdData, crowd_of


def of_skill(*skill: float, classes: int = 3) -> CrowdData:
    return crowd_of(tasks=300, classes=classes, skill=skill, share=1.0, seed=3)


def test_gold_of_permuted_classes_is_doubted() -> None:
    crowd = of_skill(0.9, 0.9, 0.8)
    gold = {task: int(crowd.truth[task] + 1) % 3 for task in range(40)}
    sentence = r"^40 gold labels contradict 8\d% of the answers to their tasks, more than chance"
    with pytest.warns(GoldWarning, match=sentence):
        found = aggregate(*crowd.rows(slice(None)), gold=gold, classes=range(3))
    assert (found.label[:40] == [gold[task] for task in range(40)]).all()
    assert np.allclose(found.posterior.sum(1), 1)


def test_gold_in_other_words_is_doubted() -> None:
    crowd = of_skill(0.9, 0.9, 0.8)
    words = np.array(["cat", "dog", "owl"])
    gold = {task: words[crowd.truth[task]].upper() for task in range(40)}
    with pytest.warns(GoldWarning, match="^40 of 40 gold labels are classes that nobody answered"):
        found = aggregate(crowd.task, crowd.worker, words[crowd.label], gold=gold)
    assert len(found.classes) == 6
    assert np.allclose(found.posterior.sum(1), 1)


@pytest.mark.parametrize("skill", [(0.9, 0.8), (0.4, 0.4, 0.35), (1 / 3,) * 4])
def test_the_gold_of_a_weak_crowd_is_not_doubted(skill: tuple[float, ...]) -> None:
    crowd = of_skill(*skill)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aggregate(
            *crowd.rows(slice(None)),
            gold={task: int(crowd.truth[task]) for task in range(60)},
            classes=range(3),
        )


def test_a_few_mistakes_of_gold_are_not_doubted() -> None:
    crowd = of_skill(0.9, 0.9)
    gold = {task: int(crowd.truth[task] + (task % 4 == 0)) % 3 for task in range(60)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aggregate(*crowd.rows(slice(None)), gold=gold, classes=range(3))


def test_four_gold_labels_are_too_few_to_doubt() -> None:
    crowd = of_skill(0.9, 0.9, 0.8)
    gold = {task: int(crowd.truth[task] + 1) % 3 for task in range(4)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aggregate(*crowd.rows(slice(None)), gold=gold, classes=range(3))
