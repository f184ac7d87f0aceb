"""Infer labels from a CSV of answers, or from a folder of Parquet files.

python -m labeling.aggregation ANSWERS.csv OUT.csv [--gold GOLD.csv] [--workers WORKERS.csv]
python -m labeling.aggregation FOLDER OUT_FOLDER [--gold GOLD.csv] [--workers WORKERS.csv]

Other names of columns are said with --columns task=image,worker=rater,label=choice.
"""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from labeling.aggregation import spellings
from labeling.aggregation.agreement import Agreement, agreement
from labeling.aggregation.answers import Floats
from labeling.aggregation.cross_fit import blind_posteriors, label_accuracies
from labeling.aggregation.dawid_skene import Aggregate, aggregate
from labeling.aggregation.gold_check import GoldWarning
from labeling.aggregation.label_accuracy import LabelAccuracy, Labels
from labeling.aggregation.lock import locked
from labeling.aggregation.sharded import NAMES, aggregate_folder
from labeling.aggregation.tables import Codes, Column, Table, TableError, read, shown, write_all

NO_GOLD = "--accuracy is judged by gold: name it with --gold."
DIGITS = 9  # significant digits of the probabilities that are written


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 where a table cannot be used."""
    args = _parser().parse_args(argv)
    try:
        outputs = [path for path in (args.out, args.workers) if path]
        inputs = [path for path in (args.answers, args.gold) if path]
        if args.answers.is_dir() or args.answers.suffix.lower() == ".parquet":
            _check_outputs(outputs[1:], [*inputs, args.out, *([args.keep] if args.keep else [])])
            with _locked(outputs[1:]):
                _infer_folder(args)
            return 0
        _check_outputs(outputs, inputs)
        with _locked(outputs):
            _infer_table(args, outputs)
    except TableError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    except MemoryError:
        less = (
            "fewer --processes need" if args.answers.is_dir() else "a folder of Parquet files needs"
        )
        print(f"There is not enough memory: {less} less.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m labeling.aggregation",
        description="Infer labels from answers. Tables are CSV with a header, in UTF-8, with "
        "commas, semicolons or tabs between their cells; more columns are allowed. Of several "
        "answers of a worker to a task the last one counts. TRUE, True and true are one class. "
        "Answers that memory cannot hold are read from a folder of Parquet files, by several "
        "processes.",
    )
    parser.add_argument(
        "answers",
        type=Path,
        help="task,worker,label: an answer a line; or a folder of Parquet files with these "
        "columns, or a single one",
    )
    parser.add_argument(
        "--columns",
        type=_columns,
        default={},
        metavar="ROLE=NAME,…",
        help="which column holds what: task=image,worker=rater,label=choice; of gold, too, where "
        "it has these",
    )
    parser.add_argument(
        "out",
        type=Path,
        help="gets task,label,confidence and p_CLASS a class, sorted by task; of Parquet files: a "
        "new folder of Parquet files",
    )
    parser.add_argument(
        "--gold",
        type=Path,
        help="task,label: known labels; those of tasks without answers are left out, with a notice",
    )
    parser.add_argument(
        "--workers", type=Path, help="gets worker,answers,reliability, sorted by worker"
    )
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="print how many there are of what, and how far workers agree",
    )
    parser.add_argument(
        "--accuracy",
        action="store_true",
        help="print how often labels are right, with a 95 %% interval, judged by the gold, which "
        "must be drawn at random; takes three to six times as long",
    )
    parser.add_argument(
        "--merge-classes",
        action="store_true",
        help="take classes that differ in case or spaces alone for one, by its most frequent name",
    )
    parser.add_argument(
        "--processes",
        type=_count,
        help="of a folder: how many work at a time (as many as there are processors); each takes "
        "about a gigabyte",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="of a folder: where shards stay for the next time, so that only new files are read, "
        "and only shards with new answers are inferred again",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes: name 1 or more")
    return int(text)


def _columns(text: str) -> dict[str, str]:
    """Return what columns are called, by role."""
    columns: dict[str, str] = {}
    for part in text.split(","):
        role, _, name = map(str.strip, part.partition("="))
        if role not in NAMES or role in columns or not name or name in columns.values():
            raise argparse.ArgumentTypeError(
                f"{shown(part)!r}: say what columns are called like task=image,worker=rater,"
                "label=choice."
            )
        columns[role] = name
    return columns


def _gold_table(args: argparse.Namespace) -> Table:
    return read(args.gold, ("task", "label"), also=args.columns)


def _infer_table(args: argparse.Namespace, outputs: Sequence[Path]) -> None:
    """Infer the labels of a CSV. Raises TableError."""
    if args.keep or args.processes:
        raise TableError("--keep and --processes are for Parquet files.")
    names = [args.columns.get(role, role) for role in NAMES]
    task, worker, label = read(args.answers, names).columns.values()
    gold_table = _gold_table(args) if args.gold else None
    canonical = _canonical(label, gold_table, all_of_them=args.merge_classes)
    label = _renamed(label, canonical)
    summary = _agreement(task, worker, label) if args.agreement else ""
    gold: dict[int, int] = {}
    if gold_table:
        gold, label = _coded_gold(gold_table, canonical, task, label)
    if args.accuracy and not gold:
        raise TableError(NO_GOLD)
    result = _aggregated(args, (task, worker, label), gold)
    tables = (_labels(result, task.ids, label.ids), _reliabilities(result, worker.ids))
    write_all(zip(outputs, tables, strict=False))
    if summary:
        print(summary)
    if args.accuracy:
        print(_accuracy(result, (task, worker, label), gold))


def _infer_folder(args: argparse.Namespace) -> None:
    """Infer the labels of a folder of Parquet files, or of a single one. Raises TableError."""
    if args.answers.is_file() and args.out.suffix.lower() == ".csv":
        raise TableError(f"{args.out} cannot be written: labels of Parquet files are a folder.")
    if args.accuracy and not args.gold:
        raise TableError(NO_GOLD)
    gold = {}
    if args.gold:
        table = _gold_table(args)
        _check_consistent(table, merged=_merged(table, all_of_them=args.merge_classes))
        task, label = (
            [column.ids[code].as_py() for code in column.codes.tolist()]
            for column in table.columns.values()
        )
        gold = dict(zip(task, label, strict=True))
    with _doubts_told(args.gold):
        outcome = aggregate_folder(
            args.answers,
            args.out,
            columns=args.columns,
            gold=gold,
            merge_classes=args.merge_classes,
            processes=args.processes,
            keep=args.keep,
            with_workers=bool(args.workers),
            with_accuracy=args.accuracy,
            with_agreement=args.agreement,
            say=lambda text: print(text, file=sys.stderr),
        )
    if workers := outcome.workers:
        columns = [workers.names, pa.array(workers.answers), pa.array(workers.reliability)]
        write_all([(args.workers, pa.table(columns, ["worker", "answers", "reliability"]))])
    print(
        f"{outcome.read:,} answers read: {outcome.taken:,} taken, {outcome.replaced:,} replaced by "
        f"a later one of the same worker, {outcome.copies:,} in copies of files. {outcome.tasks:,} "
        f"tasks labelled, {outcome.gold:,} of them gold."
    )
    if measured := outcome.agreement:
        answers = outcome.read - outcome.copies
        sizes = outcome.tasks, answers, outcome.annotators, len(measured.prevalence)
        print(_summary(measured, *sizes))
    if outcome.accuracies:
        print(_accuracies(*outcome.accuracies, judged=outcome.gold, names=outcome.classes))


@contextmanager
def _locked(outputs: Sequence[Path]) -> Iterator[None]:
    """Have all outputs to oneself. Raises TableError."""
    with ExitStack() as stack:
        for path in outputs:
            stack.enter_context(locked(path))
        yield


def _check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raise TableError where an output cannot be written or would overwrite another file."""
    used = {path.resolve() for path in inputs}
    for path in outputs:
        if not path.parent.is_dir():
            raise TableError(f"{path} cannot be written: the folder {path.parent} does not exist.")
        if path.resolve() in used:
            raise TableError(f"{path} is named twice: name another file for the output.")
        if path.exists() and not path.is_file():
            raise TableError(f"{path} cannot be written: it is not a file.")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise TableError(f"{path} cannot be written: you may not write in {path.parent}.")
        used.add(path.resolve())


