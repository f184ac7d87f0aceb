"""Members are told what waits for them: what they may do something about, and no more."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from labeling import members, notices
from labeling.inference import schedule
from labeling.models import Annotator, Comment, Import, Membership, Project, Recomputation
from tests.cast import answer, distrust

pytestmark = pytest.mark.django_db


def texts(project: Project, user: User) -> list[str]:
    cache.clear()
    return [notice.text for notice in notices.of(project, user)]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_nothing_waits_in_a_new_project(shapes, olga):
    assert texts(shapes, olga) == [] and notices.count(olga) == 0


def test_questions_flags_and_suspects_wait_for_a_reviewer(shapes, mallory, carol, olga):
    shapes.questions.filter(pk=shapes.questions.last().pk).update(state="ambiguous")
    tile = shapes.questions.first().tile
    Comment.objects.create(project=shapes, tile=tile, annotator=mallory, kind="broken")
    answer(mallory, {shapes.questions.filter(kind="concept").first().pk: True})
    distrust(mallory)
    reviewer = Membership.objects.create(project=shapes, user=carol, role="reviewer")
    assert texts(shapes, carol) == ["1 question to decide", "1 flag", "1 annotator to look at"]
    reviewer.role = "viewer"
    reviewer.save()
    assert texts(shapes, carol) == []


def test_imports_wait_for_an_owner(shapes, olga):
    Import.objects.create(project=shapes, name="old.zip", state="choosing")
    newest = Import.objects.create(project=shapes, name="new.zip", state="failed")
    assert texts(shapes, olga) == [
        "Choose the concepts of “old.zip”",
        "The import “new.zip” failed",
    ]
    Import.objects.filter(pk=newest.pk).update(state="done")
    assert texts(shapes, olga) == ["Choose the concepts of “old.zip”"]


def test_an_owner_is_told_that_memory_keeps_labels_from_being_recomputed(shapes, olga):
    with pytest.raises(MemoryError), schedule.claim(shapes):
        raise MemoryError
    shapes.refresh_from_db()
    assert texts(shapes, olga) == [schedule.OUT_OF_MEMORY]
    with schedule.claim(shapes):
        shapes.refresh_from_db()
        assert texts(shapes, olga) == [schedule.OUT_OF_MEMORY], "until one comes to its end"
    shapes.refresh_from_db()
    assert texts(shapes, olga) == []


def test_an_owner_is_told_of_a_recomputation_whose_process_was_killed(shapes, olga):
    lost = timezone.now() - timedelta(minutes=2)
    row = {"state": "running", "lease_until": lost, "lease_token": uuid4().hex}
    Recomputation.objects.update_or_create(project=shapes, defaults=row)
    shapes.refresh_from_db()
    assert texts(shapes, olga) == [schedule.LOST]
    with schedule.claim(shapes):
        shapes.refresh_from_db()
        assert texts(shapes, olga) == [schedule.LOST]
    shapes.refresh_from_db()
    assert texts(shapes, olga) == []


def test_an_owner_is_told_who_joined_until_they_look(shapes, olga, carol):
    _, token = members.invite(project=shapes, role="viewer", by=olga)
    members.accept(token=token, user=carol)
    assert texts(shapes, olga) == ["carol joined"]
    assert notices.count(olga) == 1
    client_of(olga).get("/projects/shapes/people/")
    assert texts(shapes, olga) == [] and notices.count(olga) == 0


def test_the_header_counts_what_waits(shapes, olga):
    Import.objects.create(project=shapes, name="<b>.zip", state="choosing")
    page = client_of(olga).get("/projects/shapes/").content.decode()
    assert "1<span" in page and "waiting for you" in page
    assert "Choose the concepts of “&lt;b&gt;.zip”" in page
    assert "waiting for you" not in Client().get("/").content.decode()


def test_strangers_are_told_nothing(shapes, carol):
    Import.objects.create(project=shapes, name="new.zip", state="choosing")
    assert texts(shapes, carol) == [] and notices.count(carol) == 0
    assert Annotator.objects.count() == 0
