"""What must hold of every aggregator, whatever its method."""

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.labeling.aggregation.crowds import (
    Aggregator,
    CrowdData,
    crowd_of,
    majority,
    ours,
    ours_with_features,
    ours_with_model,
)

EVERY = [majority, ours, ours_with_model, ours_with_features]

MIXED = [0.95, 0.9, 0.8, 0.7, 0.6, 0.6, 0.55, 0.5]
GOOD = [0.9, 0.85, 0.85, 0.8, 0.8, 0.75]


@pytest.fixture(params=EVERY, ids=lambda each: each.__name__)
def infer(request: pytest.FixtureRequest) -> Aggregator:
    aggregator: Aggregator = request.param
    return aggregator


@pytest.fixture(scope="module", params=[2, 4], ids=["two classes", "four classes"])
def crowd(request: pytest.FixtureRequest) -> CrowdData:
    return crowd_of(tasks=120, classes=request.param, skill=MIXED, share=0.5, seed=1)


def add(data: CrowdData, *answers: tuple[Any, Any, Any]) -> CrowdData:
    """The same with more answers: (task, worker, label)."""
    task, worker, label = zip(*answers, strict=True)
    return replace(
        data,
        task=np.append(data.task, task),
        worker=np.append(data.worker, worker),
        label=np.append(data.label, label),
    )


def right(data: CrowdData, labels: Any, tasks: Any) -> float:
    return float((labels == data.truth[tasks]).mean())


def test_posteriors_are_finite_and_sum_to_one(infer: Aggregator, crowd: CrowdData) -> None:
    posterior = infer(crowd).posterior
    np.testing.assert_allclose(posterior.sum(1), 1, rtol=1e-9)
    assert ((posterior > 0) & (posterior < 1)).all()


def test_the_same_answers_give_the_same_beliefs_and_stay_as_they_are(
    infer: Aggregator, crowd: CrowdData
) -> None:
    columns = [column.copy() for column in (crowd.task, crowd.worker, crowd.label)]
    for column in (crowd.task, crowd.worker, crowd.label):
        column.flags.writeable = False
    np.testing.assert_array_equal(infer(crowd).posterior, infer(crowd).posterior)
    for before, after in zip(columns, (crowd.task, crowd.worker, crowd.label), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_order_of_answers_does_not_matter(infer: Aggregator, crowd: CrowdData) -> None:
    order = np.random.default_rng(2).permutation(len(crowd.task))
    task, worker, label = crowd.rows(order)
    shuffled = infer(replace(crowd, task=task, worker=worker, label=label))
    np.testing.assert_array_equal(shuffled.posterior, infer(crowd).posterior)


@pytest.mark.parametrize("column", ["task", "worker", "label"])
def test_names_do_not_matter(infer: Aggregator, crowd: CrowdData, column: str) -> None:
    old = getattr(crowd, column)
    names = np.random.default_rng(3).permutation([f"name {i}" for i in range(old.max() + 1)])
    renamed = replace(crowd, **{column: names[old]})
    if column == "task":
        features = {str(names[task]): row for task, row in crowd.features.items()}
        predictions = {str(names[task]): row for task, row in crowd.model_probabilities.items()}
        renamed = replace(renamed, features=features, model_probabilities=predictions)
    elif column == "label":
        predictions = {
            task: {str(names[label]): chance for label, chance in row.items()}
            for task, row in crowd.model_probabilities.items()
        }
        renamed = replace(renamed, model_probabilities=predictions)
    plain, other = infer(crowd), infer(renamed)
    rows = plain.tasks if column != "task" else names[plain.tasks]
    columns = plain.classes if column != "label" else names[plain.classes]
    places = np.ix_(np.searchsorted(other.tasks, rows), np.searchsorted(other.classes, columns))
    np.testing.assert_allclose(other.posterior[places], plain.posterior, atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        [True, False],
        [0.25, -1.5],
        [datetime.date(2024, 2, 29), datetime.date(2023, 1, 1)],
        [2**62, -(2**62)],
        [2**70, -1],
        [np.datetime64("2024-02-29"), np.datetime64("2023-01-01")],
        ["é", "e"],
    ],
    ids=lambda names: type(names[0]).__name__,
)
def test_ids_may_be_of_any_kind(infer: Aggregator, names: list[Any]) -> None:
    rows = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 0]])
    column, ranks = np.array(names), np.argsort(np.argsort(names))
    named = infer(CrowdData(column[rows[:, 0]], column[rows[:, 1]], column[rows[:, 2]]))
    plain = infer(CrowdData(ranks[rows[:, 0]], ranks[rows[:, 1]], ranks[rows[:, 2]]))
    np.testing.assert_array_equal(named.posterior, plain.posterior)
    assert named.tasks.tolist() == np.sort(column).tolist()


