"""Examples that are made up are the same in every run."""

import numpy as np
import pytest
from hypothesis import settings

from tests.labeling.aggregation.crowds import CLASSES, TASKS, WIDTH

settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, max_examples=60
)
settings.load_profile("repeatable")


@pytest.fixture(scope="module")
def seen() -> tuple[np.ndarray, np.ndarray]:
    """Features, and the classes that they tell of: right about four times in five."""
    dice = np.random.default_rng(0)
    features = dice.standard_normal((TASKS, WIDTH)).astype(np.float32)
    scores = features[:, :CLASSES] * 3 + dice.gumbel(size=(TASKS, CLASSES))
    return features * np.linspace(0.5, 5, WIDTH, dtype=np.float32) + 5, scores.argmax(1)
