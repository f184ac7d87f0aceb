"""Seconds and memory of truth inference on simulated crowds, beside crowd-kit, as Markdown tables.

python tests/benchmarks/aggregation_speed.py [--answers N ...] [--csv N ...] [--limit SECONDS]

Ten classes, five answers a task in random order, a thousand workers, fixed seed. Every run has a
process of its own; memory is the most that it held beyond what it held when the input was loaded.
crowd-kit runs on the smallest crowd if it is installed (see tests/benchmarks/aggregation.py).
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import sys
import tempfile
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

CLASSES = 10
PER_TASK = 5
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


def simulate(answers: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Columns task, worker, label of a crowd that is right about half of the time: (3, N)."""
    draw = np.random.default_rng(0)
    tasks = max(1, answers // PER_TASK)
    truth = draw.integers(CLASSES, size=tasks)
    skill = draw.beta(5, 5, WORKERS)
    task = np.repeat(np.arange(tasks), PER_TASK)
    # Workers of a task are neighbours on a random circle: distinct, and all as busy.
    start = np.repeat(draw.integers(WORKERS, size=tasks), PER_TASK)
    circle = draw.permutation(WORKERS)
    worker = circle[(start + np.tile(np.arange(PER_TASK) ** 2, tasks)) % WORKERS]
    right = draw.random(len(task)) < skill[worker]
    wrong = (truth[task] + draw.integers(1, CLASSES, len(task))) % CLASSES
    label = np.where(right, truth[task], wrong)
    return np.stack([task, worker, label])[:, draw.permutation(len(task))]


def _report_arrays(folder: Path, sizes: list[int], repeat: int, limit: float) -> None:
    print(f"From integer arrays, {CLASSES} classes\n")
    print("| answers | ours s | ours µs an answer | MiB beyond the input | accuracy |")
    print("|---:|---:|---:|---:|---:|")
    first = 0.0
    for size in sizes:
        path = folder / f"{size}.npy"
        np.save(path, simulate(size))
        runs = [_measured(_ours, path, None) for _ in range(repeat)]
        seconds = statistics.median(run[0] for run in runs if run)
        memory, accuracy = runs[0][1:]
        first = first or seconds
        print(f"| {size:,} | {seconds:.2f} | {seconds / size * 1e6:.2f} | ", end="")
        print(f"{memory:,.0f} | {accuracy:.4f} |", flush=True)
    print()
    if importlib.util.find_spec("crowdkit") is None:
        print("Without crowd-kit, which is not installed.", file=sys.stderr)
        return
    found = _measured(_theirs, folder / f"{sizes[0]}.npy", limit)
    if not found:
        print(f"crowd-kit's DawidSkene on {sizes[0]:,}: not finished in {limit:.0f} s.\n")
        return
    seconds, memory, accuracy = found
    print(
        f"crowd-kit's DawidSkene on {sizes[0]:,}: {seconds:.1f} s, {seconds / first:.0f} times ",
        end="",
    )
    print(f"as long; {memory:,.0f} MiB beyond the input, accuracy {accuracy:.4f}.\n")


def _measured(method: object, path: Path, limit: float | None) -> tuple[float, ...]:
    """(seconds, MiB beyond the input, accuracy) in a process of its own; empty at the limit."""
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
    started = time.perf_counter()
    found = aggregate(task, worker, label)
    seconds = time.perf_counter() - started
    out.send((seconds, _memory("VmHWM") - before, _accuracy(found.label)))


def _theirs(path: Path, out: Connection) -> None:
    import pandas as pd  # type: ignore[import-untyped]
    from crowdkit.aggregation import DawidSkene  # type: ignore[import-not-found]

    warnings.simplefilter("ignore")
    frame = pd.DataFrame(dict(zip(("task", "worker", "label"), np.load(path), strict=True)))
    before = _memory("VmRSS")
    started = time.perf_counter()
    labels = DawidSkene().fit_predict(frame)
    seconds = time.perf_counter() - started
    out.send((seconds, _memory("VmHWM") - before, _accuracy(labels.sort_index().to_numpy())))


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


def _write(path: Path, columns: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("task,worker,label\n")
        for start in range(0, columns.shape[1], 100_000):
            rows = columns[:, start : start + 100_000].T.tolist()
            file.writelines(f"t{task},w{worker},c{label}\n" for task, worker, label in rows)


if __name__ == "__main__":
    sys.exit(main())
