"""Pictures are removed while people answer, pools fill, others come in, snapshots are frozen."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, F

from labeling import challenges, comments, images, pools, removal, review, snapshots, wording
from labeling.gold import GoldError
from labeling.inference import recompute
from labeling.models import (
    Annotator,
    Answer,
    Comment,
    Image,
    Project,
    Question,
    RemovedAnswer,
    RemovedImage,
    Snapshot,
    Tile,
)
from labeling.presence import PictureGone
from tests.pictures import png

pytestmark = pytest.mark.django_db(transaction=True)
REMOVED = 5


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT = tmp_path / "cache"


def until(stop: threading.Event, step: Callable[[Project, int], int]) -> int:
    """Take a step after the other; return what they add up to."""
    total = turn = 0
    try:
        while not stop.is_set():
            total += step(Project.objects.get(), turn)
            turn += 1
    finally:
        connection.close()
    return total


def take_part(project: Project, turn: int) -> int:
    """Answer a challenge, unless it was about something that is gone by now."""
    annotator = Annotator.objects.create()
    challenge = challenges.issue(annotator=annotator, project=project)
    if challenge is None:
        return 0
    given: dict[str, object] = {"yes": True, "selected": [1], "text": f"a shape, the {turn}th"}
    try:
        wording.of_challenge(challenge)
        return challenges.answer(challenge=challenge, **given).recorded * (
            challenge.kind != "write"
        )
    except challenges.Expired:
        return 0


def fill(project: Project, turn: int) -> int:
    return pools.fill_project(project)


def add(project: Project, turn: int) -> int:
    images.add(project=project, data=png(1000 + turn % 20), source=f"new {turn}.png")
    return 0


def look(project: Project, turn: int) -> int:
    recompute.run(project=project)
    snapshot = snapshots.freeze(project=project)
    assert snapshot.state == Snapshot.State.READY, snapshot.error
    return 0


def say(project: Project, turn: int) -> int:
    """Decide about a question that may be going just now, and flag its picture."""
    ada = User.objects.get(username="ada")
    question = Question.objects.select_related("tile__image", "concept").order_by("pk").first()
    assert question is not None
    question.project = project
    with suppress(PictureGone):
        comments.flag(tile=question.tile, kind="broken", question=question, user=ada)
    with suppress(PictureGone):
        comments.remark(question=question, text="hm", by=ada)
    with suppress(PictureGone, GoldError):
        review.decide(question=question, value=turn % 2 == 0, by=ada, note="hm")
    return 1


def test_what_is_said_about_a_picture_that_is_going_goes_with_it_or_is_refused(shapes, ada):
    stop = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        turns = [pool.submit(until, stop, say) for _ in range(3)]
        try:
            for image in list(shapes.images.order_by("pk")[:REMOVED]):
                removal.remove([image], by=None, reason="private")
        finally:
            stop.set()
    assert sum(turn.result() for turn in turns) > 0
    assert not Comment.objects.exclude(tile__in=Tile.objects.values("pk")).exists()


def test_a_reviewer_who_comes_too_late_is_told_that_the_picture_is_gone(shapes, ada):
    question = Question.objects.select_related("tile__image").order_by("pk").first()
    removal.remove([question.tile.image], by=None, reason="private")
    for step in (review.decide, review.reopen):
        values = {"value": True} if step is review.decide else {}
        with pytest.raises(PictureGone, match="was removed"):
            step(question=question, by=ada, **values)
    with pytest.raises(PictureGone, match="was removed"):
        comments.remark(question=question, text="hm", by=ada)


def test_every_answer_is_counted_or_archived_and_nobody_waits_for_ever(shapes):
    stop = threading.Event()
    steps = [take_part, take_part, fill, add, look]
    with ThreadPoolExecutor(len(steps)) as pool:
        turns = [pool.submit(until, stop, step) for step in steps]
        try:
            for image in list(shapes.images.order_by("pk")[:REMOVED]):
                removal.remove([image], by=None, reason="private")
        finally:
            stop.set()
    taken = [turn.result() for turn in turns]
    given = sum(taken[:2])
    assert Answer.objects.count() + RemovedAnswer.objects.count() >= given > 0
    recompute.run(project=shapes)
    counted = Question.objects.annotate(given=Count("answers"))
    assert not counted.exclude(answers_count=F("given")).exists()
    assert RemovedImage.objects.count() == REMOVED
    assert not Image.objects.filter(pk__in=RemovedImage.objects.values("image_id")).exists()
    for snapshot in Snapshot.objects.all():
        held = snapshot.counts["images"]
        left = shapes.images.filter(pk__lte=snapshot.newest_image, generated=False).count()
        assert snapshot.removed == held - left
