"""What a snapshot costs after one label changed, against copying all pictures again.

Makes a project of so many pictures in a database of its own, freezes it twice with a changed label
in between, and copies as many pictures as every snapshot did before pictures were shared; then
finds what differs. Prints Markdown. Seconds are of the wall clock.

    python tests/benchmarks/sharing_pictures.py [PICTURES [KIB]]
"""

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

PICTURES, KIB = 10_000, 20
HEADER = "| step | seconds | MB written |\n|---|---:|---:|"


def main() -> None:
    arguments = [int(each) for each in sys.argv[1:]]
    pictures, kib = [*arguments, *[PICTURES, KIB][len(arguments) :]]
    with servers.ensure(servers.data_dir()), tempfile.TemporaryDirectory() as folder:
        import django

        django.setup()
        from django.conf import settings
        from django.test.utils import setup_databases, teardown_databases

        settings.MEDIA_ROOT = f"{folder}/media"
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            measure(fill(pictures, kib), Path(folder))
        finally:
            teardown_databases(databases, verbosity=0)


def fill(pictures: int, kib: int) -> Any:
    """Create a project of pictures of random bytes, each with a caption."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from labeling import models, snapshot_folder

    project = models.Project.objects.create(state="open", slug="many", name="Many")
    rows = []
    for number in range(pictures):
        data = secrets.token_bytes(kib * 1024)
        sha256 = snapshot_folder.digest(data)
        name = default_storage.save(f"images/{sha256}.webp", ContentFile(data))
        rows.append(
            models.Image(
                project=project,
                sha256=sha256,
                source_sha256=sha256,
                perceptual_hash=number,
                file=name,
                width=64,
                height=64,
                source=f"{number}.png",
                license="MIT",
            )
        )
    images = models.Image.objects.bulk_create(rows, batch_size=2_000)
    tiles = [models.Tile(image=image, width=64, height=64) for image in images]
    models.Tile.objects.bulk_create(tiles, batch_size=2_000)
    return project


def measure(project: Any, folder: Path) -> None:
    """Freeze, change a license, freeze again; copy; compare; print what each costs."""
    from labeling import snapshot_difference, snapshots

    print(HEADER)
    first = step("first snapshot", folder, lambda: snapshots.freeze(project=project))
    project.images.filter(pk=project.images.first().pk).update(license="CC0-1.0")
    second = step("after one change", folder, lambda: snapshots.freeze(project=project))
    step(
        "copying it all",
        folder,
        lambda: shutil.copytree(snapshots.local_folder(second), folder / "copy"),
    )
    step("what differs", folder, lambda: snapshot_difference.compare(first, second))
    assert first.state == second.state == "ready", (first.error, second.error)


def step(name: str, folder: Path, action: Callable[[], Any]) -> Any:
    """Do something; print how long it took, and by how much the folder grew on the disk."""
    before, started = stored(folder), time.perf_counter()
    result = action()
    seconds = time.perf_counter() - started
    print(f"| {name} | {seconds:.1f} | {(stored(folder) - before) / 1e6:.1f} |", flush=True)
    return result


def stored(folder: Path) -> int:
    """Return the bytes of all files, each counted once however many names it has."""
    files = {}
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            files[stat.st_ino] = stat.st_size
    return sum(files.values())


if __name__ == "__main__":
    main()
