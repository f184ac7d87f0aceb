"""The gold pages: what is missing, sessions, proposals, walls, and who may see and change them."""

import pytest

from labeling.models import Concept, GoldMark, Membership, Project, Question, Tile
from tests.cast import answer

pytestmark = pytest.mark.django_db
State = Question.State
PAGE = "/projects/shapes/gold/"


@pytest.fixture
def member(shapes, carol, client):
    """Return a function that signs Carol in as a member in a role."""

    def join(role: str):
        Membership.objects.create(project=shapes, user=carol, role=role)
        client.force_login(carol)
        return client

    return join


@pytest.fixture
def circle(shapes) -> Concept:
    return shapes.concepts.get(name="circle")


@pytest.fixture
def question(circle) -> Question:
    return circle.questions.filter(state=State.OPEN).first()


def decide(client, concept, tile, choice, **more):
    return client.post(f"{PAGE}{concept.pk}/decide/", {"tile": tile, "choice": choice} | more)


def test_the_page_says_what_is_missing_and_why(member):
    page = member("viewer").get(PAGE).content.decode()
    assert "3 yes of 4" in page and "2 more (1 yes, 1 no): a busy annotator" in page
    assert "Mark 20" not in page  # a viewer marks nothing


def test_those_that_lack_most_come_first_and_concepts_can_be_searched(shapes, member):
    Concept.objects.create(project=shapes, name="Étoile", phrase="une étoile")
    client = member("owner")
    page = client.get(PAGE).context["page"]
    assert [row.concept.name for row in page] == ["Étoile", "circle", "square"]
    assert "Mark 20 of <bdi>Étoile</bdi>" in client.get(PAGE).content.decode()
    assert [row.concept.name for row in client.get(PAGE, {"q": "ÉTOI"}).context["page"]] == [
        "Étoile"
    ]
    assert "No concept is named like that" in client.get(PAGE, {"q": "%00"}).content.decode()


def test_a_session_shows_pictures_and_not_what_is_believed_of_them(member, circle):
    response = member("reviewer").get(f"{PAGE}{circle.pk}/session/")
    assert len(response.context["pictures"]) == 18
    assert "probability" not in response.content.decode()


def test_marks_are_saved_one_by_one_and_quietly_where_a_script_sends_them(member, circle, question):
    client = member("reviewer")
    response = decide(client, circle, question.tile_id, "yes", origin="session", quiet="1")
    assert response.status_code == 204
    question.refresh_from_db()
    assert (question.state, question.verdict) == (State.GOLD, True)
    assert GoldMark.objects.get().origin == "session"
    decide(client, circle, question.tile_id, "aside", quiet="1")
    question.refresh_from_db()
    assert question.state == State.OPEN
    refused = decide(client, circle, question.tile_id, "retire", quiet="1")
    assert refused.status_code == 409 and b"nothing was changed" in refused.content


def test_without_a_script_a_form_returns_to_where_it_was_sent_from(member, circle, question):
    client = member("reviewer")
    session = f"{PAGE}{circle.pk}/session/"
    assert decide(client, circle, question.tile_id, "no", next=session).url == session
    elsewhere = decide(client, circle, question.tile_id, "no", next="https://evil.example/")
    assert elsewhere.url == f"{PAGE}{circle.pk}/"


@pytest.mark.parametrize("tile", ["", "x", "9" * 30, "-1"])
def test_a_tile_that_is_none_is_not_found(member, circle, tile):
    assert decide(member("reviewer"), circle, tile, "yes").status_code == 404


def test_the_wall_shows_who_marked_and_what_people_miss(
    member, circle, alice, bob, mallory, question
):
    missed = circle.questions.filter(state=State.GOLD).first()
    for annotator in (alice, bob, mallory):
        answer(annotator, {missed.pk: not missed.verdict})
    client = member("owner")
    decide(client, circle, question.tile_id, "yes")
    page = client.get(f"{PAGE}{circle.pk}/").content.decode()
    assert "missed by 3 of 3" in page and "look again" in page and "carol" in page
    assert "1 often missed" in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}{circle.pk}/", {"order": "x", "page": "9" * 40}).status_code == 200


