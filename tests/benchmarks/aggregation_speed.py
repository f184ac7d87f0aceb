"""Seconds and memory of truth inference on simulated crowds, beside crowd-kit, as Markdown tables.

python tests/benchmarks/aggregation_speed.py [--answers N ...] [--csv N ...] [--limit SECONDS]

Ten classes, a thousand workers, answers in random order, fixed seed. The noisy crowd gives five
answers a task and is right half of the time, the easy one ten that are right 70 % of the time.
Every run has a process of its own; memory is the most that it held beyond what it held when the
input was loaded. crowd-kit runs on the smallest of each if it is installed (see
tests/benchmarks/aggregation.py), in turn with ours.
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

Ints = np.ndarray[tuple[int, int], np.dtype[np.int64]]

CLASSES = 10
WORKERS = 1_000


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        _report_arrays(Path(folder), sorted(args.answers), args.repeat, args.limit)
        _report_csv(Path(folder), sorted(args.csv))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seconds and memory of truth inference.")
    sizes = [1_000_000, 5_000_000, 20_000_000]
    parser.add_argument("--answers", type=int, nargs="+", default=sizes, help="from arrays")
    parser.add_argument("--csv", type=int, nargs="*", default=sizes[:2], help="from a CSV file")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for crowd-kit")
    return parser.parse_args()


@dataclass(frozen=True)
class Kind:
    """A kind of crowd."""

    name: str
    per_task: int
    skill: tuple[float, float]  # parameters of the Beta distribution of workers' accuracies


KINDS = Kind("noisy", 5, (5, 5)), Kind("easy", 10, (700_000, 300_000))


def simulate(answers: int, kind: Kind = KINDS[0]) -> Ints:
    """Columns task, worker, label of a crowd: (3, N)."""
    draw = np.random.default_rng(0)
    tasks = max(1, answers // kind.per_task)
    truth = draw.integers(CLASSES, size=tasks)
    skill = draw.beta(*kind.skill, WORKERS)
    task = np.repeat(np.arange(tasks), kind.per_task)
    # Workers of a task are neighbours on a random circle: distinct, and all as busy.
    start = np.repeat(draw.integers(WORKERS, size=tasks), kind.per_task)
    circle = draw.permutation(WORKERS)
    worker = circle[(start + np.tile(np.arange(kind.per_task) ** 2, tasks)) % WORKERS]
    right = draw.random(len(task)) < skill[worker]
    wrong = (truth[task] + draw.integers(1, CLASSES, len(task))) % CLASSES
    label = np.where(right, truth[task], wrong)
    return np.stack([task, worker, label])[:, draw.permutation(len(task))]


def _report_arrays(folder: Path, sizes: list[int], repeat: int, limit: float) -> None:
    print(f"From integer arrays, {CLASSES} classes\n")
    print("| crowd | answers | ours s | µs an answer | CPU s | MiB beyond the input | accuracy |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    compare = importlib.util.find_spec("crowdkit") is not None
    lines = []
    for kind in KINDS:
        for size in sizes:
            path = folder / f"{kind.name}-{size}.npy"
            np.save(path, simulate(size, kind))
            ours, theirs = [], []
            for _ in range(repeat):
                ours.append(_measured(_ours, path, None))
                if compare and size == sizes[0]:
                    theirs.append(_measured(_theirs, path, limit))
            seconds, cpu = np.median([run[:2] for run in ours], 0).tolist()
            memory, accuracy = ours[0][2:]
            print(f"| {kind.name} | {size:,} | {seconds:.2f} | {seconds / size * 1e6:.2f} ", end="")
            print(f"| {cpu:.2f} | {memory:,.0f} | {accuracy:.4f} |", flush=True)
            if theirs:
                lines.append(_against(f"the {kind.name} crowd of {size:,}", seconds, theirs, limit))
            path.unlink()
    print("", *lines, "", sep="\n")
    if not compare:
        print("Without crowd-kit, which is not installed.", file=sys.stderr)


def _against(crowd: str, ours: float, theirs: list[tuple[float, ...]], limit: float) -> str:
    """How long crowd-kit takes, in a sentence."""
    if not all(theirs):
        return f"crowd-kit's DawidSkene on {crowd}: not finished in {limit:.0f} s."
    seconds = statistics.median(run[0] for run in theirs)
    _, _, memory, accuracy = theirs[0]
    return (
        f"crowd-kit's DawidSkene on {crowd}: {seconds:.1f} s, {seconds / ours:.1f} times as long; "
        f"{memory:,.0f} MiB beyond the input, accuracy {accuracy:.4f}."
    )


def _measured(method: object, path: Path, limit: float | None) -> tuple[float, ...]:
    """(seconds, CPU s, MiB beyond the input, accuracy) of a process; empty at the limit."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=method, args=(path, theirs))
    process.start()
    theirs.close()
    found: tuple[float, ...] = ours.recv() if ours.poll(limit) else ()
    process.kill()
    process.join()
    return found


def _ours(path: Path, out: Connection) -> None:
    from labeling.aggregation import aggregate

    task, worker, label = np.load(path)
    before = _memory("VmRSS")
    started, cpu = time.perf_counter(), time.process_time()
    found = aggregate(task, worker, label)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    out.send((seconds, cpu, _memory("VmHWM") - before, _accuracy(found.label)))


def _theirs(path: Path, out: Connection) -> None:
    import pandas as pd  # type: ignore[import-untyped]
    from crowdkit.aggregation import DawidSkene  # type: ignore[import-not-found]

    warnings.simplefilter("ignore")
    frame = pd.DataFrame(dict(zip(("task", "worker", "label"), np.load(path), strict=True)))
    before = _memory("VmRSS")
    started, cpu = time.perf_counter(), time.process_time()
    labels = DawidSkene().fit_predict(frame)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    out.send((seconds, cpu, _memory("VmHWM") - before, _accuracy(labels.sort_index().to_numpy())))


def _from_csv(path: Path, out: Connection) -> None:
    started = time.perf_counter()
    from labeling.aggregation.__main__ import main

    if main([str(path), str(path.with_suffix(".labels"))]):
        raise SystemExit(f"{path} was not aggregated")
    out.send((time.perf_counter() - started, _memory("VmHWM")))


def _accuracy(labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    truth = np.random.default_rng(0).integers(CLASSES, size=len(labels))
    return float((labels == truth).mean())


def _memory(what: str) -> float:
    """MiB: VmRSS is what the process holds, VmHWM the most it ever held (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def _report_csv(folder: Path, sizes: list[int]) -> None:
    if not sizes:
        return
    print("From a CSV file to a CSV file, `python -m labeling.aggregation`\n")
    print("| answers | MB | seconds | MiB, all in all |")
    print("|---:|---:|---:|---:|")
    for size in sizes:
        path = folder / f"{size}.csv"
        _write(path, simulate(size))
        seconds, memory = _measured(_from_csv, path, None)
        megabytes = path.stat().st_size / 1e6
        print(f"| {size:,} | {megabytes:.0f} | {seconds:.1f} | {memory:,.0f} |", flush=True)
        path.unlink()


def _write(path: Path, columns: Ints) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("task,worker,label\n")
        for start in range(0, columns.shape[1], 100_000):
            rows = columns[:, start : start + 100_000].T.tolist()
            file.writelines(f"t{task},w{worker},c{label}\n" for task, worker, label in rows)


if __name__ == "__main__":
    sys.exit(main())
