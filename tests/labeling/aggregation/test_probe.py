"""A probe on features: out of fold, and calibrated."""

import numpy as np
import pytest

from labeling.aggregation.probe import Probe, cross_val_predict
from tests.labeling.aggregation.crowds import CLASSES, TASKS


def test_it_learns_what_features_tell(seen):
    features, truth = seen
    found = cross_val_predict(features, np.eye(CLASSES)[truth])
    assert np.allclose(found.sum(1), 1, atol=1e-5)
    assert (found.argmax(1) == truth).mean() > 0.75
    sure = found.max(1) > 0.9
    assert (found.argmax(1) == truth)[sure].mean() > 0.85


def test_a_prediction_is_never_about_what_it_was_fitted_to():
    """Noise teaches nothing: a probe that saw its own targets would seem to be right."""
    dice = np.random.default_rng(2)
    features, truth = dice.standard_normal((200, 150)), dice.integers(0, 2, 200)
    found = cross_val_predict(features, np.eye(2)[truth])
    assert (found.argmax(1) == truth).mean() < 0.62
    assert -np.log(found[np.arange(200), truth]).mean() < 0.75


def test_equal_pictures_share_a_fold():
    """Else a copy in another fold would whisper the answer."""
    dice = np.random.default_rng(3)
    features = np.repeat(dice.standard_normal((100, 60)), 2, axis=0)
    truth = np.repeat(dice.integers(0, 2, 100), 2)
    found = cross_val_predict(features, np.eye(2)[truth])
    assert (found.argmax(1) == truth).mean() < 0.65


def test_the_order_of_tasks_does_not_matter(seen):
    features, truth = seen
    targets = np.eye(CLASSES)[truth] * 0.8 + 0.2 / CLASSES
    order = np.random.default_rng(4).permutation(TASKS)
    there = cross_val_predict(features[order], targets[order])
    assert np.allclose(there, cross_val_predict(features, targets)[order], atol=1e-3)


def test_the_names_of_classes_do_not_matter(seen):
    features, truth = seen
    targets = np.eye(CLASSES)[truth]
    there = cross_val_predict(features, targets[:, ::-1])
    assert np.allclose(there[:, ::-1], cross_val_predict(features, targets), atol=1e-3)


def test_rows_without_belief_are_predicted_but_not_learned_from(seen):
    features, truth = seen
    targets = np.eye(CLASSES)[truth]
    targets[300:] = np.nan
    found = cross_val_predict(features, targets)
    assert (found[300:].argmax(1) == truth[300:]).mean() > 0.75
    assert np.allclose(found[:300], cross_val_predict(features[:300], targets[:300]), atol=1e-5)


def test_a_weight_of_zero_is_as_good_as_no_belief(seen):
    features, truth = seen
    targets = np.eye(CLASSES)[truth]
    weight = (np.arange(TASKS) < 300).astype(float)
    blank = np.where(weight[:, None] > 0, targets, np.nan)
    assert np.allclose(
        cross_val_predict(features, targets, weight=weight), cross_val_predict(features, blank)
    )


def test_rows_without_features_are_not_predicted(seen):
    features, truth = seen[0].copy(), seen[1]
    features[::7] = np.nan
    found = cross_val_predict(features, np.eye(CLASSES)[truth])
    assert np.isnan(found[::7]).all() and np.isfinite(np.delete(found, np.s_[::7], 0)).all()


def test_without_any_belief_nothing_is_predicted():
    assert np.isnan(cross_val_predict(np.ones((4, 2)), np.full((4, 3), np.nan))).all()


@pytest.mark.parametrize("width", [1, 5])
def test_features_that_tell_nothing_give_the_class_frequencies(width):
    targets = np.eye(2)[(np.arange(100) % 4 == 0).astype(int)]
    found = cross_val_predict(np.full((100, width), 7.0), targets)
    assert np.allclose(found[:, 1], 0.25, atol=0.05)


def test_one_class_is_certain():
    assert (cross_val_predict(np.ones((5, 2)), np.ones((5, 1))) == 1).all()


def test_a_hint_counts_where_there_is_little_to_learn_from():
    dice = np.random.default_rng(5)
    truth = np.arange(400) % 2
    noise = dice.standard_normal((400, 300))
    hint = (2 * truth - 1) * 1.5 + dice.standard_normal(400)
    rows = np.column_stack([noise, hint]).astype(np.float32)
    right = []
    for hints in (0, 1):
        probe = Probe(rows[:30], np.eye(2)[truth[:30]], np.ones(30), hints=hints)
        right.append((probe.predict_proba(rows[30:]).argmax(1) == truth[30:]).mean())
    assert right[0] < 0.75 < 0.85 < right[1]


def test_its_linear_form_says_nearly_the_same(seen):
    features, truth = seen
    probe = Probe(features, np.eye(CLASSES)[truth], np.ones(TASKS), hints=2)
    weights = probe.linear_weights()
    scores = features @ weights[:-1] + weights[-1]
    powers = np.exp(scores - scores.max(1, keepdims=True))
    assert np.allclose(
        powers / powers.sum(1, keepdims=True), probe.predict_proba(features), atol=0.05
    )


@pytest.mark.parametrize(
    ("features", "targets", "more"),
    [
        (np.ones((3, 2)), np.ones((2, 2)), {}),
        (np.ones(3), np.ones((3, 2)), {}),
        (np.ones((3, 0)), np.ones((3, 2)), {}),
        (np.ones((3, 2)), -np.ones((3, 2)), {}),
        (np.ones((3, 2)), np.zeros((3, 2)), {}),
        (np.ones((3, 2)), np.ones((3, 2)), {"weight": [1, 2]}),
        (np.ones((3, 2)), np.ones((3, 2)), {"weight": [1, 2, -1]}),
        (np.ones((3, 2)), np.ones((3, 2)), {"folds": 1}),
    ],
)
def test_it_refuses_what_does_not_fit_together(features, targets, more):
    with pytest.raises(ValueError, match=r"must (be|hold)|folds"):
        cross_val_predict(features, targets, **more)
