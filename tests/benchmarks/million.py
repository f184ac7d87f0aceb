"""Questions on demand at a million tiles and a thousand concepts.

    python tests/benchmarks/million.py [--tiles 1000000] [--concepts 1000] [--challenges 400]

Starts a database and a cache of its own in a temporary folder (about 2 GB at full size), stores so
many tiles without files, and lets the product do the rest: fill the pools of all concepts, ask and
answer, add a concept, fill again. Prints tables in Markdown: what it took, in CPU seconds of this
process and of the database, and how large the database is.

A part is a function that takes the `Meadow` and yields rows of the first table; `PARTS` lists them
in the order in which they run.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intake import take_in_predictions

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
GOLD = 12  # pictures of each concept whose truth is known
KEYWORDS = 2  # of each picture, that name concepts
SINGLE_FILLINGS = 40
LONGEST_WAIT = 60.0  # seconds until a new concept must have been asked about
HEADER = "| what | count | seconds | CPU s here | CPU s database |\n|---|---|---|---|---|"
SIZES = "\n| table | rows | heap MB | indexes MB |\n|---|---|---|---|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--concepts", type=int, default=1_000)
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--challenges", type=int, default=400)
    wanted = parser.parse_args()
    with database():
        print(HEADER, flush=True)
        meadow = Meadow(wanted)
        for part in PARTS:
            for row in part(meadow):
                print(row, flush=True)
        print(SIZES)
        print("\n".join(sizes()), flush=True)


@contextmanager
def database() -> Iterator[None]:
    """Provide an empty, migrated database and a cache; remove both at the end."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "config.settings"}
        for name in ("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL"):
            os.environ.pop(name, None)
        from config import servers

        with servers.ensure(Path(folder)):
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield


class Meadow:
    """The project, its concepts, and those who take part."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        from labeling.models import Annotator, Concept, Project

        self.wanted = wanted
        self.project = Project.objects.create(state="open", slug="meadow", name="Meadow")
        Concept.objects.bulk_create(
            Concept(
                project=self.project,
                name=f"thing {number}",
                phrase=f"a thing {number}",
                prevalence=random.choice([0.01, 0.05, 0.1, 0.3]),
            )
            for number in range(wanted.concepts)
        )
        self.crowd = [
            Annotator.objects.create(pseudonym=f"person {number}")
            for number in range(wanted.annotators)
        ]

    def take_part(self) -> Any:
        """Have somebody ask and answer; return the challenge. Raises SystemExit without one."""
        from labeling import challenges
        from labeling.models import Annotator

        annotator = Annotator.objects.get(pk=random.choice(self.crowd).pk)
        challenge = challenges.issue(annotator=annotator, project=self.project, kind="grid")
        if challenge is None:
            raise SystemExit("There was nothing to ask.")
        challenges.answer(challenge=challenge, **honest(challenge))
        return challenge


def store_pictures(meadow: Meadow) -> Iterator[str]:
    """Store the images and tiles, and the statements of an import about them."""
    values = {
        "project": meadow.project.pk,
        "tiles": meadow.wanted.tiles,
        "concepts": meadow.wanted.concepts,
        "keywords": KEYWORDS,
    }
    with Measured("images and tiles stored", meadow.wanted.tiles) as measured:
        for statement in (_IMAGES, _TILES, "VACUUM ANALYZE"):
            execute(statement, values)
    yield measured.row


def state_and_know(meadow: Meadow) -> Iterator[str]:
    """Store some gold for each concept."""
    from labeling import questions
    from labeling.models import Concept, Tile

    concepts = list(Concept.objects.order_by("pk").values_list("pk", flat=True))
    first = Tile.objects.order_by("pk").values_list("pk", flat=True)[0]
    gold = {
        (first + random.randrange(meadow.wanted.tiles), concept): number % 2 == 0
        for concept in concepts
        for number in range(GOLD)
    }
    with Measured("gold stored", len(gold)) as measured:
        questions.ask_pairs(project=meadow.project, pairs=gold.keys(), gold=gold)
    yield measured.row


def fill_all_pools(meadow: Meadow) -> Iterator[str]:
    """Fill the pools of all concepts, as a worker does."""
    from labeling import pools
    from labeling.models import Question

    with Measured("pools filled, the first time", meadow.wanted.concepts) as measured:
        pools.fill_project(meadow.project)
    yield measured.row
    execute("VACUUM ANALYZE labeling_question")
    yield f"| questions stored then | {Question.objects.count():,} | | | |"
    yield from look_for_due_pools(meadow)


def look_for_due_pools(meadow: Meadow) -> Iterator[str]:
    """Look for the pools that are to be filled."""
    from labeling import pools

    with Measured("look for due pools", 1) as measured:
        due = pools.due()
    yield measured.row
    yield f"| pools due then | {len(due):,} | | | |"


def ask_and_answer(meadow: Meadow) -> Iterator[str]:
    """Have people ask and answer."""
    for _ in range(20):
        meadow.take_part()
    with Measured("challenges asked and answered", meadow.wanted.challenges) as measured:
        for _ in range(meadow.wanted.challenges):
            meadow.take_part()
    yield measured.row


def add_a_concept(meadow: Meadow) -> Iterator[str]:
    """Add one more concept; the others go on being asked about until it is its turn."""
    from labeling import concepts

    with Measured("a concept added, until it is first asked about", 1) as measured:
        concept = concepts.create(project=meadow.project, name="the newest thing")
        added = time.perf_counter() - measured.start
        stop = time.perf_counter() + LONGEST_WAIT
        challenges = 1
        while meadow.take_part().concept_id != concept.pk:
            challenges += 1
            if time.perf_counter() > stop:
                raise SystemExit("The new concept was not asked about.")
    yield measured.row
    yield f"| … of which until it is stored with its pool | 1 | {added:.2f} | | |"
    yield f"| … and challenges until then | {challenges} | | | |"


def top_up(meadow: Meadow) -> Iterator[str]:
    """Fill half used pools, one at a time."""
    from labeling import pools
    from labeling.models import Concept, Question

    some = list(Concept.objects.select_related("project").order_by("pk")[:SINGLE_FILLINGS])
    for concept in some:
        fresh = Question.objects.filter(concept=concept, state="open", answers_count=0)
        half = fresh.values_list("pk", flat=True)[: fresh.count() // 2 + 1]
        Question.objects.filter(pk__in=list(half)).update(answers_count=1)
    took = []
    with Measured("half used pools filled", len(some)) as measured:
        for concept in some:
            start = time.perf_counter()
            pools.fill(concept, 1)
            took.append(1000 * (time.perf_counter() - start))
    yield measured.row
    yield f"| … one of them, median | 1 | {statistics.median(took) / 1000:.3f} | | |"


PARTS: list[Callable[[Meadow], Iterator[str]]] = [
    store_pictures,
    state_and_know,
    fill_all_pools,
    ask_and_answer,
    add_a_concept,
    top_up,
    look_for_due_pools,
    take_in_predictions,
]

_IMAGES = """
INSERT INTO labeling_image (project_id, sha256, source_sha256, perceptual_hash, file, width,
    height, keywords, stated_keys, import_confidence, random_key, cut_into, keep_whole, source,
    further_sources, license, generated, prompt, created_at)
