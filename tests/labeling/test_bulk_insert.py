from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from labeling import bulk_insert
from labeling.models import Concept, Image, Project, Question, Tile

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return Project.objects.create(state="open", slug="photos", name="Photos")


@pytest.fixture(params=[0, 500], ids=["by COPY", "as JSON"], autouse=True)
def few(request, monkeypatch):
    monkeypatch.setattr(bulk_insert, "FEW", request.param)


def concept(project, name):
    return Concept(project=project, name=name, phrase=f'a "{name}"\t\\N')


def test_it_inserts_rows_as_they_are(project):
    assert bulk_insert.insert([concept(project, "cat"), concept(project, "ünï\ncode")]) == 2
    stored = Concept.objects.get(name="ünï\ncode")
    assert (stored.phrase, stored.active, stored.prevalence) == ('a "ünï\ncode"\t\\N', True, 0.1)


def test_it_passes_over_what_a_constraint_forbids(project):
    concept(project, "cat").save()
    assert bulk_insert.insert([concept(project, "cat"), concept(project, "dog")]) == 1
    assert bulk_insert.insert([]) == 0


def test_it_may_be_called_again_in_the_same_transaction(project):
    assert (
        bulk_insert.insert([concept(project, "cat")])
        + bulk_insert.insert([concept(project, "dog")])
        == 2
    )


def test_times_lists_and_gaps_are_kept(project):
    image = Image.objects.create(project=project, perceptual_hash=1, width=9, height=9)
    tile = Tile.objects.create(image=image, width=9, height=9)
    concept(project, "cat").save()
    expiry = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    question = Question(
        project=project,
        tile=tile,
        kind="concept",
        concept=Concept.objects.get(),
        random_key=0.1 + 0.2,
        reservations=[expiry, expiry],
    )
    assert bulk_insert.insert([question]) == 1
    stored = Question.objects.get()
    assert (stored.random_key, stored.reservations) == (0.1 + 0.2, [expiry, expiry])
    assert (stored.verdict, stored.settled_at) == (None, None)
    assert stored.created_at is not None


def test_it_gives_rows_the_keys_that_they_are_stored_under(project):
    rows = [concept(project, "cat"), concept(project, "dog"), concept(project, "ünï\ncode")]
    bulk_insert.insert_with_ids(rows)
    bulk_insert.insert_with_ids([])
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    assert [Concept.objects.get(pk=row.pk).name for row in rows] == [row.name for row in rows]
    rows[0].save()  # which knows that the row is there
    assert Concept.objects.create(project=project, name="cow", phrase="a cow").pk > rows[-1].pk


def test_keys_may_be_set_before_the_rows_are_stored(project):
    rows = [concept(project, "cat"), concept(project, "dog")]
    bulk_insert.set_ids(rows)
    ids = [row.pk for row in rows]
    bulk_insert.insert_with_ids(rows)
    assert [row.pk for row in rows] == ids
    assert set(Concept.objects.values_list("pk", flat=True)) == set(ids)


def test_rows_that_a_constraint_forbids_raise_where_keys_are_wanted(project):
    concept(project, "cat").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert.insert_with_ids([concept(project, "dog"), concept(project, "cat")])
    assert Concept.objects.count() == 1
