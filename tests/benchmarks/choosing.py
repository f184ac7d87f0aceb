"""How long it takes to choose and store a challenge, at few and at many open questions.

    python tests/benchmarks/choosing.py [--questions 10000 1000000] [--plans]

Makes a database of its own (on DATABASE_URL's server, else on an embedded one in a temporary
folder) with projects of so many open questions about 40 concepts, and a tenth as many gold ones.
Then eight annotators, a thread and a connection each, ask, think for half a second and answer; and
once more without think time, as fast as they can. The projects are measured in turns. Prints, in
Markdown, how long asking took: new annotators, one who answered the 10,000 questions of highest
priority, and all after as many were retired. With --plans, also how PostgreSQL reads.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
CONCEPTS = 40
MANY = 10_000  # that one annotator answered, and that are then retired; at most half of all
HEADER = (
    "| open questions | asked by | challenges | p50 ms | p95 ms | worst ms |\n"
    "|---|---|---|---|---|---|"
)
TURNS = 4
Seconds = list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=60, help="challenges an annotator")
    parser.add_argument("--think-time", type=float, default=0.5, help="seconds before an answer")
    parser.add_argument("--kind", default="grid")
    parser.add_argument("--plans", action="store_true")
    wanted = parser.parse_args()
    with database():
        start = time.perf_counter()
        crowds = [Crowd(count, wanted.annotators) for count in wanted.questions]
        print(f"<!-- the questions were made in {time.perf_counter() - start:.0f} s -->")
        print(HEADER, flush=True)
        measure(crowds, wanted)


@contextmanager
def database() -> Iterator[None]:
    """Provide an empty, migrated database; drop it at the end."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        os.environ.update(DATA_DIR=folder, DJANGO_SETTINGS_MODULE="config.settings")
        from config import servers

        with servers.ensure(Path(folder)):
            import django

            django.setup()
            from django.test.utils import setup_databases, teardown_databases

            made = setup_databases(verbosity=0, interactive=False)
            try:
                yield
            finally:
                teardown_databases(made, verbosity=0)


