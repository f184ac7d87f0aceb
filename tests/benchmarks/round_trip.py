"""Out and in again: each layout that is read as well, with every text and keyword compared.

    python tests/benchmarks/round_trip.py [PICTURES] [--only webdataset]

Makes a snapshot of pictures of 16 × 16 pixels (100,000 unless told), with captions and keywords in
several scripts. Exports it into each layout, imports that into a new project as `import_images`
does, and compares what each picture is said to be; pictures are told apart by their pixels. Uses a
database of its own. Prints Markdown, and the first differences below the table.
"""

import argparse
import hashlib
import io
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from million import database

LAYOUTS: dict[str, tuple[str, dict[str, Any], bool]] = {  # format, options, whether it has keywords
    "imagefolder": ("imagefolder", {}, True),
    "Parquet with pictures": ("parquet", {}, True),
    "WebDataset": ("webdataset", {}, True),
    "COCO": ("coco", {}, False),
    "into the folder, JSON": ("folder", {"sidecar": "json", "copy_pictures": True}, True),
    "into the folder, captions": ("folder", {"copy_pictures": True}, False),
    "kohya": ("kohya", {}, True),
    "Croissant": ("croissant", {}, True),
}
SHOWN = 5  # differences of a layout
WORDS = ["a red dog", "runs past", "the old house", "猫", "سيارة", "naïve", "„Halt“", "100%"]
KEYWORDS = ["dog", "old house", "犬", "Straße", "night", "naïve art", "سيارة"]
Known = dict[str, tuple[list[str], list[str]]]  # captions and keywords by a hash of the pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="?", type=int, default=100_000)
    parser.add_argument("--only", default="", help="layouts of this format")
    wanted = parser.parse_args()
    with database(), tempfile.TemporaryDirectory(prefix="tessera-round-trip-") as name:
        folder = Path(name)
        expected = make(folder / "snapshot", wanted.pictures)
        columns = "out, CPU s", "in, CPU s", "ms a row", "pictures", "captions", "keywords"
        print(f"| layout | {' | '.join(columns)} | differ |\n|---|{'---:|' * (len(columns) + 1)}")
        differences: list[str] = []
        for title, (format, options, has_keywords) in LAYOUTS.items():
            if wanted.only in format:
                differences += round_trip(folder, title, format, options, has_keywords, expected)
        print("\n" + "\n".join(differences))


def make(folder: Path, count: int) -> Known:
    """Write a snapshot; return what it says of each picture."""
    from PIL import Image

    from labeling import provenance, snapshot_folder
    from tests.labeling.exports import frozen

    draw, rows, known = random.Random(0), list[dict[str, Any]](), Known()
    digests: dict[str, str] = {}
    (folder / "train").mkdir(parents=True)
    for number in range(count):
        pixels = number.to_bytes(8, "little") * 96
        picture, file = Image.frombytes("RGB", (16, 16), pixels), io.BytesIO()
        picture.save(file, "PNG")
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        name = f"{digest[:16]}.png"
        digests[name] = digest
        (folder / "train" / name).write_bytes(file.getvalue())
        texts = [
            f"{' '.join(draw.choices(WORDS, k=4))}, no. {number}-{n}" for n in range(number % 3)
        ]
        tags = draw.sample(KEYWORDS, number % 4)
        known[hashlib.sha256(pixels).hexdigest()] = sorted(texts), sorted(tags)
        captions = [
            {"text": text, "confidence": 0.9, "source": "import", "provenance": 0} for text in texts
        ]
        rows.append(
            {
                "file_name": name,
                "text": texts[0] if texts else "",
                "tags": tags,
                "concepts": [],
                "in_part": [],
                "boxes": [],
                "captions": captions,
                "n_answers": 0,
                "license": "CC0-1.0" if number % 2 else "",
                "source": f"{number // 1000:04}/IMG_{number:07}.png",
                "provenance": [provenance.NOWHERE.as_row()],
                "generated": False,
                "prompt": "",
                "width": 16,
                "height": 16,
            }
        )
    rows.sort(key=lambda row: str(row["file_name"]))
    drafts = folder / "drafts"
    files = snapshot_folder.write_metadata(drafts, (("train", row) for row in rows))
    (drafts / "train/metadata.jsonl").replace(folder / "train/metadata.jsonl")
    shutil.rmtree(drafts)
    captions_count = sum(len(row["captions"]) for row in rows)
    files |= {f"train/{row['file_name']}": digests[row["file_name"]] for row in rows}
    counts = {"images": count, "train": count, "test": 0, "captions": captions_count, "boxes": 0}
    frozen.write_manifest(folder, counts, [], files)
    return known


def round_trip(
    folder: Path, title: str, format: str, options: dict[str, Any], has_keywords: bool, known: Known
) -> list[str]:
    """Go out and in again, and print a row; return the first differences."""
    from django.core.management import call_command

    from labeling import exports
    from labeling.models import Project

    out, slug = folder / "out", title.lower().replace(" ", "-").replace(",", "")
    chosen = exports.Options(captions="all", **options)
    started = cpu_seconds()
    exports.export(folder=folder / "snapshot", format=format, out=out, options=chosen)
    exported = cpu_seconds()
    call_command("import_images", str(out), project=slug, no_input=True, stdout=io.StringIO())
    imported = cpu_seconds()
    shutil.rmtree(out)
    project = Project.objects.get(slug=slug)
    found = said_of(project)
    expected = {key: (texts, tags if has_keywords else []) for key, (texts, tags) in known.items()}
    differing = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    seconds = imported - exported
    print(
        f"| {title} | {exported - started:.1f} | {seconds:.1f} | {1000 * seconds / len(known):.2f} "
        f"| {len(found):,} | {sum(len(texts) for texts, _ in found.values()):,} "
        f"| {sum(len(tags) for _, tags in found.values()):,} | {len(differing):,} |",
        flush=True,
    )
    report = Counter(str(each) for each in project.imports.values_list("counts__texts", flat=True))
    return [
        *(f"{title}: {expected.get(key)} became {found.get(key)}" for key in differing[:SHOWN]),
        *([f"{title}: {next(iter(report))}"] if differing else []),
    ]


def said_of(project: Any) -> Known:
    """Return what a project's imports say of its pictures."""
    from PIL import Image as Pictures

    from labeling.models import Image, Question

    captions = defaultdict(list)
    asked = Question.objects.filter(project=project, kind="caption")
    for image, text in asked.values_list("tile__image_id", "text").iterator():
        captions[image].append(text)
    known: Known = {}
    for image in Image.objects.filter(project=project).iterator():
        with image.file.open("rb") as file:
            pixels = Pictures.open(file).convert("RGB").tobytes()
        key = hashlib.sha256(pixels).hexdigest()
        known[key] = sorted(captions[image.pk]), sorted(image.keywords)
    return known


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, of its children that ended, and of the database."""
    from tests.benchmarks.challenges_over_http import cpu_seconds as of_servers

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + children.ru_utime + children.ru_stime
    return own + of_servers({})["database"]


if __name__ == "__main__":
    main()
