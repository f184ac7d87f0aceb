"""What it costs to write down all beliefs of a snapshot, by how many of its pairs are stored.

Fills a database of its own with so many pictures, concepts and predictions of all pairs; builds the
rows of a snapshot with no pair stored, then with all of them, three of a hundred answered. Drops
the database at the end; prints Markdown. CPU seconds are those of this process and of PostgreSQL.

    python tests/benchmarks/snapshot_speed.py [PICTURES [CONCEPTS]]
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

PICTURES, CONCEPTS = 10_000, 100
ANSWERED = 0.03  # of the stored pairs

HEADER = """\
| pairs | stored | CPU s | pairs/CPU s | peak of memory above the start, MiB |
|---:|---:|---:|---:|---:|"""

_STORE = """
INSERT INTO labeling_question (project_id, tile_id, kind, grid, concept_id, text, source, reason,
    state, prior, prior_shift, probability, answers_count, yes_count, disagreement, answers_wanted,
    reservations, priority, random_key, created_at)
SELECT image.project_id, tile.id, 'concept', 1, concept.id, '', 'import', 'random', 'open', .1, 0,
    CASE WHEN random() < %(answered)s THEN .9 ELSE .1 END, 0, 0, 0, 0, '{}', .5, random(), now()
FROM labeling_tile AS tile JOIN labeling_image AS image ON image.id = tile.image_id
CROSS JOIN labeling_concept AS concept
"""


def main() -> None:
    pictures, concepts = (*(int(each) for each in sys.argv[1:]), PICTURES, CONCEPTS)[:2]
    if len(sys.argv) == 2:
        concepts = CONCEPTS
    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        from django.test.utils import setup_databases, teardown_databases

        databases = setup_databases(verbosity=0, interactive=False)
        try:
            project = fill(pictures, concepts)
            print(HEADER)
            measure(project)
            store_all()
            measure(project)
        finally:
            teardown_databases(databases, verbosity=0)


def fill(pictures: int, concepts: int) -> Any:
    """Create a project of so many pictures and concepts, with predictions of all pairs."""
    from labeling import models

    project = models.Project.objects.create(state="open", slug="many", name="Many")
    models.Concept.objects.bulk_create(
        models.Concept(project=project, name=f"thing {n}", phrase=f"a thing {n}")
        for n in range(concepts)
    )
    images = models.Image.objects.bulk_create(
        (
            models.Image(
                project=project,
                sha256=f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}{n:048x}",
                source_sha256=f"{n:064x}",
                perceptual_hash=n,
                file=f"{n}.webp",
                width=64,
                height=64,
                source=f"{n}",
            )
            for n in range(pictures)
        ),
        batch_size=2_000,
    )
    tiles = models.Tile.objects.bulk_create(
        (models.Tile(image=image, width=64, height=64) for image in images), batch_size=2_000
    )
    predict(project, [tile.pk for tile in tiles])
    return project


def predict(project: Any, tiles: list[int]) -> None:
    """Store features, and predictions of all pairs."""
    import numpy as np
    from safetensors.numpy import save_file

    from labeling import features, predictions

    dice = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "features.safetensors")
        parts: dict[str, Any] = {
            "tiles": np.array(tiles),
            "images": np.ones((len(tiles), 2), np.float16),
            "concepts": np.zeros(0, np.int64),
            "texts": np.zeros((0, 2), np.float16),
            "learned": np.zeros(0, np.int64),
        }
        save_file(parts, path)
        project.features.name = features.save(path, project=project)
        project.save(update_fields=["features"])
    for concept in project.concepts.all():
        array = dice.normal(-2, 2, len(tiles)).astype(np.float16)
        concept.predictions.name = predictions.save(
            array, concept=concept.pk, features=str(project.features.name)
        )
        concept.save(update_fields=["predictions"])


def store_all() -> None:
    """Store every pair, as all were before questions were stored on demand."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_STORE, {"answered": ANSWERED})
        cursor.execute("UPDATE labeling_question SET answers_count = 2 WHERE probability > .5")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE labeling_question")


def measure(project: Any) -> None:
    """Build all rows once, and print what it cost."""
    from labeling import models, snapshot_rows

    Path("/proc/self/clear_refs").write_text("5")  # reset the peak of memory
    before, started = memory("VmRSS"), cpu_seconds()
    concepts = snapshot_rows.concepts_of(project)
    pairs = sum(
        len(each.row["concepts"])
        for each in snapshot_rows.build(project=project, concepts=concepts, include_generated=False)
    )
    seconds, mib = cpu_seconds() - started, (memory("VmHWM") - before) / 2**10
    stored = models.Question.objects.count()
    print(
        f"| {pairs:,} | {stored:,} | {seconds:.1f} | {pairs / seconds:,.0f} | {mib:.0f} |",
        flush=True,
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its database session."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def memory(name: str) -> int:
    """Return this process's memory in KiB: VmRSS, or VmHWM, the peak."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


if __name__ == "__main__":
    main()