def _canonical(label: Column, gold: Table | None, *, all_of_them: bool) -> dict[str, str]:
    """Return by which name each class goes, and report those that are spelled in several ways."""
    counts = dict(zip(label.ids.to_pylist(), np.bincount(label.codes).tolist(), strict=True))
    if gold:
        counts |= {name: 0 for name in gold.columns["label"].ids.to_pylist() if name not in counts}
    canonical = spellings.merged(counts, all_of_them=all_of_them)
    for sentence in spellings.told(counts, canonical):
        print(sentence, file=sys.stderr)
    return canonical


def _renamed(column: Column, canonical: Mapping[str, str]) -> Column:
    """Return a column with the names by which its classes go."""
    names = pa.array([canonical[name] for name in column.ids.to_pylist()], pa.string())
    distinct = names.unique()
    ids = distinct.take(compute.array_sort_indices(distinct))
    return Column(ids, compute.index_in(names, value_set=ids).to_numpy()[column.codes])


def _coded_gold(
    table: Table, canonical: Mapping[str, str], task: Column, label: Column
) -> tuple[dict[int, int], Column]:
    """Return gold (task → class, as codes), and the labels coded with the gold's classes too."""
    gold_task, gold_label = table.columns["task"], _renamed(table.columns["label"], canonical)
    table.columns["label"] = gold_label
    _check_consistent(table)
    place = compute.index_in(gold_task.ids, value_set=task.ids).fill_null(-1).to_numpy()
    place = place[gold_task.codes]
    _check_known(table, place)
    names = gold_label.ids.take(pa.array(np.unique(gold_label.codes[place >= 0])))
    merged = pa.concat_arrays([label.ids, names]).unique()
    classes = merged.take(compute.array_sort_indices(merged))
    codes = compute.index_in(label.ids, value_set=classes).to_numpy()[label.codes]
    label_place = compute.index_in(gold_label.ids, value_set=classes).fill_null(-1).to_numpy()
    known = label_place[gold_label.codes]
    gold = dict(zip(place[place >= 0].tolist(), known[place >= 0].tolist(), strict=True))
    return gold, Column(classes, codes)


