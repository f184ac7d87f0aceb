"""Pictures are packed once, whole, by however many processes at the same time."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.engine.data import packing
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, load_all
from training.engine.data.rows import Snapshot, digest
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError


@pytest.fixture
def copy(snapshot_folder: Path, tmp_path: Path) -> Path:
    """Copy the snapshot, to be spoilt."""
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


def test_two_who_pack_the_same_pictures_do_not_share_a_draft(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one begins, and is done, while the first is at its first picture."""
    packed: list[Pixels] = []

    def interrupted(*arguments: Any) -> Iterator[Pixels]:
        monkeypatch.setattr(packing, "load_all", load_all)
        packed.append(pack(snapshot.train, 8, tmp_path, "x"))
        yield from load_all(*arguments)

    monkeypatch.setattr(packing, "load_all", interrupted)
    packed.append(pack(snapshot.train, 8, tmp_path, "x"))
    assert np.array_equal(*packed)
    assert [path.name for path in tmp_path.iterdir()] == ["images-8-x.npy"]
