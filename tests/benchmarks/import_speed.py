"""Images/s of `import_images`, beside plain loops that decode and re-encode the same pictures.

    python tests/benchmarks/import_speed.py SOURCE [--photographs 600] [--rounds 3]

SOURCE is a folder, a zip or a tar with a folder for each class. Its pictures are imported with 41
concepts, of which the source states one of each picture; with one concept, whose folder they all
lie in; and again. Then so many photograph-like pictures of 1 megapixel are made, which takes a
minute, and imported. The plain loops have no database, no hashes and no files: one in this process,
one over two processes.

Uses servers of its own in a temporary folder and prints the median of the rounds, which take turns,
as tables in Markdown. Leave the two cores idle. Set TMPDIR to a folder from whose file system
nothing large was deleted just before: ext4 creates files slowly where many were.
"""

import argparse
import io
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
CONCEPTS = 41
SIZE = (1152, 864)  # pixels of a photograph
FALL, GRAIN = 0.6, 3  # of a photograph's detail by octave, and its noise, for some 2 bits a pixel
PROCESSES = 2
_number = count()


class Cost(NamedTuple):
    """Wall-clock seconds, and CPU seconds of this process, of its children and of the database."""

    seconds: float
    own: float
    children: float
    database: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--photographs", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as name:
        folder = Path(name)
        os.environ.update(DATA_DIR=name, DJANGO_SETTINGS_MODULE="config.settings")
        from config import servers

        with servers.ensure(folder):
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            compare_small(wanted.source, folder, wanted.rounds)
            compare_photographs(wanted.photographs, folder, wanted.rounds)


def compare_small(source: Path, folder: Path, rounds: int) -> None:
    """Import a source with many concepts, with one, and again, beside the plain loop."""
    many, one = folder / "many.txt", folder / "one.zip"
    many.write_text("\n".join(concept_names(source)))
    put_in_one_folder(source, one)
    costs = measure(
        {
            f"import, {CONCEPTS} concepts": lambda: import_images(source, folder, many),
            "import, 1 concept": lambda: import_images(one, folder),
            "the same again": lambda: import_images(one, folder, again=True),
            "plain loop": lambda: plain(source),
        },
        rounds,
    )
    show(costs, pictures(source))


def compare_photographs(number: int, folder: Path, rounds: int) -> None:
    """Import photographs beside a plain loop over two processes."""
    source = folder / "photographs"
    make_photographs(source, number)
    costs = measure(
        {
            "import, photographs": lambda: import_images(source, folder),
            f"plain loop, {PROCESSES} processes": lambda: plain_in_processes(source),
        },
        rounds,
    )
    show(costs, number)


def import_images(
    source: Path, folder: Path, concepts: Path | None = None, *, again: bool = False
) -> None:
    """Import into a new project with files of its own, or into the last one once more."""
    from django.core.management import call_command
    from django.test import override_settings

    number = next(_number) if not again else last_number()
    with override_settings(MEDIA_ROOT=folder / "media" / str(number)):
        call_command(
            "import_images",
            str(source),
            project=f"benchmark-{number}",
            concepts=concepts,
            stdout=io.StringIO(),
        )


def last_number() -> int:
    from labeling.models import Project

    return max(
        int(slug.rpartition("-")[2]) for slug in Project.objects.values_list("slug", flat=True)
    )


def measure(actions: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[Cost]]:
    """Do each action in each round, and return what it cost each time."""
    costs = defaultdict(list)
    for _ in range(rounds):
        for name, action in actions.items():
            costs[name].append(cost(action))
    return costs


def cost(action: Callable[[], None]) -> Cost:
    before = clocks()
    action()
    return Cost(*(after - start for after, start in zip(clocks(), before, strict=True)))


