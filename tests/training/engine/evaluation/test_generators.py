"""What drawn pictures are found to be worth, with painters whose worth is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.engine.gallery import UNSEEN, Painter, write_gallery, write_model
from training.engine.data import colours
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.prompts import held_out, named_colour, unseen_pairs
from training.engine.data.rows import Row, Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.evaluation import generators, prompt_sets
from training.engine.evaluation.evaluate import evaluate
from training.engine.evaluation.judges import FeatureModel, choose, linear
from training.engine.files import TrainingError, write_json

JUDGE = "lsa-linear"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return read_snapshot(write_gallery(tmp_path_factory.mktemp("gallery") / "snapshot"))


@pytest.fixture(scope="module")
def model(gallery: Snapshot, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model", gallery, cache)


Judged = Callable[[Painter], dict[str, float]]


@pytest.fixture(scope="module")
def judged(model: Path, gallery: Snapshot, cache: Path) -> Judged:
    """The metrics of a painter."""
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
    assert 0.3 < metrics["told_from_real@discriminator"] < 0.7


def test_a_config_edited_by_hand_ends_in_a_sentence(
    model: Path, gallery: Snapshot, cache: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", {"recipe": "diffusion", "prompts": 3})
    with pytest.raises(TrainingError):
        evaluate(tmp_path, gallery, cache=cache)


def test_pairs_never_seen_together_are_of_things_and_colours_that_are_known(
    gallery: Snapshot,
) -> None:
    prompts = ["a red square", "a disc", "a blue cross", "a unicorn"]
    assert set(unseen_pairs(gallery, prompts)) == UNSEEN
    assert unseen_pairs(gallery, ["a unicorn"]) == ()


def test_held_out_captions_are_those_that_training_never_saw_where_there_are_enough() -> None:
    def rows(start: int, count: int) -> tuple[Row, ...]:
        return tuple(
            Row(Path(f"{i}"), ((f"thing {i}", 0.9),), (), {}) for i in range(start, start + count)
        )

    some = Snapshot(Path(), (), rows(0, 20), rows(10, 25), "x")
    assert {row.path.name for row in held_out(some, 100)} == {str(i) for i in range(20, 35)}
    assert len(held_out(some, 4)) == 4
    few = Snapshot(Path(), (), rows(0, 20), rows(10, 15), "x")
    assert len(held_out(few, 100)) == 15


def test_a_picture_without_text_is_asked_for_by_its_surest_concept_or_nothing() -> None:
    row = Row(Path("x"), (), (), {"cat": 0.9, "dog": 0.2})
    mute = Row(Path("y"), (), (), {"cat": 0.4})
    prompt_set = prompt_sets.of_held_out(Snapshot(Path(), (), (), (row, mute), "x"), 0, 6)
    assert prompt_set.prompts == ("cat",)
    alone = prompt_sets.of_held_out(Snapshot(Path(), (), (), (mute,), "x"), 0, 6)
    assert alone.prompts == ("",)
    assert not alone.telling


@pytest.mark.parametrize("colour", colours.PROTOTYPES)
def test_the_pixels_say_their_colour(colour: str) -> None:
    pixels = np.full((1, 8, 8, 3), 255, np.uint8)
    pixels[0, 2:6, 2:6] = colours.PROTOTYPES[colour]
    shares = dict(zip(colours.PROTOTYPES, colours.shares(pixels)[0], strict=True))
    assert shares[colour] == 1
    assert sum(shares.values()) == 1


def test_white_and_grey_have_no_colour() -> None:
    grey = np.full((1, 4, 4, 3), 128, np.uint8)
    assert not colours.shares(grey).any()


def test_a_caption_names_one_colour_or_none() -> None:
    assert named_colour(Row(Path("x"), (("a Red, round apple", 0.9),), (), {})) == "red"
    assert named_colour(Row(Path("x"), (("red and blue", 0.9),), (), {})) is None


def test_the_judge_is_never_what_conditioned_the_model(
    gallery: Snapshot, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = linear(gallery, cache)
    monkeypatch.setattr(
        "training.engine.evaluation.judges.load_open_clip", lambda model, pretrained: known
    )
    spec = {"model": "ViT", "pretrained": "x"}

    def chosen(conditioner: dict[str, str]) -> FeatureModel:
        return choose(gallery, 0, cache, spec=spec, conditioners=[conditioner])

    assert chosen({"kind": "sentence", "identity": "MiniLM"}).name == known.identity
    assert chosen({"kind": "open_clip", "identity": known.identity}).name == JUDGE


def test_a_judge_is_not_what_the_conditioner_was_tuned_from(
    gallery: Snapshot, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = linear(gallery, cache)
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
    assert np.allclose(judge.rows(rows), again.rows(rows), atol=1e-6)
