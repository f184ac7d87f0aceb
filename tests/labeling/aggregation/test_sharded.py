"""A folder of Parquet files is inferred from as one table is, whatever dies on the way."""

import multiprocessing
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from labeling.aggregation import aggregate, cross_fit, levels
from labeling.aggregation.__main__ import main
from labeling.aggregation.agreement import GROUPS, Dealt
from labeling.aggregation.sharded import aggregate_folder, agreeing, inference, keys, passes
from labeling.aggregation.tables import TableError

K = 4


def crowd(*, tasks: int = 400, each: int = 5, workers: int = 30, seed: int = 0) -> pa.Table:
    """Return the answers of a crowd that is right two times of three, by task."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, K, tasks)
    task = np.repeat(np.arange(tasks), each)
    worker = np.concatenate([draw.permutation(workers)[:each] for _ in range(tasks)])
    other = (truth[task] + draw.integers(1, K, len(task))) % K
    label = np.where(draw.random(len(task)) < 0.67, truth[task], other)
    return table(task, worker, label)


def table(task: Any, worker: Any, label: Any) -> pa.Table:
    columns = [task, [f"w{each}" for each in worker], [f"c{each}" for each in label]]
    return pa.table(columns, ["task", "worker", "label"])


def by_task(answers: pa.Table, folder: Path, files: int = 3) -> Path:
    """Write answers, each task's into one of so many files."""
    folder.mkdir(exist_ok=True)
    task = answers["task"].to_numpy()
    for number in range(files):
        part = answers.filter(pa.array(task % files == number))
        parquet.write_table(part, folder / f"part-{number}.parquet")
    return folder


