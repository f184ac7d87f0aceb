"""The page that says what is believed of a picture, where any pair can be decided."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from labeling import answers
from labeling.models import Annotator, Concept, Image, Membership, Project, Question
from labeling.project_pages import image_labels
from tests.browser import Listen

pytestmark = pytest.mark.django_db
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture
def image(shapes: Project) -> Image:
    """A red circle; nobody has thought of the dog when it was imported."""
    Concept.objects.create(project=shapes, name="dog", phrase="a dog", prevalence=0.07)
    return Image.objects.get(source="red circle 01.png")


def address(image: Image, what: str = "labels") -> str:
    return f"/projects/{image.project.slug}/pictures/{image.pk}/{what}/"


def shown(client: Client, image: Image, **query: object) -> dict[str, image_labels.Label]:
    labels = client.get(address(image), query).context["labels"]
    return {label.concept.name: label for label in labels}


def test_it_says_what_is_stored_and_what_is_implicit(
    ada_client: Client, image: Image, alice: Annotator
) -> None:
    circle = Question.objects.get(tile__image=image, concept__name="circle")
    answers.record(annotator=alice, values={circle.pk: True}, reasons={circle.pk: "wanted"})
    labels = shown(ada_client, image)
    assert list(labels) == ["circle", "dog", "square"]
    assert labels["circle"].question == circle and labels["circle"].probability > 0.8
    assert (labels["dog"].question, labels["dog"].probability) == (None, 0.07)
    assert labels["dog"].grounds == ["prevalence 0.07"]
    assert b"1 of 1 yes" in ada_client.get(address(image)).content


def test_an_implicit_pair_that_an_import_states_says_so(ada_client: Client, image: Image) -> None:
    Image.objects.filter(pk=image.pk).update(stated_keys=["dog"])
    label = shown(ada_client, image)["dog"]
    assert (label.question, label.probability) == (None, 0.9)
    assert label.grounds == ["import says 0.90"]


def test_a_reviewer_decides_an_implicit_pair(ada: User, ada_client: Client, image: Image) -> None:
    dog = Concept.objects.get(name="dog")
    page = ada_client.post(address(image, "decide"), {"no": dog.pk}, follow=True)
    question = Question.objects.get(concept=dog)
    assert (question.verdict, question.decided_by, question.reason) == (False, ada, "decided")
    assert "is no, by your decision" in page.content.decode()
    assert shown(ada_client, image)["dog"].question == question


def test_a_part_of_a_cut_picture_is_decided_by_itself(ada_client: Client, scenes: object) -> None:
    image = Image.objects.filter(cut_into=4)[0]
    part = image.tiles.get(grid=4, position=5)
    dog = Concept.objects.create(project=image.project, name="dog", phrase="a dog")
    ada_client.post(address(image, "decide"), {"yes": dog.pk, "tile": part.pk})
    assert Question.objects.get(concept=dog).tile == part
    assert shown(ada_client, image)["dog"].question is None
    assert shown(ada_client, image, tile=part.pk)["dog"].probability == 1.0


@pytest.mark.parametrize("choice", [{}, {"yes": "rubbish"}, {"yes": "9" * 30}, {"no": "0"}])
def test_a_choice_that_makes_no_sense_changes_nothing(
    ada_client: Client, image: Image, choice: dict[str, str]
) -> None:
    page = ada_client.post(address(image, "decide"), choice, follow=True)
    assert "nothing was changed" in page.content.decode()
    assert not Question.objects.filter(verdict__isnull=False, decided_by__isnull=False).exists()


def test_a_merged_concept_is_not_listed_and_not_decided(ada_client: Client, image: Image) -> None:
    circle, dog = Concept.objects.get(name="circle"), Concept.objects.get(name="dog")
    Concept.objects.filter(pk=dog.pk).update(merged_into=circle, active=False)
    assert "dog" not in shown(ada_client, image)
    page = ada_client.post(address(image, "decide"), {"yes": dog.pk}, follow=True)
    assert "was merged into" in page.content.decode()


def test_many_concepts_come_a_page_at_a_time_and_are_found_by_any_name(
    ada_client: Client, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_labels, "PAGE", 2)
    Concept.objects.filter(name="square").update(aliases=["box"])
    assert list(shown(ada_client, image)) == ["circle", "dog"]
    assert list(shown(ada_client, image, page=2)) == ["square"]
    assert list(shown(ada_client, image, q="Box")) == ["square"]
    assert list(shown(ada_client, image, page="x", tile="-1", q="\0")) == ["circle", "dog"]
    assert (
        "No concept is called that" in ada_client.get(address(image), {"q": "zzz"}).content.decode()
    )


def test_viewers_look_and_reviewers_decide(client: Client, image: Image, carol: User) -> None:
    client.force_login(carol)
    assert client.get(address(image)).status_code == 404
    Membership.objects.create(project=image.project, user=carol, role="viewer")
    assert b'name="yes"' not in client.get(address(image)).content
    dog = Concept.objects.get(name="dog")
    assert client.post(address(image, "decide"), {"yes": dog.pk}).status_code == 403
    assert client.get(address(image, "decide")).status_code == 405
    Membership.objects.update(role="reviewer")
    assert b'name="yes"' in client.get(address(image)).content
    assert client.post(address(image, "decide"), {"yes": dog.pk}).status_code == 302


def test_a_picture_is_found_in_its_own_project_alone(
    client: Client, image: Image, carol: User
) -> None:
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(project=elsewhere, user=carol, role="owner")
    client.force_login(carol)
    path = f"/projects/elsewhere/pictures/{image.pk}/"
    assert client.get(f"{path}labels/").status_code == 404
    assert client.post(f"{path}decide/", {"yes": 1}).status_code == 404


def test_an_unknown_picture_is_not_found(ada_client: Client, shapes: Project) -> None:
    assert ada_client.get("/projects/shapes/pictures/987654/labels/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_needs_no_mouse(
    page: Page, live_server: object, ada_client: Client, image: Image, listen: Listen
) -> None:
    problems: list[str] = []
    listen("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    cookie = ada_client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": str(live_server)}])
    page.goto(f"{live_server}{address(image)}")
    page.keyboard.press("ArrowDown")  # to the first concept
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    expect(page.locator(".page-messages")).to_contain_text("is no, by your decision")
    dog = Concept.objects.get(name="dog")
    expect(page.locator(f"#concept-{dog.pk} [name=yes]")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("y")
    expect(page).to_have_url(re.compile(f"at={Concept.objects.get(name='square').pk}"))
    verdicts = Question.objects.filter(decided_by__isnull=False).values_list(
        "concept__name", "verdict"
    )
    assert dict(verdicts) == {"dog": False, "square": True}
    page.set_viewport_size({"width": 360, "height": 740})
    wide, room = page.evaluate(WIDTHS)
    assert wide <= room
    assert problems == []
