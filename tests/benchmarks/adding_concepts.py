"""How long it takes to add a concept until it is first asked, and to merge one.

    python -m tests.benchmarks.adding_concepts [--tiles 100000] [--concepts 40]

Makes a project (`large_projects`) in a database of its own, whose pictures have keywords: one of
them names 500 pictures, one 10,000 (at most a tenth of all). Adds concepts of those names, and one
that no keyword names; asks for grids until each is asked about; then merges the largest one.
Prints Markdown: seconds, and of them this process's CPU time; the rest is the database's.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEADER = "| pictures | concepts | what | s | CPU s here |\n|---|---|---|---|---|"
NAMED = {"cloud": 0, "hoop": 500, "velo": 10_000}  # pictures whose keywords name it
GRIDS = 200  # asked for at most until the new concept is asked about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--concepts", type=int, default=40)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("DATABASE_URL", None)
        from config import servers

        with servers.ensure(Path(data_dir)):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            print(HEADER)
            _measure(wanted.tiles, wanted.concepts)


def _measure(tiles: int, count: int) -> None:
    from django.contrib.auth.models import User

    from labeling import concepts, merging
    from labeling.models import Annotator, Project
    from tests.benchmarks import large_projects

    large_projects.make("bench", tiles=tiles, concepts=count)
    project = Project.objects.get()
    _tag(tiles)

    def row(what: str, action: Callable[[], Any]) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        result = action()
        took, used = time.perf_counter() - start, time.process_time() - cpu
        print(f"| {tiles:,} | {count:,} | {what} | {took:.2f} | {used:.2f} |", flush=True)
        return result

    for name, named in NAMED.items():
        visitor = Annotator.objects.create(pseudonym=name)
        pictures = f"“{name}”, named by {min(named, tiles // 10):,} pictures"
        concept = row(
            f"add {pictures}", lambda name=name: concepts.create(project=project, name=name)
        )
        row("… until it is asked about", lambda c=concept, v=visitor: _ask_until(v, project, c.pk))
        if concept.unfinished_from is not None:
            row("… the rest by a worker", lambda c=concept: concepts.take_over(c))
    into = project.concepts.exclude(pk=concept.pk).first()
    ada = User.objects.create(username="ada")
    merged = row("merge it", lambda: merging.merge(concept=concept, into=into, by=ada))
    row(f"… {merged.left:,} more questions by a worker", lambda: merging.finish(concept))
    row("switch one off", lambda: concepts.edit(concept=into, active=False))


def _tag(tiles: int) -> None:
    """Give the pictures keywords."""
    from django.db import connection

    with connection.cursor() as cursor:
        for name, named in NAMED.items():
            cursor.execute(
                "UPDATE labeling_image SET keywords = ARRAY[%(name)s],"
                " stated_keys = ARRAY[%(name)s] WHERE id IN (SELECT id FROM labeling_image"
                " WHERE keywords = '{}' ORDER BY random_key LIMIT %(count)s)",
                {"name": name, "count": min(named, tiles // 10)},
            )
        cursor.execute("VACUUM ANALYZE labeling_image")


def _ask_until(annotator: Any, project: Any, concept: int) -> None:
    """Ask for grids, and skip them, until one is about the concept."""
    from labeling import challenges

    for _ in range(GRIDS):
        grid = challenges.issue(annotator=annotator, project=project, kind="grid")
        if grid is not None and grid.concept_id == concept:
            return
        if grid is not None:
            challenges.skip(challenge=grid)
    raise SystemExit(f"{GRIDS} grids were about other concepts.")


if __name__ == "__main__":
    main()
