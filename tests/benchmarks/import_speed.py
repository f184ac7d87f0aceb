"""Images/s of `import_images`, beside a plain loop that decodes and re-encodes the same pictures.

    python tests/benchmarks/import_speed.py SOURCE

SOURCE is a folder, a zip or a tar. Uses servers of its own in a temporary folder and prints a
table in Markdown: a first import, the same import again, and the plain loop (no database, no
hashes, no files, one thread).
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        os.environ.update(DATA_DIR=folder, DJANGO_SETTINGS_MODULE="config.settings")
        from config import servers

        with servers.ensure(Path(folder)):
            import django

            django.setup()
            measure(source)


def measure(source: Path) -> None:
    from django.core.management import call_command

    from labeling.models import Image, Question

    def import_images() -> None:
        call_command("import_images", str(source), project="benchmark", stdout=io.StringIO())

    call_command("migrate", verbosity=0)
    print("| | images | seconds | images/s | CPU ms an image |\n|---|---|---|---|---|")
    first = timed(import_images)
    images, questions = Image.objects.count(), Question.objects.count()
    row(f"first import ({questions:,} questions)", images, *first)
    row("the same again", images, *timed(import_images))
    row("plain Pillow loop", images, *timed(lambda: plain(source)))


def plain(source: Path) -> None:
    """Decode and encode as the import does, and nothing else."""
    from PIL import Image

    from labeling.decoding import LOSSLESS_PIXELS
    from labeling.imports import source as sources
    from labeling.imports.members import Member

    for member in sources.find(source)():
        if not isinstance(member, Member):
            continue
        try:
            opened = Image.open(io.BytesIO(member.read(2**30)))
            image = opened.convert("RGB")
        except OSError:
            continue
        if opened.format == "PNG" or image.width * image.height <= LOSSLESS_PIXELS:
            image.save(io.BytesIO(), "WEBP", lossless=True, method=0, quality=30)
        else:
            image.save(io.BytesIO(), "JPEG", quality=95, subsampling=0)


def timed(action: Callable[[], None]) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - started, time.process_time() - cpu


def row(name: str, images: int, seconds: float, cpu: float) -> None:
    print(
        f"| {name} | {images:,} | {seconds:.1f} | {images / seconds:,.0f} "
        f"| {1000 * cpu / images:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
