"""Pictures are decoded whole or refused with a sentence, and packed once."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.engine.data.packing import pack
from training.engine.data.pictures import load
from training.engine.data.rows import Snapshot, digest
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError


@pytest.fixture
def copy(snapshot_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(snapshot_folder, tmp_path / "copy"))


def test_a_missing_picture_is_named_and_nothing_is_packed(copy: Path, tmp_path: Path) -> None:
    snapshot = read_snapshot(copy)
    snapshot.train[3].path.unlink()
    with pytest.raises(TrainingError, match=snapshot.train[3].path.name):
        pack(snapshot.train, 8, tmp_path / "packed", "x")
    assert list((tmp_path / "packed").iterdir()) == []


def test_a_broken_picture_is_named(copy: Path, tmp_path: Path) -> None:
    snapshot = read_snapshot(copy)
    snapshot.train[0].path.write_bytes(b"not a picture")
    with pytest.raises(TrainingError, match=r"cannot be read"):
        pack(snapshot.train, 8, tmp_path, "x")


def test_pictures_are_packed_once(snapshot: Snapshot, tmp_path: Path) -> None:
    first = pack(snapshot.train, 8, tmp_path, digest(snapshot.train))
    assert first.shape == (80, 8, 8, 3)
    made = next(tmp_path.iterdir()).stat().st_mtime_ns
    again = pack(snapshot.train, 8, tmp_path, digest(snapshot.train))
    assert np.array_equal(first, again)
    assert next(tmp_path.iterdir()).stat().st_mtime_ns == made


def test_a_box_is_cut_out_of_its_picture(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    inside, outside = load(tmp_path / "x.png", [(20, 10, 20, 20), (0, 0, 10, 10)], 4)
    assert inside.min() == 255
    assert outside.max() == 0
