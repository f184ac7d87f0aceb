"""The command: whole results, or one clear sentence."""

import contextlib
import csv
import io
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from labeling.aggregation import Agreement
from labeling.aggregation.__main__ import main

ROOT = Path(__file__).parents[3]
HEADER = b"task,worker,label\n"
ANSWERS = "task,worker,label\n1,alice,cat\n1,bob,cat\n2,alice,dog\n2,bob,cat\n2,carol,dog\n"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Done(code, out.getvalue(), err.getvalue())


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


def test_columns_may_have_other_names_and_gold_these_or_its_own(folder: Path) -> None:
    answers = ANSWERS.replace("task,worker,label", "image;who;task").replace(",", ";")
    (folder / "renamed.csv").write_text(answers, encoding="utf-8")
    (folder / "own.csv").write_text("task,label\n1,dog\n", encoding="utf-8")
    (folder / "same.csv").write_text("note;image;task\nx;1;dog\n", encoding="utf-8")
    columns = ["--columns", "task=image, worker=who,label=task"]
    run(folder, "answers.csv", "plain.csv", "--gold", "own.csv")
    result = run(folder, "renamed.csv", "out.csv", *columns, "--gold", "same.csv")
    assert (result.returncode, result.stderr) == (0, "")
    assert (folder / "out.csv").read_bytes() == (folder / "plain.csv").read_bytes()
    refused = assert_refused(folder, "renamed.csv", "no.csv", "--columns", "task=picture")
    assert "column picture is missing (found: image, who, task)" in refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--columns", "image"], "'image': say what columns are called like task=image"),
        (["--columns", "task=a,task=b"], "'task=b': say"),
        (["--columns", "task=a,worker=a"], "'worker=a': say"),
    ],
)
def test_options_that_cannot_be_are_named(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(folder / "answers.csv"), str(folder / "out.csv"), *arguments])
    assert message in capsys.readouterr().err


