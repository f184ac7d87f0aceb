"""What a model gives back to the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from labeling.models import Image, Question
from tests.training.studio import make_model
from training import feedback, verdicts
from training.models import Generation, Model

if TYPE_CHECKING:
    from labeling.models import Project, Snapshot

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def reviewed(shapes: Project, snapshot: Snapshot) -> Model:
    """A reviewed model of a project that knows circles, and one caption for sure."""
    Question.objects.exclude(concept__name="circle").update(probability=0.4)
    caption = Question.objects.filter(kind=Question.Kind.CAPTION).first()
    assert caption
    Question.objects.filter(pk=caption.pk).update(probability=0.9, text="a red balloon")
    model = make_model(snapshot, recipe="diffusion")
    Model.objects.update(reviewed_at=timezone.now())
    return model


def test_people_are_asked_about_samples_of_what_the_project_knows(reviewed: Model) -> None:
    given = feedback.give(reviewed)
    assert given == {"samples": 8, "questions": 8}
    prompts = Generation.objects.filter(model=reviewed).values_list("prompt", "count")
    assert set(prompts) == {("a circle", 4), ("a red balloon", 4)}
    asked = Question.objects.filter(samples__generation__model=reviewed)
    assert {question.wording for question in asked} == {"a circle", "a red balloon"}
    assert {question.source for question in asked} == {Question.Source.MODEL}
    assert Image.objects.filter(generated=True).count() == 4  # the stand-in ignores prompts
    assert not feedback.is_due(Model.objects.get(pk=reviewed.pk))


def test_where_nothing_is_settled_there_is_nothing_to_draw_and_it_is_said(reviewed: Model) -> None:
    Question.objects.update(probability=0.4)
    assert feedback.give(reviewed) == {"samples": 0}
    assert "have settled nothing yet" in verdicts.feedback(reviewed)


def test_what_goes_wrong_is_stored_and_leaves_nothing_half_asked(
    reviewed: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**fields: object) -> None:
        raise OSError("It cannot be read.")

    monkeypatch.setattr(feedback.sample_questions, "ask", fail)
    assert feedback.give(reviewed) == {"error": "It cannot be read."}
    assert not Generation.objects.exists()
    assert not feedback.is_due(Model.objects.get(pk=reviewed.pk))
