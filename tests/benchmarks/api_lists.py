"""How long the API takes for a page of each of its lists, wherever in it the page is.

    python tests/benchmarks/api_lists.py [--rows 1000000] [--rounds 5] [--only images]

Starts a database and a cache of its own in a temporary folder (about 4 GB at full size), and fills
each table with so many rows by SQL: a row made as the product makes one, multiplied. Then it gets
the first page, one in the middle and the last one of each list, in each order and with each filter
that it has. Prints, in Markdown, the 95th percentile and the median of the server's milliseconds,
and the CPU milliseconds of this process and of the database for one page.
"""

import argparse
import base64
import gc
import os
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from million import database, execute

LIMIT = 100.0  # milliseconds at the 95th percentile
CONCEPTS, IMPORTS, VENDORS = 1_000, 1_000, 50
HEADER = "| list | rows | p95, ms | median, ms | CPU here, ms | CPU database, ms |"


class List(NamedTuple):
    """A list of the API, the rows that it has, and how its cursors are written."""

    address: str
    model: str
    filters: dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="lists whose address holds this")
    parser.add_argument("--explain", action="store_true", help="show the plans of slow queries")
    wanted = parser.parse_args()
    with database():
        started = time.perf_counter()
        lists = fill(wanted.rows)
        seconds = time.perf_counter() - started
        print(f"{wanted.rows:,} rows of each table, stored in {seconds:.0f} s:\n")
        gc.freeze()  # as the web process does
        gc.set_threshold(20_000, 20, 20)
        print(f"{HEADER}\n|---|---:|---:|---:|---:|---:|", flush=True)
        for each in lists:
            if wanted.only in each.address:
                measure(each, wanted.rounds, explain=wanted.explain)


def fill(count: int) -> list[List]:
    """Fill the tables; return the lists."""
    from django.contrib.auth.models import User

    from labeling import models

    user = User.objects.create_superuser("owner")
    project = models.Project.objects.create(state="open", slug="large", name="Large")
    models.Membership.objects.create(project=project, user=user, role="owner")
    concept = models.Concept.objects.create(project=project, name="thing 0", phrase="a thing 0")
    multiply(concept, CONCEPTS, name="'thing ' || n", phrase="'a thing ' || n")
    record = models.Import.objects.create(
        project=project, state="done", name="import", requested_by=user, vendor="v0", batch="b0"
    )
    multiply(
        record,
        IMPORTS,
        name="'import ' || n",
        vendor=f"'v' || n % {VENDORS}",
        batch="'b' || n",
        state="CASE WHEN n % 100 = 99 THEN 'failed' ELSE 'done' END",
    )
    _fill_pictures(project, record, concept, count)
    _fill_people(project, user, count)
    _fill_jobs(project, user, count)
    execute("VACUUM ANALYZE")
    execute("CHECKPOINT")  # else whoever reads a page first writes some of what was filled
    return list(_lists(project))