def test_parquet_in_the_place_of_a_table_is_named(folder: Path) -> None:
    (folder / "gold.parquet").write_bytes(b"PAR1\0")
    sentence = assert_refused(folder, "answers.csv", "out.csv", "--gold", "gold.parquet")
    assert (
        sentence
        == "gold.parquet is Parquet, not CSV: only answers may be, in files named *.parquet.\n"
    )


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
        (b"task;label\n1;a\n", "column worker is missing (found: task, label)."),
        (b"task,worker,label,task\n1,a,x,1\n", "line 1: column task appears twice"),
        (b"task,worker,label\n1,a,x\n2,a, \n", "line 3, column label: the cell is empty."),
        (b"task,worker,label\n1,a,x\n\n,a,x\n", "line 4, column task: the cell is empty."),
        (b"task,worker,label\n1,a,x\n2,a\n", "line 3: there are 2 cells where the header has 3."),
        (b"task,worker,label\n1,a,x,y\n", "line 2: there are 4 cells where the header has 3."),
        (b"task,worker,label\n1,a,x\n2,b,\xe9\n", "line 3, column label: this is not UTF-8 text"),
        ("task,worker,label\n1,a,x\n".encode("utf-16") + b"\0", "this begins like UTF-16"),
        ("task,worker,label\n1,a,x\n".encode("utf-16-le"), "line 1: this is not text"),
        (b"task,worker,label\n1,a,\0\n", "line 2: this is not text"),
        (b'task,worker,label\n1,"a\nb",x\n1,a,"x\n\n\n', "a quote that opens in this row is never"),
        (
            b'task,worker,label\n1,a,x\n1,"a"b,x\n',
            "line 3: this is not CSV (text follows a closing",
        ),
        (b"task,worker,label\n1,a,x,\n" * 2, "line 2: there are 4 cells"),
        (b"task,worker,label\n \n1\n", "line 3: there is 1 cell where the header has 3."),
        (HEADER + b"1,a," + b"x" * 200_000 + b"\n", "a cell has more than 131,072 characters"),
        (HEADER + b"1,a,x\n" + b"x" * 2**21, "line 3: this is not CSV (a cell has more than"),
        (HEADER + b'1,a,"x' + b"\n1,a,x" * 50_000, "line 2: this is not CSV (a cell has more"),
        (b"x" * 1000 + b"\n", "column task is missing (found: xxxxx"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 3: this is not text (it holds a zero byte)"),
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
    lines = [f"{i},{i},text {i}\n" for i in range(20_000)]
    (folder / "answers.csv").write_text("task,worker,label\n" + "".join(lines), encoding="utf-8")
    sentence = assert_refused(folder, "answers.csv", "out.csv")
    assert sentence.startswith("answers.csv, column label: 20")
    assert sentence.endswith("(such as text 0).\n")


def test_it_reads_what_a_spreadsheet_saves_as_unicode(folder: Path) -> None:
    (folder / "answers.csv").write_bytes("task,worker,label\n1,é,ü\n".encode("utf-16"))
    assert run(folder, "answers.csv", "out.csv").returncode == 0
    assert [row["label"] for row in rows(folder / "out.csv")] == ["ü"]


def test_it_looks_at_its_own_columns_only(folder: Path) -> None:
    text = b"n\xf6te,task,worker,label,note\n\xe9,1,a,x,\n," + b"1,b,x," + b"y" * 200_000 + b"\n"
    (folder / "answers.csv").write_bytes(text)
    assert run(folder, "answers.csv", "out.csv").returncode == 0


def test_ids_are_kept_as_they_are_written(folder: Path) -> None:
    text = 'task,worker,label\n01,a,NA\n1,a,null\n1.0,a,"a, b"\ntrue,a,NA\n'
    (folder / "answers.csv").write_text(text, encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv").returncode == 0
    found = [(row["task"], row["label"]) for row in rows(folder / "out.csv")]
    assert [task for task, _ in found] == ["01", "1", "1.0", "true"]
    assert set(rows(folder / "out.csv")[0]) >= {"p_NA", "p_null", "p_a, b"}


def test_of_repeated_rows_the_last_one_counts(folder: Path) -> None:
    run(folder, "answers.csv", "once.csv")
    (folder / "answers.csv").write_text(ANSWERS + "2,bob,dog\n2,bob,cat\n", encoding="utf-8")
    run(folder, "answers.csv", "repeated.csv")
    assert (folder / "once.csv").read_bytes() == (folder / "repeated.csv").read_bytes()


@pytest.mark.parametrize(
    "answers", ["1,a,x\n", "1,a,x\n1,b,x\n", "1,a,x\n2,a,x\n", "1,a,x\n1,b,y\n"]
)
def test_it_takes_one_task_one_class_or_one_worker(folder: Path, answers: str) -> None:
    (folder / "answers.csv").write_text("task,worker,label\n" + answers, encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv", "--workers", "workers.csv").returncode == 0
    for row in rows(folder / "out.csv"):
        assert sum(float(row[name]) for name in row if name.startswith("p_")) == pytest.approx(1)


def test_a_gold_class_that_nobody_answered_is_a_class(folder: Path) -> None:
    (folder / "gold.csv").write_text("task,label\n1,bird\n", encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv", "--gold", "gold.csv").returncode == 0
    first = rows(folder / "out.csv")[0]
    assert (first["label"], first["p_bird"]) == ("bird", "1")


def test_gold_may_say_the_same_twice(folder: Path) -> None:
    (folder / "gold.csv").write_text("task,label\n1,dog\n1,dog\n", encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv", "--gold", "gold.csv").returncode == 0
    assert rows(folder / "out.csv")[0]["label"] == "dog"


def test_agreement_is_a_line_of_its_own(folder: Path) -> None:
    result = run(folder, "answers.csv", "out.csv", "--agreement")
    assert result.returncode == 0
    assert result.stdout.startswith(
        "2 tasks, 5 answers, 3 workers, 2 classes; Krippendorff's alpha"
    )
    assert "(too few for an interval) over 2 tasks" in result.stdout
    (folder / "answers.csv").write_text("task,worker,label\n1,a,x\n", encoding="utf-8")
    assert (
        "nothing to tell agreement by" in run(folder, "answers.csv", "o.csv", "--agreement").stdout
    )


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
        ([".", "out.csv"], "out.csv cannot be written: it is within the folder that is read."),
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


def test_a_full_disk_leaves_nothing_half_written(folder: Path) -> None:
    lines = [f"{i},a,{i % 2}\n" for i in range(1000)]
    (folder / "answers.csv").write_text("task,worker,label\n" + "".join(lines), encoding="utf-8")
    (folder / "out.csv").write_text("old", encoding="utf-8")
    code = (
        "import resource, sys, labeling.aggregation.__main__ as m;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "sys.exit(m.main(['answers.csv', 'workers.csv', '--workers', 'out.csv']))"
    )
    result = process(folder, "-c", code)
    assert result.returncode == 2
    assert result.stderr == "workers.csv cannot be written: File too large.\n"
    assert (folder / "out.csv").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["answers.csv", "out.csv"]


def test_it_is_a_command(folder: Path) -> None:
    result = process(folder, "-m", "labeling.aggregation", "answers.csv", "out.csv")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    refused = process(folder, "-m", "labeling.aggregation", "missing.csv", "out.csv")
    assert refused.returncode == 2


def test_it_needs_neither_django_nor_torch(folder: Path) -> None:
    code = (
        "import sys, labeling.aggregation.__main__ as m; m.main(['answers.csv', 'out.csv']);"
        "sys.exit(any(name in sys.modules for name in ('django', 'torch', 'celery')))"
    )
    assert process(folder, "-c", code).returncode == 0


def process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_end_of_the_interval_at_zero_is_a_number(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Agreement(0.2, 0.0, 0.5, 0.7, 3, 9, {"cat": 0.5, "dog": 0.5})
    monkeypatch.setattr("labeling.aggregation.__main__.agreement", lambda *columns: measured)
    assert (
        "alpha 0.200 (0.000 to 0.500" in run(folder, "answers.csv", "o.csv", "--agreement").stdout
    )


def test_true_as_spreadsheets_spell_it_is_one_class(folder: Path) -> None:
    text = "task,worker,label\n1,a,TRUE\n1,b,True\n1,c,true\n2,a,FALSE\n2,b,FALSE\n2,c,true\n"
    (folder / "answers.csv").write_text(text, encoding="utf-8")
    result = run(folder, "answers.csv", "out.csv")
    assert result.returncode == 0
    assert "“TRUE”, “True” and “true” are one class, “true”." in result.stderr
    assert [row["label"] for row in rows(folder / "out.csv")] == ["true", "FALSE"]


def test_classes_that_differ_in_case_or_spaces_are_told_and_merged_where_wanted(
    folder: Path,
) -> None:
    text = "task,worker,label\n1,a,Grey cat\n1,b,grey  cat\n1,c,grey  cat\n2,a,dog\n2,b,dog\n"
    (folder / "answers.csv").write_text(text, encoding="utf-8")
    (folder / "gold.csv").write_text("task,label\n1,GREY CAT\n", encoding="utf-8")
    told = run(folder, "answers.csv", "out.csv", "--gold", "gold.csv")
    assert told.returncode == 0
    assert "“GREY CAT”, “Grey cat” and “grey  cat” are 3 classes" in told.stderr
    assert "--merge-classes" in told.stderr and "p_GREY CAT" in rows(folder / "out.csv")[0]
    merged = run(folder, "answers.csv", "out.csv", "--gold", "gold.csv", "--merge-classes")
    assert "are one class, “grey  cat”" in merged.stderr
    assert {row["label"] for row in rows(folder / "out.csv")} == {"grey  cat", "dog"}


def test_a_label_that_looks_like_a_formula_is_written_so_that_no_spreadsheet_runs_it(
    folder: Path,
) -> None:
    text = "task,worker,label\n@x,a,=1+1\n@x,b,=1+1\n-1,a,-1\n-1,b,-1\n"
    (folder / "answers.csv").write_text(text, encoding="utf-8")
    assert run(folder, "answers.csv", "out.csv").returncode == 0
    labels = {row["task"]: row["label"] for row in rows(folder / "out.csv")}
    assert labels == {"'@x": "'=1+1", "-1": "-1"}


def test_it_doubts_gold_that_contradicts_nearly_all_answers(folder: Path) -> None:
    tasks = range(20)
    answers = [
        f"{task},{worker},{'cat' if task % 3 else 'dog'}" for task in tasks for worker in "ab"
    ]
    gold = [f"{task},{'dog' if task % 3 else 'cat'}" for task in tasks[:12]]
    (folder / "answers.csv").write_text("\n".join(["task,worker,label", *answers]), "utf-8")
    (folder / "gold.csv").write_text("\n".join(["task,label", *gold]), "utf-8")
    told = run(folder, "answers.csv", "out.csv", "--gold", "gold.csv")
    assert told.returncode == 0
    assert told.stderr.splitlines() == [
        "gold.csv, column label: 12 gold labels contradict 100% of the answers to their tasks, "
        "more than chance would: are their classes in the same words, and are these the same tasks?"
    ]


@pytest.fixture
def crowd(folder: Path) -> Path:
    """400 tasks with five answers each, right in four of five; gold.csv holds every tenth."""
    draw = np.random.default_rng(0)
    truth = draw.integers(2, size=400)
    label = np.where(draw.random((400, 5)) < 0.8, truth[:, None], 1 - truth[:, None])
    answers = [f"{t},w{draw.integers(40)}-{j},c{label[t, j]}" for t in range(400) for j in range(5)]
    gold = [f"{t},c{truth[t]}" for t in range(0, 400, 10)]
    (folder / "answers.csv").write_text("\n".join(["task,worker,label", *answers]))
    (folder / "gold.csv").write_text("\n".join(["task,label", *gold]))
    (folder / "few.csv").write_text("\n".join(["task,label", *gold[:3]]))
    return folder


def test_accuracy_is_judged_by_gold(crowd: Path) -> None:
    result = run(crowd, "answers.csv", "out.csv", "--gold", "gold.csv", "--accuracy")
    whole, *by_class = result.stdout.splitlines()
    interval = r"\d+\.\d % \(95 % interval \d+\.\d to \d+\.\d\): of"
    assert re.fullmatch(
        f"Labels are right in {interval} 360 without gold, judged by 40 with gold\\.", whole
    )
    assert re.fullmatch(
        f"c1: {interval} \\d+ without gold, judged by 2\\d with gold\\.", by_class[0]
    )
    assert by_class[1:] == ["Too little gold to tell: c0."]
    few = run(crowd, "answers.csv", "out.csv", "--gold", "few.csv", "--accuracy")
    assert few.stdout.startswith("3 tasks with gold are too few to tell how often labels are right")
    assert "it takes twenty with gold" in few.stdout


def test_accuracy_needs_gold(crowd: Path) -> None:
    assert "name it with --gold" in assert_refused(crowd, "answers.csv", "out.csv", "--accuracy")