def clocks() -> Cost:
    """Return the clocks that `Cost` is a difference of."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text().rpartition(")")[2].split()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        time.perf_counter(),
        time.process_time(),
        children.ru_utime + children.ru_stime,
        (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"),
    )


def show(costs: dict[str, list[Cost]], images: int) -> None:
    """Print a table; the ratios are to the plain loop, which comes last."""
    columns = "seconds", "images/s", "of plain", "CPU ms an image: own", "children", "database"
    print(f"\n{images:,} pictures:\n\n| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    plain_seconds = statistics.median(each.seconds for each in list(costs.values())[-1])
    for name, rounds in costs.items():
        median = Cost(*map(statistics.median, zip(*rounds, strict=True)))
        cpu = [f"{1000 * seconds / images:.3f}" for seconds in median[1:]]
        print(
            f"| {name} | {median.seconds:.2f} | {images / median.seconds:,.0f} "
            f"| {plain_seconds / median.seconds:.2f} | {' | '.join(cpu)} |",
            flush=True,
        )


def concept_names(source: Path) -> list[str]:
    """Return the names of the source's folders, and others up to `CONCEPTS`."""
    from labeling.imports import concepts, source_index
    from labeling.imports import source as sources

    folders = source_index.build(sources.find(source)).folders
    names = [name for folder in folders if (name := concepts.name_of_folder(folder))]
    return [*names, *(f"thing {number}" for number in range(CONCEPTS))][:CONCEPTS]


def put_in_one_folder(source: Path, archive: Path) -> None:
    """Write a zip with the same pictures in one folder, which names a concept."""
    with zipfile.ZipFile(archive, "w") as file:
        for number, data in enumerate(read(source)):
            file.writestr(f"thing/{number:06}", data)


def read(source: Path) -> Iterator[bytes]:
    """Yield the files of a source."""
    from labeling.imports import source as sources
    from labeling.imports.members import Member

    members = (member for member in sources.find(source)() if isinstance(member, Member))
    return (member.read(2**30) for member in members)


def pictures(source: Path) -> int:
    from labeling.imports import source as sources
    from labeling.imports import source_index

    return source_index.build(sources.find(source)).images


def plain(source: Path, first: int = 0, step: int = 1) -> None:
    """Decode and encode every so many pictures as the import does, and nothing else."""
    from labeling.imports import source as sources
    from labeling.imports.members import Member

    members = (member for member in sources.find(source)() if isinstance(member, Member))
    for member in islice(members, first, None, step):
        decode_and_encode(member.read(2**30))


def plain_in_processes(source: Path) -> None:
    """Share the plain loop between processes."""
    context = multiprocessing.get_context("fork")
    started = [
        context.Process(target=plain, args=(source, first, PROCESSES)) for first in range(PROCESSES)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()


def decode_and_encode(data: bytes) -> None:
    from PIL import Image

    from labeling.decoding import LOSSLESS_PIXELS

    try:
        opened = Image.open(io.BytesIO(data))
        image = opened.convert("RGB")
    except OSError:
        return
    if opened.format == "PNG" or image.width * image.height <= LOSSLESS_PIXELS:
        image.save(io.BytesIO(), "WEBP", lossless=True, method=0, quality=30)
    else:
        image.save(io.BytesIO(), "JPEG", quality=95, subsampling=0)


def make_photographs(folder: Path, number: int) -> None:
    """Write JPEGs of quality 90 whose detail falls with its frequency, as in photographs."""
    from PIL import Image

    folder.mkdir()
    for name, image in enumerate(islice(photographs(), number)):
        Image.fromarray(image).save(folder / f"{name:04}.jpg", "JPEG", quality=90)


def photographs() -> Iterator["np.typing.NDArray[np.uint8]"]:
    """Yield (864, 1152, 3): noise of all scales, the finer the fainter, and a sensor's grain."""
    from PIL import Image

    generator = np.random.default_rng(0)
    while True:
        image = np.full((SIZE[1], SIZE[0], 3), 128, dtype=np.float32)
        for level in range(8):
            side = 2 ** (level + 2)
            noise = generator.integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
            scaled = Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)
            image += (np.asarray(scaled, dtype=np.float32) - 128) * FALL**level
        image += generator.normal(0, GRAIN, (SIZE[1], SIZE[0], 1)).astype(np.float32)
        yield image.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
