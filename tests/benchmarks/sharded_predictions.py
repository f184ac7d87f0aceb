"""First predictions of a project by one worker, and by more who take part: how much sooner.

    .venv/bin/python tests/benchmarks/sharded_predictions.py [--pictures 20000] [--workers 1 2]
        [--share 8192] [--kill]

Starts a PostgreSQL of its own, stores so many pictures of noise and two concepts, and has the
frozen encoder predict them by one worker process, then by several. Each worker has one core (of
Linux: `taskset`) and caches of its own, as on a machine of its own, and shares the storage, a
folder. Prints a table in Markdown: the seconds, how many shares each worker looked at, its CPU
seconds with its child processes, those of the database, and whether the results are the same to the
bit. --share: tiles of a share. --kill: the last of several workers is killed half-way.

There must be a core for each worker, and one more for the database; it hardly works meanwhile.
Leave the machine idle. Needs the frozen encoders (docs/training.md) and some 6 kB of disk for each
picture, again for each worker.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.benchmarks.import_on_two import database, database_seconds  # noqa: E402

SIDE = 192  # pixels
PHRASES = "a lake", "a forest"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--share", type=int, help="tiles (those of the product)")
    parser.add_argument("--kill", action="store_true", help="the last of several workers, half-way")
    parser.add_argument("--work", metavar="JSON", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        work(json.loads(wanted.work))
        return
    with database() as folder:
        project = make(wanted.pictures)
        print("| workers | seconds | of one | shares | CPU s of each | of the database | same |")
        print("|---:|---:|---:|---|---|---:|---|", flush=True)
        one: dict[str, Any] | None = None
        for count in wanted.workers:
            row = measure(project, count, folder, wanted)
            one = one or row
            show(row, one)


def make(count: int) -> int:
    """Store a project with so many pictures of noise; return its id."""
    from PIL import Image

    from labeling import images
    from labeling.models import Concept, Project

    project = Project.objects.create(state="open", slug="noise", name="Noise")
    for phrase in PHRASES:
        Concept.objects.create(project=project, name=phrase, phrase=phrase, prevalence=0.3)
    draw = np.random.default_rng(0)
    for number in range(count):
        coarse = draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        images.add(project=project, data=file.getvalue(), source=f"{number}.jpg")
    return project.pk


def measure(project: int, count: int, folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """Predict by so many workers whose machines know nothing; return what it took."""
    from labeling.inference import intake
    from labeling.models import Project

    intake.withdraw(project=Project.objects.get(pk=project))
    cores = sorted(os.sched_getaffinity(0))
    before, started = database_seconds(), time.perf_counter()
    values = {"project": project, "share": wanted.share}
    processes = [
        worker(values | {"number": n, "core": cores[n % len(cores)]}, folder / f"{count}-{n}")
        for n in range(count)
    ]
    if wanted.kill and count > 1:
        kill_half_way(processes[-1], processes[0])
    reports = [report_of(process) for process in processes]
    return {
        "workers": count,
        "seconds": time.perf_counter() - started,
        "shares": [each["shares"] for each in reports],
        "cpu": [each["cpu"] for each in reports],
        "database": database_seconds() - before,
        "result": result(project),
    }


def worker(values: dict[str, Any], folder: Path) -> "subprocess.Popen[str]":
    """Start a worker on a core of its own; the first one leads."""
    from django.db import connection

    settings = connection.settings_dict
    host, port = settings["HOST"], settings["PORT"]
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={host}&port={port or 5432}"
    return subprocess.Popen(
        [sys.executable, __file__, "--work", json.dumps(values)],
        env={
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(folder),
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
            "CACHE_URL": "",
            "SECRET_KEY": "of a benchmark",
            "TRAINING_THREADS": "1",
        },
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_half_way(process: "subprocess.Popen[str]", leader: "subprocess.Popen[str]") -> None:
    """Kill a worker once half of the shares are done."""
    from training.models import PredictionShare

    while process.poll() is None and leader.poll() is None:
        shares = PredictionShare.objects.count()
        if shares and 2 * PredictionShare.objects.filter(done=True).count() >= shares:
            process.kill()
        time.sleep(0.1)


def report_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what a worker took; of one that was killed, zeros."""
    printed = process.communicate()[0].splitlines()
    if process.returncode < 0:
        return {"shares": 0, "cpu": 0.0}
    if process.returncode:
        sys.exit("A worker failed.")
    report: dict[str, Any] = json.loads(printed[-1])
    return report


def work(values: dict[str, Any]) -> None:
    """Lead a prediction, or take part in one; print what it took."""
    os.sched_setaffinity(0, {values["core"]})
    import django

    django.setup()
    from django.core.cache import cache

    from labeling.models import Project
    from training import prediction_shares, zero_shot
    from training.models import PredictionShare
    from training.prediction_shares import Prediction

    prediction_shares.SIZE = values["share"] or prediction_shares.SIZE
    project, shares = Project.objects.get(pk=values["project"]), 0
    look = prediction_shares._look

    def counted(row: PredictionShare) -> None:
        nonlocal shares
        look(row)
        shares += 1

    prediction_shares._look = counted
    if values["number"] == 0:
        cache.clear()
        if not zero_shot.predict(project):
            sys.exit(f"Nothing was predicted: {zero_shot.failure(project)}")
    else:
        while not Project.objects.filter(pk=project.pk).exclude(features="").exists():
            if not prediction_shares.look_at_next(Prediction(project, None)):
                time.sleep(0.1)
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = sum(each.ru_utime + each.ru_stime for each in (own, children))
    print(json.dumps({"shares": shares, "cpu": cpu}))


def result(project: int) -> list[bytes]:
    """Return the features and the predictions, to be compared."""
    from labeling import features, predictions
    from labeling.models import Project

    row = Project.objects.get(pk=project)
    seen = features.load(row)
    assert seen is not None
    arrays = [predictions.load(concept, row) for concept in row.concepts.order_by("pk")]
    return [np.array(each).tobytes() for each in (seen.tiles, seen.images, *arrays)]


def show(row: dict[str, Any], one: dict[str, Any]) -> None:
    """Print a row."""
    cells = [
        str(row["workers"]),
        f"{row['seconds']:.0f}",
        f"{one['seconds'] / row['seconds']:.2f}",
        " + ".join(map(str, row["shares"])),
        " + ".join(f"{each:.0f}" for each in row["cpu"]),
        f"{row['database']:.1f}",
        "yes" if row["result"] == one["result"] else "NO",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
