"""Answers tempered, as they come, to arrive where all at once arrive."""

import numpy as np
import pytest

from labeling.aggregation import online, online_tempering
from labeling.aggregation.online import ConfusionCounts, Tempering

QUESTIONS, EACH = 200, 4


def crowd(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(question, evidence, prior)."""
    draw = np.random.default_rng(seed)
    ratios = draw.uniform(0, 2.5, QUESTIONS * EACH)
    signs = np.where(draw.random(len(ratios)) < 0.8, 1, -1)
    return np.repeat(np.arange(QUESTIONS), EACH), ratios * signs, draw.random(QUESTIONS)


def posteriors(question, ratios, prior, tempering: Tempering) -> np.ndarray:
    evidence = [ratios[question == q].tolist() for q in range(QUESTIONS)]
    return np.array(
        [online.tempered_posterior(p, s, tempering) for p, s in zip(prior, evidence, strict=True)]
    )


@pytest.mark.parametrize("tempering", [Tempering(0.4, 0.05), Tempering(), Tempering(1.2, 0.4)])
def test_it_finds_the_tempering_that_was_used(tempering: Tempering) -> None:
    question, ratios, prior = crowd()
    posterior = posteriors(question, ratios, prior, tempering)
    found = online_tempering.fit_tempering(question, ratios, prior, posterior)
    assert found == pytest.approx(tempering)


def test_its_evidence_is_that_of_answers_as_they_come() -> None:
    cast = [
        ConfusionCounts(),
        ConfusionCounts(50, 2, 60, 1),
        ConfusionCounts(2, 50, 1, 60),
        ConfusionCounts(90, 1, 3, 80),
    ]
    for counts in cast:
        for answer in (True, False):
            columns = (np.array([x]) for x in (counts.sensitivity, counts.specificity, answer))
            (found,) = online_tempering.evidence(*columns)
            assert found == pytest.approx(online.evidence(counts, answer))


def test_with_too_few_questions_the_default_stays() -> None:
    columns = np.arange(3), np.ones(3), np.full(3, 0.5), np.ones(3)
    assert online_tempering.fit_tempering(*columns) == Tempering()
