"""One import shared by two workers: how much sooner it is done than with one.

    python tests/benchmarks/import_on_two.py [--pictures 200000] [--side 192] [--kind folder]

Starts a PostgreSQL of its own, makes so many pictures with texts, lets one worker process import
them, then two, into a project each, and compares what became of them. Each worker
has one core (of Linux: `taskset`), a data folder and caches of its own, as on a machine of its own,
and shares the storage, a folder. Prints a table in Markdown: the seconds, the CPU seconds of each
worker with its decoders, of the database, and how long a worker waited for its turn.

On two cores the database shares them with the workers. So the table ends with what two machines
would take whose database is on a third one: the longer of a worker's own CPU seconds and of what is
done one after another. Leave the machine idle. Needs about 4 KB of disk for each picture, twice.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
FOLDERS = "owl", "Wren", "heron"
KEYWORDS = "small", "blue", "by a lake"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=192, help="pixels")
    parser.add_argument("--kind", choices=["folder", "zip", "bucket"], default="folder")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--profile", action="store_true", help="of each worker's main process")
    parser.add_argument("--kill", action="store_true", help="the last of several workers, half-way")
    parser.add_argument("--work", metavar="JSON", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        work(json.loads(wanted.work))
        return
    with database() as folder:
        files = folder / "files"
        make(files, wanted.pictures, wanted.side)
        rows = [measure(count, files, folder, wanted) for count in wanted.workers]
        show(rows, wanted.pictures)


@contextmanager
def database() -> Iterator[Path]:
    """Provide an empty, migrated database and a storage; remove both at the end."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as name:
        folder = Path(name)
        for variable in ("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL"):
            os.environ.pop(variable, None)
        os.environ |= {
            "DATA_DIR": name,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "FILE_STORAGE": f"file://{folder}/storage",
            "UPLOAD_MAX_FILES": "10000000",
            "UPLOAD_MIN_FREE_BYTES": "0",
        }
        from config import servers

        with servers.ensure(folder):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield folder


def make(folder: Path, count: int, side: int) -> None:
    """Write pictures of noise of several scales as JPEG, one in fifty twice; texts of some."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    data = b""
    for number in range(count):
        path = folder / FOLDERS[number % len(FOLDERS)] / f"{number:07}.jpg"
        if number % 50 or not data:
            coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=90)
            data = file.getvalue()
        path.write_bytes(data)
        if number % 10 == 0:
            path.with_suffix(".txt").write_text(", ".join(KEYWORDS[: 1 + number % 3]))


def measure(count: int, files: Path, folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    """Import with so many workers; return what it took, and what became of it."""
    from labeling.imports import runner
    from labeling.models import Import, Project

    project = Project.objects.create(slug=f"by-{count}", name=f"By {count}")
    record = staged(project, files, wanted.kind)
    if (read := runner.advance(record)) is None or read.state != Import.State.IMPORTING:
        sys.exit(f"It could not be read: {Import.objects.get(pk=record.pk).error}")
    cores = sorted(os.sched_getaffinity(0))
    before, started = database_seconds(), time.perf_counter()
    processes = [
        worker(record.pk, number, cores[number % len(cores)], folder, wanted.profile)
        for number in range(count)
    ]
    if wanted.kill and count > 1:
        kill_half_way(processes[-1], record, wanted.pictures)
    reports = [report_of(process) for process in processes]
    seconds = time.perf_counter() - started
    record.refresh_from_db()
    if record.state != Import.State.DONE:
        sys.exit(f"It was not done: {record.state}, {record.error}")
    return {
        "workers": count,
        "seconds": seconds,
        "own": [each["own"] for each in reports],
        "children": [each["children"] for each in reports],
        "waited": [each["waited"] for each in reports],
        "turn": [each["turn"] for each in reports],
        "database": database_seconds() - before,
        "outcome": outcome(record),
    }


def kill_half_way(process: "subprocess.Popen[str]", record: Any, pictures: int) -> None:
    """Kill a worker once a third of the pictures were looked at."""
    while 3 * record.done < pictures and process.poll() is None:
        time.sleep(0.1)
        record.refresh_from_db()
    process.kill()


def report_of(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Return what a worker took; of one that was killed, zeros."""
    printed = process.communicate()[0].splitlines()
    if process.returncode < 0:
        return dict.fromkeys(["own", "children", "waited", "turn"], 0.0)
    report: dict[str, float] = json.loads(printed[-1])
    return report


