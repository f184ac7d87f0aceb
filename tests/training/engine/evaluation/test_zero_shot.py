"""What is predicted of pictures before anybody has answered."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import expit

from tests.training.engine.runs import square
from tests.training.engine.tiny_encoder import TinyEncoder, tiny_encoder
from training.engine.encoders import efficientnet, frozen_clip, imagenet
from training.engine.encoders.frozen_clip import FrozenClip
from training.engine.encoders.specs import load_text_encoder
from training.engine.encoders.tile_features import KEY, TileFeatures
from training.engine.evaluation import text_targets, zero_shot, zero_shot_scores
from training.engine.evaluation.predictions import embed_tiles
from training.engine.evaluation.zero_shot import Subjects
from training.engine.files import TrainingError

__all__ = ["tiny_encoder"]

Predict = Callable[[Subjects], np.ndarray]
RED, BLUE = range(10), range(10, 20)  # tiles


@pytest.fixture
def predict(tmp_path: Path, tiny_encoder: TinyEncoder) -> Predict:
    """Return the log-odds (C, T) of subjects."""
    encoder, log_odds = load_text_encoder({"kind": "sentence"}), tmp_path / "log_odds.npy"

    def predicted(subjects: Subjects) -> np.ndarray:
        files = {"features": tmp_path / "features", "log_odds": log_odds}
        zero_shot.predict(subjects, encoder, tmp_path / "cache", **files)
        loaded: np.ndarray = np.load(log_odds)
        return loaded

    return predicted


@pytest.fixture
def squares(tmp_path: Path) -> Subjects:
    """Ten red squares and ten blue ones, and a concept of each colour."""
    subjects = Subjects(concepts={1: ("something red", 0.5), 2: ("something blue", 0.25)})
    for tile in (*RED, *BLUE):
        path = tmp_path / f"{tile}.png"
        path.write_bytes(square("red" if tile in RED else "blue", left=tile % 10, top=2))
        subjects.tiles[tile] = path, None
    return subjects


def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the classes say nothing."""
    monkeypatch.setattr(imagenet, "class_weights", lambda phrases, *_: torch.ones(2, len(phrases)))


def test_the_meaning_of_the_classes_tells_red_from_blue(
    predict: Predict, squares: Subjects
) -> None:
    red, blue = predict(squares)
    assert red[RED].min() > red[BLUE].max()
    assert blue[BLUE].min() > blue[RED].max()


def test_a_concept_is_as_probable_on_average_as_it_is_prevalent(
    predict: Predict, squares: Subjects
) -> None:
    probabilities = expit(predict(squares).astype(np.float64))
    assert probabilities.mean(1) == pytest.approx([0.5, 0.25], abs=0.01)


