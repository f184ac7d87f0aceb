"""A folder of answers may hold anything, and the folders around it belong to somebody."""

import fcntl
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from labeling.aggregation import GoldWarning
from labeling.aggregation.__main__ import main
from labeling.aggregation.sharded import aggregate_folder, inference, kept
from labeling.aggregation.sharded.pool import Pool
from labeling.aggregation.tables import TableError
from tests.labeling.aggregation.test_sharded import K, by_task, crowd, labels, table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return by_task(crowd(tasks=60), tmp_path / "answers")


@pytest.fixture
def keep(folder: Path, tmp_path: Path) -> Path:
    """Shards that stayed from an inference."""
    aggregate_folder(folder, tmp_path / "before", keep=tmp_path / "keep", processes=1)
    return tmp_path / "keep"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_is_left_out_is_said(folder, tmp_path) -> None:
    (folder / "answers.csv").touch()
    (folder / "_SUCCESS").touch()
    (folder / "loop").symlink_to(folder)
    (folder / "part-1.parquet").rename(folder / "part-1.PARQUET")
    said: list[str] = []
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1, say=said.append)
    assert outcome.read == 300
    assert said[0] == "Left out, as it is no file named *.parquet: answers.csv, loop."


def test_folders_may_be_named_as_files_are(folder, tmp_path) -> None:
    folder = folder.rename(tmp_path / "answers.parquet")
    (tmp_path / "all").mkdir()
    folder.rename(tmp_path / "all" / "answers.parquet")
    assert aggregate_folder(tmp_path / "all", tmp_path / "out", processes=1).read == 300


def test_texts_and_numbers_are_of_any_width(tmp_path) -> None:
    (tmp_path / "answers").mkdir()
    columns = {
        "task": pa.array([1, 2, 2], pa.uint64()),
        "worker": pa.array(["a", "a", "b"]).cast(pa.string_view()),
        "label": pa.array(["x", "y", "y"]).cast(pa.large_string()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "answers" / "x.parquet")
    assert aggregate_folder(tmp_path / "answers", tmp_path / "out", processes=1).tasks == 2


def test_a_folder_that_cannot_be_listed_is_named(folder, tmp_path, monkeypatch) -> None:
    def scandir(path: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(TableError, match="answers cannot be read: Permission denied"):
        aggregate_folder(folder, tmp_path / "out", processes=1)


@pytest.mark.parametrize(
    ("out", "keep", "message"),
    [
        ("out", "answers/keep", "within the folder that is read"),
        ("out", "out", "another folder than that of the labels"),
        ("out", "out/keep", "another folder than that of the labels"),
        ("out", "no/such/folder", "name a folder, in one that exists"),
        ("answers/out", None, "within the folder that is read"),
    ],
)
def test_no_folder_is_within_another(out, keep, message, folder, tmp_path) -> None:
    with pytest.raises(TableError, match=message):
        aggregate_folder(folder, tmp_path / out, keep=keep and tmp_path / keep, processes=1)
    assert names(tmp_path) == ["answers"]


def test_labels_are_not_written_among_shards(folder, keep, tmp_path) -> None:
    with pytest.raises(TableError, match="another folder than that of the labels"):
        aggregate_folder(folder, keep / "labels", keep=keep, processes=1)


def test_the_folder_of_labels_may_be_a_link(folder, tmp_path) -> None:
    (tmp_path / "large disk").mkdir()
    (tmp_path / "out").symlink_to("large disk")
    aggregate_folder(folder, tmp_path / "out", processes=1)
    assert len(labels(tmp_path / "large disk")[0]) == 60


def test_gold_that_contradicts_the_answers_is_doubted(folder, tmp_path, capsys) -> None:
    answered = {}
    for row in crowd(tasks=60).to_pylist():
        answered.setdefault(row["task"], set()).add(row["label"])
    never = [
        (task, min({f"c{k}" for k in range(K)} - of, default="")) for task, of in answered.items()
    ]
    gold = {str(task): name for task, name in never if name}
    with pytest.warns(GoldWarning, match="gold labels contradict 100% of the answers to their"):
        aggregate_folder(folder, tmp_path / "out", gold=gold, processes=1)
    path = tmp_path / "gold.csv"
    path.write_text("task,label\n" + "".join(f"{task},{name}\n" for task, name in gold.items()))
    command = [str(folder), str(tmp_path / "again"), "--gold", str(path), "--processes", "1"]
    assert main(command) == 0
    assert f"{path}, column label: {len(gold)} gold labels contradict" in capsys.readouterr().err


def test_gold_of_no_task_is_refused(folder, tmp_path) -> None:
    gold = {"07": "c1", "1_0": "c1", "no number": "c1"}
    with pytest.raises(TableError, match=r"No task with gold has answers \(the first is 07\)"):
        aggregate_folder(folder, tmp_path / "out", gold=gold, processes=1)
    assert names(tmp_path) == ["answers"]


def test_workers_do_not_overwrite_labels(folder, tmp_path, capsys) -> None:
    out = str(tmp_path / "out")
    assert main([str(folder), out, "--workers", out]) == 2
    assert "is named twice" in capsys.readouterr().err
    assert names(tmp_path) == ["answers"]


def test_labels_that_are_changed_later_do_not_change_what_is_kept(folder, keep, tmp_path) -> None:
    (path, *_) = sorted((tmp_path / "before").iterdir())
    path.write_bytes(b"changed in place")
    aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1)
    assert len(labels(tmp_path / "after")[0]) == 60


def test_what_is_kept_is_for_its_owner_alone(folder, keep, tmp_path) -> None:
    assert keep.stat().st_mode & 0o077 == 0
    assert (keep / "state").stat().st_mode & 0o077 == 0
    (keep / "state").chmod(0o666)
    with pytest.raises(TableError, match="keep/state may have been written by others"):
        aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1)