def staged(project: Any, files: Path, kind: str) -> Any:
    """Return an import whose files have come, as an upload's or as one archive."""
    from labeling.imports import staging
    from labeling.models import Import, UploadedFile

    record = Import.objects.create(
        project=project, name="files", state=Import.State.READING, start_at_once=True
    )
    record.folder = staging.new_folder(record)
    record.save()
    paths = sorted(path for path in files.rglob("*") if path.is_file())
    if kind == "zip":
        archive = files.parent / "files.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for path in paths:
                packed.write(path, path.relative_to(files))
        paths = [archive]
    rows = []
    for number, path in enumerate(paths):
        place = staging.path_of(record, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, place)
        name = path.relative_to(files.parent if kind == "zip" else files).as_posix()
        size = path.stat().st_size
        rows.append(UploadedFile(upload=record, number=number, path=name, size=size, received=size))
    UploadedFile.objects.bulk_create(rows, batch_size=5_000)
    record.files = len(rows)
    record.save()
    return record


def worker(pk: int, number: int, core: int, folder: Path, profile: bool) -> "subprocess.Popen[str]":
    """Start a worker on a core of its own."""
    from django.db import connection

    settings = connection.settings_dict
    host, port = settings["HOST"], settings["PORT"]
    values = {"pk": pk, "core": core, "profile": str(folder / f"{pk}-{number}") if profile else ""}
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={host}&port={port or 5432}"
    return subprocess.Popen(
        [sys.executable, __file__, "--work", json.dumps(values)],
        env={
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(folder / f"worker-{number}"),
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
            "SECRET_KEY": "of a benchmark",
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def work(values: dict[str, Any]) -> None:
    """Take part in an import until nothing is left of it; print what it took."""
    os.sched_setaffinity(0, {values["core"]})
    import cProfile

    import django

    django.setup()
    from labeling.imports import importer, runner, shares
    from labeling.models import Import

    waited, plain = 0.0, shares.wait
    turn, store = 0.0, importer.BatchImporter.import_batch

    def wait(record: Import, since: float) -> None:
        nonlocal waited
        began = time.perf_counter()
        plain(record, since)
        waited += time.perf_counter() - began

    def import_batch(self: Any, *arguments: Any) -> None:
        nonlocal turn
        began = time.perf_counter()
        store(self, *arguments)
        turn += time.perf_counter() - began

    shares.wait, importer.BatchImporter.import_batch = wait, import_batch
    profile = cProfile.Profile(time.process_time)
    if values["profile"]:
        profile.enable()
    while (record := Import.objects.get(pk=values["pk"])).state == Import.State.IMPORTING:
        if runner.advance(record) is None:
            time.sleep(0.1)
    if values["profile"]:
        profile.disable()
        profile.dump_stats(values["profile"] + ".prof")
        import pstats

        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumtime").print_stats(70)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = {
        "own": time.process_time(),
        "children": children.ru_utime + children.ru_stime,
        "waited": waited,
        "turn": turn,
    }
    print(json.dumps(report))


def database_seconds() -> float:
    """Return the CPU seconds of the database so far, with those of connections that ended."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_postmaster_start_time()")
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    postmaster = int(stat[1])
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))  # with the children that ended
        elif int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def outcome(record: Any) -> tuple[Any, ...]:
    """Return all that an import made of its files, to be compared."""
    from labeling.models import Question

    with record.report.open() as file:
        table = file.read()
    pictures = record.project.images.order_by("pk")
    rows = pictures.values_list("source", "sha256", "near_duplicate_of__source", "keywords")
    asked = Question.objects.filter(tile__image__project=record.project)
    questions = asked.values_list("tile__image__source", "concept__name", "stated")
    return record.counts, table, list(rows), sorted(questions, key=str)


def show(rows: list[dict[str, Any]], pictures: int) -> None:
    """Print what it took, and what two machines would take."""
    same = all(row["outcome"] == rows[0]["outcome"] for row in rows)
    print(f"\n{pictures:,} pictures; the results are {'the same' if same else 'NOT THE SAME'}.\n")
    columns = "workers", "seconds", "pictures/s", "of one", "CPU s: own", "decoders", "database"
    print(f"| {' | '.join(columns)} | one after another s | waited s |")
    print(f"|{'---|' * (len(columns) + 2)}")
    for row in rows:
        cells = [
            str(row["workers"]),
            f"{row['seconds']:.1f}",
            f"{pictures / row['seconds']:,.0f}",
            f"{rows[0]['seconds'] / row['seconds']:.2f}",
            *(" + ".join(f"{each:.1f}" for each in row[name]) for name in ("own", "children")),
            f"{row['database']:.1f}",
            *(" + ".join(f"{each:.1f}" for each in row[name]) for name in ("turn", "waited")),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    one = rows[0]
    own, turn = sum(one["own"] + one["children"]), sum(one["turn"])
    most = one["seconds"] / turn
    print(
        f"\nOne worker takes {own:.0f} s of its core. {turn:.0f} of its {one['seconds']:.0f} s are"
        " done one after another, whoever does them: two workers are at most"
        f" {min(2.0, most):.2f} times as quick, and however many, {most:.1f} times."
    )


if __name__ == "__main__":
    main()
