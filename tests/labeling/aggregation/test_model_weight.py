"""The weight of a model: as far as it agrees with people."""

import numpy as np
import pytest
from scipy.special import logit

from labeling.aggregation.model_weight import DEFAULT_WEIGHT, fit_model_weight, match_prevalence

QUESTIONS = 1000


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray]:
    """A calibrated model in log-odds, and the evidence of two answers each, right at .8."""
    dice = np.random.default_rng(0)
    gain = dice.normal(0, 2, QUESTIONS)
    truth = dice.random(QUESTIONS) < 1 / (1 + np.exp(-gain))
    right = dice.random((2, QUESTIONS)) < 0.8
    evidence = np.where(right == truth, 1, -1).sum(0) * logit(0.8)
    return gain, evidence


def test_a_calibrated_model_has_a_weight_near_one(world):
    gain, evidence = world
    assert fit_model_weight(gain, np.zeros(QUESTIONS), evidence) > 0.8


def test_an_overconfident_model_weighs_less(world):
    gain, evidence = world
    assert fit_model_weight(4 * gain, np.zeros(QUESTIONS), evidence) == pytest.approx(
        0.25, abs=0.08
    )


def test_a_random_or_wrong_model_weighs_nothing(world):
    gain, evidence = world
    mixed = np.random.default_rng(1).permutation(gain)
    assert fit_model_weight(mixed, np.zeros(QUESTIONS), evidence) < 0.1
    assert fit_model_weight(-gain, np.zeros(QUESTIONS), evidence) < 0.01


def test_a_model_that_repeats_the_prior_weighs_nothing(world):
    """A label is no more probable for being imported twice."""
    gain, evidence = world
    assert fit_model_weight(gain, gain, evidence) < 0.15


def test_without_answers_the_weight_is_the_default():
    assert fit_model_weight([], [], []) == pytest.approx(DEFAULT_WEIGHT, abs=1e-3)
    assert fit_model_weight([2.0], [0.0], [1.0], start=0.8) == pytest.approx(0.8, abs=0.1)
    assert fit_model_weight([9.0] * 50, [0.0] * 50, [0.0] * 50) == pytest.approx(
        DEFAULT_WEIGHT, abs=1e-3
    )


def test_the_order_of_questions_does_not_matter(world):
    gain, evidence = world
    nothing = np.zeros(QUESTIONS)
    backwards = fit_model_weight(gain[::-1], nothing, evidence[::-1])
    assert backwards == pytest.approx(fit_model_weight(gain, nothing, evidence), abs=1e-6)


def test_yes_and_no_are_alike(world):
    gain, evidence = world
    nothing = np.zeros(QUESTIONS)
    assert fit_model_weight(-gain, nothing, -evidence) == pytest.approx(
        fit_model_weight(gain, nothing, evidence), abs=1e-4
    )


@pytest.mark.parametrize("prevalence", [0.001, 0.2, 0.9])
def test_log_odds_are_moved_to_a_prevalence(world, prevalence):
    moved = match_prevalence(world[0], prevalence)
    assert (1 / (1 + np.exp(-moved))).mean() == pytest.approx(prevalence, abs=1e-6)
    assert np.allclose(np.diff(moved), np.diff(world[0]))
