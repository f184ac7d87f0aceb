"""Predictions of a clip model: calibrated, about tiles, each embedded once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from training.__main__ import main
from training.engine.data.rows import Snapshot
from training.engine.encoders.clip import Clip
from training.engine.evaluation import calibration, log_odds, predictions
from training.engine.evaluation.calibration import Calibration
from training.engine.evaluation.questions import Question, read_questions, read_subjects


def colour_embedding(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    """Embed pictures by their mean colour alone."""
    means = 1 - torch.from_numpy(pixels.reshape(len(pixels), -1, 3).mean(1) / 255).float()
    return torch.nn.functional.normalize(means + 0.01, dim=1)


WORDS = {"red": (0, 1, 1), "green": (1, 0, 1), "blue": (1, 1, 0), "black": (1, 1, 1)}


def word_embedding(texts: list[str]) -> torch.Tensor:
    rows = [next((v for k, v in WORDS.items() if k in text), (0.5, 0.6, 0.7)) for text in texts]
    return torch.nn.functional.normalize(torch.tensor(rows).float(), dim=1)


def probabilities(clip: Clip, calibration: Calibration, asked: list[Question]) -> list[float]:
    embeddings = predictions.embed_tiles(clip, [question.tile for question in asked], Path())
    return predictions.probabilities(clip, calibration, asked, embeddings)


@pytest.fixture
def eye() -> Clip:
    return Clip("eye", 8, 3, colour_embedding, word_embedding)  # type: ignore[arg-type]


@pytest.fixture
def calibrated(eye: Clip, snapshot: Snapshot, tmp_path: Path) -> Calibration:
    return calibration.calibrate(eye, snapshot, tmp_path)


def ask(snapshot: Snapshot, text: str, kind: str) -> list[Question]:
    rows = snapshot.test
    return [Question(i, (row.path, None), text, kind) for i, row in enumerate(rows)]


@pytest.mark.parametrize("text", ["red", "a red"])
def test_a_judged_concept_is_told_apart(
    eye: Clip, calibrated: Calibration, snapshot: Snapshot, text: str
) -> None:
    p = probabilities(eye, calibrated, ask(snapshot, text, "concept"))
    truth = ["red" in row.tags for row in snapshot.test]
    yes = [x for x, t in zip(p, truth, strict=True) if t]
    no = [x for x, t, row in zip(p, truth, snapshot.test, strict=True) if not t and row.tags]
    assert min(yes) > max(no)
    assert np.mean(yes) > 0.6
    assert np.mean(no) < 0.2


def test_a_fitting_caption_is_more_probable_than_another(
    eye: Clip, calibrated: Calibration, snapshot: Snapshot
) -> None:
    p = probabilities(eye, calibrated, ask(snapshot, "a blue square", "caption"))
    blue = [x for x, row in zip(p, snapshot.test, strict=True) if "blue" in row.tags]
    red = [x for x, row in zip(p, snapshot.test, strict=True) if "red" in row.tags]
    assert min(blue) > max(red)


def test_an_unknown_concept_gets_a_probability_too(
    eye: Clip, calibrated: Calibration, snapshot: Snapshot
) -> None:
    p = probabilities(eye, calibrated, ask(snapshot, "a bicycle", "concept"))
    assert all(0 <= x <= 1 for x in p)


def test_a_tile_is_embedded_once_and_its_picture_decoded_once(
    eye: Clip, calibrated: Calibration, snapshot: Snapshot
) -> None:
    seen = []

    def counting(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
        seen.append(len(pixels))
        return colour_embedding(pixels)

    watched = Clip("eye", 8, 3, counting, word_embedding)  # type: ignore[arg-type]
    path = snapshot.test[0].path
    boxes = [(0, 0, 16, 16), (16, 0, 16, 16)]
    asked = [
        Question(n, (path, box), text, "concept")
        for n, (box, text) in enumerate((b, t) for t in ("red", "blue", "x") for b in boxes)
    ]
    assert len(probabilities(watched, calibrated, asked)) == 6
    assert sum(seen) == 2


def test_the_command_answers_every_question(contrasted: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "x.png")
    base = {"image": str(tmp_path / "x.png"), "box": [0, 0, 32, 32]}
    asked = [
        {**base, "id": 7, "text": "red", "kind": "concept"},
        {**base, "id": 9, "text": "a red square", "kind": "caption"},
    ]
    questions = tmp_path / "q.jsonl"
    questions.write_text("".join(json.dumps(q) + "\n" for q in asked))
    out = tmp_path / "o.jsonl"
    assert main(["predict", str(contrasted / "model"), str(questions), str(out)]) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [a["id"] for a in answers] == [7, 9]
    assert all(0 < a["p"] < 1 for a in answers)


def test_the_command_embeds_tiles_and_concepts(contrasted: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "x.png")
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "y.png")
    whole = {"box": [0, 0, 64, 64], "learned": []}
    lines = [
        {"tile": 12, "image": str(tmp_path / "y.png"), **whole},
        {"tile": 5, "image": str(tmp_path / "x.png"), **whole, "learned": [3, 4]},
        {"concept": 2, "text": "a red square"},
    ]
    subjects, seen = tmp_path / "s.jsonl", tmp_path / "f.safetensors"
    subjects.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = {"id": 1, "image": str(tmp_path / "x.png"), "box": [0, 0, 64, 64]}
    asked |= {"text": "a red square", "kind": "concept"}
    (tmp_path / "q.jsonl").write_text(json.dumps(asked))
    arguments = [str(contrasted / "model"), str(tmp_path / "q.jsonl"), str(tmp_path / "o.jsonl")]
    more = ["--subjects", str(subjects), "--features", str(seen)]
    more += ["--log-odds", str(tmp_path / "all.npy")]
    assert main(["predict", *arguments, *more]) == 0
    parts = load_file(seen)
    assert parts["tiles"].tolist() == [5, 12] and parts["learned"].tolist() == [3, 4]
    assert parts["concepts"].tolist() == [2]
    assert parts["images"].dtype == parts["texts"].dtype == torch.float16
    red, blue = parts["images"].float() @ parts["texts"][0].float()
    assert red > blue
    log_odds = np.load(tmp_path / "all.npy")
    assert log_odds.dtype == np.float16 and log_odds.shape == (1, 2)
    (answer,) = (json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines())
    assert 1 / (1 + np.exp(-float(log_odds[0, 0]))) == pytest.approx(answer["p"], abs=2e-3)
    # A concept that is added later is predicted from the features alone.
    (tmp_path / "x.png").unlink()
    added, texts = tmp_path / "added.jsonl", tmp_path / "texts.safetensors"
    added.write_text(json.dumps({"concept": 9, "text": "a red square"}))
    files = ["--features", str(seen), "--texts", str(texts), "--log-odds", str(tmp_path / "n.npy")]
    assert main(["predict-concepts", arguments[0], str(added), *files]) == 0
    assert np.array_equal(np.load(tmp_path / "n.npy"), log_odds)
    later = load_file(texts)
    assert later["concepts"].tolist() == [9] and torch.equal(later["texts"], parts["texts"])


def test_features_of_another_model_predict_no_further_concept(
    contrasted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, added = tmp_path / "f.safetensors", tmp_path / "added.jsonl"
    added.write_text(json.dumps({"concept": 9, "text": "a red square"}))
    files = ["--features", str(seen), "--texts", str(tmp_path / "t")]
    files += ["--log-odds", str(tmp_path / "n.npy")]
    arguments = ["predict-concepts", str(contrasted / "model"), str(added), *files]
    assert main(arguments) == 1
    assert "holds no features" in capsys.readouterr().err
    save_file({"images": torch.zeros(2, 384).half()}, seen, {"clip": "somebody else's"})
    assert main(arguments) == 1
    assert "is another model's" in capsys.readouterr().err
    assert not (tmp_path / "n.npy").exists()


def test_log_odds_of_all_pairs_are_those_of_single_ones(
    eye: Clip, calibrated: Calibration, snapshot: Snapshot, tmp_path: Path
) -> None:
    names = ["a red", "blue", "a bicycle"]
    texts = eye.encode_texts(names)
    tiles = [(row.path, None) for row in snapshot.test]
    images = predictions.embed_tiles(eye, tiles, Path()).of(tiles)
    log_odds.write(tmp_path / "all.npy", images, names, texts, calibrated)
    written = np.load(tmp_path / "all.npy")
    assert written.shape == (3, len(tiles))
    for row, name, text in zip(written, names, texts, strict=True):
        p = calibrated.probability(images.float(), name, text, "concept")
        assert row == pytest.approx(p.logit(1e-6).numpy(), abs=0.05)


@pytest.mark.parametrize("line", ["{", '{"tile": 1}', '{"concept": "a", "text": "b"}', "[]"])
def test_a_subject_that_is_none_is_refused(
    contrasted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (tmp_path / "q.jsonl").write_text("")
    (tmp_path / "s.jsonl").write_text(line)
    arguments = [str(contrasted / "model"), str(tmp_path / "q.jsonl"), str(tmp_path / "o.jsonl")]
    more = ["--subjects", str(tmp_path / "s.jsonl"), "--features", str(tmp_path / "f")]
    more += ["--log-odds", str(tmp_path / "n.npy")]
    assert main(["predict", *arguments, *more]) == 1
    assert "is not a tile or a concept" in capsys.readouterr().err
    assert main(["predict", *arguments, *more[:2]]) == 1
    assert "Name a file of subjects" in capsys.readouterr().err
    assert not (tmp_path / "f").exists() and not (tmp_path / "o.jsonl").exists()


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_a_text_may_hold_what_ends_lines_elsewhere(tmp_path: Path, end: str) -> None:
    text, path = f"a{end}b", tmp_path / "lines.jsonl"
    question = {"id": 1, "image": "x.png", "box": None, "text": text, "kind": "caption"}
    lines = [json.dumps(value, ensure_ascii=False) + "\n" for value in (question, question)]
    path.write_text("".join(lines), encoding="utf-8")
    assert [question.text for question in read_questions(path)] == [text, text]
    path.write_text(json.dumps({"concept": 3, "text": text}, ensure_ascii=False), "utf-8")
    assert read_subjects(path).concepts == {3: text}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": 1}',
        '{"id": 1, "image": "x.png", "box": [0, 0, 0, 5], "text": "a", "kind": "concept"}',
        '{"id": 1, "image": "x.png", "box": [0, 0, 5], "text": "a", "kind": "concept"}',
        '{"id": 1, "image": "x.png", "box": null, "text": "a", "kind": "guess"}',
        '{"id": 1, "image": "/nowhere.png", "box": null, "text": "a", "kind": "concept"}',
    ],
)
def test_a_wrong_question_is_refused_and_nothing_written(
    contrasted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    questions, out = tmp_path / "q.jsonl", tmp_path / "o.jsonl"
    questions.write_text(line + "\n")
    assert main(["predict", str(contrasted / "model"), str(questions), str(out)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not out.exists()


def test_evaluate_writes_the_predictions_of_a_snapshot(
    contrasted: Path, snapshot_folder: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = contrasted / "model"
    assert main(["evaluate", str(model), str(snapshot_folder), "--cache", str(cache)]) == 0
    assert "recall@10" in json.loads(capsys.readouterr().out)
    predictions = [
        json.loads(line) for line in (model / "predictions.jsonl").read_text().splitlines()
    ]
    assert len(predictions) == 100 * 4


def test_a_diffusion_model_predicts_nothing(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q.jsonl").write_text("")
    arguments = [str(drawn / "model"), str(tmp_path / "q.jsonl"), str(tmp_path / "o.jsonl")]
    assert main(["predict", *arguments]) == 1
    assert "not the model folder of a clip run" in capsys.readouterr().err
