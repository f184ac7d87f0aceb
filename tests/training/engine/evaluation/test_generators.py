"""What drawn pictures are found to be worth, with painters whose worth is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.engine.gallery import Painter, paint, write_model
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot
from training.engine.encoders import efficientnet
from training.engine.evaluation import generators
from training.engine.evaluation.evaluate import evaluate
from training.engine.files import TrainingError, write_json

JUDGE = "lsa-linear"


@pytest.fixture(scope="module")
def model(gallery: Snapshot, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model", gallery, cache)


Judged = Callable[[Painter], dict[str, float]]


@pytest.fixture(scope="module")
def judged(model: Path, gallery: Snapshot, cache: Path) -> Judged:
    """Measure a painter, once."""
    known: list[tuple[Painter, dict[str, float]]] = []

    def judge(painter: Painter) -> dict[str, float]:
        for other, metrics in known:
            if other is painter:
                return metrics
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(generators, "load_generator", lambda folder: painter)
            known.append((painter, evaluate(model, gallery, cache=cache)))
        return known[-1][1]

    return judge


GOOD = Painter()
STUBBORN = Painter(stock=paint("red", "square", 0)[None])


def test_a_painter_who_draws_what_is_asked_for_is_as_good_as_real_pictures(
    judged: Judged,
) -> None:
    metrics = judged(GOOD)
    name = f"r_precision_held_out@{JUDGE}"
    assert metrics[f"{name}_chance"] == pytest.approx(1 / 15)
    assert metrics[f"{name}_real"] > 4 * metrics[f"{name}_chance"]
    assert metrics[f"{name}_low"] <= metrics[f"{name}_real"] <= metrics[f"{name}_high"] + 0.1
    assert metrics["unseen_colour@pixels"] == 1
    assert metrics["unseen_colour@pixels_real"] == 1
    assert metrics[f"attributes@{JUDGE}_low"] > metrics[f"attributes@{JUDGE}_chance"]
    assert metrics["near_copies"] < 0.2
    assert metrics[f"kid@{JUDGE}_low"] < metrics[f"kid@{JUDGE}_floor"] + 0.02


def test_a_painter_who_draws_anything_reaches_what_chance_does(judged: Judged) -> None:
    metrics = judged(Painter(skill=0.0))
    for name in (f"r_precision_held_out@{JUDGE}", f"unseen_colour@{JUDGE}"):
        assert metrics[f"{name}_low"] <= metrics[f"{name}_chance"] + 0.05
        assert metrics[name] < metrics[f"{name}_chance"] + 0.15
    assert metrics["unseen_colour@pixels"] < 0.5


def test_a_judge_that_is_the_same_everywhere_finds_the_same(judged: Judged) -> None:
    good, bad = judged(GOOD), judged(STUBBORN)
    name = "kid@efficientnet-lite0"
    assert good[f"{name}_low"] < good[f"{name}_floor"] + 0.05
    assert bad[name] > good[f"{name}_high"]
    variety = "variety@efficientnet-lite0"
    assert bad[variety] == pytest.approx(0, abs=1e-3)
    assert 0 < good[variety] < good[f"{variety}_chance"]


def test_without_the_encoder_the_other_judges_remain(
    model: Path, gallery: Snapshot, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet, "WHEEL", "no_such_wheel")
    efficientnet.load_efficientnet.cache_clear()
    monkeypatch.setattr(generators, "load_generator", lambda folder: GOOD)
    metrics = evaluate(model, gallery, cache=cache)
    assert f"kid@{JUDGE}" in metrics
    assert not [name for name in metrics if "efficientnet" in name]


def test_a_painter_who_copies_is_found_out(judged: Judged, gallery: Snapshot, cache: Path) -> None:
    stock = np.array(pack(gallery.train, 32, cache, "gallery"))
    metrics = judged(Painter(stock=stock))
    assert metrics["near_copies"] == 1
    assert metrics["near_copies_real"] < 0.5
    assert metrics["nearest_train"] < metrics["nearest_train_real"]


def test_every_figure_has_its_interval_and_is_a_number(judged: Judged) -> None:
    metrics = judged(GOOD)
    assert all(np.isfinite(value) for value in metrics.values())
    for name, value in metrics.items():
        if f"{name}_low" in metrics:
            assert metrics[f"{name}_low"] <= value <= metrics[f"{name}_high"], name


class Modeller(Painter):
    chance = 6.0

    def nats_per_token(self, pixels: Pixels, prompts: Sequence[str]) -> Tensor:
        return torch.full((len(pixels),), 2.5)

    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        return torch.from_numpy(pictures.reshape(len(pictures), -1).mean(1))


def test_a_model_that_says_what_it_thinks_of_pictures_is_asked(judged: Judged) -> None:
    metrics = judged(Modeller())
    assert metrics["nats_per_token"] == 2.5
    assert metrics["nats_per_token_chance"] == 6.0
    assert 0.3 < metrics["discriminator_accuracy@discriminator"] < 0.7


def test_a_config_edited_by_hand_ends_in_a_sentence(
    model: Path, gallery: Snapshot, cache: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", {"recipe": "diffusion", "prompts": 3})
    with pytest.raises(TrainingError):
        evaluate(tmp_path, gallery, cache=cache)
