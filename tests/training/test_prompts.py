"""What a project's models are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labeling.models import Concept, Question
from training import prompts

if TYPE_CHECKING:
    from labeling.models import Project

pytestmark = pytest.mark.django_db


def best(project: Project) -> list[str]:
    return [concept.name for concept in prompts.best_known_concepts(project)]


def test_the_concepts_that_most_tiles_are_known_to_show_come_first(shapes: Project) -> None:
    assert best(shapes) == ["circle", "square"], "there is gold of both"
    about = Question.objects.filter(concept__name="square", state="open")
    about.update(probability=0.97, answers_count=2)
    assert best(shapes) == ["square", "circle"]


def test_what_is_only_believed_is_not_known(shapes: Project) -> None:
    Question.objects.exclude(state="gold").filter(concept__name="square").update(probability=0.99)
    assert best(shapes) == ["circle", "square"]


def test_concepts_that_are_not_asked_are_left_out(shapes: Project) -> None:
    circle, square = Concept.objects.order_by("name")
    Concept.objects.filter(pk=square.pk).update(merged_into=circle, active=False)
    assert best(shapes) == ["circle"]
    Concept.objects.update(active=False)
    assert best(shapes) == []