def test_texts_of_some_pictures_tell_what_others_show(
    predict: Predict, squares: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(monkeypatch)
    monkeypatch.setattr(text_targets, "TRUST", 1.0)  # twenty pictures are few
    monkeypatch.setattr(text_targets, "RIDGE", 0.01)
    for tile in (*RED, *BLUE):
        if tile % 10 < 7:
            squares.texts[tile] = ["a red square"] if tile in RED else ["a blue square"]
    red, _ = predict(squares)
    assert min(red[7:10]) > max(red[17:20])


def test_a_picture_is_not_predicted_by_its_own_text(
    predict: Predict, squares: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(monkeypatch)
    monkeypatch.setattr(text_targets, "TRUST", 1.0)
    monkeypatch.setattr(text_targets, "RIDGE", 0.01)
    for tile in (*RED, *BLUE):
        squares.texts[tile] = ["a red square"] if tile in RED else ["a blue square"]
    squares.texts[0] = ["a blue square"]  # which is wrong
    red, _ = predict(squares)
    assert red[0] > max(red[BLUE])


def test_a_picture_that_cannot_be_read_keeps_no_other_waiting(
    predict: Predict, squares: Subjects, capfd: pytest.CaptureFixture[str]
) -> None:
    squares.tiles[0][0].write_bytes(b"no picture")
    squares.tiles[19][0].unlink()
    red, _ = predict(squares)
    assert np.flatnonzero(np.isnan(red)).tolist() == [0, 19]
    assert capfd.readouterr().out.count("Left out") == 2
    assert red[RED][1:].min() > red[BLUE][:-1].max()


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_picture_is_no_fault(predict: Predict, squares: Subjects, count: int) -> None:
    few = Subjects(dict(list(squares.tiles.items())[:count]), {}, squares.concepts)
    probabilities = expit(predict(few).astype(np.float64))
    assert probabilities.shape == (2, count)
    assert probabilities.T.tolist() == [pytest.approx([0.5, 0.25], abs=0.01)] * count


def test_pictures_of_one_colour_are_all_as_probable_as_the_concept_is_prevalent(
    predict: Predict, squares: Subjects
) -> None:
    for path, _ in squares.tiles.values():
        path.write_bytes(square("red", left=0, top=0, side=32))
    for tile in squares.tiles:
        squares.texts[tile] = ["a red square"]
    assert expit(predict(squares).astype(np.float64)) == pytest.approx(
        np.repeat([[0.5], [0.25]], 20, 1), abs=0.01
    )


def test_thousands_of_pictures_with_one_and_the_same_text_are_no_fault(
    tiny_encoder: TinyEncoder, tmp_path: Path
) -> None:
    count, rng = 2_100, np.random.default_rng(0)
    roots = rng.random((count, efficientnet.WIDTH), np.float32).astype(np.float16)
    seen = TileFeatures(roots, rng.integers(0, 256, (count, KEY), np.uint8))
    scores = zero_shot_scores.fit(
        seen,
        {row: ["a cat"] for row in range(count)},
        ["a cat", "a dog"],
        network=tiny_encoder,
        encoder=load_text_encoder({"kind": "sentence"}),
        cache=tmp_path,
    )
    assert scores.of(seen.rows(np.arange(100))).isfinite().all()
    assert scores.out_of_fold.isfinite().all()
    assert zero_shot._components(seen).isfinite().all()


def test_what_was_seen_is_not_looked_at_again(
    predict: Predict, squares: Subjects, tiny_encoder: TinyEncoder, tmp_path: Path
) -> None:
    first = predict(squares)
    assert tiny_encoder.looked_at == len(squares.tiles)
    path = squares.tiles[0][0].rename(tmp_path / "elsewhere.png")
    squares.tiles[0] = path, None
    squares.tiles[20] = path, (0, 0, 16, 16)
    second = predict(squares)
    assert tiny_encoder.looked_at == len(first.T) + 1  # the new part of a picture alone
    assert second.shape == (2, 21)


def test_features_are_written_beside_with_the_direction_of_each_concept(
    predict: Predict, squares: Subjects, tmp_path: Path
) -> None:
    red, _ = predict(squares)
    written = load_file(tmp_path / "features")
    assert written["tiles"].tolist() == sorted(squares.tiles)
    assert written["images"].shape == (20, zero_shot.COMPONENTS)
    along = written["images"].float() @ written["texts"][0].float()
    assert np.corrcoef(along, red)[0, 1] > 0.95


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"tile": 1, "image": "x.png", "box": [0, 0, 0, 4], "texts": []}',
        '{"concept": 1, "text": "x"}',
        "nothing",
    ],
)
def test_a_line_that_names_neither_tile_nor_concept_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "subjects.jsonl"
    path.write_text(f'{{"concept": 1, "text": "x", "prevalence": 0.5}}\n{line}\n')
    with pytest.raises(TrainingError, match="Line 2"):
        zero_shot.read_subjects(path)


def test_a_clip_on_the_frozen_encoder_looks_at_no_picture_that_was_seen_before(
    predict: Predict,
    squares: Subjects,
    tiny_encoder: TinyEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frozen_clip, "load_efficientnet", lambda: tiny_encoder)
    predict(squares)
    seen = tiny_encoder.looked_at
    clip = FrozenClip(load_text_encoder({"kind": "sentence"})).finished("untrained")
    path, _ = squares.tiles[0]
    tiles = [*squares.tiles.values(), (path, (0, 0, 9, 9)), squares.tiles[0]]
    embeddings = embed_tiles(clip, tiles, tmp_path / "cache")
    assert tiny_encoder.looked_at == seen + 1  # the part of one
    assert embeddings.of(tiles).float().norm(dim=1).tolist() == pytest.approx([1] * 22, abs=0.01)
    assert embeddings.of(tiles[:1]).equal(embeddings.of(tiles[-1:]))
    path.write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=path.name):
        embed_tiles(clip, [(path, None)], tmp_path / "cache")
