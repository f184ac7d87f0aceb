"""Two runs never write the same output: the second one fails at once."""

import multiprocessing
import os
from pathlib import Path

import pytest

from labeling.aggregation.__main__ import main
from labeling.aggregation.lock import locked
from labeling.aggregation.tables import TableError


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    (tmp_path / "answers.csv").write_text("task,worker,label\n1,a,x\n1,b,y\n2,a,y\n")
    return tmp_path / "answers.csv"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("held", ["out.csv", "workers.csv"])
def test_the_second_run_fails_at_once(answers: Path, capsys, held) -> None:
    folder = answers.parent
    arguments = [str(answers), str(folder / "out.csv"), "--workers", str(folder / "workers.csv")]
    with locked(folder / held):
        assert main(arguments) == 2
    assert capsys.readouterr().err == (
        f"{folder / held} is being written by another run: wait for it, or name another output.\n"
    )
    assert names(folder) == ["answers.csv"]
    assert main(arguments) == 0
    assert names(folder) == ["answers.csv", "out.csv", "workers.csv"]


def test_so_it_does_over_a_folder(tmp_path, capsys) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with locked(tmp_path / "out"):
        assert main([str(tmp_path / "answers"), str(tmp_path / "link"), "--processes", "1"]) == 2
        assert "being written by another run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_killed_run_leaves_no_lock(tmp_path) -> None:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_hold, args=(tmp_path / "out.csv", theirs)
    )
    process.start()
    assert ours.recv() == "held"
    with pytest.raises(TableError, match="another run"), locked(tmp_path / "out.csv"):
        pass
    process.kill()
    process.join()
    with locked(tmp_path / "out.csv"):
        assert names(tmp_path) == [".out.csv.lock"]
    assert names(tmp_path) == []


def _hold(path: Path, told) -> None:
    with locked(path):
        told.send("held")
        told.recv()


def test_a_lock_that_was_just_removed_is_not_held(tmp_path, monkeypatch) -> None:
    """The run before ends between the moment the file is opened and the moment it is locked."""
    path, opened = tmp_path / ".out.csv.lock", []
    really = os.open

    def slowly(*arguments, **named):
        opened.append(really(*arguments, **named))
        if len(opened) == 1:
            path.unlink()
        return opened[-1]

    monkeypatch.setattr(os, "open", slowly)
    with locked(tmp_path / "out.csv"):
        assert len(opened) == 2
        assert path.exists()
    assert not path.exists()


def test_a_link_in_the_lock_s_place_is_not_followed(answers: Path, capsys) -> None:
    folder = answers.parent
    (folder / ".out.csv.lock").symlink_to(folder / "elsewhere")
    assert main([str(answers), str(folder / "out.csv")]) == 2
    assert ".out.csv.lock cannot be used" in capsys.readouterr().err
    assert not (folder / "elsewhere").exists()
