"""How far a model's word is trusted: as far as it agrees with people."""

import numpy as np
import pytest
from scipy.special import logit

from labeling.aggregation.model_weight import DEFAULT_WEIGHT, fit_model_weight, match_prevalence

QUESTIONS = 1000


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray]:
    """What an honest model says, in log-odds, and people's evidence: each two answers, .8 right."""
    dice = np.random.default_rng(0)
    told = dice.normal(0, 2, QUESTIONS)
    truth = dice.random(QUESTIONS) < 1 / (1 + np.exp(-told))
    right = dice.random((2, QUESTIONS)) < 0.8
    said = np.where(right == truth, 1, -1).sum(0) * logit(0.8)
    return told, said


def test_an_honest_model_is_trusted_as_it_is(world):
    told, said = world
    assert fit_model_weight(told, np.zeros(QUESTIONS), said) > 0.8


def test_an_overconfident_model_is_trusted_less(world):
    told, said = world
    assert fit_model_weight(4 * told, np.zeros(QUESTIONS), said) == pytest.approx(0.25, abs=0.08)


def test_a_model_that_tells_nothing_or_lies_is_not_trusted(world):
    told, said = world
    mixed = np.random.default_rng(1).permutation(told)
    assert fit_model_weight(mixed, np.zeros(QUESTIONS), said) < 0.1
    assert fit_model_weight(-told, np.zeros(QUESTIONS), said) < 0.01


def test_what_repeats_what_was_known_before_is_not_trusted(world):
    """An import's word is no more probable for being said twice."""
    told, said = world
    assert fit_model_weight(told, told, said) < 0.15


def test_nothing_known_leaves_it_where_it_was():
    assert fit_model_weight([], [], []) == pytest.approx(DEFAULT_WEIGHT, abs=1e-3)
    assert fit_model_weight([2.0], [0.0], [1.0], start=0.8) == pytest.approx(0.8, abs=0.1)
    assert fit_model_weight([9.0] * 50, [0.0] * 50, [0.0] * 50) == pytest.approx(
        DEFAULT_WEIGHT, abs=1e-3
    )


def test_the_order_of_questions_does_not_matter(world):
    told, said = world
    nothing = np.zeros(QUESTIONS)
    backwards = fit_model_weight(told[::-1], nothing, said[::-1])
    assert backwards == pytest.approx(fit_model_weight(told, nothing, said), abs=1e-6)


def test_yes_and_no_are_alike(world):
    told, said = world
    nothing = np.zeros(QUESTIONS)
    assert fit_model_weight(-told, nothing, -said) == pytest.approx(
        fit_model_weight(told, nothing, said), abs=1e-4
    )


@pytest.mark.parametrize("rate", [0.001, 0.2, 0.9])
def test_log_odds_are_anchored_at_a_rate(world, rate):
    moved = match_prevalence(world[0], rate)
    assert (1 / (1 + np.exp(-moved))).mean() == pytest.approx(rate, abs=1e-6)
    assert np.allclose(np.diff(moved), np.diff(world[0]))