def labels(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return the labels and the posterior of all tasks, sorted by task."""
    found = parquet.read_table(folder).sort_by("task")
    names = [name for name in found.column_names if name.startswith("p_")]
    return found["label"].to_pylist(), np.stack([found[name].to_numpy() for name in names], 1)


def in_memory(answers: pa.Table, **known: Any) -> Any:
    return aggregate(*(answers[name].to_pylist() for name in ("task", "worker", "label")), **known)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return by_task(crowd(), tmp_path / "answers")


def test_it_infers_what_one_table_would_give(folder, tmp_path) -> None:
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1, with_workers=True)
    expected = in_memory(crowd())
    found, posterior = labels(tmp_path / "out")
    assert found == expected.label.tolist()
    assert np.abs(posterior - expected.posterior).max() < 1e-6
    workers = outcome.workers
    assert workers is not None
    assert workers.names.to_pylist() == expected.workers.tolist()
    assert workers.answers.tolist() == expected.answers.tolist()
    assert workers.reliability == pytest.approx(expected.reliability, abs=1e-9)
    assert (outcome.read, outcome.taken, outcome.tasks, outcome.shards) == (2_000, 2_000, 400, 3)


def test_gold_teaches_as_it_does_in_one_table(folder, tmp_path) -> None:
    """Most annotators agree on lies, which twenty gold tasks tell."""
    draw = np.random.default_rng(1)
    truth = draw.integers(0, K, 200)
    task = np.repeat(np.arange(200), 5)
    worker = np.tile(np.arange(5), 200)
    label = (truth[task] + (worker < 3)) % K
    lies = table(task, worker, label)
    gold = {each: f"c{truth[each]}" for each in range(0, 200, 10)}
    known = {str(each): name for each, name in gold.items()} | {"no such task": "c0"}
    said: list[str] = []
    outcome = aggregate_folder(
        by_task(lies, tmp_path / "lies"), tmp_path / "out", gold=known, processes=1, say=said.append
    )
    expected = in_memory(lies, gold=gold)
    found, posterior = labels(tmp_path / "out")
    assert (np.array(found) == [f"c{each}" for each in truth]).mean() > 0.95
    assert np.abs(posterior - expected.posterior).max() < 1e-6
    assert outcome.gold == 20
    assert "Beginning once more, from the gold." in said


def test_a_killed_process_changes_nothing(folder, tmp_path) -> None:
    aggregate_folder(folder, tmp_path / "undisturbed", processes=1)
    killed = []

    def kill(text: str) -> None:
        if text.startswith("Iteration 3"):
            victim = multiprocessing.active_children()[0]
            victim.kill()
            killed.append(victim.pid)

    aggregate_folder(folder, tmp_path / "disturbed", processes=2, say=kill)
    assert len(killed) == 1
    for path in sorted((tmp_path / "undisturbed").iterdir()):
        assert path.read_bytes() == (tmp_path / "disturbed" / path.name).read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "answers",
        "disturbed",
        "undisturbed",
    ]


def test_answers_to_a_task_may_be_in_several_files(tmp_path) -> None:
    answers, folder = crowd(), tmp_path / "by time"
    (folder / "day 2").mkdir(parents=True)
    parquet.write_table(answers.slice(0, 1_203), folder / "day 1.parquet")
    parquet.write_table(answers.slice(1_203), folder / "day 2" / "evening.parquet")
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1)
    assert labels(tmp_path / "out")[0] == in_memory(answers).label.tolist()
    assert (outcome.taken, outcome.replaced, outcome.tasks) == (2_000, 0, 400)


def test_a_file_too_large_for_one_shard_is_dealt_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(inference, "SHARD", 300)
    folder = by_task(crowd(), tmp_path / "answers", files=1)
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1)
    assert outcome.shards == 7
    assert labels(tmp_path / "out")[0] == in_memory(crowd()).label.tolist()


def test_copies_and_repeated_answers_are_counted_and_change_nothing(folder, tmp_path) -> None:
    (folder / "part-9.parquet").write_bytes((folder / "part-1.parquet").read_bytes())
    again = crowd().slice(0, 50)
    parquet.write_table(again, folder / "part-8.parquet")
    said: list[str] = []
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1, say=said.append)
    copied = len(parquet.read_table(folder / "part-1.parquet"))
    assert (outcome.read, outcome.taken) == (2_050 + copied, 2_000)
    assert (outcome.copies, outcome.replaced) == (copied, 50)
    assert f"{folder}/part-9.parquet is a copy of {folder}/part-1.parquet and is left out." in said
    assert labels(tmp_path / "out")[0] == in_memory(crowd()).label.tolist()


def test_the_last_answer_of_a_worker_counts_by_the_names_of_files(tmp_path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    for name, label in ("b", "later"), ("a", "first"):
        rows = pa.table([["t"], ["w"], [label]], ["task", "worker", "label"])
        parquet.write_table(rows, folder / f"{name}.parquet")
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1)
    assert labels(tmp_path / "out")[0] == ["later"]
    assert (outcome.read, outcome.taken, outcome.replaced) == (2, 1, 1)


def test_many_annotators_share_tables_as_in_one_table(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(levels, "CELLS", 0)
    answers = crowd(tasks=600, each=3, workers=900)
    aggregate_folder(by_task(answers, tmp_path / "answers"), tmp_path / "out", processes=1)
    posterior = labels(tmp_path / "out")[1]
    assert np.abs(posterior - in_memory(answers).posterior).max() < 1e-6


def test_ids_are_text_or_whole_numbers_in_any_writing(tmp_path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    columns = {
        "Label": pa.array([True, False, True]),
        "extra": [1.5, 2.5, 3.5],
        "TASK": pa.array([" a ", "a", "b"]).dictionary_encode(),
        "worker": pa.array([7, 8, 7], pa.int8()),
    }
    parquet.write_table(pa.table(columns), folder / "x.parquet")
    outcome = aggregate_folder(folder, tmp_path / "out", processes=1, with_workers=True)
    assert outcome.classes == ["false", "true"]
    assert outcome.workers is not None
    assert outcome.workers.names.to_pylist() == ["7", "8"]
    assert parquet.read_table(tmp_path / "out")["task"].to_pylist() == ["a", "b"]


def test_the_command_says_what_became_of_every_answer(folder, tmp_path, capsys) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("task,label\n1,c2\n5,c0\n")
    out, workers = tmp_path / "out", tmp_path / "workers.csv"
    arguments = [str(folder), str(out), "--gold", str(gold), "--workers", str(workers)]
    assert main([*arguments, "--processes", "1"]) == 0
    assert capsys.readouterr().out == (
        "2,000 answers read: 2,000 taken, 0 replaced by a later one of the same worker, 0 in "
        "copies of files. 400 tasks labelled, 2 of them gold.\n"
    )
    assert len(workers.read_text().splitlines()) == 31
    assert main([*arguments, "--processes", "1"]) == 2
    assert "name a folder that does not exist, or is empty" in capsys.readouterr().err


def test_columns_may_have_other_names(folder, tmp_path) -> None:
    renamed, keep, said = tmp_path / "renamed", tmp_path / "keep", []
    renamed.mkdir()
    for path in folder.iterdir():
        rows = parquet.read_table(path).rename_columns({"task": "image", "label": "choice"})
        rows = rows.append_column("label", pa.array(["other"] * len(rows)))
        parquet.write_table(rows, renamed / path.name)
    columns = {"task": "image", "label": "choice"}
    aggregate_folder(folder, tmp_path / "plain", processes=1)
    aggregate_folder(renamed, tmp_path / "out", columns=columns, keep=keep, processes=1)
    assert labels(tmp_path / "out")[0] == labels(tmp_path / "plain")[0]
    with pytest.raises(TableError, match="column task is missing"):
        aggregate_folder(renamed, tmp_path / "refused", processes=1)
    columns["label"] = "label"
    arguments = {"columns": columns, "keep": keep, "processes": 1, "say": said.append}
    outcome = aggregate_folder(renamed, tmp_path / "another", **arguments)
    assert said[0] == "Files, columns or gold have changed: everything is inferred anew."
    assert outcome.classes == ["other"]


def test_a_single_file_is_read_like_a_folder(folder, tmp_path, capsys) -> None:
    path = str(folder / "part-1.parquet")
    assert main([path, str(tmp_path / "out"), "--processes", "1"]) == 0
    assert len(parquet.read_table(tmp_path / "out")) == 133
    assert main([str(folder / "none.parquet"), str(tmp_path / "out2")]) == 2
    assert "none.parquet cannot be read: No such file" in capsys.readouterr().err


def test_new_answers_touch_their_shards_alone(folder, tmp_path) -> None:
    keep = tmp_path / "keep"
    aggregate_folder(folder, tmp_path / "before", keep=keep, processes=1)
    draw = np.random.default_rng(5)
    task = np.concatenate([np.arange(1, 100, 3), [1_000, 1_001]])  # of the second file, and new
    parquet.write_table(
        table(task, ["new"] * len(task), draw.integers(0, K, len(task))),
        folder / "part-5.parquet",
    )
    said: list[str] = []
    outcome = aggregate_folder(
        folder, tmp_path / "after", keep=keep, processes=1, with_workers=True, say=said.append
    )
    before, after = (sorted((tmp_path / name).iterdir()) for name in ("before", "after"))
    same = [one.read_bytes() == two.read_bytes() for one, two in zip(before, after, strict=False)]
    assert same == [True, False, True]
    assert len(after) == 4
    assert (outcome.read, outcome.taken, outcome.tasks) == (2_035, 2_035, 402)
    assert said[0] == "Reading 35 new answers."
    assert "Writing labels of 135 tasks." in said
    aggregate_folder(folder, tmp_path / "anew", processes=1)
    found, expected = labels(tmp_path / "after"), labels(tmp_path / "anew")
    assert (np.array(found[0]) == np.array(expected[0])).mean() > 0.99
    assert np.abs(found[1] - expected[1]).max() < 0.1
    assert outcome.workers is not None
    assert outcome.workers.names.to_pylist()[-1] == "wnew"


def test_what_is_kept_is_used_again_where_nothing_is_new(folder, tmp_path) -> None:
    keep, said = tmp_path / "keep", []
    aggregate_folder(folder, tmp_path / "before", keep=keep, processes=1)
    outcome = aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1, say=said.append)
    assert said == ["Reading 0 new answers."]
    assert outcome.taken == 2_000
    assert labels(tmp_path / "after")[0] == labels(tmp_path / "before")[0]


def one_changed(folder: Path) -> str:
    path = folder / "part-1.parquet"
    parquet.write_table(parquet.read_table(path).slice(1), path)
    return "Files, columns or gold have changed"


def an_earlier_name(folder: Path) -> str:
    parquet.write_table(table([1], ["w"], [1]), folder / "a.parquet")
    return "New files come before others by name"


def a_new_class(folder: Path) -> str:
    parquet.write_table(table([1], ["w"], [9]), folder / "part-7.parquet")
    return "There are new classes"


def many_answers(folder: Path) -> str:
    parquet.write_table(crowd(tasks=200, seed=3), folder / "part-7.parquet")
    return "Many answers are new"


@pytest.mark.parametrize("change", [one_changed, an_earlier_name, a_new_class, many_answers])
def test_all_is_inferred_anew_where_it_must(change, folder, tmp_path) -> None:
    keep, said = tmp_path / "keep", []
    aggregate_folder(folder, tmp_path / "before", keep=keep, processes=1)
    reason = change(folder)
    aggregate_folder(folder, tmp_path / "after", keep=keep, processes=1, say=said.append)
    assert f"{reason}: everything is inferred anew." in said
    aggregate_folder(folder, tmp_path / "anew", processes=1)
    assert labels(tmp_path / "after")[0] == labels(tmp_path / "anew")[0]


def test_a_folder_with_other_files_is_not_taken_for_shards(folder, tmp_path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "1.jpg").touch()
    with pytest.raises(TableError, match="holds other files"):
        aggregate_folder(folder, tmp_path / "out", keep=tmp_path / "photographs", processes=1)
    assert (tmp_path / "photographs" / "1.jpg").exists()


def other_columns(folder: Path) -> str:
    parquet.write_table(pa.table({"task": [1], "who": ["w"]}), folder / "part-7.parquet")
    return "part-7.parquet: column worker is missing (found: task, who)."


def numbers(folder: Path) -> str:
    rows = pa.table({"task": [1.0], "worker": ["w"], "label": ["c1"]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "column task: tasks are text or whole numbers, not double."


def texts_beside_numbers(folder: Path) -> str:
    rows = pa.table({"task": ["1"], "worker": ["w"], "label": ["c1"]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "part-7.parquet, column task: it holds text, where"


def nothing_in_a_cell(folder: Path) -> str:
    rows = pa.table({"task": [1, 2], "worker": ["w", None], "label": ["c1", "c1"]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "part-7.parquet, row 2, column worker: the cell is empty."


def space_in_a_cell(folder: Path) -> str:
    rows = pa.table({"task": [1, 2], "worker": ["w", "w"], "label": ["c1", " "]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "part-7.parquet, row 2, column label: the cell is empty."


def half_a_file(folder: Path) -> str:
    whole_file = (folder / "part-1.parquet").read_bytes()
    (folder / "part-7.parquet").write_bytes(whole_file[: len(whole_file) // 2])
    return "part-7.parquet cannot be read as Parquet:"


def no_files(folder: Path) -> str:
    for path in folder.iterdir():
        path.rename(path.with_suffix(".csv"))
    return "holds no Parquet files: name them *.parquet."


def no_rows(folder: Path) -> str:
    for path in folder.iterdir():
        parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    return "holds Parquet files, but no rows."


def a_pipe(folder: Path) -> str:
    os.mkfifo(folder / "part-7.parquet")
    return "part-7.parquet cannot be read as Parquet: it is not a file."


def a_number_too_large(folder: Path) -> str:
    rows = pa.table({"task": pa.array([2**63], pa.uint64()), "worker": ["w"], "label": ["c1"]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "part-7.parquet, column task: a number is too large: write such as text."


def no_text(folder: Path) -> str:
    text = pa.array([b"\xff\xfe"]).view(pa.string())
    rows = pa.table({"task": [1], "worker": text, "label": ["c1"]})
    parquet.write_table(rows, folder / "part-7.parquet")
    return "part-7.parquet, column worker: a text is not UTF-8."


@pytest.mark.parametrize(
    "spoil",
    [
        other_columns,
        numbers,
        texts_beside_numbers,
        nothing_in_a_cell,
        space_in_a_cell,
        half_a_file,
        no_files,
        no_rows,
        a_pipe,
        a_number_too_large,
        no_text,
    ],
)
def test_what_cannot_be_read_is_named(
    spoil: Callable[[Path], str], folder: Path, tmp_path: Path
) -> None:
    message = spoil(folder)
    with pytest.raises(TableError) as error:
        aggregate_folder(folder, tmp_path / "out", processes=1)
    assert message in str(error.value)
    assert [each.name for each in tmp_path.iterdir()] == ["answers"]


@pytest.mark.parametrize("together", [1, 50, 10**7])
def test_keys_of_many_shards_are_joined_and_found_again(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "TOGETHER", together)
    draw = np.random.default_rng(0)
    parts = [draw.integers(0, 90, size, dtype=np.uint64) for size in (40, 0, 7, 60)]
    known = keys.union(parts)
    assert known.tolist() == sorted({each for part in parts for each in part.tolist()})
    for part in parts:
        assert (known[keys.places(known, part)] == part).all()
    assert not len(keys.union([]))


def test_names_of_workers_are_no_formulas_in_a_spreadsheet(folder, tmp_path) -> None:
    columns = {"task": [1], "worker": ["=1+1"], "label": ["c0"]}
    parquet.write_table(pa.table(columns), folder / "part-9.parquet")
    out, workers = str(tmp_path / "out"), tmp_path / "workers.csv"
    assert main([str(folder), out, "--workers", str(workers), "--processes", "1"]) == 0
    assert workers.read_text().splitlines()[1].startswith("'=1+1,1,")


def told(capsys: Any, *arguments: str) -> list[str]:
    """Return what the command prints to stdout, line by line."""
    assert main(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


def numbers(line: str) -> list[float]:
    return [float(each) for each in re.findall(r"\d+\.\d+|\d+(?= with)", line)]


@pytest.fixture
def both(tmp_path: Path) -> tuple[str, str, str]:
    """Answers as a folder and as a CSV, and gold for every fifth task."""
    answers, truth = crowd(), np.random.default_rng(0).integers(0, K, 400)
    lines = ["task,label", *(f"{each},c{truth[each]}" for each in range(0, 400, 5))]
    (tmp_path / "gold.csv").write_text("\n".join(lines))
    by_task(answers, tmp_path / "folder")
    csv.write_csv(answers, tmp_path / "table.csv")
    return str(tmp_path / "folder"), str(tmp_path / "table.csv"), str(tmp_path / "gold.csv")


def test_labels_are_judged_by_gold_as_in_one_table(both, tmp_path, capsys) -> None:
    folder, answers, gold = both
    options = "--gold", gold, "--accuracy", "--processes", "1"
    sizes, *sharded = told(capsys, folder, str(tmp_path / "out"), *options)
    whole = told(capsys, answers, str(tmp_path / "out.csv"), *options[:3])
    assert "400 tasks labelled, 80 of them gold." in sizes
    assert len(sharded) == len(whole) > 2
    for ours, theirs in zip(sharded, whole, strict=True):
        assert ours.partition(" ")[0] == theirs.partition(" ")[0]
        assert numbers(ours) == pytest.approx(numbers(theirs), abs=0.11)  # it is rounded to .1
    assert re.sub(r"[\d.]+", "", sharded[0]) == re.sub(r"[\d.]+", "", whole[0])


def test_a_fold_s_gold_is_known_to_no_shard(folder, tmp_path) -> None:
    truth = np.random.default_rng(0).integers(0, K, 400)
    gold = {str(each): f"c{truth[each]}" for each in range(0, 400, 4)}
    codes = {name: int(label[1:]) for name, label in gold.items()}
    found: list[Any] = []

    def blind(work: Any, shards: Any, *more: Any) -> Any:
        found.append(sharded_blind(work, shards, *more))
        assert not list(work.place.glob("*/blind-sums"))
        return found[-1]

    sharded_blind = inference.blind_posteriors
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "blind_posteriors", blind)
        options: dict[str, Any] = {"gold": gold, "processes": 1, "with_accuracy": True}
        aggregate_folder(folder, tmp_path / "out", **options)
    answers = crowd()
    expected = cross_fit.blind_posteriors(
        [str(each) for each in answers["task"].to_pylist()],
        answers["worker"].to_pylist(),
        [int(each[1:]) for each in answers["label"].to_pylist()],
        gold=codes,
        classes=range(K),
    )
    posteriors, known = found[0]
    assert sorted(known.tolist()) == sorted(codes.values())
    for label in range(K):
        own = expected[[code == label for code in codes.values()]]
        assert np.sort(posteriors[known == label], 0) == pytest.approx(np.sort(own, 0), abs=1e-6)


def test_labels_that_stay_are_judged_with_the_new_ones(both, tmp_path, capsys) -> None:
    folder, _, gold = both
    options = "--gold", gold, "--accuracy", "--processes", "1", "--keep", str(tmp_path / "keep")
    before = told(capsys, folder, str(tmp_path / "before"), *options)
    again = told(capsys, folder, str(tmp_path / "again"), *options)
    assert again == before
    few = table(range(1_000, 1_020), range(20), np.arange(20) % K)
    parquet.write_table(few, Path(folder) / "part-9.parquet")
    _, more, *_ = told(capsys, folder, str(tmp_path / "more"), *options)
    assert "of 340 without gold, judged by 80 with gold." in more


@pytest.mark.parametrize("groups", [GROUPS, 50])
def test_agreement_is_that_of_one_table(both, tmp_path, capsys, monkeypatch, groups) -> None:
    """In groups of tasks, where there are many kinds of these, its interval is about the same."""
    folder, answers, _ = both
    (whole,) = told(capsys, answers, str(tmp_path / "out.csv"), "--agreement")
    for module in sys.modules[Dealt.__module__], passes, agreeing:
        monkeypatch.setattr(module, "GROUPS", groups)
    options = "--agreement", "--processes", "1"
    _, sharded = told(capsys, folder, str(tmp_path / "out"), *options)
    assert sharded.partition(" (")[0] == whole.partition(" (")[0]
    assert (sharded == whole) == (groups != 50)
    assert numbers(sharded) == pytest.approx(numbers(whole), abs=0.02)


def test_accuracy_needs_gold(folder, tmp_path, capsys) -> None:
    assert main([str(folder), str(tmp_path / "out"), "--accuracy"]) == 2
    assert capsys.readouterr().err == "--accuracy is judged by gold: name it with --gold.\n"
    with pytest.raises(TableError, match="judged by gold: there is none"):
        aggregate_folder(folder, tmp_path / "out", with_accuracy=True)


@pytest.mark.parametrize(("as_folder", "merge"), [(True, False), (False, False), (True, True)])
def test_gold_may_spell_a_class_in_several_ways(tmp_path, capsys, as_folder, merge) -> None:
    names = ("Brown  bear", "brown bear") if merge else ("TRUE", "true")
    answers = pa.table({"task": [1, 1, 2], "worker": ["a", "b", "a"], "label": ["x", "y", "x"]})
    (tmp_path / "folder").mkdir()
    parquet.write_table(answers, tmp_path / "folder" / "answers.parquet")
    csv.write_csv(answers, tmp_path / "table.csv")
    (tmp_path / "gold.csv").write_text(f"task,label\n1,{names[0]}\n1,{names[1]}\n")
    place = "folder" if as_folder else "table.csv"
    options = ["--merge-classes"] if merge else []
    out = tmp_path / ("out" if as_folder else "out.csv")
    assert (
        main([str(tmp_path / place), str(out), "--gold", str(tmp_path / "gold.csv"), *options]) == 0
    )
    (tmp_path / "gold.csv").write_text("task,label\n1,x\n1,y\n")
    arguments = [str(tmp_path / place), str(tmp_path / "other"), "--gold"]
    assert main([*arguments, str(tmp_path / "gold.csv")]) == 2
    assert "task 1 is y here but x on line 2" in capsys.readouterr().err