def _fill_pictures(project: Any, record: Any, concept: Any, count: int) -> None:
    from labeling import models

    of_import = f"{record.pk} + n / greatest(1, {count} / {IMPORTS})"
    source = models.TextSource.objects.create(imported_by=record, layout="table", digest="0" * 64)
    multiply(
        source,
        count // 10,
        digest="lpad(n::text, 64, '0')",
        imported_by=f"{record.pk} + n % {IMPORTS}",
        vendor=f"CASE WHEN n % 1000 = 0 THEN 'w' || n / 1000 % {VENDORS} ELSE '' END",
    )
    image = models.Image.objects.create(
        project=project, sha256="0" * 64, source_sha256="0" * 64, perceptual_hash=0,
        file="images/0.webp", width=64, height=64, source="a/0.jpg", imported_by=record,
    )  # fmt: skip
    multiply(
        image,
        count,
        sha256="encode(sha256(n::text::bytea), 'hex')",
        source_sha256="encode(sha256(('of ' || n)::bytea), 'hex')",
        perceptual_hash="n * 2654435761",
        source="'photographs/' || n % 1000 || '/' || n || '.jpg'",
        keywords=f"array['thing ' || n % {CONCEPTS}, 'word ' || n]",
        stated_keys=f"array['thing ' || n % {CONCEPTS}, 'word ' || n]",
        imported_by=of_import,
        text_source=f"CASE WHEN n % 10 = 0 THEN {source.pk} + n / 10 END",
        random_key="random()",
    )
    tile = models.Tile.objects.create(image=image, width=64, height=64)
    multiply(tile, count, image=f"{image.pk} + n")
    question = models.Question.objects.create(
        project=project, tile=tile, kind="concept", concept=concept, random_key=0.5
    )
    states = "'{open,open,open,settled,ambiguous}'::text[]"
    multiply(
        question,
        count * 9 // 10,
        tile=f"{tile.pk} + n",
        concept=f"{concept.pk} + n % {CONCEPTS}",
        state=f"({states})[1 + n % 5]",
        reason="CASE WHEN n % 1000 = 0 THEN 'decided' ELSE 'random' END",
        random_key="random()",
        probability="random()",
    )
    caption = models.Question.objects.create(
        project=project, tile=tile, kind="caption", text="a thing", source="import",
        text_source=source, random_key=0.5,
    )  # fmt: skip
    multiply(
        caption,
        count // 10,
        tile=f"{tile.pk} + n",
        text="'a thing, no. ' || n",
        text_source=f"{source.pk} + n",
        random_key="random()",
    )


def _fill_people(project: Any, user: Any, count: int) -> None:
    from labeling import models

    annotator = models.Annotator.objects.create(user=user, pseudonym="person 0")
    person = models.Annotator.objects.create(pseudonym="person")
    multiply(
        person,
        count // 10,
        pseudonym="'person ' || n",
        answers_count="n % 1000",
        suspect_since="CASE WHEN n % 10000 = 7 THEN now() END",
    )
    question = models.Question.objects.filter(kind="concept").earliest("pk")
    answer = models.Answer.objects.create(
        question=question, annotator=annotator, value=True, reason="random", seconds=2.0
    )
    multiply(
        answer,
        count,
        question=f"{question.pk} + n % {count * 9 // 10}",
        annotator=f"CASE WHEN n % 10 = 0 AND n < {count * 9 // 10} THEN {annotator.pk} "
        f"ELSE {person.pk} + n / 10 END",
        value="n % 3 = 0",
        created_at="now() - n * interval '1 second'",
    )
    comment = models.Comment.objects.create(
        project=project, tile=question.tile, question=question, annotator=annotator, text="?"
    )
    kinds = "'{remark,decision,cut_off,broken}'::text[]"
    multiply(
        comment,
        count,
        tile=f"{question.tile_id} + n",
        question=f"{question.pk} + n % {count * 9 // 10}",
        annotator=f"{person.pk} + n % {count // 10}",
        kind=f"CASE WHEN n % 10000 = 9 THEN 'offensive' ELSE ({kinds})[1 + n % 4] END",
        resolved_at="CASE WHEN n % 1000 <> 7 THEN now() END",
    )
    event = models.Event.objects.create(
        project=project, kind="import", actor="owner", message="Imported."
    )
    multiply(
        event,
        count,
        kind="CASE WHEN n % 100000 = 5 THEN 'gold' ELSE 'import' END",
        actor="CASE WHEN n % 100000 = 7 THEN 'rare' WHEN n % 2 = 0 THEN '' ELSE 'owner' END",
    )


