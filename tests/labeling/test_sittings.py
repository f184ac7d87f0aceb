"""What somebody answered in one go, and what came of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import checks, drawings, sittings
from labeling.drawings import Drawing
from labeling.models import Answer, Project, Question
from tests.cast import answer, member
from tests.labeling.api.test_challenges import ask, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def circles(shapes) -> list[Question]:
    return list(Question.objects.filter(concept__name="circle", state="open")[:6])


def ago(minutes: float, *questions: Question) -> None:
    """Let the answers to these questions be so many minutes old."""
    then = timezone.now() - timedelta(minutes=minutes)
    Answer.objects.filter(question__in=questions).update(created_at=then)


def test_it_holds_what_was_answered_without_a_long_pause(shapes, alice, circles):
    answer(alice, {question.pk: True for question in circles})
    ago(100, *circles[:2])
    ago(40, circles[2])
    ago(15, circles[3])
    sitting = sittings.latest(alice, shapes)
    assert sitting.answers == 4 and 39 * 60 <= sitting.seconds <= 41 * 60


def test_after_a_long_pause_it_is_over(shapes, alice, circles):
    assert sittings.latest(alice, shapes) == sittings.Sitting()
    answer(alice, {circles[0].pk: True})
    ago(31, circles[0])
    assert sittings.latest(alice, shapes) == sittings.Sitting()


def test_it_names_the_concepts_with_their_next_milestone(shapes, alice, circles):
    square = Question.objects.filter(concept__name="square", state="open")[0]
    answer(alice, {question.pk: True for question in [*circles, square]})
    first, second = sittings.latest(alice, shapes).concepts
    assert (first.phrase, first.answers) == ("a circle", 6)
    assert (second.phrase, second.answers) == ("a square", 1)
    assert second.milestone and second.milestone.goal == 10


def test_it_names_them_as_the_question_does(shapes, alice, circles):
    shapes.concepts.get(name="circle").phrases.create(language="ar", phrase="دائرة")
    answer(alice, {circles[0].pk: True})
    (concept,) = sittings.latest(alice, shapes, ["ar"]).concepts
    assert (concept.phrase, concept.language) == ("دائرة", "ar")


def test_captions_that_were_written_count(client, shapes, alice):
    Question.objects.create(
        project=shapes,
        tile=shapes.questions.all()[0].tile,
        kind="caption",
        text="Something new",
        author=alice,
        random_key=0.5,
    )
    assert sittings.latest(alice, shapes).answers == 1


def test_it_says_how_far_others_agree_of_what_may_be_told(shapes, alice, bob, circles, monkeypatch):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 1.0)
    yes, no, untold = circles[:3]
    answer(alice, {yes.pk: True, no.pk: True, untold.pk: True})
    answer(bob, {yes.pk: True, no.pk: False, untold.pk: False})
    Question.objects.filter(pk__in=[yes.pk, no.pk]).update(state="settled")
    Question.objects.filter(pk=yes.pk).update(model_probability=0.8)
    ago(1, yes, no, untold)
    assert sittings.latest(alice, shapes).agreement == (
        "Others agree with you about 1 picture. About 1 picture, people see it differently. "
        "The model agrees with you about 1 picture."
    )


def test_nothing_is_said_of_what_may_not_be_told(shapes, alice, bob, circles, monkeypatch):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 0.0)
    answer(alice, {question.pk: True for question in circles})
    Question.objects.update(state="settled")
    ago(1, *circles)
    assert sittings.latest(alice, shapes).agreement == ""


def test_over_http_it_tells_a_visitor_their_own(client, shapes, monkeypatch):
    class Model:
        def after_answers(self, annotator, project):
            return [Drawing("a circle", "/after/", 32, "/before/")]

    monkeypatch.setattr(drawings, "_sources", [Model()])
    address = "/api/v1/projects/shapes/sitting/"
    assert client.get(address).json()["answers"] == 0
    submit(client, ask(client, kind="grid")["token"], selected=[])
    sitting = client.get(address).json()
    assert sitting["answers"] == 9 and sitting["language"] == "en"
    assert sitting["drawings"] == [
        {"words": "a circle", "url": "/after/", "earlier_url": "/before/", "small": True}
    ]
    (concept,) = sitting["concepts"]
    assert concept["answers"] == 9 and concept["milestone"] == {"labels": 0, "goal": 10}


def test_of_a_private_project_strangers_are_told_nothing(client, shapes, carol):
    Project.objects.update(private=True)
    assert client.get("/api/v1/projects/shapes/sitting/").status_code == 404
    shapes.refresh_from_db()
    invited = member(shapes, carol, "annotator")
    assert invited.get("/api/v1/projects/shapes/sitting/").status_code == 200
