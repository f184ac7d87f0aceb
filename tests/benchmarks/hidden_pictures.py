"""What it costs to hide the pictures of unfinished imports: milliseconds of the queries that do.

One picture in ten is of an import that is not done, beside 200 imports that failed with nothing; an
import that is done says something of every other. Fills a database of its own and drops it at the
end; prints Markdown.

    python tests/benchmarks/hidden_pictures.py [PICTURES]
"""

import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

ROUNDS = 9
FAILED = 200

_IMAGES = """
INSERT INTO labeling_image (project_id, sha256, source_sha256, perceptual_hash, file, width, height,
    keywords, stated_keys, import_confidence, random_key, cut_into, keep_whole, imported_by_id,
    source, further_sources, license, generated, prompt, created_at)
SELECT %s, md5(i::text) || md5(i::text), md5(i::text), i, 'x', 10, 10, '{}', '{}', .9, random(), 0,
    false, CASE WHEN i %% 10 = 0 THEN %s ELSE %s END, 'x', '{}', '', false, '', now()
FROM generate_series(1, %s) AS i
"""
_TILES = """
INSERT INTO labeling_tile (image_id, grid, position, "left", top, width, height)
SELECT id, 1, 0, 0, 0, 10, 10 FROM labeling_image
"""
_STATEMENTS = """
INSERT INTO labeling_importstatement
    (image_id, imported_by_id, path, keywords, class_keys, captions, license, confidence)
SELECT id, %s, 'x', '{}', '{}', '{}', '', .9 FROM labeling_image WHERE imported_by_id = %s
"""


def main() -> None:
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        from django.test.utils import setup_databases, teardown_databases

        databases = setup_databases(verbosity=0, interactive=False)
        try:
            report(fill(pictures))
        finally:
            teardown_databases(databases, verbosity=0)


def fill(pictures: int) -> Any:
    """A project with so many pictures."""
    from django.db import connection

    from labeling.models import Import, Project

    project = Project.objects.create(state="open", slug="many", name="Many")
    done = Import.objects.create(project=project, state="done")
    Import.objects.bulk_create(Import(project=project, state="failed") for _ in range(FAILED))
    half = Import.objects.create(project=project, state="importing")
    with connection.cursor() as cursor:
        cursor.execute(_IMAGES, [project.pk, half.pk, done.pk, pictures])
        cursor.execute(_TILES)
        cursor.execute(_STATEMENTS, [done.pk, done.pk])
        cursor.execute("ANALYZE")
    return project


def report(project: Any) -> None:
    """Print the time of each query with and without what hides pictures."""
    from django.db.models import Q

    from labeling import images
    from labeling.images import browsing

    print("| query | all pictures (ms) | without the hidden ones (ms) |\n|---|---|---|")
    for name, query in queries(project).items():
        anything = mock.Mock(return_value=Q())
        with (
            mock.patch.object(images, "visible", anything),
            mock.patch.object(browsing, "visible", anything),
        ):
            everything = milliseconds(query())
        print(f"| {name} | {everything:.2f} | {milliseconds(query()):.2f} |")


def queries(project: Any) -> dict[str, Any]:
    """The queries that run while somebody waits, and the one that fills pools."""
    from labeling.images import browsing
    from labeling.models import Annotator
    from labeling.pools import levels
    from labeling.selection import descriptions

    reader = mock.Mock(project=project, pending_tiles=[], annotator=Annotator.objects.create())
    return {
        "pictures to describe": lambda: descriptions._tiles_to_describe(reader).filter(
            image__sha256__gte="8"
        )[:24],
        "a stretch of the random slice": lambda: (
            levels.pictures(project, 1)
            .filter(random_key__gte=0.5)
            .order_by("random_key")
            .values_list("pk", "random_key")[:129]
        ),
        "a page of pictures": lambda: browsing.search(project)[:61],
    }


def milliseconds(query: Any) -> float:
    """The best time of a query's execution."""
    from django.db import connection

    text, values = query.query.sql_with_params()
    times = []
    for _ in range(ROUNDS):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {text}", values)
            times.append(float(cursor.fetchall()[-1][0].split()[2]))
    return min(times)


if __name__ == "__main__":
    main()