def _fill_jobs(project: Any, user: Any, count: int) -> None:
    from labeling import models

    snapshot = models.Snapshot.objects.create(project=project, state="ready", folder="x")
    multiply(snapshot, count, sha256="encode(sha256(n::text::bytea), 'hex')")
    export = models.Export.objects.create(snapshot=snapshot, project=project, format="kohya")
    multiply(export, count, state="'ready'", snapshot=f"{snapshot.pk} + n")
    hook = models.Webhook.objects.create(
        project=project, url="https://example.org/", events=["import.finished"], secret="x"
    )
    delivery = models.Delivery.objects.create(webhook=hook, event="import.finished", body="{}")
    multiply(
        delivery,
        count,
        state="CASE WHEN n % 100000 = 5 THEN 'failed' ELSE 'delivered' END",
        uid="gen_random_uuid()",
    )


def multiply(row: Any, count: int, **values: str) -> None:
    """Store so many more rows like this one; values: SQL of `n`, from 1, for what differs.

    Their ids follow its own.
    """
    from django.db import connection

    quote = connection.ops.quote_name
    columns = {field.name: quote(field.column) for field in row._meta.local_concrete_fields}
    given = {name: f"({sql})" for name, sql in values.items()}
    if row._meta.pk.name == "id":
        given["id"] = f"{row.pk} + n"
    chosen = [given.get(name, f"template.{column}") for name, column in columns.items()]
    table = quote(row._meta.db_table)
    execute(
        f"INSERT INTO {table} ({', '.join(columns.values())}) SELECT {', '.join(chosen)} "
        f"FROM {table} AS template, generate_series(1, {count - 1}::bigint) AS n "
        f"WHERE template.id = {row.pk}"
    )
    execute(
        f"SELECT setval(pg_get_serial_sequence('{row._meta.db_table}', 'id'), {row.pk + count})"
    )


def _lists(project: Any) -> Iterator[List]:
    from labeling import models

    record = models.Import.objects.earliest("pk").pk
    hook = models.Webhook.objects.get().pk
    image = models.Image.objects.earliest("pk").pk
    question = models.Comment.objects.earliest("pk").question_id
    own = f"projects/{project.slug}"
    yield List("projects/", "Project", {"": ""})
    yield List(f"{own}/concepts/", "Concept", {"": "", "merged ones too": "merged=true"})
    yield List(
        f"{own}/images/",
        "Image",
        {
            "": "",
            "a keyword of many": "q=thing+7",
            "a keyword of one": "q=word+77",
            "a part of the path": "q=photographs%2F77%2F",
            "a part of few paths": "q=%2F777.jpg",
            "a word of none": "q=nothing",
            "an import": f"imported_by={record + IMPORTS // 2}",
            "an import of none": "imported_by=999999999",
            "a vendor": "vendor=v7",
            "a vendor of rows": "vendor=w7",
            "a vendor of none": "vendor=nobody",
            "a batch": "batch=b7",
        },
    )
    yield List(f"images/{image}/labels/", "Concept", {"": ""})
    yield List(
        f"{own}/questions/",
        "Question",
        {
            "": "",
            "settled": "state=settled",
            "gold, which there is none": "state=gold",
            "captions": "kind=caption",
            "settled captions, none": "state=settled&kind=caption",
            "a rare reason": "reason=decided",
            "a concept": "concept=thing+7",
            "a concept, settled": "concept=thing+7&state=settled",
            "an import": f"imported_by={record + IMPORTS // 2}",
            "captions of an import": f"imported_by={record + IMPORTS // 2}&kind=caption",
            "a vendor": "vendor=v7",
            "a vendor of rows": "vendor=w7",
            "a vendor of none": "vendor=nobody",
            "a batch": "batch=b7",
        },
    )
    yield List("annotators/", "Annotator", {"": "", "suspect": "suspect=true"})
    yield List(f"{own}/annotators/", "Annotator", {"": ""})
    yield List("me/answers/", "Answer", {"": "", "of a project": f"project={project.slug}"})
    yield List(
        f"{own}/comments/",
        "Comment",
        {
            "": "",
            "open": "resolved=false",
            "resolved": "resolved=true",
            "a rare kind": "kind=offensive",
            "of a question": f"question={question}",
        },
    )
    yield List(
        f"{own}/events/",
        "Event",
        {"": "", "a rare kind": "kind=gold", "a rare person": "actor=rare"},
    )
    yield List(f"{own}/gold/", "Concept", {"": ""})
    yield List(f"{own}/agreement/", "Concept", {"": ""})
    yield List(f"{own}/snapshots/", "Snapshot", {"": ""})
    yield List(f"{own}/exports/", "Export", {"": ""})
    yield List(f"{own}/imports/", "Import", {"": ""})
    yield List(f"webhooks/{hook}/deliveries/", "Delivery", {"": "", "failed": "state=failed"})