def test_what_others_wrote_is_not_read(folder, keep, tmp_path, monkeypatch) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (keep / "state").write_bytes(pickle.dumps(Evil()))
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    with pytest.raises(TableError, match="name another folder, which only you can write"):
        aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1)
    assert not (tmp_path / "ran").exists()


def a_shard_less(keep: Path) -> str:
    (keep / "shard-000002" / "keys").unlink()
    return "damaged"


def half_a_state(keep: Path) -> str:
    data = bytearray((keep / "state").read_bytes())
    data[8:200] = bytes(192)
    (keep / "state").write_bytes(data)
    return "damaged"


def no_manifest(keep: Path) -> str:
    (keep / "manifest.json").write_text("[")
    return "damaged"


def another_version(keep: Path) -> str:
    manifest = json.loads((keep / "manifest.json").read_text())
    (keep / "manifest.json").write_text(json.dumps(manifest | {"code": "0"}))
    return "of another version"


@pytest.mark.parametrize("spoil", [a_shard_less, half_a_state, no_manifest, another_version])
def test_what_cannot_be_used_again_is_made_anew(spoil, folder, keep, tmp_path) -> None:
    reason, said = spoil(keep), []
    aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1, say=said.append)
    assert f"What was kept is {reason}: everything is inferred anew." in said
    assert labels(tmp_path / "after")[0] == labels(tmp_path / "before")[0]


def test_what_a_killed_inference_left_among_shards_is_removed(folder, keep, tmp_path) -> None:
    parquet.write_table(table([1_000], ["w1"], [1]), folder / "part-7.parquet")
    (keep / "shard-000004").mkdir()
    (keep / "dealt-000000").mkdir()
    parquet.write_table(table([1], ["x"], [3]), keep / "dealt-000000" / "000009.parquet")
    (keep / "photographs").mkdir()
    outcome = aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1)
    assert (outcome.read, outcome.taken, outcome.tasks) == (301, 301, 61)
    assert (keep / "photographs").exists()


def test_classes_that_are_merged_otherwise_are_inferred_anew(folder, keep, tmp_path) -> None:
    said: list[str] = []
    aggregate_folder(
        folder, tmp_path / "after", keep=keep, merge_classes=True, processes=1, say=said.append
    )
    assert "Classes are merged otherwise: everything is inferred anew." in said


def test_a_folder_in_use_is_left_to_the_other(folder, keep, tmp_path) -> None:
    with kept.claimed(keep), pytest.raises(TableError, match="keep is in use"):
        aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1)


def test_what_a_killed_inference_left_beside_the_labels_is_removed(folder, tmp_path) -> None:
    for name in "dead", "alive":
        (tmp_path / f".aggregation-{name}").mkdir()
        (tmp_path / f".aggregation-{name}" / kept.MARK).touch()
    with (tmp_path / ".aggregation-alive" / kept.MARK).open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        aggregate_folder(folder, tmp_path / "out", processes=1)
    assert names(tmp_path) == [".aggregation-alive", "answers", "out"]


def test_a_stopped_command_leaves_nothing_behind(folder, tmp_path) -> None:
    command = [sys.executable, "-m", "labeling.aggregation", str(folder), str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, "--processes", "1"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read().endswith("Stopped.\n")
    assert process.returncode == 130
    assert names(tmp_path) == ["answers"]


def test_processes_end_with_the_one_that_began_them() -> None:
    """Whether it is killed or gives up: both close the pipe."""
    pool = Pool(2)
    assert pool.map(pow, [(2, 3), (2, 4)]) == [8, 16]
    children = multiprocessing.active_children()
    pool._ours.close()
    for child in children:
        child.join()
    assert 1 in [child.exitcode for child in children]
    pool._stop()


def test_little_memory_is_said(folder, tmp_path, capsys, monkeypatch) -> None:
    def prepared(self: object) -> None:
        raise MemoryError

    monkeypatch.setattr(inference.Inference, "_prepared", prepared)
    assert main([str(folder), str(tmp_path / "out"), "--processes", "1"]) == 2
    assert capsys.readouterr().err == "There is not enough memory: fewer --processes need less.\n"
    assert names(tmp_path) == ["answers"]


def test_options_of_folders_are_for_folders(tmp_path, folder, capsys) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("task,worker,label\nt,w,c\n")
    command = [str(answers), str(tmp_path / "out.csv")]
    assert main([*command, "--keep", str(tmp_path / "keep")]) == 2
    assert "--keep and --processes are for Parquet files" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--processes", "0"])
    assert "0 is no number of processes: name 1 or more" in capsys.readouterr().err
    assert main([str(folder / "part-1.parquet"), str(tmp_path / "out.csv")]) == 2
    assert (
        "out.csv cannot be written: labels of Parquet files are a folder" in capsys.readouterr().err
    )
