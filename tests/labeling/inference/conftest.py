"""A project of many pictures, of which every second shows a duck."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labeling.models import Concept, Project


@pytest.fixture
def field(db: None) -> "Project":
    """A hundred and sixty tiles, and the question of each whether it shows a duck."""
    from labeling import questions
    from labeling.models import Concept, Project
    from tests.labeling.field import pictures

    project = Project.objects.create(state="open", slug="field", name="Field")
    duck = Concept.objects.create(project=project, name="duck", phrase="a duck", prevalence=0.5)
    questions.ask_concepts(tiles=pictures(project, 160), concepts=[duck])
    return project


@pytest.fixture
def duck(field: "Project") -> "Concept":
    """The concept of the field."""
    from labeling.models import Concept

    return Concept.objects.get(project=field)
