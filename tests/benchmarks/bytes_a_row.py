"""What a row costs in the database and in Parquet, and what partitions by project change.

    .venv/bin/python -m tests.benchmarks.bytes_a_row [--answers 1000000] [--projects 64]

Starts a database of its own in a temporary folder (about 2 GB at full size), filled by SQL: ten
answers a tile, two questions a tile, nine answers a challenge, in the random order in which people
answer; challenges and questions are then updated as by answers, and vacuumed. Prints, in Markdown,
bytes a row of each table and index, bytes a row in Parquet, and what queries by prepared statements
cost on one table and on partitions by project. Ratios of CPU time hold on a busy machine, too.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from api_lists import multiply
from million import database, execute

QUESTIONS_A_TILE, ANSWERS_A_TILE, A_CHALLENGE, ANNOTATORS = 2, 10, 9, 1_000
ROUNDS = 5  # of updates of all questions, one for each of its answers
EXECUTIONS = 300  # of each query
PART_COUNTS = (16, 64)
TABLES = ("image", "tile", "question", "answer", "challenge", "showing")
COLUMNS = {
    "answer": "id, question_id, annotator_id, challenge_id::text, value, reason, seconds, "
    "probability_before, weight, imported_by_id, created_at",
    "challenge": "id::text, project_id, annotator_id, kind, concept_id, questions, tiles, reasons, "
    "created_at, expires_at, answered_at, skipped, skip_reason, passed, seconds, undos",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--projects", type=int, default=64)
    wanted = parser.parse_args()
    with database():
        fill(wanted.answers, wanted.projects)
        print("| table | rows | bytes a row: table | indexes | both |\n|---|---:|---:|---:|---:|")
        print("\n".join(sizes()), flush=True)
        print("\n| index | bytes a row of its table |\n|---|---:|")
        print("\n".join(indexes()), flush=True)
        print("\n| Parquet (zstd) | sorted by | bytes a row |\n|---|---|---:|")
        print("\n".join(parquet()), flush=True)
        print("\n| what names no project | columns |\n|---|---|")
        print("\n".join(in_the_way()), flush=True)
        print(
            "\n| query | one table, µs | partitions | without the project, µs | with it, µs "
            "| partitions that it opens: without, with |\n|---|---:|---:|---:|---:|---:|"
        )
        for count in PART_COUNTS:
            for row in partitions(count):
                print(row, flush=True)


def fill(answers: int, projects: int) -> None:
    """Fill the tables of so many projects, all alike."""
    from labeling import models

    tiles = answers // ANSWERS_A_TILE
    questions, challenges = tiles * QUESTIONS_A_TILE, answers // A_CHALLENGE
    project = models.Project.objects.create(state="open", slug="p0", name="Large")
    multiply(project, projects, slug="'p' || n", name="'Large ' || n")
    concept = models.Concept.objects.create(project=project, name="thing", phrase="a thing")
    multiply(
        concept,
        projects * QUESTIONS_A_TILE,  # another one for each question of a tile
        project=f"{project.pk} + n % {projects}",
        name="'thing ' || n",
    )
    image = models.Image.objects.create(
        project=project, sha256="0" * 64, source_sha256="0" * 64, perceptual_hash=0,
        file=f"images/00/{'0' * 64}.webp", width=512, height=384, source="photos/a/000000.jpg",
    )  # fmt: skip
    multiply(
        image,
        tiles,
        project=f"{project.pk} + n % {projects}",
        sha256="encode(sha256(n::text::bytea), 'hex')",
        source_sha256="encode(sha256(('of ' || n)::bytea), 'hex')",
        file="'images/' || left(md5(n::text), 2) || '/' || encode(sha256(n::text::bytea), 'hex') "
        "|| '.webp'",
        perceptual_hash="('x' || left(md5(n::text), 16))::bit(64)::bigint",
        source="'photos/' || n % 1000 || '/' || n || '.jpg'",
        random_key="random()",
    )
    tile = models.Tile.objects.create(image=image, width=512, height=384)
    multiply(tile, tiles, image=f"{image.pk} + n")
    question = models.Question.objects.create(
        project=project, tile=tile, kind="concept", concept=concept, random_key=0.5
    )
    of_tile = f"n / {QUESTIONS_A_TILE}"
    multiply(
        question,
        questions,
        project=f"{project.pk} + {of_tile} % {projects}",
        tile=f"{tile.pk} + {of_tile}",
        concept=f"{concept.pk} + {of_tile} % {projects} + {projects} * (n % {QUESTIONS_A_TILE})",
        reason="'doubtful'",
        random_key="random()",
        probability="random()",
        priority="random()",
    )
    _answer_all(project, question, tile, answers, questions, challenges, projects)
    execute("VACUUM ANALYZE")


def _answer_all(
    project: Any, question: Any, tile: Any, answers: int, questions: int, challenges: int, many: int
) -> None:
    """Store challenges and answers, and update what their answers update."""
    from labeling import models
    from labeling.answers import FIGURES

    figures = len(FIGURES)
    person = models.Annotator.objects.create(pseudonym="person")
    multiply(person, ANNOTATORS, pseudonym="'person ' || n")
    of_nine = f"(SELECT array_agg({question.pk} + (n * 7919 + k * 104729) % {questions}) "
    series = f"FROM generate_series(0, {A_CHALLENGE - 1}) AS k)"
    step = max(1, challenges // 10)
    for start in range(0, challenges, step):  # as the space of the versions before is used again
        execute(
            "INSERT INTO labeling_challenge (id, project_id, annotator_id, kind, concept_id, "
            "questions, tiles, reasons, sentences, created_at, expires_at, ahead, skipped, "
            "skip_reason, undos, states_before, posteriors_after, annotator_before, "
            "annotator_after) "
            f"SELECT md5('challenge ' || n)::uuid, {project.pk} + n % {many}, "
            f"{person.pk} + n % {ANNOTATORS}, 'grid', NULL, {of_nine}{series}, "
            f"(SELECT array_agg({tile.pk} + (n * 7919 + k * 104729) % {questions} / 2) {series}, "
            f"array_fill('wanted'::varchar, ARRAY[{A_CHALLENGE}]), '{{}}', "
            "now() - n * interval '1 second', now() + interval '1 hour', false, false, '', 0, "
            f"'{{}}', '{{}}', '{{}}', '{{}}' FROM generate_series({start}::bigint, "
            f"{min(start + step, challenges) - 1}) AS n"
        )
        execute("UPDATE labeling_challenge SET answered_at = now() WHERE answered_at IS NULL")
        execute(
            "UPDATE labeling_challenge SET passed = true, seconds = 9 + random(), "
            f"states_before = array_fill('open'::varchar, ARRAY[{A_CHALLENGE}]), "
            f"posteriors_after = array_fill(random(), ARRAY[{A_CHALLENGE}]), "
            f"annotator_before = array_fill(random(), ARRAY[{figures}]), "
            f"annotator_after = array_fill(random(), ARRAY[{figures}]) WHERE passed IS NULL"
        )
        if start:  # the ones before were answered long enough ago: `challenges.forget_changes`
            execute(
                "UPDATE labeling_challenge SET states_before = '{}', posteriors_after = '{}', "
                "annotator_before = '{}', annotator_after = '{}' WHERE annotator_after <> '{}'"
            )
        execute("VACUUM labeling_challenge")
    execute(
        "INSERT INTO labeling_answer (question_id, annotator_id, challenge_id, value, reason, "
        "seconds, probability_before, weight, created_at) "
        f"SELECT {question.pk} + n % {questions}, "
        f"{person.pk} + (n / {questions} * 101 + n) % {ANNOTATORS}, "
        f"md5('challenge ' || (row_number() OVER (ORDER BY md5(n::text)) - 1) / {A_CHALLENGE} "
        f"% {challenges})::uuid, random() < 0.3, 'wanted', random() * 20, random(), 1.0, "
        "now() - random() * interval '1 year' "
        f"FROM generate_series(0, {answers - 1}::bigint) AS n ORDER BY md5(n::text)"
    )
    execute(
        "INSERT INTO labeling_addressday (key, day, since, newcomers, asked, skips, firsts, "
        "seconds, thirds, fourths, lags, elsewhere, truths, known, known_elsewhere, known_truths) "
        "SELECT 'k' || n, now(), now(), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 "
        f"FROM generate_series(1, {ANNOTATORS}) AS n"
    )
    execute(
        "INSERT INTO labeling_showing (address_id, tile, question, shown, last, lag, known) "
        f"SELECT (SELECT min(id) FROM labeling_addressday) + n % {ANNOTATORS}, n / 2, n, 1, 1, 0, "
        f"false FROM generate_series(1, {questions}) AS n ORDER BY md5(n::text)"
    )
    for number in range(ROUNDS):
        execute(
            "UPDATE labeling_question SET answers_count = answers_count + 1, "
            "yes_count = yes_count + (random() < 0.3)::int, probability = random(), "
            "priority = random(), disagreement = random()"
            + (", state = 'settled', settled_at = now()" if number == ROUNDS - 1 else "")
        )
        execute("VACUUM labeling_question")


def sizes() -> Iterator[str]:
    """Yield the bytes a row of each table."""
    for name in TABLES:
        table = f"labeling_{name}"
        ((rows, own, index),) = _rows(
            f"SELECT (SELECT count(*) FROM {table}), pg_table_size('{table}'), "
            f"pg_indexes_size('{table}')"
        )
        rest = f"{own / rows:.0f} | {index / rows:.0f} | {(own + index) / rows:.0f}"
        yield f"| {name} | {rows:,} | {rest} |"


def indexes() -> Iterator[str]:
    """Yield the bytes of each index a row of its table, where they are more than one."""
    for name in ("answer", "challenge", "question"):
        (count,) = _rows(f"SELECT count(*) FROM labeling_{name}")[0]
        for index, size in _rows(
            "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes "
            f"WHERE relname = 'labeling_{name}' ORDER BY 2 DESC"
        ):
            if size >= count:
                yield f"| {index} | {size / count:.1f} |"


def parquet() -> Iterator[str]:
    """Yield the bytes a row of answers and challenges in Parquet."""
    import pyarrow
    from pyarrow import parquet as files

    for name, orders in (("answer", ("id", "question_id, annotator_id")), ("challenge", ("id",))):
        for order in orders:
            rows = _rows(f"SELECT {COLUMNS[name]} FROM labeling_{name} ORDER BY {order}")
            keys = [column.split("::")[0] for column in COLUMNS[name].split(", ")]
            columns = dict(zip(keys, map(list, zip(*rows, strict=True)), strict=True))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "rows.parquet"
                files.write_table(pyarrow.table(columns), path, compression="zstd")
                yield f"| {name}s | {order} | {path.stat().st_size / len(rows):.1f} |"


def in_the_way() -> Iterator[str]:
    """Yield the keys of answers, challenges and questions that a partitioned table refuses."""
    for table, key, columns in _rows(
        "SELECT c.conrelid::regclass::text, c.conname, array_agg(a.attname::text) "
        "FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid "
        "AND a.attnum = ANY(c.conkey) WHERE c.contype IN ('p', 'u') "
        "AND c.conrelid::regclass::text IN ('labeling_answer', 'labeling_challenge', "
        "'labeling_question') GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        if "project_id" not in columns:
            yield f"| {table}: {key} | {', '.join(columns)} |"
    for table, count in _rows(
        "SELECT confrelid::regclass::text, count(*) FROM pg_constraint WHERE contype = 'f' "
        "AND confrelid::regclass::text IN ('labeling_answer', 'labeling_challenge', "
        "'labeling_question') GROUP BY 1 ORDER BY 1"
    ):
        yield f"| foreign keys to {table} | {count} |"


def partitions(count: int) -> Iterator[str]:
    """Partition copies of the answers and questions; yield what each frequent query costs."""
    _partition("answer", count)
    _partition("question", count)
    (answer, question, annotator, project, concept) = _rows(
        "SELECT a.id, q.id, a.annotator_id, q.project_id, q.concept_id FROM labeling_answer a "
        "JOIN labeling_question q ON q.id = question_id OFFSET 1000 LIMIT 1"
    )[0]
    del answer
    values = {"question": question, "annotator": annotator, "project": project, "concept": concept}
    values["questions"] = [pk for (pk,) in _rows(
        f"SELECT id FROM labeling_question WHERE project_id = {project} LIMIT 9"
    )]  # fmt: skip
    queries = {
        "answered already?": "SELECT 1 FROM {answer} WHERE question_id = %(question)s "
        "AND annotator_id = %(annotator)s{key}",
        "answers to nine questions": "SELECT * FROM {answer} WHERE "
        "question_id = ANY(%(questions)s){key} ORDER BY annotator_id DESC LIMIT 100",
        "wanted questions of a concept": "SELECT id FROM {question} WHERE "
        "concept_id = %(concept)s AND grid = 1 AND kind = 'concept' AND state = 'open' "
        "AND source <> 'model'{key} ORDER BY priority DESC, random_key LIMIT 30",
        "lock nine questions": "SELECT id FROM {question} WHERE id = ANY(%(questions)s){key} "
        "ORDER BY id FOR NO KEY UPDATE",
        "own newest answers": "SELECT id FROM {answer} WHERE annotator_id = %(annotator)s{key} "
        "ORDER BY created_at DESC LIMIT 25",
    }
    for name, query in queries.items():
        one = query.format(answer="labeling_answer", question="labeling_question", key="")
        many = {"answer": "parted_answer", "question": "parted_question"}
        without = query.format(**many, key="")
        keyed = query.format(**many, key=" AND project_id = %(project)s")
        costs = [f"{cost(text, values):.0f}" for text in (one, without, keyed)]
        opened = f"{opens(without, values)}, {opens(keyed, values)}"
        yield f"| {name} | {costs[0]} | {count} | {costs[1]} | {costs[2]} | {opened} |"
    execute("DROP TABLE parted_answer, parted_question")


def _partition(name: str, count: int) -> None:
    """Copy a table into hash partitions by project, with all its indexes but unique ones."""
    table = f"labeling_{name}"
    key = ", 0::bigint AS project_id" if name == "answer" else ""
    execute(
        f"CREATE TABLE parted_{name} AS SELECT *{key} FROM {table} LIMIT 0".replace(
            f"parted_{name}", f"shape_{name}"
        )
    )
    execute(f"CREATE TABLE parted_{name} (LIKE shape_{name}) PARTITION BY HASH (project_id)")
    for number in range(count):
        execute(
            f"CREATE TABLE parted_{name}_{number} PARTITION OF parted_{name} "
            f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number})"
        )
    source = table
    if name == "answer":
        source = (
            "(SELECT a.*, q.project_id FROM labeling_answer a "
            "JOIN labeling_question q ON q.id = a.question_id) AS a"
        )
    execute(f"INSERT INTO parted_{name} SELECT * FROM {source}")
    execute(f"DROP TABLE shape_{name}")
    execute(f"ALTER TABLE parted_{name} ADD PRIMARY KEY (project_id, id)")
    if name == "answer":
        execute("CREATE UNIQUE INDEX ON parted_answer (project_id, question_id, annotator_id)")
        execute("CREATE INDEX ON parted_answer (question_id, annotator_id)")
        execute("CREATE INDEX ON parted_answer (annotator_id, created_at DESC)")
    else:
        execute("CREATE INDEX ON parted_question (id)")
        execute(
            "CREATE INDEX ON parted_question (concept_id, grid, priority DESC, random_key) "
            "WHERE kind = 'concept' AND state = 'open' AND source <> 'model'"
        )
    execute(f"VACUUM ANALYZE parted_{name}")


def cost(query: str, values: dict[str, Any]) -> float:
    """Return the microseconds of the database's CPU of a prepared query, by one plan for all."""
    from django.db import connection

    execute("SET plan_cache_mode = force_generic_plan")
    medians = []
    with connection.connection.cursor() as cursor:
        for _ in range(20):
            cursor.execute(query, values, prepare=True)
        for _ in range(3):
            started = _cpu()
            for _ in range(EXECUTIONS):
                cursor.execute(query, values, prepare=True)
            medians.append((_cpu() - started) / EXECUTIONS)
    return 1e6 * statistics.median(medians)


def opens(query: str, values: dict[str, Any]) -> int:
    """Return how many tables the plan of a query reads, after what is pruned."""
    from django.db import connection

    with connection.connection.cursor() as cursor:
        plan = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", values).fetchone()[0]
    return len(set(_relations(plan[0]["Plan"])))


def _relations(plan: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan and plan.get("Actual Loops"):
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _relations(child)


def _cpu() -> float:
    """Return the CPU seconds of this process's session of the database."""
    from django.db import connection

    schedule = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    if schedule.is_file():
        return int(schedule.read_text().split()[0]) / 1e9
    return time.perf_counter()  # where the system does not tell


def _rows(query: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


if __name__ == "__main__":
    main()