def test_of_repeated_answers_the_last_one_counts(infer: Aggregator, crowd: CrowdData) -> None:
    some = np.arange(0, len(crowd.task), 3)
    other = (crowd.label[some] + 1) % (crowd.label.max() + 1)
    repeated = replace(
        crowd,
        task=np.concatenate([crowd.task[some], crowd.task[some], crowd.task, crowd.task]),
        worker=np.concatenate([crowd.worker[some], crowd.worker[some], crowd.worker, crowd.worker]),
        label=np.concatenate([other, crowd.label[some], crowd.label, crowd.label]),
    )
    np.testing.assert_array_equal(infer(repeated).posterior, infer(crowd).posterior)


def test_gold_is_respected(infer: Aggregator, crowd: CrowdData) -> None:
    gold = {int(task): int(crowd.truth[task] == 0) for task in np.unique(crowd.task)[::10]}
    found = infer(replace(crowd, gold=gold))
    for task, label in gold.items():
        assert found.of(task, label) == 1
    np.testing.assert_allclose(found.posterior.sum(1), 1, rtol=1e-9)


def test_gold_of_tasks_without_answers_is_left_out(infer: Aggregator, crowd: CrowdData) -> None:
    found = infer(replace(crowd, gold={10_000: 0}))
    np.testing.assert_array_equal(found.posterior, infer(crowd).posterior)


def test_true_gold_does_not_make_the_other_tasks_worse(infer: Aggregator, crowd: CrowdData) -> None:
    gold = {task: int(crowd.truth[task]) for task in range(0, 120, 4)}
    before, after = infer(crowd), infer(replace(crowd, gold=gold))
    others = np.array([task not in gold for task in before.tasks.tolist()])
    tasks = before.tasks[others]
    share = right(crowd, before.label()[others], tasks)
    assert right(crowd, after.label()[others], tasks) >= share - 0.04


def test_one_more_answer_of_a_newcomer_never_lowers_its_class(
    infer: Aggregator, crowd: CrowdData
) -> None:
    """Whoever has data nothing yet is an average annotator, and this crowd is better than chance.

    So the answer itself speaks for its class. What else changes, since all is inferred again, may
    take back no more than rounding does.
    """
    before = infer(crowd)
    for task in before.tasks[::20].tolist():
        for label in before.classes.tolist():
            after = infer(add(crowd, (task, 99, label)))
            assert after.of(task, label) >= before.of(task, label) - 1e-9


def test_one_more_answer_of_a_good_annotator_never_lowers_its_class(infer: Aggregator) -> None:
    """Good means right far more often than chance on every class, by many answers.

    One more answer against all others then hardly changes her estimated accuracy. With few answers
    it may, and the class may lose a hundredth.
    """
    crowd = crowd_of(tasks=150, classes=3, skill=GOOD, share=0.7, seed=5)
    before = infer(crowd)
    for task in range(0, 150, 30):
        absent = set(range(len(GOOD))) - set(crowd.worker[crowd.task == task].tolist())
        for worker, label in ((w, k) for w in sorted(absent)[:2] for k in range(3)):
            after = infer(add(crowd, (task, worker, label)))
            assert after.of(task, label) >= before.of(task, label) - 1e-9


def test_answers_that_agree_make_a_task_ever_more_certain(
    infer: Aggregator, crowd: CrowdData
) -> None:
    data, certainty = crowd, []
    for worker in range(100, 110):
        data = add(data, (500, worker, 1))
        certainty.append(infer(data).of(500, 1))
    assert certainty == sorted(certainty)
    assert certainty[0] < 0.95 < certainty[-1] + 0.15