def test_proposals_are_accepted_or_refused(member, circle, alice, bob):
    asked = circle.questions.filter(state=State.OPEN)[:4]
    for annotator in (alice, bob):
        answer(annotator, {question.pk: True for question in asked})
    circle.questions.filter(pk__in=[q.pk for q in asked]).update(state=State.SETTLED)
    client = member("reviewer")
    address = f"{PAGE}{circle.pk}/proposals/"
    assert len(client.get(address).context["questions"]) == 4
    decide(client, circle, asked[0].tile_id, "yes", origin="proposal")
    decide(client, circle, asked[1].tile_id, "aside", origin="proposal")
    assert len(client.get(address).context["questions"]) == 2


def test_a_question_becomes_gold_on_its_page_and_is_gold_no_longer(member, question):
    client = member("reviewer")
    address = f"/projects/shapes/questions/{question.pk}/"
    assert 'data-key="g"' in client.get(address).content.decode()
    client.post(f"{address}gold/", {"gold": "no"})
    question.refresh_from_db()
    assert (question.state, question.verdict) == (State.GOLD, False)
    assert "Gold no longer" in client.get(address).content.decode()
    client.post(f"{address}gold/", {"gold": "retire"})
    question.refresh_from_db()
    assert question.state == State.SETTLED


def test_a_caption_becomes_gold_on_its_page(member):
    caption = Question.objects.filter(kind="caption", state=State.OPEN).first()
    member("owner").post(f"/projects/shapes/questions/{caption.pk}/gold/", {"gold": "yes"})
    caption.refresh_from_db()
    assert caption.state == State.GOLD


@pytest.mark.parametrize(
    ("role", "seen", "marks"),
    [("annotator", 404, 404), ("viewer", 200, 403), ("trainer", 200, 403), ("reviewer", 200, 200)],
)
def test_each_role_sees_and_marks_what_it_may(member, circle, question, role, seen, marks):
    client = member(role)
    for address in ("", f"{circle.pk}/"):
        assert client.get(PAGE + address).status_code == seen
    for address in ("session/", "proposals/"):
        assert client.get(f"{PAGE}{circle.pk}/{address}").status_code == marks
    status = decide(client, circle, question.tile_id, "yes").status_code
    assert status == (302 if marks == 200 else marks)
    status = client.post(f"/projects/shapes/questions/{question.pk}/gold/", {"gold": "yes"})
    assert status.status_code == (302 if marks == 200 else marks)


def test_concepts_and_pictures_of_other_projects_are_not_there(member, garden, question, circle):
    rose = Concept.objects.create(project=garden, name="rose", phrase="a rose")
    client = member("owner")
    assert client.get(f"{PAGE}{rose.pk}/").status_code == 404
    assert decide(client, rose, question.tile_id, "yes").status_code == 404
    tile = Tile.objects.exclude(pk=question.tile_id).first()
    Project.objects.filter(pk=garden.pk).update(slug="garden")
    tile.image.project = garden
    tile.image.save()
    assert decide(client, circle, tile.pk, "yes").status_code == 404


def test_names_are_shown_as_text(shapes, member):
    name = "<script>alert(1)</script>"
    concept = Concept.objects.create(project=shapes, name=name, phrase=name)
    client = member("owner")
    for address in (PAGE, f"{PAGE}{concept.pk}/", f"{PAGE}{concept.pk}/session/"):
        assert name not in client.get(address).content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 18, "9" * 5_000])
def test_a_page_of_the_wall_that_does_not_exist_is_no_error(member, circle, page):
    assert member("viewer").get(f"{PAGE}{circle.pk}/", {"page": page}).status_code == 200