def _merged(gold: Table, *, all_of_them: bool) -> dict[str, str]:
    """Return for each label of gold the one that stands for all that are the same class."""
    return spellings.merged(
        dict.fromkeys(gold.columns["label"].ids.to_pylist(), 0), all_of_them=all_of_them
    )


def _check_consistent(table: Table, merged: Mapping[str, str] | None = None) -> None:
    """Raise TableError where gold gives two classes for one task.

    merged: which label stands for each, where some are the same class.
    """
    task, label = table.columns.values()
    _, first = np.unique(task.codes, return_index=True)
    same = label if merged is None else _renamed(label, merged)
    wrong = same.codes != same.codes[first[task.codes]]
    if wrong.any():
        row = int(wrong.argmax())
        earlier = int(first[task.codes[row]])
        line, earlier_line = table.lines([row, earlier])
        raise TableError(
            f"{table.path}, line {line}, column label: task {_cell(task, row)} is "
            f"{_cell(label, row)} here but {_cell(label, earlier)} on line {earlier_line}."
        )


def _check_known(table: Table, place: Codes) -> None:
    """Report tasks without answers; raise TableError where no task has any.

    place: of each row's task among those with answers, -1 where it has none.
    """
    unknown = place < 0
    if not unknown.any():
        return
    tasks = table.columns["task"]
    row = int(unknown.argmax())
    (line,) = table.lines([row])
    where = f"{table.path}, line {line}, column task:"
    example = f"(the first is {_cell(tasks, row)})."
    if unknown.all():
        raise TableError(f"{where} no task in this file has answers {example}")
    left_out = len(np.unique(tasks.codes[unknown]))
    print(
        f"{where} {left_out} of {len(tasks.ids)} tasks have no answers and are left out {example}",
        file=sys.stderr,
    )


def _cell(column: Column, row: int) -> str:
    return shown(column.ids[int(column.codes[row])].as_py())


def _aggregated(
    args: argparse.Namespace, columns: tuple[Column, Column, Column], gold: dict[int, int]
) -> Aggregate:
    classes = columns[2].ids
    codes = [each.codes for each in columns]
    try:
        with _doubts_told(args.gold):
            return aggregate(*codes, gold=gold, classes=range(len(classes)))
    except ValueError as error:
        example = shown(classes[0].as_py())
        raise TableError(f"{args.answers}, column label: {error} (such as {example}).") from None


