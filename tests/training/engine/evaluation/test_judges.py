"""A judge never conditioned the model that it judges."""

from pathlib import Path

import numpy as np
import pytest

from training.engine.data.rows import Snapshot
from training.engine.evaluation.judges import Judge, choose, linear_judge
from training.engine.files import write_json

JUDGE = "lsa-linear"


def test_the_judge_is_never_what_conditioned_the_model(
    gallery: Snapshot, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = linear_judge(gallery, cache)
    monkeypatch.setattr(
        "training.engine.evaluation.judges.load_open_clip", lambda model, pretrained: known
    )
    spec = {"model": "ViT", "pretrained": "x"}

    def chosen(conditioner: dict[str, str]) -> Judge:
        return choose(gallery, 0, cache, spec=spec, conditioners=[conditioner])

    assert chosen({"kind": "sentence", "identity": "MiniLM"}).name == known.identity
    assert chosen({"kind": "open_clip", "identity": known.identity}).name == JUDGE


def test_a_judge_is_not_what_the_conditioner_was_tuned_from(
    gallery: Snapshot, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = linear_judge(gallery, cache)
    monkeypatch.setattr(
        "training.engine.evaluation.judges.load_open_clip", lambda model, pretrained: known
    )
    write_json(tmp_path / "config.json", {"network": {"weights": known.identity}})
    conditioner = {"kind": "folder", "path": str(tmp_path), "identity": "other"}
    spec = {"model": "ViT", "pretrained": "x"}
    assert choose(gallery, 0, cache, spec=spec, conditioners=[conditioner]).name == JUDGE


def test_a_trained_judge_is_trained_once(
    gallery: Snapshot, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = choose(gallery, 2, cache)
    assert judge.name == "lsa-clip"
    monkeypatch.setattr("training.engine.evaluation.judges.Loop", None)
    again = choose(gallery, 2, cache)
    rows = gallery.test[:3]
    assert np.allclose(judge.embed_rows(rows), again.embed_rows(rows), atol=1e-6)