def test_tasks_and_annotators_with_a_single_answer_are_taken_as_they_come(
    infer: Aggregator, crowd: CrowdData
) -> None:
    before = infer(crowd)
    data = add(crowd, *((1000 + i, 1000 + i, i % 2) for i in range(20)))
    after = infer(data)
    alone = after.tasks >= 1000
    np.testing.assert_array_equal(after.label()[alone], np.arange(20) % 2)
    assert (after.posterior[alone].max(1) < 0.97).all()
    assert (after.label()[~alone] == before.label()).mean() >= 0.97


def test_one_answer_a_task_is_believed(infer: Aggregator) -> None:
    crowd = crowd_of(tasks=60, classes=3, skill=GOOD, share=1, seed=3)
    task, worker, label = crowd.rows(crowd.worker == crowd.task % len(GOOD))
    found = infer(replace(crowd, task=task, worker=worker, label=label))
    np.testing.assert_array_equal(found.label(), label)
    assert (found.posterior.max(1) < 0.99).all()


@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_single_class_is_certain(infer: Aggregator, size: int) -> None:
    found = infer(CrowdData(np.arange(size) // 2, np.arange(size), np.full(size, 7)))
    assert found.classes.tolist() == [7]
    np.testing.assert_array_equal(found.posterior, 1.0)


def test_a_single_annotator_is_believed(infer: Aggregator) -> None:
    label = np.arange(40) % 3
    found = infer(CrowdData(np.arange(40), np.zeros(40, np.int64), label))
    np.testing.assert_array_equal(found.label(), label)
    assert np.isfinite(found.posterior).all()


def test_a_single_task_goes_to_its_majority(infer: Aggregator) -> None:
    found = infer(CrowdData(np.zeros(5, np.int64), np.arange(5), np.array([0, 1, 1, 2, 1])))
    assert found.label().tolist() == [1]
    assert 0.34 < found.of(0, 1) < 0.99


def test_a_rare_class_is_not_swallowed(infer: Aggregator) -> None:
    crowd = crowd_of(tasks=400, classes=2, skill=GOOD, share=0.8, seed=7, rare=0.05)
    found = infer(crowd)
    rare = crowd.truth[found.tasks] == 1
    assert rare.sum() > 10
    assert found.label()[rare].mean() > 0.7
    assert right(crowd, found.label(), found.tasks) > 0.93


def test_a_class_that_nobody_answers_stays_unlikely_and_changes_no_label(
    infer: Aggregator, crowd: CrowdData
) -> None:
    classes = [*range(int(crowd.label.max()) + 1), 77]
    plain, more = infer(crowd), infer(replace(crowd, classes=classes))
    assert more.classes.tolist() == classes
    np.testing.assert_allclose(more.posterior.sum(1), 1, rtol=1e-9)
    assert more.posterior[:, -1].mean() < 0.2
    assert (more.label() == plain.label()).mean() >= 0.97


def test_two_unrelated_sets_are_as_good_together_as_apart(infer: Aggregator) -> None:
    one = crowd_of(tasks=150, classes=3, skill=MIXED, share=0.6, seed=8)
    two = crowd_of(tasks=150, classes=3, skill=GOOD, share=0.6, seed=9)
    together = CrowdData(
        np.append(one.task, two.task + 1000),
        np.append(one.worker, two.worker + 1000),
        np.append(one.label, two.label),
        features=one.features | {task + 1000: row for task, row in two.features.items()},
        model_probabilities=one.model_probabilities
        | {task + 1000: row for task, row in two.model_probabilities.items()},
    )
    found = infer(together)
    first = found.tasks < 1000
    assert np.isfinite(found.posterior).all()
    for data, part, shift in ((one, first, 0), (two, ~first, 1000)):
        apart = infer(data)
        accuracy = right(data, apart.label(), apart.tasks)
        joint = right(data, found.label()[part], found.tasks[part] - shift)
        assert joint >= accuracy - 0.03


def test_it_is_about_as_good_as_the_majority_or_better(infer: Aggregator, crowd: CrowdData) -> None:
    votes, found = majority(crowd), infer(crowd)
    share = right(crowd, votes.label(), votes.tasks)
    assert right(crowd, found.label(), found.tasks) >= share - 0.01


def test_it_refuses_no_answers_at_all(infer: Aggregator) -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="no answers"):
        infer(CrowdData(nothing, nothing, nothing))
