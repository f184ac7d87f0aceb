"""A crowd together with probes on features: one more annotator, who learns from the others."""

import numpy as np
import pytest

from labeling.aggregation import aggregate
from labeling.aggregation.answer_probe import AnswerProbe
from labeling.aggregation.kernel_probe import KernelProbe
from labeling.aggregation.probe import folds_of
from labeling.aggregation.with_features import aggregate_with_features
from tests.labeling.aggregation.crowds import CLASSES, TASKS


def answers_to(truth: np.ndarray, each: int, right: float) -> tuple[np.ndarray, ...]:
    """So many answers a task, by thirty people, who err at random."""
    dice = np.random.default_rng(1)
    task = np.repeat(np.arange(len(truth)), each)
    worker = np.concatenate([dice.choice(30, each, replace=False) for _ in truth])
    wrong = (truth[task] + dice.integers(1, CLASSES, len(task))) % CLASSES
    return task, worker, np.where(dice.random(len(task)) < right, truth[task], wrong)


def test_the_crowd_with_a_probe_is_right_more_often_and_surer(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=2, right=0.6)
    alone = aggregate(task, worker, label)
    both = aggregate_with_features(task, worker, label, features)
    there = np.arange(TASKS), truth
    assert (both.label == truth).mean() > (alone.label == truth).mean() + 0.05
    assert -np.log(both.posterior[there]).mean() < -np.log(alone.posterior[there]).mean() - 0.1
    assert both.model_weight > 0.5


def test_features_of_other_tasks_are_ignored(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=3, right=0.7)
    alone = aggregate(task, worker, label)
    mixed = np.random.default_rng(6).permutation(features)
    both = aggregate_with_features(task, worker, label, mixed)
    assert np.abs(both.posterior - alone.posterior).mean() < 0.02


def test_the_names_of_tasks_do_not_matter_to_the_crowd_with_a_probe(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=2, right=0.6)
    names = np.array([f"t{n:03}" for n in np.random.default_rng(7).permutation(TASKS)])
    plain = aggregate_with_features(task, worker, label, features)
    named = aggregate_with_features(names[task], worker, label, features, tasks=names)
    assert named.tasks.tolist() == sorted(names)
    assert np.allclose(named.posterior[np.argsort(np.argsort(names))], plain.posterior, atol=5e-3)


def test_gold_is_kept(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=1, right=0.6)
    found = aggregate_with_features(task, worker, label, features, gold={0: 0, 1: 1, 2: 2})
    assert found.label[:3].tolist() == [0, 1, 2] and (found.confidence[:3] == 1).all()


def test_rows_of_features_must_suit_the_tasks():
    with pytest.raises(ValueError, match="2 tasks, but 3 rows"):
        aggregate_with_features([1, 2], [1, 1], [0, 1], np.ones((3, 2)))
    with pytest.raises(ValueError, match="task 2 has no row"):
        aggregate_with_features([1, 2], [1, 1], [0, 1], np.ones((2, 2)), tasks=[1, 3])
    with pytest.raises(ValueError, match="2 different tasks are named for 3"):
        aggregate_with_features([1, 2], [1, 1], [0, 1], np.ones((3, 2)), tasks=[1, 2, 2])


def test_one_answer_a_task_is_enough_where_features_tell(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=1, right=0.7)
    both = aggregate_with_features(task, worker, label, features)
    assert (label == truth).mean() < 0.72 < 0.75 < (both.label == truth).mean()
    accuracy = np.einsum("jkk->jk", both.tables).mean()
    assert abs(accuracy - 0.7) < 0.12  # whose errors are whose


def test_features_help_where_half_of_the_answers_are_wrong(seen):
    features, truth = seen
    task, worker, label = answers_to(truth, each=3, right=0.5)
    alone = aggregate(task, worker, label)
    both = aggregate_with_features(task, worker, label, features)
    assert (both.label == truth).mean() > (alone.label == truth).mean() + 0.1


def test_a_probe_of_answers_is_surer_than_people_are(seen):
    """It is told how often they err, and learns what is true, not what they say."""
    features, truth = seen
    _, _, label = answers_to(truth, each=1, right=0.7)
    likelihood = np.where(np.eye(CLASSES)[label] > 0, 0.7, 0.15)
    found = AnswerProbe(features, likelihood, folds=5).out_of_fold
    there = np.arange(TASKS), truth
    assert found.max(1).mean() > 0.7
    assert -np.log(found[there]).mean() < 0.75


def test_a_kernel_sees_what_no_line_divides():
    dice = np.random.default_rng(8)
    features = dice.standard_normal((800, 2)).astype(np.float32)
    inside = np.square(features).sum(1) < 1.2
    fold = folds_of(features, 5, 0)
    scores = KernelProbe(features, fold, folds=5, seed=0).out_of_fold(np.eye(2)[inside.astype(int)])
    assert (scores.argmax(1) == inside).mean() > 0.95


def test_tasks_without_features_are_left_to_people(seen):
    features, truth = seen[0].copy(), seen[1]
    task, worker, label = answers_to(truth, each=3, right=0.7)
    features[:] = np.nan
    alone = aggregate(task, worker, label)
    assert np.allclose(
        aggregate_with_features(task, worker, label, features).posterior, alone.posterior
    )
    features[::2] = seen[0][::2]
    both = aggregate_with_features(task, worker, label, features)
    assert (both.label == truth)[::2].mean() > (alone.label == truth)[::2].mean()
    assert np.isfinite(both.posterior).all()


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_features_that_tell_nothing_change_nothing(constant):
    truth = np.arange(60) % CLASSES
    task, worker, label = answers_to(truth, each=3, right=0.8)
    alone = aggregate(task, worker, label)
    both = aggregate_with_features(task, worker, label, np.full((60, 4), constant))
    assert np.abs(both.posterior - alone.posterior).mean() < 0.02


def test_a_single_class_and_few_tasks_are_no_trouble():
    assert (
        aggregate_with_features([1, 2], [1, 1], ["a", "a"], np.ones((2, 3))).label.tolist()
        == ["a"] * 2
    )
    few = aggregate_with_features([1, 2, 3], [1, 1, 2], [0, 1, 1], np.eye(3))
    assert np.isfinite(few.posterior).all()


def test_a_probe_needs_two_folds():
    with pytest.raises(ValueError, match="two folds"):
        aggregate_with_features([1, 2], [1, 1], [0, 1], np.ones((2, 2)), folds=1)
