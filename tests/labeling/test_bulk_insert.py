from datetime import UTC, datetime

import pytest

from labeling import bulk_insert
from labeling.models import Concept, Image, Project, Question, Tile

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return Project.objects.create(slug="photos", name="Photos")


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