SELECT %(project)s, encode(sha256(n::text::bytea), 'hex'),
    encode(sha256(('source ' || n)::bytea), 'hex'), n * 2654435761,
    'images/' || n || '.webp', 256, 256, words, words, .9, random(), 0, false,
    'photographs/' || n || '.jpg', '{}', 'CC0', false, '', now()
FROM (
    SELECT n, array(
        SELECT 'thing ' || (n * 7919 + k * 104729) %% %(concepts)s
        FROM generate_series(1, %(keywords)s) AS k
    ) AS words FROM generate_series(1, %(tiles)s::bigint) AS n
) AS numbers
"""
_TILES = """
INSERT INTO labeling_tile (image_id, grid, position, "left", top, width, height)
SELECT id, 1, 0, 0, 0, 256, 256 FROM labeling_image WHERE project_id = %(project)s ORDER BY id
"""
_SIZES = """
SELECT relname, n_live_tup, pg_table_size(relid), pg_indexes_size(relid)
FROM pg_stat_user_tables WHERE pg_total_relation_size(relid) > 1e6
ORDER BY pg_total_relation_size(relid) DESC
"""


class Measured:
    """Seconds and CPU seconds of a block, as a row of the table."""

    def __init__(self, what: str, count: int) -> None:
        self.what, self.count, self.row = what, count, ""

    def __enter__(self) -> "Measured":
        self.database, self.own = database_seconds(), time.process_time()
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.start
        own, theirs = time.process_time() - self.own, database_seconds() - self.database
        self.row = f"| {self.what} | {self.count:,} | {seconds:.2f} | {own:.2f} | {theirs:.2f} |"


def database_seconds() -> float:
    """Return the CPU seconds of the database with all its processes so far."""
    from tests.benchmarks.challenges_over_http import cpu_seconds

    return cpu_seconds({})["database"]


def honest(challenge: Any) -> dict[str, Any]:
    """Answer as the questions are believed: random answers would make the annotator suspect."""
    from labeling.models import Question

    asked = Question.objects.filter(pk__in=challenge.questions)
    true = {pk for pk, probability in asked.values_list("pk", "probability") if probability >= 0.5}
    return {"selected": [n for n, pk in enumerate(challenge.questions, 1) if pk in true]}


def sizes() -> Iterator[str]:
    """Yield a row for each table, and one for the database."""
    from django.db import connection

    execute("VACUUM ANALYZE")
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        for name, rows, heap, indexes in cursor.fetchall():
            yield f"| {name} | {rows:,} | {heap / 1e6:,.0f} | {indexes / 1e6:,.0f} |"
        cursor.execute("SELECT pg_database_size(current_database())")
        yield f"| the whole database | | {cursor.fetchone()[0] / 1e6:,.0f} in all | |"


def execute(statement: str, values: dict[str, Any] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values if "%(" in statement else None)


if __name__ == "__main__":
    main()
