"""Names are sorted as people expect, whatever the database was built with."""

import pytest

from labeling.models import Concept, Project

NAMES = ["ahorn", "Apfel", "Ärmel", "Aster", "Éclair", "Esel", "Zebra", "Ångström"]


@pytest.mark.django_db
def test_marks_and_capitals_do_not_count() -> None:
    project = Project.objects.create(slug="words", name="Words")
    for name in reversed(NAMES):
        Concept.objects.create(project=project, name=name, phrase=name)
        Project.objects.create(slug=f"p{len(name)}-{name[-1]}{name[1]}", name=name)
    in_order = ["ahorn", "Ångström", "Apfel", "Ärmel", "Aster", "Éclair", "Esel", "Zebra"]
    assert [concept.name for concept in project.concepts.all()] == in_order
    assert [each.name for each in Project.objects.exclude(pk=project.pk)] == in_order
