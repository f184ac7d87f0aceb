"""Similarities become probabilities that mean what they say."""

from pathlib import Path

import pytest
import torch

from training.engine.data.rows import Row
from training.engine.evaluation.calibration import bare, informed, platt


def test_probabilities_that_rest_on_no_answers_are_left_out() -> None:
    rows = [Row(Path(str(i)), (), (), {"cat": p}) for i, p in enumerate([0.99, *[0.1] * 9, 0.01])]
    known = informed(rows, ["cat", "dog"])
    assert known[:, 0].isfinite().tolist() == [True, *[False] * 9, True]
    assert not known[:, 1].isfinite().any()


def test_a_scale_brings_overconfident_log_odds_back() -> None:
    torch.manual_seed(0)
    true = torch.randn(4000)
    truth = (torch.rand(4000) < torch.sigmoid(true)).float()
    a, b = platt(5 * true + 2, truth)
    assert a == pytest.approx(0.2, abs=0.03)
    assert b == pytest.approx(-0.4, abs=0.15)


@pytest.mark.parametrize(
    ("text", "name"), [("a bicycle", "bicycle"), ("An Owl", "owl"), ("apple", "apple")]
)
def test_an_article_does_not_hide_a_concept(text: str, name: str) -> None:
    assert bare(text) == name
