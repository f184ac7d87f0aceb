"""python -m labeling.aggregation ANSWERS.csv OUT.csv [--gold GOLD.csv] [--workers WORKERS.csv]"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .dawid_skene import Aggregate, aggregate
from .tables import Row, TableError, read_columns, write_all


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        outputs = [path for path in (args.out, args.workers) if path]
        inputs = [path for path in (args.answers, args.gold) if path]
        _check_outputs(outputs, inputs)
        (task, worker, label), _ = read_columns(args.answers, ("task", "worker", "label"))
        gold = _read_gold(args.gold, set(task)) if args.gold else {}
        result = _aggregated(args.answers, task, worker, label, gold)
        writers = (_labels(result), _reliabilities(result))
        write_all(zip(outputs, writers, strict=False))
    except TableError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m labeling.aggregation",
        description="Infer labels from answers. Tables are UTF-8 CSV with a header; more columns "
        "are allowed. Of several answers of a worker to a task the last one counts.",
    )
    parser.add_argument("answers", type=Path, help="task,worker,label: an answer a line")
    parser.add_argument(
        "out", type=Path, help="gets task,label,confidence and p_CLASS a class, sorted by task"
    )
    parser.add_argument(
        "--gold",
        type=Path,
        help="task,label: known labels; those of tasks without answers are left out, with a notice",
    )
    parser.add_argument(
        "--workers", type=Path, help="gets worker,answers,reliability, sorted by worker"
    )
    return parser


def _check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    taken = {path.resolve() for path in inputs}
    for path in outputs:
        if not path.parent.is_dir():
            raise TableError(f"{path} cannot be written: the folder {path.parent} does not exist.")
        if path.exists() and not path.is_file():
            raise TableError(f"{path} cannot be written: it is not a file.")
        if path.resolve() in taken:
            raise TableError(f"{path} is named twice: name another file for the output.")
        taken.add(path.resolve())


def _read_gold(path: Path, tasks: set[str]) -> dict[str, str]:
    columns, lines = read_columns(path, ("task", "label"))
    gold: dict[str, str] = {}
    seen: dict[str, int] = {}
    for task, label, line in zip(*columns, lines, strict=True):
        if gold.setdefault(task, label) != label:
            raise TableError(
                f"{path}, line {line}, column label: task {task} is {label} here but "
                f"{gold[task]} on line {seen[task]}."
            )
        seen.setdefault(task, line)
    unknown = [task for task in gold if task not in tasks]
    if len(unknown) == len(gold):
        raise TableError(
            f"{path}, line {seen[unknown[0]]}, column task: no task in this file has answers "
            f"(the first is {unknown[0]})."
        )
    if unknown:
        print(
            f"{path}, line {seen[unknown[0]]}, column task: {len(unknown)} of {len(gold)} tasks "
            f"have no answers and are left out (the first is {unknown[0]}).",
            file=sys.stderr,
        )
    return gold


def _aggregated(
    path: Path, task: list[str], worker: list[str], label: list[str], gold: dict[str, str]
) -> Aggregate:
    try:
        return aggregate(task, worker, label, gold=gold)
    except ValueError as error:
        raise TableError(f"{path}, column label: {error}.") from None


def _labels(result: Aggregate) -> Iterator[Row]:
    yield ["task", "label", "confidence", *(f"p_{name}" for name in result.classes)]
    rows = zip(result.tasks, result.label, result.confidence, result.posterior, strict=True)
    for task, label, confidence, posterior in rows:
        yield [task, label, f"{confidence:.9g}", *(f"{p:.9g}" for p in posterior)]


def _reliabilities(result: Aggregate) -> Iterator[Row]:
    yield ["worker", "answers", "reliability"]
    for worker, count, value in zip(
        result.workers, result.answers, result.reliability, strict=True
    ):
        yield [worker, int(count), f"{value:.9g}"]


if __name__ == "__main__":
    sys.exit(main())
