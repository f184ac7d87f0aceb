"""Pictures from a finished model."""

import hashlib
import io
import json
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image

from labeling import marks
from labeling.marks import COMPOSITE, SYSTEM, Mark, hash_of_prompt
from tests import certificates
from training.__main__ import main
from training.engine.data.rows import Snapshot
from training.engine.generation.marker import Marker


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("a red square\n\n")
    return path


def test_a_prompt_and_no_prompt_are_drawn(
    drawn: Path, prompts: Path, tmp_path: Path, snapshot: Snapshot
) -> None:
    out = tmp_path / "out"
    arguments = ["--prompts", str(prompts), "--out", str(out), "--count", "2", "--seed", "5"]
    assert main(["sample", str(drawn / "model"), *arguments]) == 0
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [s["file"] for s in samples] == [
        "0000-00.png",
        "0000-01.png",
        "0001-00.png",
        "0001-01.png",
    ]
    assert [s["seed"] for s in samples] == [5, 6, 5, 6]
    assert [s["prompt"] for s in samples] == ["a red square"] * 2 + [""] * 2
    known = {row.path.name for row in snapshot.train}
    for sample in samples:
        distances = [near["distance"] for near in sample["nearest"]]
        assert distances == sorted(distances)
        assert {near["file_name"] for near in sample["nearest"]} <= known
        with Image.open(out / sample["file"]) as picture:
            assert picture.size == (16, 16)


def test_the_same_seed_draws_the_same_files(drawn: Path, prompts: Path, tmp_path: Path) -> None:
    for out, count in (("one", "1"), ("two", "2")):
        arguments = ["--prompts", str(prompts), "--out", str(tmp_path / out), "--count", count]
        assert main(["sample", str(drawn / "model"), *arguments]) == 0
    name = "0000-00.png"
    with Image.open(tmp_path / "one" / name) as one, Image.open(tmp_path / "two" / name) as two:
        pairs = zip(one.tobytes(), two.tobytes(), strict=True)
        assert max(abs(a - b) for a, b in pairs) <= 1


def mark_of(model: Path, prompt: str = "") -> Mark:
    """Return the mark that a model's picture should have."""
    digests = json.loads((model / "config.json").read_text())
    return Mark(
        system=SYSTEM,
        model_sha256=hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest(),
        snapshot_sha256=digests["snapshot_sha256"] or digests["data_sha256"],
        prompt_sha256=hash_of_prompt(prompt),
    )


def test_every_file_is_marked_and_the_same_each_time(
    drawn: Path, prompts: Path, tmp_path: Path
) -> None:
    model = drawn / "model"
    for out in ("one", "two"):
        arguments = ["--prompts", str(prompts), "--out", str(tmp_path / out)]
        assert main(["sample", str(model), *arguments]) == 0
    for name, prompt in (("0000-00.png", "a red square"), ("0001-00.png", "")):
        data = (tmp_path / "one" / name).read_bytes()
        assert marks.of_bytes(data) == mark_of(model, prompt)
        assert data == (tmp_path / "two" / name).read_bytes()
        assert b"red square" not in data


def test_the_grids_of_a_run_are_marked(drawn: Path) -> None:
    grids = list((drawn / "samples").glob("*.png"))
    assert grids
    assert {marks.of_bytes(path.read_bytes()) for path in grids} == {Mark(system=SYSTEM)}


def test_a_picture_that_was_completed_is_a_composite(drawn: Path) -> None:
    data = Marker.load(drawn / "model").png(np.zeros((8, 8, 3), np.uint8), "", composite=True)
    mark = marks.of_bytes(data)
    assert mark is not None and mark.source_type == COMPOSITE


def test_pictures_are_signed_with_the_owner_s_certificate(
    drawn: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = certificates.write(tmp_path)
    monkeypatch.setenv("C2PA_CERTIFICATE", str(certificate))
    monkeypatch.setenv("C2PA_KEY", str(key))
    out = tmp_path / "out"
    arguments = ["--prompts", str(prompts), "--out", str(out)]
    assert main(["sample", str(drawn / "model"), *arguments]) == 0
    data = (out / "0000-00.png").read_bytes()
    assert c2pa.Reader("image/png", io.BytesIO(data)).get_validation_state() == "Valid"
    assert marks.of_bytes(data) == mark_of(drawn / "model", "a red square")


def test_nothing_is_drawn_that_could_not_be_signed(
    drawn: Path,
    prompts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    certificate, _ = certificates.write(tmp_path)
    monkeypatch.setenv("C2PA_CERTIFICATE", str(certificate))
    out = tmp_path / "out"
    arguments = ["--prompts", str(prompts), "--out", str(out)]
    assert main(["sample", str(drawn / "model"), *arguments]) == 1
    assert "Set both C2PA_CERTIFICATE and C2PA_KEY" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"])
def test_prompts_that_cannot_be_read_are_refused(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path, out = tmp_path / "p.txt", tmp_path / "out"
    if content is not None:
        path.write_bytes(content)
    arguments = ["--prompts", str(path), "--out", str(out)]
    assert main(["sample", str(drawn / "model"), *arguments]) == 1
    assert "p.txt" in capsys.readouterr().err
    assert not out.exists()


def test_a_clip_model_cannot_draw(
    contrasted: Path, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--prompts", str(prompts), "--out", str(tmp_path / "out")]
    assert main(["sample", str(contrasted / "model"), *arguments]) == 1
    assert "cannot draw" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--count", "0"], ["--seed", "-1"], ["--guidance", "nan"]])
def test_a_value_out_of_range_is_refused(
    drawn: Path, prompts: Path, tmp_path: Path, option: list[str]
) -> None:
    arguments = ["--prompts", str(prompts), "--out", str(tmp_path), *option]
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(drawn / "model"), *arguments])
    assert stop.value.code == 2


def test_a_strip_ends_in_what_is_drawn_alone(drawn: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "ends.txt"
    prompts.write_text("a red square\na blue square\n")
    model, strip = str(drawn / "model"), tmp_path / "strip"
    ends = ["--prompts", str(prompts), "--out", str(strip), "--interpolate", "--count", "5"]
    assert main(["sample", model, *ends, "--seed", "3", "--second-seed", "4"]) == 0
    lines = [json.loads(line) for line in (strip / "samples.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [3, None, None, None, 4]
    with Image.open(strip / "strip.png") as image:
        assert image.size == (5 * 16, 16)
        assert marks.of_image(image) == mark_of(drawn / "model")
    alone = tmp_path / "alone"
    single = ["--prompts", str(prompts), "--out", str(alone), "--seed", "3"]
    assert main(["sample", model, *single]) == 0
    with Image.open(alone / "0000-00.png") as one, Image.open(strip / "0000-00.png") as end:
        pairs = zip(one.tobytes(), end.tobytes(), strict=True)
        assert max(abs(a - b) for a, b in pairs) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interpolate"], "two prompts or two seeds"),
        (["--interpolate", "--count", "1"], "at least two"),
        (["--interpolate", "--inpaint", "x.png"], "Either"),
        (["--second-seed", "1"], "--interpolate"),
        (["--inpaint", "x.png"], "completes no pictures"),
        (["--option", "temperature=0.8"], "no option 'temperature'"),
        (["--option", "sampler=dice"], "sampler must be one of"),
    ],
)
def test_what_contradicts_itself_is_refused(
    drawn: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    prompts, out = tmp_path / "one.txt", tmp_path / "out"
    prompts.write_text("a red square\n")
    arguments = ["--prompts", str(prompts), "--out", str(out), *options]
    assert main(["sample", str(drawn / "model"), *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()
