"""Seconds that the admin's lists and the review page take at many questions.

Beside each list stands Django's own: the same columns and filters, but Django's paginator and its
full result count. Fills a database of its own and drops it at the end; prints Markdown.

    python tests/benchmarks/admin_lists.py [QUESTIONS]
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import servers

CONCEPTS = 40
ANNOTATORS = 500
ROUNDS = 9
BATCH = 5_000


def main() -> None:
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with servers.ensure(servers.data_dir()):
        import django

        django.setup()
        from django.conf import settings
        from django.test.utils import setup_databases, teardown_databases

        settings.ALLOWED_HOSTS = ["testserver"]
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            project = fill(questions)
            report(project, questions)
        finally:
            teardown_databases(databases, verbosity=0)


def fill(count: int) -> Any:
    """A project with `count` questions and half as many answers."""
    from django.contrib.auth.models import User
    from django.db import connection

    from labeling import models

    draw = random.Random(0)
    User.objects.create_superuser("reviewer")
    project = models.Project.objects.create(state="open", slug="many", name="Many")
    concepts = models.Concept.objects.bulk_create(
        models.Concept(project=project, name=f"thing {n}", phrase=f"a thing {n}")
        for n in range(CONCEPTS)
    )
    annotators = models.Annotator.objects.bulk_create(
        models.Annotator(answers_count=draw.randrange(1000)) for _ in range(ANNOTATORS)
    )
    images = models.Image.objects.bulk_create(
        (_image(project, number, draw) for number in range(-(-count // 4))), batch_size=BATCH
    )
    tiles = models.Tile.objects.bulk_create(
        (models.Tile(image=image, width=64, height=64) for image in images), batch_size=BATCH
    )
    asked = models.Question.objects.bulk_create(
        (
            _question(project, tiles[n // 4], concepts[(n // 4 + n % 4) % CONCEPTS], draw)
            for n in range(count)
        ),
        batch_size=BATCH,
    )
    models.Answer.objects.bulk_create(
        (
            models.Answer(
                question=question,
                annotator=annotator,
                value=draw.random() < 0.5,
                reason=models.Answer.Reason.WANTED,
                seconds=2.0,
            )
            for question in asked[: count // 10]
            for annotator in draw.sample(annotators, 5)
        ),
        batch_size=BATCH,
    )
    models.Challenge.objects.bulk_create(
        (_challenge(project, draw.choice(annotators), concepts[0]) for _ in range(count // 20)),
        batch_size=BATCH,
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return project


def _image(project: Any, number: int, draw: random.Random) -> Any:
    from labeling import models

    return models.Image(
        project=project,
        sha256=f"{draw.getrandbits(256):064x}",
        source_sha256=f"{draw.getrandbits(256):064x}",
        perceptual_hash=draw.getrandbits(62),
        file=f"images/{number}.png",
        width=64,
        height=64,
        keywords=[f"word {number % 500}"],
        source=f"pictures/{number}.png",
    )


def _question(project: Any, tile: Any, concept: Any, draw: random.Random) -> Any:
    from labeling import models

    answers = 5 if draw.random() < 0.1 else 0
    yes = draw.randrange(answers + 1)
    state = draw.choice(["open", "open", "open", "settled", "ambiguous"])
    return models.Question(
        project=project,
        tile=tile,
        kind="concept",
        concept=concept,
        state=state,
        probability=draw.random(),
        answers_count=answers,
        yes_count=yes,
        disagreement=2 * min(yes, answers - yes) / (answers + 2),
        random_key=draw.random(),
    )


def _challenge(project: Any, annotator: Any, concept: Any) -> Any:
    from django.utils import timezone

    from labeling import models

    return models.Challenge(
        project=project,
        annotator=annotator,
        kind="grid",
        concept=concept,
        expires_at=timezone.now(),
        answered_at=timezone.now(),
        passed=True,
    )


@contextmanager
def as_django_does() -> Iterator[None]:
    """Every list with Django's own paginator and its full result count."""
    from django.contrib import admin
    from django.core.paginator import Paginator

    from labeling.admin.base import QuickAdmin

    ours = QuickAdmin.paginator, QuickAdmin.show_full_result_count
    QuickAdmin.paginator = Paginator  # type: ignore[assignment]
    QuickAdmin.show_full_result_count = admin.ModelAdmin.show_full_result_count
    try:
        yield
    finally:
        QuickAdmin.paginator, QuickAdmin.show_full_result_count = ours


def report(project: Any, questions: int) -> None:
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.test import Client

    from labeling import models, review_order
    from labeling.project_pages import review_queue

    client = Client()
    client.force_login(User.objects.get())
    concept, annotator = models.Concept.objects.all()[0], models.Annotator.objects.all()[0]
    everything = review_queue.Filters({}, project=project).questions()
    deep = everything.order_by("disagreement", "id")[PAGES_END]
    one = review_order.after(everything, None, 1)[0]
    review = f"/projects/{project.slug}/labels/"
    lists = {
        "questions": "question/",
        "questions, page 1,000": f"question/?p={min(1000, questions // 50)}",
        "open questions of a concept": f"question/?concept={concept.pk}&state=open",
        "a question by its words": "question/?q=wanted",
        "answers": "answer/",
        "answers of an annotator": f"answer/?q={annotator.pseudonym}",
        "images": "image/",
        "images with a keyword": "image/?q=word+7",
        "challenges": "challenge/",
        "annotators": "annotator/",
    }
    print(f"| page, at {questions:,} questions | ours, s | Django's list, s |\n|---|---|---|")
    for name, address in lists.items():
        ours, theirs = compared(partial(client.get, f"/admin/labeling/{address}"))
        print(f"| {name} | {ours:.3f} | {theirs:.3f} |", flush=True)
    pages = {
        "review": review,
        "review of a concept": f"{review}?concept={concept.pk}",
        "review of ambiguous captions (none)": f"{review}?state=ambiguous&kind=caption",
        "review, near the last question": f"{review}?after={review_order.Position.of(deep)}",
        "answers to a question": f"/projects/{project.slug}/questions/{one.pk}/",
    }
    for name, address in pages.items():
        print(f"| {name} | {seconds(partial(client.get, address)):.3f} | – |")

    def recomputed() -> Any:
        cache.clear()
        return client.get(review)

    print(f"| review, statistics recomputed | {seconds(recomputed, rounds=3):.3f} | – |")


PAGES_END = 100  # questions from the end of the wall


def compared(request: Callable[[], Any]) -> tuple[float, float]:
    """Medians of our list and of Django's, taken in turns, so that both meet the same machine."""
    pairs = []
    for _ in range(ROUNDS + 1):
        ours = once(request)
        with as_django_does():
            pairs.append((ours, once(request)))
    return statistics.median(a for a, _ in pairs[1:]), statistics.median(b for _, b in pairs[1:])


def seconds(request: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Median of several requests, after one that warms up."""
    return statistics.median([once(request) for _ in range(rounds + 1)][1:])


def once(request: Callable[[], Any]) -> float:
    start = time.perf_counter()
    response = request()
    taken = time.perf_counter() - start
    assert response.status_code == 200, (response.status_code, response.content[:200])
    return taken


if __name__ == "__main__":
    main()
