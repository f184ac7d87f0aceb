import pytest

from labeling import bulk_insert
from labeling.models import Concept, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return Project.objects.create(slug="photos", name="Photos")


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