def measure(each: List, rounds: int, *, explain: bool) -> None:
    """Get the pages of a list, and print a row for each filter."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling import models

    settings.API_RATE = 1_000_000  # calls a minute
    client = Client(HTTP_HOST="localhost")
    client.force_login(User.objects.get())
    rows = getattr(models, each.model).objects
    for name, query in each.filters.items():
        pages = dict[str, list[tuple[float, float, float]]]()
        for position in _positions(each, rows):
            page = f"/api/v1/{each.address}?{query}{'&' if position else ''}{position}"
            get(client, page)  # once before: what is cached is then
            pages[page] = [get(client, page) for _ in range(rounds)]
        costs = list(chain.from_iterable(pages.values()))
        p95 = statistics.quantiles((wall for wall, *_ in costs), n=20)[-1]
        wall, own, theirs = (statistics.median(column) for column in zip(*costs, strict=True))
        title = each.address + (f", {name}" if name else "")
        mark = "**" if p95 > LIMIT else ""
        print(
            f"| {title} | {rows.count():,} | {mark}{p95:.0f}{mark} | {wall:.0f} "
            f"| {own:.0f} | {theirs:.0f} |",
            flush=True,
        )
        if explain and p95 > LIMIT:
            _show_plans(client, max(pages, key=lambda page: max(pages[page])))


def _positions(each: List, rows: Any) -> Iterator[str]:
    """Yield the queries of the first page, of one in the middle, and of the last."""
    yield ""
    ids = rows.order_by("pk")
    first, last = ids.values_list("pk", flat=True).first(), ids.values_list("pk", flat=True).last()
    for pk in ((first + last) // 2, min(first + 25, last), max(last - 25, first)):
        if each.address.endswith(("events/",)):
            yield f"cursor={pk}"
        elif each.address == "me/answers/":
            answer = rows.filter(pk=pk).get()
            moment = round(answer.created_at.timestamp() * 1_000_000)
            yield urlencode({"cursor": f"{moment}-{pk}"})
        elif each.address.endswith(("gold/", "agreement/")):
            yield f"cursor={pk - first}"
        else:
            position = base64.b64encode(urlencode({"p": pk}).encode()).decode()
            yield urlencode({"cursor": position})


def get(client: Any, page: str) -> tuple[float, float, float]:
    """Return the milliseconds of a page, and those of the CPU here and of the database."""
    theirs, own, wall = database_cpu(), time.process_time(), time.perf_counter()
    response = client.get(page)
    wall, own = time.perf_counter() - wall, time.process_time() - own
    assert response.status_code == 200, (page, response.status_code, response.content[:200])
    return 1000 * wall, 1000 * own, 1000 * (database_cpu() - theirs)


def database_cpu() -> float:
    """Return the CPU seconds of this process's session of the database."""
    from django.db import connection

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _show_plans(client: Any, page: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        client.get(page)
    slowest = max(queries, key=lambda each: float(each["time"]))
    print(f"\n{page}\n{slowest['sql'][:3000]}")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {slowest['sql']}")
        print("\n".join(line for (line,) in cursor.fetchall()), "\n", flush=True)


if __name__ == "__main__":
    main()
