"""What public models drew, as the first page and the end of a sitting show it."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.utils import timezone

from labeling import drawings, milestones
from labeling.milestones import Training
from labeling.models import Project, Question, Snapshot
from tests.cast import answer
from tests.pictures import draw
from training import showcase
from training.models import Generation, Model, Run, Sample

pytestmark = pytest.mark.django_db


@pytest.fixture
def models(shapes) -> list[Model]:
    """Return an earlier accepted model and the present one, without drawings."""
    return [make_model(shapes, current=current) for current in (False, True)]


def make_model(project: Project, *, current: bool) -> Model:
    snapshot = Snapshot.objects.create(
        project=project, folder="snapshots/none", state="ready", newest_answer=20 if current else 10
    )
    rows = {"project": project, "recipe": "diffusion"}
    run = Run.objects.create(**rows, snapshot=snapshot, preset="cpu", state="succeeded")
    return Model.objects.create(**rows, run=run, folder="runs/none", current=current, accepted=True)


def let_draw(model: Model, prompt: str, **fields) -> Generation:
    generation = Generation.objects.create(model=model, prompt=prompt, state="succeeded", **fields)
    question = Question.objects.filter(project=model.project, state="gold").first()
    sample = Sample(generation=generation, seed=1, question=question)
    sample.file.save("sample.png", ContentFile(draw(shape="circle", colour="red", corner=0)))
    return generation


def test_the_same_words_are_shown_before_and_after(shapes, models):
    earlier, present = models
    let_draw(present, "a square")
    before, after = let_draw(earlier, "a circle"), let_draw(present, "a circle")
    first, second = drawings.newest(shapes)
    assert (first.words, second.words) == ("a circle", "a square")
    assert str(before.pk) in first.earlier_url and str(after.pk) in first.url
    assert second.earlier_url == "" and first.is_small


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        ("snapshot", {"newest_answer": 20}),
        ("run", {"preset": "gpu"}),
        ("run", {"options": {"steps": 9}}),
    ],
)
def test_nothing_is_shown_beside_it_where_answers_are_not_what_came_between(
    shapes, models, row, changes
):
    for model in models:
        let_draw(model, "a circle")
    run = models[0].run
    changed = run.snapshot if row == "snapshot" else run
    type(changed).objects.filter(pk=changed.pk).update(**changes)
    (drawing,) = drawings.newest(shapes)
    assert drawing.earlier_url == ""


def test_what_visitors_asked_for_is_not_shown(shapes, models, carol):
    let_draw(models[1], "something of mine", visitor="a session")
    let_draw(models[1], "something of hers", requested_by=carol)
    assert drawings.newest(shapes) == []


def test_what_was_removed_is_not_shown(shapes, models):
    let_draw(models[1], "a circle")
    Sample.objects.update(question=None)
    assert drawings.newest(shapes) == []


@pytest.mark.parametrize("changes", [{"private": True}, {"state": "archived"}])
def test_of_private_and_closed_projects_nothing_is_shown(shapes, models, changes):
    let_draw(models[1], "a circle")
    Project.objects.update(**changes)
    shapes.refresh_from_db()
    assert drawings.newest(shapes) == []


def test_a_model_that_was_not_accepted_shows_nothing(shapes, models):
    let_draw(models[1], "a circle")
    Model.objects.update(current=False, accepted=False)
    assert drawings.newest(shapes) == []


def test_anybody_may_see_the_pictures(client, shapes, models):
    let_draw(models[1], "a circle")
    (drawing,) = drawings.newest(shapes)
    response = client.get(drawing.url)
    assert response.status_code == 200 and b"".join(response.streaming_content)
    assert drawing.url in client.get("/").content.decode()


def test_who_answered_before_the_training_is_shown_what_came_of_it(shapes, models, alice, bob):
    let_draw(models[1], "a circle")
    question = Question.objects.filter(concept__name="circle", state="open")[0]
    answer(alice, {question.pk: True})
    assert drawings.after_answers(alice, shapes) == []  # it has not learned from that yet
    Snapshot.objects.update(created_at=timezone.now() + timedelta(seconds=1))
    assert [each.words for each in drawings.after_answers(alice, shapes)] == ["a circle"]
    assert drawings.after_answers(bob, shapes) == []


def test_the_next_training_is_a_number_of_labels(shapes, settings):
    settings.RETRAIN_MINIMUM = 50
    assert milestones.training(shapes) == Training(0, 50)
    Question.objects.filter(state="open").update(state="settled", settled_at=timezone.now())
    settings.RETRAIN_MINIMUM = 1
    settled = Question.objects.filter(settled_at__isnull=False).count()
    assert showcase.next_training(shapes) == Training(settled, 500)
    shapes.retrain_after = 0
    assert showcase.next_training(shapes) is None
    cache.clear()
