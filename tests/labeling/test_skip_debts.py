"""To skip what one cannot answer costs nothing; to skip without end waits longer and longer."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import challenges, showings, skip_debts, visitors
from labeling.challenges import pending
from labeling.models import AddressDay, Annotator

pytestmark = pytest.mark.django_db
SCHOOL = "192.0.2.1"


def ask(annotator: Annotator, project, address: str = ""):
    return challenges.issue(annotator=annotator, project=project, kind="grid", address=address)


def test_who_answers_as_often_as_they_skip_never_waits(alice, shapes, monkeypatch):
    monkeypatch.setattr(skip_debts, "FREE", 1)
    for _ in range(2):
        challenges.skip(challenge=ask(alice, shapes))
        challenges.answer(challenge=ask(alice, shapes), selected=[])
    alice.refresh_from_db()
    assert alice.skip_debt == 0


def test_who_only_skips_waits_longer_and_longer_until_they_answer(alice, shapes):
    now = timezone.now()
    waits = []
    for debt in range(skip_debts.FREE - 1, skip_debts.FREE + 12):
        Annotator.objects.filter(pk=alice.pk).update(skip_debt=debt, skipped_at=now)
        alice.refresh_from_db()
        waits.append(skip_debts.seconds_to_wait(alice, showings.ANYWHERE, now=now))
    assert waits[:2] == [0, 0] and waits[2:5] == [2, 4, 8]
    assert waits[-1] == skip_debts.LONGEST
    with pytest.raises(challenges.Paused, match="fine to skip"):
        ask(alice, shapes)
    Annotator.objects.filter(pk=alice.pk).update(skipped_at=now - timedelta(hours=1))
    assert ask(alice, shapes) is not None


def test_an_address_waits_by_all_that_is_skipped_there(alice, shapes, monkeypatch):
    monkeypatch.setattr(skip_debts, "FREE_ADDRESS", 2)
    for _ in range(4):
        challenges.skip(challenge=ask(Annotator.objects.create(), shapes, SCHOOL), address=SCHOOL)
    with pytest.raises(challenges.Paused):
        ask(alice, shapes, SCHOOL)
    assert ask(alice, shapes, "192.0.2.2") is not None


def test_what_is_left_unanswered_for_others_counts_as_skipped(alice, shapes, monkeypatch):
    monkeypatch.setattr(pending, "MAX_PENDING", 2)
    for _ in range(4):
        ask(alice, shapes)
    alice.refresh_from_db()
    assert alice.skip_debt >= 1


def test_the_api_says_when_to_come_back(shapes):
    client = Client()
    body = {"project": "shapes", "kind": "grid"}
    client.post("/api/v1/challenges/", body, content_type="application/json")
    Annotator.objects.update(skip_debt=skip_debts.FREE + 5, skipped_at=timezone.now())
    refused = client.post("/api/v1/challenges/", body, content_type="application/json")
    assert refused.status_code == 429 and refused.json()["code"] == "paused"
    assert 25 < int(refused["Retry-After"]) <= 32


def test_an_address_is_given_so_many_pseudonyms_a_day(shapes, settings):
    settings.NEWCOMERS_PER_ADDRESS = 2
    body = {"project": "shapes", "kind": "grid"}
    answers = [
        Client().post("/api/v1/challenges/", body, content_type="application/json")
        for _ in range(3)
    ]
    assert [each.status_code for each in answers] == [201, 201, 403]
    assert answers[-1].json()["code"] == "newcomers"
    assert "come back tomorrow" in answers[-1].json()["detail"]
    assert Annotator.objects.count() == 2
    elsewhere = Client(REMOTE_ADDR="192.0.2.9")
    assert (
        elsewhere.post("/api/v1/challenges/", body, content_type="application/json").status_code
        == 201
    )
    AddressDay.objects.all().delete()
    assert (
        Client().post("/api/v1/challenges/", body, content_type="application/json").status_code
        == 201
    ), "a day later"


@pytest.mark.parametrize("path", ["/", "/take-part/", "/take-part/shapes/"])
def test_opening_a_page_makes_nobody(shapes, path):
    Client().get(path)
    assert not Annotator.objects.exists() and not AddressDay.objects.exists()


def test_who_never_answered_is_forgotten_after_a_day(alice, shapes):
    newcomer, invited, recent = (Annotator.objects.create() for _ in range(3))
    shapes.memberships.create(annotator=invited, role="annotator")
    ask(newcomer, shapes)
    old = timezone.now() - timedelta(days=2)
    Annotator.objects.exclude(pk=recent.pk).update(created_at=old)
    Annotator.objects.filter(pk=alice.pk).update(seen_at=old)
    assert visitors.forget_unanswered() == 1
    assert set(Annotator.objects.all()) == {alice, invited, recent}
