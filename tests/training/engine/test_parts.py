"""Small parts: files, embeddings kept, averaged weights, components, neighbours, prompts."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.engine.data.packing import pack
from training.engine.data.rows import Snapshot
from training.engine.ema import PowerEMA
from training.engine.files import (
    TrainingError,
    append_line,
    draft,
    read_json,
    remove_drafts,
    write_bytes,
)
from training.engine.latents.neighbours import Neighbours
from training.engine.latents.pca import fit, flat
from training.engine.version import code_version


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "x", b"old")

    def broken(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_lines_are_appended_whole(tmp_path: Path) -> None:
    for number in range(3):
        append_line(tmp_path / "x.jsonl", {"step": number})
    assert (tmp_path / "x.jsonl").read_text().splitlines() == [
        f'{{"step": {number}}}' for number in range(3)
    ]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with draft(tmp_path / "x") as slow, draft(tmp_path / "x") as quick:
        slow.write_bytes(b"slow")
        quick.write_bytes(b"quick")
    assert (tmp_path / "x").read_bytes() == b"slow"  # who was last
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with draft(tmp_path / "model") as folder:
            folder.mkdir()
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new"]


def test_a_folder_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError), draft(tmp_path / "model") as folder:
        folder.mkdir()
        (folder / "weights").touch()
        raise TrainingError("interrupted")
    assert not list(tmp_path.iterdir())


def test_drafts_of_a_killed_process_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "samples" / ".1.png.abc.draft").mkdir(parents=True)
    (tmp_path / ".model.abc.draft").touch()
    (tmp_path / ".lock").touch()
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".lock", "samples"]


def test_a_line_that_was_cut_costs_no_line_after_it(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"step": 1}\n{"st')
    append_line(tmp_path / "x.jsonl", {"step": 3})
    assert (tmp_path / "x.jsonl").read_text() == '{"step": 1}\n{"st\n{"step": 3}\n'


def test_the_code_version_follows_the_probe_and_not_the_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, before = Path.read_bytes, code_version.__wrapped__()

    def changed(name: str) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * path.match(name))
            return code_version.__wrapped__()

    assert changed("labeling/aggregation/probe.py") != before
    assert changed("training/engine/networks/dit.py") != before
    assert changed("training/admin/runs.py") == before
    assert changed("labeling/models/images.py") == before


def test_json_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(TrainingError, match=r"x\.json cannot be read"):
        read_json(tmp_path / "x.json")


def test_the_average_forgets_the_start_and_follows_the_end() -> None:
    network = nn.Linear(1, 1)
    ema = PowerEMA(network)
    for step in range(1, 101):
        with torch.no_grad():
            network.weight.fill_(float(step))
        ema.update(network, step)
    # the mean of t under weights t^γ is n(γ + 1)/(γ + 2)
    assert float(ema.network.weight) == pytest.approx(100 * 7.94 / 8.94, rel=0.02)


def test_components_give_pictures_back(snapshot: Snapshot, tmp_path: Path) -> None:
    pixels = pack(snapshot.train, 16, tmp_path, "x")
    pca = fit(pixels, 80, seed=0)
    again = pca.pictures(pca.encode_all(pixels)).astype(float)
    assert np.abs(again - pixels).mean() < 3
    assert torch.allclose(pca.basis @ pca.basis.T, torch.eye(80), atol=1e-3)
    assert pca.encode(flat(pixels)).var(0).mean() == pytest.approx(1, rel=0.3)


def test_a_training_picture_is_its_own_neighbour_also_mirrored(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    pixels = pack(snapshot.train, 16, tmp_path, "x")
    neighbours = Neighbours.fit(pixels, [row.path.name for row in snapshot.train])
    distances, indices = neighbours.nearest(pixels[5:6, :, ::-1], 3)
    assert distances[0, 0] == pytest.approx(0, abs=1e-3)
    assert 5 in indices[0]  # another one may be its very mirror image
    assert neighbours.spacing() > 0
