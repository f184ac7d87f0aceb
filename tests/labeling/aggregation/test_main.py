"""The command, as a process of its own: whole results, or one clear sentence."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ANSWERS = "task,worker,label\n1,alice,cat\n1,bob,cat\n2,alice,dog\n2,bob,cat\n2,carol,dog\n"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labeling.aggregation", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "answers.csv").write_text(ANSWERS, encoding="utf-8")
    return tmp_path


def assert_refused(folder: Path, *arguments: str) -> str:
    """The command exits with 2 and one sentence, and leaves no file behind. Gives the sentence."""
    before = sorted(folder.iterdir())
    result = run(folder, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith(".\n")
    assert sorted(folder.iterdir()) == before
    return result.stderr


def test_it_writes_labels_and_reliabilities(folder: Path) -> None:
    result = run(folder, "answers.csv", "out.csv", "--workers", "workers.csv")
    assert (result.returncode, result.stderr) == (0, "")
    labels = rows(folder / "out.csv")
    assert list(labels[0]) == ["task", "label", "confidence", "p_cat", "p_dog"]
    assert [(row["task"], row["label"]) for row in labels] == [("1", "cat"), ("2", "dog")]
    for row in labels:
        assert float(row["p_cat"]) + float(row["p_dog"]) == pytest.approx(1)
        assert row["confidence"] == row[f"p_{row['label']}"]
    workers = rows(folder / "workers.csv")
    assert list(workers[0]) == ["worker", "answers", "reliability"]
    counts = [(row["worker"], row["answers"]) for row in workers]
    assert counts == [("alice", "2"), ("bob", "2"), ("carol", "1")]
    assert all(0 < float(row["reliability"]) < 1 for row in workers)


def test_it_gives_the_same_bytes_for_answers_in_any_order(folder: Path) -> None:
    header, *lines = ANSWERS.splitlines()
    (folder / "shuffled.csv").write_text("\n".join([header, *lines[::-1]]), encoding="utf-8")
    run(folder, "answers.csv", "a.csv")
    run(folder, "shuffled.csv", "b.csv")
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()


def test_it_respects_gold_and_says_which_gold_it_left_out(folder: Path) -> None:
    (folder / "gold.csv").write_text("task,label\n2,cat\n9,dog\n", encoding="utf-8")
    result = run(folder, "answers.csv", "out.csv", "--gold", "gold.csv")
    assert result.returncode == 0
    assert result.stderr == (
        "gold.csv, line 3, column task: 1 of 2 tasks have no answers and are left out "
        "(the first is 9).\n"
    )
    assert [row["label"] for row in rows(folder / "out.csv")] == ["cat", "cat"]
    assert rows(folder / "out.csv")[1]["confidence"] == "1"


def test_it_takes_more_columns_in_any_order_and_what_spreadsheets_add(folder: Path) -> None:
    text = '\ufefflabel,note,worker,task\r\n"cat ",x,é,1\r\n\r\n"a ""big"", dog",,é,2\u2028\r\n'
    (folder / "answers.csv").write_bytes(text.encode())
    assert run(folder, "answers.csv", "out.csv").returncode == 0
    labels = [row["label"] for row in rows(folder / "out.csv")]
    assert sorted(labels) == ['a "big", dog', "cat"]


def test_it_replaces_an_earlier_result_and_leaves_no_draft(folder: Path) -> None:
    (folder / "out.csv").write_text("old", encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv").returncode == 0
    assert len(rows(folder / "out.csv")) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["answers.csv", "out.csv"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "answers.csv is empty: it needs a header line with task, worker, label."),
        (b"\n\n", "answers.csv is empty"),
        (b"task,worker,label\n", "answers.csv holds a header but no rows."),
        (
            b"task,label\n1,a\n",
            "answers.csv, line 1: column worker is missing (found: task, label).",
        ),
        (b"task;worker;label\n1;2;3\n", "column task is missing (found: task;worker;label)."),
        (b"task,worker,label,task\n1,a,x,1\n", "line 1: column task appears twice"),
        (b"task,worker,label\n1,a,x\n2,a, \n", "line 3, column label: the cell is empty."),
        (b"task,worker,label\n1,a,x\n\n,a,x\n", "line 4, column task: the cell is empty."),
        (b"task,worker,label\n1,a,x\n2,a\n", "line 3: there are 2 cells where the header has 3."),
        (b"task,worker,label\n1,a,x,y\n", "line 2: there are 4 cells where the header has 3."),
        (b"task,worker,label\n1,a,x\n2,b,\xe9\n", "line 3: this is not UTF-8 text"),
        ("task,worker,label\n1,a,x\n".encode("utf-16"), "line 1: this is not UTF-8 text"),
        (b"task,worker,label\n1,a,\0\n", "line 2: this is not text"),
        (b'task,worker,label\n1,"a\nb",x\n1,a,"x\n\n\n', "line 4: this is not CSV"),
        (b"task,worker,label\n1,a," + b"x" * 200_000 + b"\n", "line 2: this is not CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1: this is not UTF-8 text"),
    ],
)
def test_it_names_what_is_wrong_with_the_answers(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "answers.csv").write_bytes(content)
    sentence = assert_refused(folder, "answers.csv", "out.csv", "--workers", "workers.csv")
    assert sentence.startswith("answers.csv")
    assert message in sentence


def test_it_refuses_labels_that_are_free_text(folder: Path) -> None:
    lines = [f"{i},{i},text {i}\n" for i in range(2000)]
    (folder / "answers.csv").write_text("task,worker,label\n" + "".join(lines), encoding="utf-8")
    assert "too many" in assert_refused(folder, "answers.csv", "out.csv")


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (
            "task,label\n1,cat\n2,dog\n1,dog\n",
            "line 4, column label: task 1 is dog here but cat on",
        ),
        ("task,label\n8,cat\n9,dog\n", "line 2, column task: no task in this file has answers"),
        ("task\n1\n", "line 1: column label is missing (found: task)."),
    ],
)
def test_it_names_what_is_wrong_with_the_gold(folder: Path, gold: str, message: str) -> None:
    (folder / "gold.csv").write_text(gold, encoding="utf-8")
    sentence = assert_refused(folder, "answers.csv", "out.csv", "--gold", "gold.csv")
    assert sentence.startswith("gold.csv, ")
    assert message in sentence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv", "out.csv"], "missing.csv cannot be read: No such file or directory."),
        ([".", "out.csv"], ". cannot be read: Is a directory."),
        (["answers.csv", "no/out.csv"], "out.csv cannot be written: the folder no does not exist."),
        (["answers.csv", "."], ". cannot be written: it is not a file."),
        (["answers.csv", "answers.csv"], "answers.csv is named twice"),
        (["answers.csv", "out.csv", "--workers", "./out.csv"], "out.csv is named twice"),
        (["answers.csv", "out.csv", "--workers", "no/w.csv"], "the folder no does not exist."),
        (["answers.csv", "out.csv", "--gold", "none.csv"], "none.csv cannot be read"),
        (["answers.csv", "x" * 300], "cannot be"),
    ],
)
def test_it_names_a_file_that_cannot_be_used(
    folder: Path, arguments: list[str], message: str
) -> None:
    assert message in assert_refused(folder, *arguments)


def test_it_needs_neither_django_nor_torch(folder: Path) -> None:
    code = (
        "import sys, labeling.aggregation.__main__ as m; m.main(['answers.csv', 'out.csv']);"
        "sys.exit(any(name in sys.modules for name in ('django', 'torch', 'celery')))"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment).returncode == 0
