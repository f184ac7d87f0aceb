"""How fast a snapshot is exported as WebDataset, against a bare loop of `tarfile`.

    python tests/benchmarks/export_speed.py [PICTURES] [--formats]

Makes a snapshot of small pictures (100,000 unless told) in a temporary folder, reads each once, so
that both find it in the page cache, and writes them twice in turns: as three members a picture by a
bare `tarfile` loop that hashes and checks nothing, and by `export`, which hashes, checks, and reads
all of it again. Prints pictures a second with and without the reading again, and the peak memory.
With --formats, all formats that need no database are timed once.
"""

import argparse
import hashlib
import io
import json
import os
import resource
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
ROUNDS = 3


def make(folder: Path, count: int) -> None:
    """Write a snapshot of that many pictures of about 2 kB."""
    from PIL import Image

    from labeling import snapshot_folder

    (folder / "train").mkdir(parents=True)
    rows, files = [], {}
    for number in range(count):
        picture = Image.effect_noise((32, 32), 40).convert("RGB")
        picture.putpixel((0, 0), (number >> 16, number >> 8 & 255, number & 255))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=95)
        data = file.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest[:16]}.jpg"
        (folder / "train" / name).write_bytes(data)
        files[f"train/{name}"] = digest
        text = f"a grey square full of noise, no. {number}"
        rows.append(
            {
                "file_name": name,
                "text": text,
                "tags": ["noise", "grey"],
                "concepts": [{"name": "noise", "probability": 0.97, "answers": 3}],
                "in_part": [],
                "captions": [{"text": text, "confidence": 0.9, "source": "import"}],
                "n_answers": 3,
                "license": "CC0-1.0",
                "source": f"noise/{number}.png",
                "generated": False,
                "prompt": "",
                "width": 32,
                "height": 32,
            }
        )
    rows.sort(key=lambda row: str(row["file_name"]))
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "train/metadata.jsonl").write_bytes(lines)
    files["train/metadata.jsonl"] = hashlib.sha256(lines).hexdigest()
    counts = {"images": count, "train": count, "test": 0, "captions": count}
    manifest = {"format": snapshot_folder.FORMAT, "project": "noise", "sha256": "0" * 64}
    manifest |= {"counts": counts, "concepts": ["noise"], "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def bare(snapshot: Path, out: Path) -> float:
    """Write the members in a plain loop; return the seconds."""
    started = time.perf_counter()
    out.mkdir()
    for number, rows in enumerate(batches(snapshot, 10_000)):
        with tarfile.open(out / f"{number:05}.tar", "w") as archive:
            for row in rows:
                key = row["file_name"].partition(".")[0]
                picture = (snapshot / "train" / row["file_name"]).read_bytes()
                told = json.dumps(row).encode()
                for name, data in (
                    (row["file_name"], picture),
                    (f"{key}.txt", row["text"].encode()),
                    (f"{key}.json", told),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    return time.perf_counter() - started


def batches(snapshot: Path, size: int) -> Iterator[list[dict]]:
    rows: list[dict] = []
    with (snapshot / "train/metadata.jsonl").open() as file:
        for line in file:
            rows.append(json.loads(line))
            if len(rows) == size:
                yield rows
                rows = []
    if rows:
        yield rows


def ours(snapshot: Path, out: Path, format: str = "webdataset") -> tuple[float, float]:
    """Export; return the seconds until all was written, and until all was checked."""
    from labeling import exports
    from labeling.exports import run

    started, written = time.perf_counter(), 0.0

    def progress(share: float) -> None:
        nonlocal written
        if not written and share > run.WRITING:
            written = time.perf_counter() - started

    exports.export(folder=snapshot, format=format, out=out, on_progress=progress)
    return written or time.perf_counter() - started, time.perf_counter() - started


def warm(snapshot: Path) -> None:
    for path in (snapshot / "train").iterdir():
        path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="?", type=int, default=100_000)
    parser.add_argument("--formats", action="store_true", help="time all formats once")
    arguments = parser.parse_args()
    import django

    django.setup()
    from labeling import exports

    with tempfile.TemporaryDirectory(prefix="tessera-exports-") as name:
        snapshot, count = Path(name, "snapshot"), arguments.pictures
        make(snapshot, count)
        warm(snapshot)
        best = {"bare": 1e9, "written": 1e9, "checked": 1e9}
        for number in range(ROUNDS):
            best["bare"] = min(best["bare"], bare(snapshot, Path(name, f"bare-{number}")))
            written, checked = ours(snapshot, Path(name, f"ours-{number}"))
            best["written"] = min(best["written"], written)
            best["checked"] = min(best["checked"], checked)
        print(f"{count:,} pictures, the best of {ROUNDS} rounds:")
        for what, seconds in best.items():
            share = best["bare"] / seconds
            print(f"  {what:8} {count / seconds:9,.0f} pictures a second, {share:.0%} of bare")
        if arguments.formats:
            for format in sorted(exports.FORMATS.keys() - {"answers"}):
                _, seconds = ours(snapshot, Path(name, format), format)
                print(f"  {format:12} {count / seconds:9,.0f} pictures a second")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  peak memory {peak:,.0f} MB, Django's and this script's own among it")


if __name__ == "__main__":
    main()