class Crowd:
    """A project with so many open questions, and those who take part in it."""

    def __init__(self, count: int, people: int) -> None:
        self.count, self.many = count, min(MANY, count // 2)
        self.project = fill(count)
        self.people = [annotator(f"{count} new {n}") for n in range(people)]
        self.veteran = annotator(f"{count} veteran")


def measure(crowds: list[Crowd], wanted: argparse.Namespace) -> None:
    """Print the table; at its end, what many questions cost beside few."""
    together = f"{wanted.annotators} at once"
    for crowd in crowds:
        take_part(crowd.people, crowd.project, wanted.kind, 5, 0)  # warm
    lines(crowds, "one, without think time", wanted, 0, lambda crowd: crowd.people[:1])
    late = lines(
        crowds,
        f"{together}, with think time",
        wanted,
        wanted.think_time,
        lambda crowd: crowd.people,
    )
    lines(crowds, f"{together}, without think time", wanted, 0, lambda crowd: crowd.people)
    for crowd in crowds:
        answer_most_wanted(crowd)
    who = f"one who answered the {MANY:,} of highest priority (at most half)"
    lines(crowds, who, wanted, 0, lambda crowd: [crowd.veteran])
    if wanted.plans:
        print(plans(crowds[-1]), flush=True)
    for crowd in crowds:
        retire(crowd)
    who = f"{together}, with think time, after these were retired"
    lines(crowds, who, wanted, wanted.think_time, lambda crowd: crowd.people)
    print(f"\np95 of {together}, with think time: last ÷ first = {late[-1] / late[0]:.2f}")


def lines(
    crowds: list[Crowd],
    who: str,
    wanted: argparse.Namespace,
    think_time: float,
    people: Callable[[Crowd], list[Any]],
) -> Seconds:
    """Measure the projects in turns and print a line for each; gives each p95 in ms."""
    took: list[Seconds] = [[] for _ in crowds]
    for _ in range(TURNS):
        for crowd, seconds in zip(crowds, took, strict=True):
            rounds = wanted.rounds // TURNS
            seconds += take_part(people(crowd), crowd.project, wanted.kind, rounds, think_time)
    late = [1000 * statistics.quantiles(seconds, n=20)[-1] for seconds in took]
    for crowd, seconds, p95 in zip(crowds, took, late, strict=True):
        middle, worst = 1000 * statistics.median(seconds), 1000 * max(seconds)
        cells = f"{len(seconds)} | {middle:.1f} | {p95:.1f} | {worst:.1f}"
        print(f"| {crowd.count:,} | {who} | {cells} |", flush=True)
    return late


def take_part(
    people: list[Any], project: Any, kind: str, rounds: int, think_time: float
) -> Seconds:
    """Return how long each challenge took to come; think time is a mean, in seconds."""
    from django.db import connection

    from labeling import challenges

    together = threading.Barrier(len(people))

    def asks(annotator: Any) -> Seconds:
        took = []
        try:
            connection.ensure_connection()
            together.wait()
            for _ in range(rounds):
                start = time.perf_counter()
                challenge = challenges.issue(annotator=annotator, project=project, kind=kind)
                took.append(time.perf_counter() - start)
                if challenge is None:
                    break
                time.sleep(think_time * random.uniform(0.5, 1.5))
                challenges.answer(challenge=challenge, **honest(challenge))
        finally:
            connection.close()
        return took

    with ThreadPoolExecutor(len(people)) as pool:
        return [seconds for each in pool.map(asks, people) for seconds in each]


def honest(challenge: Any) -> dict[str, Any]:
    """Answer as the questions are believed: random answers would make the annotator suspect."""
    from labeling.models import Question

    asked = Question.objects.filter(pk__in=challenge.questions)
    true = {pk for pk, probability in asked.values_list("pk", "probability") if probability >= 0.5}
    if len(challenge.tiles) == 1:
        return {"yes": bool(true)}
    return {"selected": [n for n, pk in enumerate(challenge.questions, 1) if pk in true]}


def annotator(name: str) -> Any:
    from labeling.models import Annotator

    return Annotator.objects.create(pseudonym=name)


def fill(count: int) -> Any:
    """Create a project with so many open questions, half of them as a model would predict."""
    from labeling.models import Concept, Project

    project = Project.objects.create(state="open", slug=f"many-{count}", name="Many")
    concepts = Concept.objects.bulk_create(
        Concept(project=project, name=f"thing {n}", phrase=f"a thing {n}") for n in range(CONCEPTS)
    )
    total = count + count // 10
    values = {"project": project.pk, "first": concepts[0].pk, "count": count, "total": total}
    for statement in (_IMAGES, _TILES, _QUESTIONS):
        execute(statement, values | {"concepts": CONCEPTS})
    execute("VACUUM ANALYZE")
    execute("CHECKPOINT")
    return project


_IMAGES = """
INSERT INTO labeling_image (project_id, sha256, source_sha256, perceptual_hash, file, width,
    height, keywords, stated_keys, import_confidence, random_key, cut_into, keep_whole, source,
    further_sources, license, generated, prompt, created_at)
SELECT %(project)s, encode(sha256(n::text::bytea), 'hex'), lpad(to_hex(n), 64, '0'), n, 'x.webp',
    64, 64, '{}', '{}', .9, random(), 0, false, '', '{}', '', false, '', now()
FROM generate_series(1, %(total)s) AS n
"""
_TILES = """
INSERT INTO labeling_tile (image_id, grid, position, "left", top, width, height)
SELECT id, 1, 0, 0, 0, 64, 64 FROM labeling_image WHERE project_id = %(project)s ORDER BY id
"""
_QUESTIONS = """
INSERT INTO labeling_question (project_id, tile_id, kind, grid, concept_id, text, source, reason,
    slice_key, state,
    prior, probability, verdict, answers_count, yes_count, disagreement, answers_wanted,
    reservations, priority, random_key, created_at)
SELECT %(project)s, id, 'concept', 1, %(first)s + n %% %(concepts)s, '', 'import', 'random',
    CASE WHEN random() < .1 THEN random() END,
    CASE WHEN gold THEN 'gold' ELSE 'open' END, p, CASE WHEN gold THEN round(p) ELSE p END,
    CASE WHEN gold THEN p > .5 END, 0, 0, 0, 0, '{}',
    CASE WHEN gold THEN 0 ELSE -(p * ln(p) + (1 - p) * ln(1 - p)) / ln(2) END, random(), now()
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS n,
        row_number() OVER (ORDER BY id) > %(count)s AS gold,
        CASE WHEN random() < .5 THEN .1 ELSE .001 + .998 * random() END AS p
    FROM (
        SELECT tile.id FROM labeling_tile AS tile JOIN labeling_image AS image
        ON image.id = image_id WHERE project_id = %(project)s
    ) AS ids
) AS tiles
"""


def answer_most_wanted(crowd: Crowd) -> None:
    """Have the veteran say "no" to the most wanted questions, none of which settles by it."""
    execute(
        """
        WITH most AS (
            SELECT id FROM labeling_question WHERE project_id = %(project)s AND state = 'open'
            ORDER BY priority DESC LIMIT %(many)s
        ), answered AS (
            INSERT INTO labeling_answer (question_id, annotator_id, value, reason, created_at)
            SELECT id, %(annotator)s, false, 'wanted', now() FROM most
            ON CONFLICT DO NOTHING
        )
        UPDATE labeling_question AS q SET answers_count = answers_count + 1, priority = 1
        FROM most WHERE q.id = most.id
        """,
        {"project": crowd.project.pk, "annotator": crowd.veteran.pk, "many": crowd.many},
    )
    crowd.veteran.answers_count = crowd.many
    crowd.veteran.save()
    execute("ANALYZE labeling_question, labeling_answer")


def retire(crowd: Crowd) -> None:
    """Retire what the veteran answered; no vacuum comes by."""
    execute(
        """
        UPDATE labeling_question AS q SET state = 'settled', settled_at = now(), priority = 0
        FROM labeling_answer AS answer
        WHERE question_id = q.id AND annotator_id = %(annotator)s
            AND project_id = %(project)s AND state = 'open'
        """,
        {"project": crowd.project.pk, "annotator": crowd.veteran.pk},
    )


def plans(crowd: Crowd) -> str:
    """How PostgreSQL reads the windows of a grid, for the annotator with most answers."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from labeling.selection import selector

    with CaptureQueriesContext(connection) as queries:
        selector.Selector(annotator=crowd.veteran, project=crowd.project).choose("grid")
    lines = []
    for query in queries:
        if "labeling_question" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + query["sql"].replace("%", "%%"))
                lines += [row[0] for row in cursor.fetchall()]
    return "\n".join(lines)


def execute(statement: str, values: dict[str, Any] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)


if __name__ == "__main__":
    main()
