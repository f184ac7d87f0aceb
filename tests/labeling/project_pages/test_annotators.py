"""Reviewers see who answered in their project, and block only those who are theirs to block."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from labeling import caption_order, questions
from labeling.models import Annotator, Answer, Membership, Project, Question
from labeling.selection import selector, verifications
from tests.cast import answer, distrust

pytestmark = pytest.mark.django_db
LIST = "/projects/shapes/people/annotators/"


@pytest.fixture
def rita(shapes) -> User:
    reviewer = User.objects.create_user("rita")
    Membership.objects.create(project=shapes, user=reviewer, role="reviewer")
    return reviewer


@pytest.fixture
def ritas(rita) -> Client:
    client = Client()
    client.force_login(rita)
    return client


def take_part(annotator: Annotator, project: Project, count: int = 3) -> None:
    questions = project.questions.filter(kind="concept").order_by("pk")[:count]
    answer(annotator, {question.pk: True for question in questions})


def elsewhere(annotator: Annotator) -> None:
    """Let the annotator answer in a project of others."""
    from labeling import images, questions
    from tests.pictures import draw

    other = Project.objects.create(slug="other", name="Other", state="open")
    image, _ = images.add(
        project=other, data=draw(shape="circle", colour="red", corner=4), source="red circle"
    )
    questions.ask_captions(
        captions=[(image.tiles.get(), "a red circle")], source=Question.Source.IMPORT, prior=0.5
    )
    question = other.questions.get()
    answer(annotator, {question.pk: True})


def test_the_list_tells_what_each_did_here(ritas, shapes, alice, bob, mallory):
    take_part(alice, shapes, 7)
    take_part(bob, shapes)
    page = ritas.get(LIST).content.decode()
    assert page.index("alice") < page.index("bob") and "mallory" not in page
    gold = Answer.objects.filter(annotator=alice, question__state="gold").count()
    right = Answer.objects.filter(annotator=alice, question__verdict=True).count()
    assert f"<td>{right} of {gold}</td>" in page


@pytest.mark.parametrize("sort", ["answers", "reliability", "gold", "since", "seen"])
@pytest.mark.parametrize("order", ["up", "down"])
def test_a_page_goes_on_where_the_last_one_ended(ritas, shapes, monkeypatch, sort, order):
    from labeling.project_pages import annotators

    monkeypatch.setattr(annotators, "PAGE", 2)
    for number in range(5):
        take_part(Annotator.objects.create(pseudonym=f"someone {number}"), shapes, 1 + number % 2)
    link, names = f"?sort={sort}&order={order}", []
    while link:
        context = ritas.get(LIST + link).context
        names += [str(each["annotator"]) for each in context["rows"]]
        link = context["next"]
    assert sorted(names) == [f"someone {number}" for number in range(5)]


@pytest.mark.parametrize("after", ["x", "bnVsbA==", "WzEsMl0", "W251bGwsMV0=", "é"])
def test_a_made_up_position_is_the_beginning(ritas, shapes, alice, after):
    take_part(alice, shapes)
    for sort in ("answers", "seen"):
        assert ritas.get(LIST, {"after": after, "sort": sort}).status_code == 200


def test_the_list_is_filtered(ritas, shapes, alice, bob, mallory):
    for annotator in (alice, bob, mallory):
        take_part(annotator, shapes)
    distrust(mallory)
    Annotator.objects.filter(pk=bob.pk).update(blocked=True)

    def names(**filters) -> set[str]:
        return {str(each["annotator"]) for each in ritas.get(LIST, filters).context["rows"]}

    assert names(only="suspect") == {"mallory"}
    assert names(only="blocked") == {"bob"}
    assert names(name="al") == {"alice"}


def test_a_detail_page_shows_the_answers_in_this_project_only(ritas, shapes, alice):
    take_part(alice, shapes)
    elsewhere(alice)
    context = ritas.get(f"{LIST}{alice.pk}/").context
    assert context["record"].answers == 3 and len(context["answers"]) == 3


def test_who_never_answered_here_is_not_there(ritas, shapes, alice):
    elsewhere(alice)
    assert ritas.get(f"{LIST}{alice.pk}/").status_code == 404
    assert ritas.post(f"{LIST}{alice.pk}/block/").status_code == 404


def test_a_reviewer_blocks_who_answered_in_their_projects_only(ritas, shapes, alice):
    take_part(alice, shapes)
    page = ritas.post(f"{LIST}{alice.pk}/block/", follow=True).content.decode()
    assert "count no longer, in any project" in page
    alice.refresh_from_db()
    assert alice.blocked
    ritas.post(f"{LIST}{alice.pk}/unblock/")
    alice.refresh_from_db()
    assert not alice.blocked


def test_a_reviewer_of_one_project_does_not_block_for_another(ritas, rita, shapes, alice):
    take_part(alice, shapes)
    elsewhere(alice)
    page = ritas.post(f"{LIST}{alice.pk}/block/", follow=True).content.decode()
    assert "They answered in projects of others too" in page
    alice.refresh_from_db()
    assert not alice.blocked
    Membership.objects.create(project=Project.objects.get(slug="other"), user=rita, role="reviewer")
    ritas.post(f"{LIST}{alice.pk}/block/")
    alice.refresh_from_db()
    assert alice.blocked


def test_who_only_writes_is_found_and_blocked_and_their_words_count_no_more(
    ritas, shapes, bob, mallory, monkeypatch
):
    shapes.questions.filter(kind="caption").delete()
    tile = shapes.questions.order_by("pk")[0].tile
    questions.ask_captions(
        captions=[(tile, "buy my paint")],
        source=Question.Source.ANNOTATOR,
        author=mallory,
        prior=0.6,
    )
    caption = shapes.questions.get(kind="caption")
    reader = caption_order.Reader(shapes)
    monkeypatch.setattr(verifications, "VERIFY_MIX", {"caption": 1.0})
    asks = selector.Selector(annotator=bob, project=shapes).choose
    assert reader.of([tile.image]) and asks("verify")
    address = reverse("project-question", args=["shapes", caption.pk])
    page = ritas.get(address).content.decode()
    assert f"{LIST}{mallory.pk}/" in page
    assert ritas.get(f"{LIST}{mallory.pk}/").status_code == 200
    ritas.post(f"{LIST}{mallory.pk}/block/")
    mallory.refresh_from_db()
    assert mallory.blocked
    assert not reader.of([tile.image]) and asks("verify") is None


def test_staff_block_whoever_answered(ada_client, shapes, alice):
    take_part(alice, shapes)
    elsewhere(alice)
    ada_client.post(f"{LIST}{alice.pk}/block/")
    alice.refresh_from_db()
    assert alice.blocked
