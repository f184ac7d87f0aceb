"""Embeddings are kept by model and content."""

from pathlib import Path

import pytest
import torch

from training.engine.encoders.embeddings import cached
from training.engine.files import TrainingError


def test_what_was_encoded_is_not_encoded_again(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def encode(missing: list[int]) -> torch.Tensor:
        asked.append(missing)
        return torch.tensor([[float(i)] for i in missing])

    first = cached(tmp_path, "model", ["a", "b"], encode)
    second = cached(tmp_path, "model", ["b", "c", "a"], encode)
    assert asked == [[0, 1], [1]]
    assert first.tolist() == [[0], [1]]
    assert second.tolist() == [[1], [1], [0]]
    cached(tmp_path, "another model", ["a"], encode)
    assert asked[-1] == [0]


def test_a_broken_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(TrainingError, match="delete it"):
        cached(tmp_path, "model", ["a"], lambda missing: torch.zeros(1, 1))
