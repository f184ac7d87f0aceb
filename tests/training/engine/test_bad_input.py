"""Snapshots, run folders and disks that are not as they should be: a sentence, and nothing more."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.training.engine.conftest import RunMaker
from tests.training.engine.forks import fork, run_command, wait
from tests.training.engine.runs import write_run, write_snapshot
from training.__main__ import main
from training.engine.data.pictures import load
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError
from training.engine.loop.stop import TEMPORARY


@pytest.fixture
def own_snapshot(tmp_path: Path) -> Path:
    """A snapshot that a test may spoil."""
    return write_snapshot(tmp_path / "own")


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused run ends with; it leaves no model behind."""
    assert main(["fit", str(folder)]) == 1
    assert not (folder / "model").exists()
    assert not (folder / "metrics.json").exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "train" / "metadata.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines if line]


def rewrite(folder: Path, values: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    (folder / "train" / "metadata.jsonl").write_text(lines)


def test_an_empty_snapshot_is_refused(
    own_snapshot: Path, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_snapshot / "train" / "metadata.jsonl").write_text("")
    error = refused(make_run(snapshot=str(own_snapshot)), capsys)
    assert "has no training pictures" in error


def test_one_picture_is_enough_to_draw_from(own_snapshot: Path, make_run: RunMaker) -> None:
    rewrite(own_snapshot, rows(own_snapshot)[:1])
    folder = make_run(snapshot=str(own_snapshot))
    assert main(["fit", str(folder)]) == 0
    assert (folder / "model" / "config.json").exists()


def test_one_picture_is_too_few_to_tell_texts_apart(
    own_snapshot: Path, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(own_snapshot, rows(own_snapshot)[:1])
    assert "two or more" in refused(make_run(recipe="clip", snapshot=str(own_snapshot)), capsys)


@pytest.mark.parametrize(
    "spoil",
    [
        {"file_name": "../../secret.png"},
        {"file_name": None},
        {"captions": [{"text": 3, "confidence": 1}]},
        {"captions": [{"text": "a", "confidence": 2}]},
        {"concepts": [{"name": "red", "probability": "very"}]},
        {"concepts": [{"name": "red", "probability": float("nan")}]},
        {"tags": 7},
    ],
)
def test_a_row_that_is_none_is_named_by_its_line(own_snapshot: Path, spoil: dict[str, Any]) -> None:
    values = rows(own_snapshot)
    values[2] |= spoil
    rewrite(own_snapshot, values)
    with pytest.raises(TrainingError, match=r"Line 3 of .*metadata\.jsonl"):
        read_snapshot(own_snapshot)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{}", b"null"])
def test_metadata_that_cannot_be_read_is_named(own_snapshot: Path, content: bytes) -> None:
    (own_snapshot / "train" / "metadata.jsonl").write_bytes(content)
    with pytest.raises(TrainingError, match="Line 1 of"):
        read_snapshot(own_snapshot)


@pytest.mark.parametrize("manifest", ["[]", '{"format": 1}', '{"format": 3, "concepts": 3}', "["])
def test_a_manifest_of_another_kind_is_refused(own_snapshot: Path, manifest: str) -> None:
    (own_snapshot / "manifest.json").write_text(manifest)
    with pytest.raises(TrainingError):
        read_snapshot(own_snapshot)


def test_captions_of_any_length_and_script_are_learned_from(
    own_snapshot: Path, make_run: RunMaker
) -> None:
    values = rows(own_snapshot)
    texts = ["red " * 2500, "červený čtverec", "赤い四角", "مربع أحمر", "🟥", "a\u2028b\x85c", " "]
    for value, text in zip(values, texts, strict=False):
        value["captions"] = [{"text": text, "confidence": 0.9, "source": "import"}]
    rewrite(own_snapshot, values)
    assert read_snapshot(own_snapshot).train[5].captions == (("a\u2028b\x85c", 0.9),)
    assert main(["fit", str(make_run(snapshot=str(own_snapshot)))]) == 0


def test_a_picture_that_went_bad_is_named(
    own_snapshot: Path, make_run: RunMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = own_snapshot / "train" / rows(own_snapshot)[3]["file_name"]
    bad.write_bytes(bad.read_bytes()[:60])
    folder = make_run(snapshot=str(own_snapshot), cache=str(tmp_path / "fresh"))
    error = refused(folder, capsys)
    assert bad.name in error
    assert "replace it" in error
    assert not list((tmp_path / "fresh").glob(".*"))


def test_a_snapshot_that_vanished_is_named(
    own_snapshot: Path, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(snapshot=str(own_snapshot))
    own_snapshot.rename(own_snapshot.with_name("elsewhere"))
    assert str(own_snapshot) in refused(folder, capsys)


def pictures(folder: Path) -> Iterator[tuple[str, Path, tuple[int, int, int]]]:
    """Pictures of every mode, each with the colour that it is to have."""
    red = (200, 20, 20)
    for mode in ("RGB", "RGBA", "P", "CMYK", "YCbCr", "HSV"):
        path = folder / f"{mode}.{'png' if mode in ('RGB', 'RGBA', 'P') else 'tiff'}"
        if mode == "HSV":
            path = folder / "tall.png"
            Image.new("RGB", (3, 400), red).save(path)
        else:
            Image.new("RGB", (40, 30), red).convert(mode).save(path)
        yield mode, path, red
    for mode, value in (("L", 90), ("1", 255), ("I;16", 90 * 256)):
        path = folder / f"{mode.replace(';', '')}.png"
        Image.new(mode, (1, 1), value).save(path)
        grey = 255 if mode == "1" else 90
        yield mode, path, (grey, grey, grey)
    for mode, colour in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        path = folder / f"clear-{mode}.png"
        Image.new(mode, (9, 9), colour).save(path)
        yield mode, path, (255, 255, 255)


def test_pictures_of_every_size_and_mode_keep_their_colour(tmp_path: Path) -> None:
    for mode, path, colour in pictures(tmp_path):
        (square,) = load(path, [None], 16)
        assert square.shape == (16, 16, 3), mode
        assert np.abs(square.reshape(-1, 3).mean(0) - colour).max() < 6, mode


def test_a_turned_photograph_is_turned_back(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 20), "white")
    image.paste("black", (0, 0, 20, 10))  # dark above; the tag says: turn by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(tmp_path / "turned.png", exif=exif)
    (square,) = load(tmp_path / "turned.png", [None], 20)
    assert square[:10].mean() > 200 > 50 > square[10:].mean()


def test_options_that_no_memory_holds_are_refused(
    make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(make_run(options={"width": 2_000_000, "steps": 1}), capsys)
    assert "not enough memory" in error


def fit_limited(folder: Path, size: int, errors: Path) -> None:
    """Fit where files cannot grow beyond ``size`` bytes, as on a disk that is full.

    Runs in a process of its own.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    run_command(["fit", str(folder)], {}, errors)


@pytest.mark.parametrize("size", [20_000, 100_000])
def test_a_full_disk_ends_a_run_in_a_sentence_and_it_goes_on_later(
    tmp_path: Path, own_snapshot: Path, size: int
) -> None:
    """The smaller limit stops the packed pictures, the larger one a checkpoint."""
    folder = write_run(tmp_path / "run", own_snapshot, tmp_path / "cache")
    errors = tmp_path / "errors.txt"
    assert wait(fork(fit_limited, folder, size, errors)) == TEMPORARY
    assert "The disk is full" in errors.read_text().splitlines()[-1]
    assert not list(tmp_path.rglob(".*.draft"))
    assert main(["fit", str(folder)]) == 0


def test_a_broken_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path,
    drawn: Path,
    snapshot_folder: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.training.engine.runs import LONG

    folder = write_run(tmp_path / "run", snapshot_folder, cache, options=LONG)
    (folder / "checkpoints").mkdir()
    content = (drawn / "checkpoints" / "000350.safetensors").read_bytes()
    (folder / "checkpoints" / "000350.safetensors").write_bytes(content)
    (folder / "checkpoints" / "000375.safetensors").write_bytes(content[:-9])
    (folder / "checkpoints" / ".000376.safetensors.x.draft").write_bytes(b"part")
    assert main(["fit", str(folder)]) == 0
    assert "000375.safetensors is broken. It is passed over" in capsys.readouterr().err
    name = Path("model") / "model.safetensors"
    assert (folder / name).read_bytes() == (drawn / name).read_bytes()
    assert not list((folder / "checkpoints").glob(".*"))
