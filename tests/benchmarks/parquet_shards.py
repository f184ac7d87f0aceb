"""Truth inference from a folder of Parquet files: seconds, memory, and that it is the same.

    python tests/benchmarks/parquet_shards.py FOLDER [--answers 100000000] [--annotators 1000]
        [--processes 2] [--compare] [--kill]

Writes simulated answers to FOLDER (unless they are there), ten to a task and ten classes, by
annotators who are right half of the time, five million to a file; runs `python -m
labeling.aggregation` on them; and prints seconds, CPU seconds, the most memory that all its
processes held together (anonymous pages; files mapped into memory are the system's cache), and how
many labels are right.

--compare: also by `aggregate` in one process from arrays (up to some ten million answers): the
    largest difference of a probability.
--kill: once more, while its processes are killed every ten seconds: are the files the same?
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROOT = Path(__file__).resolve().parents[2]
PER_TASK, CLASSES = 10, 10
FILE = 5_000_000  # answers
NAMED = 100_000  # annotators up to whom they have names; of more, numbers
KILL_EVERY = 10.0  # seconds
MIB = 2**10  # of /proc's kB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--answers", type=int, default=100_000_000)
    parser.add_argument("--annotators", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    source = args.folder / f"answers-{args.answers}-{args.annotators}"
    files = max(1, args.answers // FILE)
    write(source, args.answers // files // PER_TASK, files, args.annotators)
    out = args.folder / "labels"
    run(source, out, args.processes)
    print(f"right: {accuracy(out, files):.4f}", flush=True)
    if args.compare:
        print(f"largest difference from one process: {difference(source, out):.1e}", flush=True)
    if args.kill:
        again = args.folder / "labels-again"
        run(source, again, args.processes, kill_every=KILL_EVERY)
        same = all(path.read_bytes() == (again / path.name).read_bytes() for path in out.iterdir())
        print(f"the files are {'the same' if same else 'NOT THE SAME'}")
    return 0


def simulated(number: int, tasks: int, annotators: int) -> tuple[np.ndarray, ...]:
    """Return task, worker, label (N,) and truth (T,) of one file."""
    draw = np.random.default_rng([7, number])
    skill = np.random.default_rng(7).beta(5, 5, annotators)
    truth = draw.integers(CLASSES, size=tasks, dtype=np.int8)
    task = np.repeat(np.arange(number * tasks, (number + 1) * tasks), PER_TASK)
    # Those who answer a task are neighbours on a circle: distinct, and all as busy.
    start = np.repeat(draw.integers(annotators, size=tasks), PER_TASK)
    worker = (start + np.tile(np.arange(PER_TASK) ** 2, tasks)) % annotators
    of_task = np.repeat(truth, PER_TASK)
    wrong = (of_task + draw.integers(1, CLASSES, len(task), dtype=np.int8)) % CLASSES
    label = np.where(draw.random(len(task)) < skill[worker], of_task, wrong)
    return task, worker, label, truth


def write(folder: Path, tasks: int, files: int, annotators: int) -> None:
    if folder.exists():
        return
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    names = pa.array([f"annotator {number}" for number in range(min(annotators, NAMED))])
    classes = pa.array([f"class {number}" for number in range(CLASSES)])
    for number in range(files):
        task, worker, label, _ = simulated(number, tasks, annotators)
        columns = {
            "task": task,
            "worker": pa.DictionaryArray.from_arrays(worker.astype(np.int32), names)
            if annotators <= NAMED
            else worker,
            "label": pa.DictionaryArray.from_arrays(label.astype(np.int32), classes),
        }
        parquet.write_table(pa.table(columns), draft / f"part-{number:04}.parquet")
    draft.rename(folder)


def run(source: Path, out: Path, processes: int, kill_every: float | None = None) -> None:
    """Infer the labels in processes of their own; print what that takes."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "labeling.aggregation", source, out]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        [*map(str, command), "--processes", str(processes)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    most, killed, next_kill = 0, 0, began + (kill_every or np.inf)
    while process.poll() is None:
        children = [pid for pid, parent in _parents() if parent == process.pid]
        most = max(most, sum(map(_anonymous, [process.pid, *children])))
        if time.monotonic() > next_kill and len(children) > 1:
            os.kill(random.choice(children), signal.SIGKILL)
            killed, next_kill = killed + 1, time.monotonic() + (kill_every or np.inf)
        time.sleep(0.2)
    if process.returncode:
        sys.exit("It failed.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{time.monotonic() - began:.0f} s, {cpu:.0f} CPU s, {most / MIB:,.0f} MiB"
        + (f", {killed} processes killed" if kill_every else ""),
        flush=True,
    )


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield int(path.parent.name), int(fields[1])


def _anonymous(pid: int) -> int:
    """Return the kB of memory of a process that are no files'; 0 where it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def accuracy(out: Path, files: int) -> float:
    """Return the share of labels that are right."""
    right = count = 0
    for number in range(files):
        found = parquet.read_table(out / f"part-{number:06}.parquet", columns=["task", "label"])
        tasks = len(found)
        truth = np.random.default_rng([7, number]).integers(CLASSES, size=tasks, dtype=np.int8)
        names = found["label"].cast(pa.string()).to_numpy()
        right += int((names == np.char.add("class ", truth.astype(str))).sum())
        count += tasks
    return right / count


def difference(source: Path, out: Path) -> float:
    """Return the largest difference of a probability from those of one process."""
    from labeling.aggregation import aggregate

    answers = parquet.read_table(source, read_dictionary=["worker", "label"])
    worker, label = answers["worker"].combine_chunks(), answers["label"].combine_chunks()
    worker = worker.indices if pa.types.is_dictionary(worker.type) else worker
    codes = worker.to_numpy(), label.indices.to_numpy()
    found = parquet.read_table(out).sort_by("task")
    columns = [found[f"p_class {number}"].to_numpy() for number in range(CLASSES)]
    expected = aggregate(answers["task"].to_numpy(), *codes)
    return float(np.abs(np.stack(columns, 1) - expected.posterior).max())


if __name__ == "__main__":
    sys.exit(main())
