"""The last two steps of a project's overview: the model and its drawings."""

import pytest
from django.utils import timezone

from labeling import access
from labeling.models import Pair, Project, Question
from labeling.project_pages import loop
from training.models import Generation, Model, Run, Sample
from training.project_pages import steps

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few_labels_do(settings) -> None:
    settings.RETRAIN_MINIMUM = 4


def step(project: Project, name: str) -> loop.Step:
    from django.core.cache import cache

    cache.clear()
    return next(step for step in loop.steps(project) if step.name == name)


def test_both_steps_are_part_of_the_loop() -> None:
    assert {steps.model, steps.drawings} <= set(loop._steps.values())


def settle(project: Project, count: int) -> None:
    rows = Question.objects.filter(project=project, settled_at=None, state="open")[:count]
    ids = [row.pk for row in rows]
    Question.objects.filter(pk__in=ids).update(settled_at=timezone.now(), state="settled")


def trained(project: Project, recipe: str = "diffusion", **fields) -> Model:
    run = Run.objects.create(project=project, recipe=recipe, preset="cpu", state="succeeded")
    return Model.objects.create(project=project, run=run, recipe=recipe, **fields)


def test_a_model_can_learn_once_there_are_labels_enough(shapes: Project) -> None:
    assert "4 more certain labels" in step(shapes, "model").state
    settle(shapes, 5)
    (action,) = step(shapes, "model").actions
    assert action.text == "Train: 5 new labels" and action.urgency == loop.Urgency.WAITING
    assert action.capability == access.Capability.TRAIN


def test_a_run_under_way_is_not_asked_for_again(shapes: Project) -> None:
    settle(shapes, 5)
    Run.objects.create(
        project=shapes, recipe="clip", preset="cpu", state="running", step=1, steps=4
    )
    Run.objects.create(project=shapes, recipe="diffusion", preset="cpu")  # waits behind it
    shown = step(shapes, "model")
    assert shown.state == "Training clip: 25%." and shown.actions == ()
    Run.objects.filter(recipe="clip").update(step=0, steps=0)  # it reads its data yet
    assert step(shapes, "model").state == "Training clip."


def test_pairs_can_be_learnt_from_without_a_label(shapes: Project) -> None:
    Pair.objects.create(image=shapes.images.all()[0])
    shown = step(shapes, "model")
    assert shown.state == "It can learn from 1 pair now."
    (action,) = shown.actions
    assert action.url == "/projects/shapes/train/?preset=pairs/cpu"
    trained(shapes, recipe="pairs")
    assert step(shapes, "model").actions == ()


def test_new_labels_wait_for_a_retraining_once_there_are_enough(shapes: Project) -> None:
    trained(shapes, current=True, reviewed_at=timezone.now())
    settle(shapes, 5)
    (action,) = step(shapes, "model").actions
    assert action.text == "Retrain: 5 new labels" and action.urgency == loop.Urgency.OPTIONAL
    shapes.retrain_after = 5
    (action,) = step(shapes, "model").actions
    assert action.urgency == loop.Urgency.WAITING


def test_a_model_waits_for_its_verdict_and_then_for_a_comparison(shapes: Project) -> None:
    trained(shapes, current=True, reviewed_at=timezone.now())
    candidate = trained(shapes)
    assert "waits for its verdict" in step(shapes, "model").state
    candidate.reviewed_at = timezone.now()
    candidate.save()
    assert [action.text for action in step(shapes, "model").actions] == ["Compare and promote"]


def test_drawings_are_counted_with_those_that_await_answers(shapes: Project) -> None:
    assert step(shapes, "drawings").state == "No model that draws yet."
    model = trained(shapes, current=True, reviewed_at=timezone.now())
    generation = Generation.objects.create(model=model, prompt="a circle")
    Sample.objects.create(generation=generation, file="samples/1.png")
    draft = Generation.objects.create(model=model, prompt="a cir", draft=True)
    Sample.objects.create(generation=draft, file="samples/2.png")
    asked = Question.objects.filter(project=shapes, kind="concept", state="open").first()
    Question.objects.filter(pk=asked.pk).update(source="model")
    shown = step(shapes, "drawings")
    assert (shown.number, shown.unit) == (1, "drawing")
    assert shown.state == "1 awaits people's answers."
    assert shown.actions[0].url == "/draw/?project=shapes"
