"""How fast a snapshot is exported as WebDataset beside a bare `tarfile` loop, and in what memory.

    python tests/benchmarks/export_speed.py [PICTURES] [--rounds 3] [--formats]

Makes a snapshot of small pictures (100,000 unless told) in a temporary folder and reads each once,
so that all find it in the page cache. In turns, each in a process of its own, a bare `tarfile` loop
that hashes and checks nothing writes three members a picture, and `export` writes the same, hashes
it, and reads all of it again. With --formats, all formats that need no database are written twice
and compared, of all pictures and of a tenth of them: memory must not grow with their number.
Prints Markdown: the medians of the rounds. CPU seconds tell also where others use the machine.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
BARE, SHARD = "bare loop", 10_000
WITHOUT_DATABASE = ("kohya", "folder", "imagefolder", "webdataset", "parquet", "coco", "croissant")
OPTIONS: dict[str, dict[str, Any]] = {"folder": {"copy_pictures": True}}


class Cost(NamedTuple):
    """What it cost to write an export, and to read it again."""

    wall: float  # seconds
    cpu: float  # seconds
    reading: float  # CPU seconds of these for reading it again
    peak: float  # MB
    sha256: str  # of what was written: of its list of hashes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="?", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", action="store_true", help="measure all formats")
    parser.add_argument("--one", nargs=3, metavar=("FORMAT", "SNAPSHOT", "OUT"), help="for itself")
    wanted = parser.parse_args()
    if wanted.one:
        print(json.dumps(_cost_of(*wanted.one)))
        return
    import django

    django.setup()
    with tempfile.TemporaryDirectory(prefix="tessera-exports-") as name:
        snapshot = Path(name, "snapshot")
        make(snapshot, wanted.pictures)
        compare_with_bare(snapshot, wanted.pictures, wanted.rounds)
        if wanted.formats:
            tenth = Path(name, "tenth")
            make(tenth, wanted.pictures // 10)
            compare_formats(snapshot, tenth, wanted.pictures)


def make(folder: Path, count: int) -> None:
    """Write a snapshot of that many pictures of about 2 kB, and read each once."""
    from PIL import Image

    from labeling import snapshot_folder
    from tests.labeling.exports import frozen

    (folder / "train").mkdir(parents=True)
    digests: dict[str, int] = {}
    for number in range(count):
        picture = Image.effect_noise((32, 32), 40).convert("RGB")
        picture.putpixel((0, 0), (number >> 16, number >> 8 & 255, number & 255))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=95)
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        (folder / "train" / f"{digest[:16]}.jpg").write_bytes(file.getvalue())
        digests[digest] = number
    drafts = folder / "drafts"
    rows = (("train", _row(digest, digests[digest])) for digest in sorted(digests))
    files = {f"train/{digest[:16]}.jpg": digest for digest in sorted(digests)}
    files |= snapshot_folder.write_metadata(drafts, rows)
    (drafts / "train/metadata.jsonl").replace(folder / "train/metadata.jsonl")
    shutil.rmtree(drafts)
    counts = {"images": count, "train": count, "test": 0, "captions": count, "boxes": 0}
    frozen.write_manifest(folder, counts, ["noise"], files)
    for path in (folder / "train").iterdir():
        path.read_bytes()


def _row(digest: str, number: int) -> dict[str, Any]:
    from labeling import provenance

    text = f"a grey square full of noise, no. {number}"
    return {
        "file_name": f"{digest[:16]}.jpg",
        "text": text,
        "tags": ["noise", "grey"],
        "concepts": [{"name": "noise", "probability": 0.97, "answers": 3}],
        "in_part": [],
        "boxes": [],
        "captions": [{"text": text, "confidence": 0.9, "source": "import", "provenance": 0}],
        "n_answers": 3,
        "license": "CC0-1.0",
        "source": f"noise/{number}.jpg",
        "provenance": [provenance.NOWHERE.as_row()],
        "generated": False,
        "prompt": "",
        "width": 32,
        "height": 32,
    }


def compare_with_bare(snapshot: Path, count: int, rounds: int) -> None:
    costs: dict[str, list[Cost]] = {BARE: [], "webdataset": []}
    for _ in range(rounds):
        for name, several in costs.items():
            several.append(_measured(name, snapshot))
    bare = _median(costs[BARE])
    print(f"{count:,} pictures, the medians of {rounds} rounds:\n")
    print("| | pictures/s | of the bare loop | CPU s | bare loop's CPU s of it | peak, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, several in costs.items():
        _print_beside(name, _median(several), bare, count)
    ours = _median(costs["webdataset"])
    written = ours._replace(
        cpu=ours.cpu - ours.reading, wall=ours.wall * (1 - ours.reading / ours.cpu)
    )
    _print_beside("webdataset, without reading it again", written, bare, count)


def _print_beside(name: str, cost: Cost, bare: Cost, count: int) -> None:
    print(
        f"| {name} | {count / cost.wall:,.0f} | {bare.wall / cost.wall:.0%} "
        f"| {cost.cpu:.2f} | {bare.cpu / cost.cpu:.0%} | {cost.peak:.0f} |",
        flush=True,
    )


def compare_formats(snapshot: Path, tenth: Path, count: int) -> None:
    print("\n| format | pictures/s | CPU ms a picture | peak, MB | of a tenth, MB | same bytes |")
    print("|---|---:|---:|---:|---:|---|")
    for format in WITHOUT_DATABASE:
        of_tenth = _measured(format, tenth)
        first, again = _measured(format, snapshot), _measured(format, snapshot)
        print(
            f"| {format} | {count / first.wall:,.0f} | {1000 * first.cpu / count:.3f} "
            f"| {max(first.peak, again.peak):.0f} | {of_tenth.peak:.0f} "
            f"| {'yes' if first.sha256 == again.sha256 else 'NO'} |",
            flush=True,
        )


def _median(costs: list[Cost]) -> Cost:
    wall, cpu, reading, peak = (
        statistics.median(getattr(each, name) for each in costs) for name in Cost._fields[:4]
    )
    return Cost(wall, cpu, reading, peak, costs[0].sha256)


def _measured(name: str, snapshot: Path) -> Cost:
    """Write it in a process of its own, beside the snapshot; return what it cost."""
    out = snapshot.with_name("out")
    command = [sys.executable, __file__, "--one", name, str(snapshot), str(out)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return Cost(*json.loads(done.stdout))
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _cost_of(name: str, snapshot: str, out: str) -> Cost:
    if name == BARE:
        return _cost_of_bare(Path(snapshot), Path(out))
    import django

    django.setup()
    from labeling import exports
    from labeling.exports import run

    wall, cpu = time.perf_counter(), time.process_time()
    written = 0.0

    def progress(share: float) -> None:
        nonlocal written
        if not written and share > run.WRITING:
            written = time.process_time()

    options = exports.options_of(name, OPTIONS.get(name, {}))
    result = exports.export(
        folder=Path(snapshot), format=name, out=Path(out), options=options, on_progress=progress
    )
    ended = time.process_time()
    return Cost(time.perf_counter() - wall, ended - cpu, ended - written, _peak(), result.sha256)


def _cost_of_bare(snapshot: Path, out: Path) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    bare(snapshot, out)
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, 0.0, _peak(), "")


def bare(snapshot: Path, out: Path) -> None:
    """Write the members in a plain loop."""
    out.mkdir()
    for number, rows in enumerate(batches(snapshot, SHARD)):
        with tarfile.open(out / f"{number:05}.tar", "w") as archive:
            for row in rows:
                key = row["file_name"].partition(".")[0]
                picture = (snapshot / "train" / row["file_name"]).read_bytes()
                described = json.dumps(row).encode()
                for name, data in (
                    (row["file_name"], picture),
                    (f"{key}.txt", row["text"].encode()),
                    (f"{key}.json", described),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))


def batches(snapshot: Path, size: int) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with (snapshot / "train/metadata.jsonl").open() as file:
        for line in file:
            rows.append(json.loads(line))
            if len(rows) == size:
                yield rows
                rows = []
    if rows:
        yield rows


def _peak() -> float:
    """Return the most memory that this process has had, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