@contextmanager
def _doubts_told(path: Path | None) -> Iterator[None]:
    """Say in one sentence, and at once, where gold is doubted.

    path: of the gold, if there is any.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", GoldWarning)
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, GoldWarning):
                print(f"{path}, column label: {message}", file=sys.stderr)
            else:
                show(message, category, *where)

        warnings.showwarning = tell  # type: ignore[assignment]
        yield


def _labels(result: Aggregate, tasks: Any, classes: Any) -> Any:
    """Return the labels as pa.Table. tasks, classes: ids as pa.StringArray."""
    posterior = _rounded(result.posterior)
    columns = {"task": tasks, "label": classes.take(pa.array(result.label))}
    numbers = [_rounded(result.confidence), *posterior.T]
    names = ["confidence", *(f"p_{name}" for name in classes.to_pylist())]
    return pa.table([*columns.values(), *map(pa.array, numbers)], [*columns, *names])


def _reliabilities(result: Aggregate, workers: Any) -> Any:
    """Return the workers' reliabilities as pa.Table. workers: ids as pa.StringArray."""
    columns = [workers, pa.array(result.answers), pa.array(_rounded(result.reliability))]
    return pa.table(columns, ["worker", "answers", "reliability"])


def _rounded(numbers: Floats) -> Floats:
    """Round probabilities to DIGITS significant digits; those below 1e-12 stay as they are."""
    size = np.floor(np.log10(np.maximum(numbers, 1e-300)))
    scale = 10.0 ** np.minimum(DIGITS - 1 - size, 22)
    return np.where(size > -13, np.round(numbers * scale) / scale, numbers)


def _accuracy(
    result: Aggregate, columns: tuple[Column, Column, Column], gold: dict[int, int]
) -> str:
    """Return how often labels are right, in a sentence for all and one for each class."""
    codes, classes = [each.codes for each in columns], range(len(result.classes))
    blind = blind_posteriors(*codes, gold=gold, classes=classes)
    rest = ~np.isin(result.tasks, list(gold))
    labels = Labels(result.confidence[rest], result.label[rest].astype(np.intp))
    found = label_accuracies(labels, blind, np.array(list(gold.values())))
    return _accuracies(*found, judged=len(gold), names=columns[2].ids.to_pylist())


def _accuracies(
    whole: LabelAccuracy | None,
    by_class: Sequence[LabelAccuracy | None],
    *,
    judged: int,
    names: Sequence[str],
) -> str:
    """Return how often labels are right, in words. judged: how many tasks have gold."""
    if whole is None:
        return (
            f"{judged:,} tasks with gold are too few to tell how often labels are right, or no "
            "task without gold is left: it takes twenty with gold, and others to speak of."
        )
    lines = [f"Labels are right in {_interval(whole)}"]
    found = dict(zip(names, by_class, strict=True))
    lines += [f"{shown(name)}: {_interval(each)}" for name, each in found.items() if each]
    unknown = [name for name, each in found.items() if not each]
    if unknown:
        lines.append(f"Too little gold to tell: {shown(', '.join(unknown), 200)}.")
    return "\n".join(lines)


def _interval(found: LabelAccuracy) -> str:
    accuracy, low, high = (f"{100 * each:.1f}" for each in (found.accuracy, found.low, found.high))
    return (
        f"{accuracy} % (95 % interval {low} to {high}): of {found.labels:,} without gold, judged "
        f"by {found.judged:,} with gold."
    )


def _agreement(task: Column, worker: Column, label: Column) -> str:
    """Return how far the workers of a table agree, in one sentence."""
    measured = agreement(task.codes, worker.codes, label.codes)
    sizes = len(task.ids), len(task.codes), len(worker.ids), len(label.ids)
    return _summary(measured, *sizes)


def _summary(measured: Agreement, tasks: int, answers: int, workers: int, classes: int) -> str:
    """Return the sizes of the data and how far workers agree, in one sentence."""
    counts = f"{tasks:,} tasks, {answers:,} answers, {workers:,} workers, {classes:,} classes"
    if measured.alpha is None:
        return f"{counts}; nothing to tell agreement by."
    interval = "too few for an interval"
    if measured.low is not None:
        interval = f"{measured.low:.3f} to {measured.high:.3f}, 95 %"
    return (
        f"{counts}; Krippendorff's alpha {measured.alpha:.3f} ({interval}) over "
        f"{measured.tasks:,} tasks with two answers or more."
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave nothing behind
    sys.exit(main())
