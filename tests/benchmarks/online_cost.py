"""What one answered challenge costs, and a recomputation of all, by how much is stored.

Fills a database of its own with so many answers, ten a question; measures `answers.record` for
nine tiles, three of them gold; then recomputes the project, while somebody
goes on answering. Drops the database at the end; prints Markdown. Ten million answers take some
ten minutes and 6 GB.

    python tests/benchmarks/online_cost.py [ANSWERS …]
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

SIZES = 10_000, 10_000_000
EACH = 10  # answers a question
GOLD = 50  # questions that everybody is asked
ROUNDS = 300
WARM = 30


HEADER = """\
| answers stored | record, median ms | p95, ms | recompute, s | peak GiB | longest wait, ms |
|---:|---:|---:|---:|---:|---:|"""


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        print(HEADER)
        medians = [measure(size) for size in sizes]
    print(f"\nMedian at the most ÷ at the fewest: {medians[-1] / medians[0]:.2f}.")


def measure(size: int) -> float:
    """Print the row of one size; gives the median in milliseconds."""
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        fill(size)
        times = [timed(answer) for answer in challenges(WARM + ROUNDS)][WARM:]
        seconds, memory, wait = recomputed()
    finally:
        teardown_databases(databases, verbosity=0)
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    print(
        f"| {size:,} | {median:.1f} | {p95:.1f} | {seconds:.1f} | {memory:.2f} | {wait:.0f} |",
        flush=True,
    )
    return median


def fill(count: int) -> None:
    """Create a project with so many answers: ten a question, by fifty people to a thousand."""
    from django.db import connection

    from labeling import models

    project = models.Project.objects.create(state="open", slug="many", name="Many", answers_cap=20)
    concept = models.Concept.objects.create(project=project, name="thing", phrase="a thing")
    image = models.Image.objects.create(project=project, perceptual_hash=0, width=64, height=64)
    tile = models.Tile.objects.create(image=image, width=64, height=64)
    question = models.Question.objects.create(
        project=project,
        tile=tile,
        concept=concept,
        kind="concept",
        answers_count=EACH,
        yes_count=EACH // 2,
        random_key=0.5,
    )
    somebody = models.Annotator.objects.create(pseudonym="somebody")
    answer = models.Answer.objects.create(
        question=question, annotator=somebody, value=True, reason="wanted", seconds=2.0
    )
    questions, people = count // EACH, min(1_000, max(50, count // 1_000))
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # foreign keys fit by construction
        multiply(image, questions, id="n", sha256="md5(n::text)", source_sha256="md5(n::text)")
        multiply(tile, questions, id="n", image_id="n")
        multiply(somebody, people, id="n", pseudonym="n::text", answers_count=str(count // people))
        multiply(
            question,
            questions,
            id="n",
            tile_id="n",
            random_key="random()",
            priority="random()",
            state=f"CASE WHEN n <= {GOLD} THEN 'gold' ELSE 'open' END",
            verdict=f"CASE WHEN n <= {GOLD} THEN true END",
        )
        about, number = f"((n - 1) / {EACH})", f"((n - 1) % {EACH})"
        multiply(
            answer,
            count,
            id="n",
            question_id=f"1 + {about}",
            annotator_id=f"1 + ({about} * 7 + {number} * {people // EACH}) % {people}",
            value=f"(hashint8(n) & 255 < 38) <> ({about} % 2 = 0)",
        )
        cursor.execute(
            "SELECT setval('labeling_answer_id_seq', (SELECT max(id) FROM labeling_answer))"
        )
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def multiply(row: Any, count: int, **columns: str) -> None:
    """Put `count` rows in the place of one that differ in these columns, SQL of n from 1."""
    from django.db import connection

    names = [f'"{field.column}"' for field in row._meta.concrete_fields]
    values = [columns.get(field.column, f'"{field.column}"') for field in row._meta.concrete_fields]
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE pattern AS SELECT * FROM {table}")
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
            f"FROM generate_series(1::bigint, {count}) AS n, pattern"
        )
        cursor.execute("DROP TABLE pattern")


def challenges(count: int, seed: int = 1) -> list[Callable[[], object]]:
    """Return answers to grids by different people: to gold, and to what others answered."""
    from labeling import answers
    from labeling.gold.need import GRID_GOLD
    from labeling.models import Annotator, Question
    from labeling.selection.picks import GRID_TILES

    draw = random.Random(seed)
    people = list(Annotator.objects.order_by("pk")[: Annotator.objects.count() // 10])
    last = Question.objects.order_by("-pk").values_list("pk", flat=True)[0]
    work: list[Callable[[], object]] = []
    for number in range(count):
        asked = draw.sample(range(1, GOLD + 1), GRID_GOLD)
        asked += draw.sample(range(GOLD + 1, last + 1), GRID_TILES - GRID_GOLD)
        values = {question: draw.random() < 0.5 for question in asked}
        who = people[number % len(people)]

        def answer(who: Any = who, values: dict[int, bool] = values) -> object:
            reasons = dict.fromkeys(values, "wanted")
            return answers.record(annotator=who, values=values, reasons=reasons, seconds=2.0)

        work.append(answer)
    return work


def recomputed() -> tuple[float, float, float]:
    """Recompute the project in a process of its own, while somebody here answers on and on.

    Gives its seconds, its peak memory in GiB, and the longest that an answer took in ms.
    """
    from django.db import connection

    from labeling.inference import recompute
    from labeling.models import Project

    work = challenges(100_000, seed=2)
    connection.close()
    started, waits = time.perf_counter(), []
    child = os.fork()
    if not child:
        recompute.run(project=Project.objects.get())
        os._exit(0)
    for answer in work:
        waits.append(timed(answer))
        time.sleep(0.05)
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
    if status:
        raise SystemExit("The recomputation failed.")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20, max(waits)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    main()
