"""Owners say what is asked: concepts are listed, added, explained and merged on their pages."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import concepts, example_candidates, examples, review
from labeling.concept_counts import counts
from labeling.example_candidates import Wall
from labeling.models import (
    Concept,
    ConceptExample,
    ExclusionRule,
    ExclusiveGroup,
    Membership,
    Project,
    Question,
    Recomputation,
    Tile,
)
from tests.cast import answer

pytestmark = pytest.mark.django_db
LIST = "/projects/shapes/concepts/"


@pytest.fixture
def circle(shapes: Project) -> Concept:
    return shapes.concepts.get(name="circle")


def page(concept: Concept) -> str:
    return f"{LIST}{concept.pk}/"


def filled(concept: Concept, **changes: object) -> dict[str, object]:
    """Return the form of a concept as a browser sends it."""
    data: dict[str, object] = {
        "version": concept.version,
        "name": concept.name,
        "keep_name": "on",
        "phrase": concept.phrase,
        "definition": concept.definition,
        "aliases": "\n".join(concept.aliases),
        "active": "on",
        "value": concept.value,
        "phrases-TOTAL_FORMS": 2,
        "phrases-INITIAL_FORMS": 0,
    }
    return data | changes


def member(project: Project, role: str | None) -> Client:
    user = User.objects.create_user(f"a member who is {role}")
    if role:
        Membership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def whole(project: Project, number: int) -> Tile:
    return Tile.objects.filter(image__project=project, grid=1).order_by("pk")[number]


def test_each_concept_is_listed_with_its_numbers(
    ada_client: Client, circle: Concept, alice, ada: User
) -> None:
    asked = circle.questions.filter(state="open")[0]
    answer(alice, {asked.pk: True})
    examples.choose(concept=circle, tile=whole(circle.project, 1), kind="yes", by=ada)
    row = counts([circle])[circle.pk]
    assert (row.asked, row.gold, row.examples) == (24, 6, 1)
    assert row.answered == 1 and row.yes >= 1
    text = ada_client.get(LIST).text
    assert 'data-label="Gold">6<' in text and 'data-label="Questions">24<' in text


def test_a_thousand_are_searched_and_paged(
    ada_client: Client, shapes: Project, django_assert_max_num_queries
) -> None:
    names = "\n".join(f"thing {number}" for number in range(1_000))
    assert len(concepts.add_lines(project=shapes, text=names).concepts) == 1_000
    with django_assert_max_num_queries(30):
        first = ada_client.get(LIST)
    assert first.text.count('scope="row"') == 50
    assert "Page 1 of 21, 1,002 concepts" in first.text
    found = ada_client.get(LIST, {"q": "thing 99", "order": "new"}).text
    assert found.count('scope="row"') == 11
    assert "No concept is like that" in ada_client.get(LIST, {"q": "zebra"}).text
    assert ada_client.get(LIST, {"page": "zz", "only": "?", "order": "?"}).status_code == 200


def test_a_pasted_list_keeps_what_fits(ada_client: Client, circle: Concept) -> None:
    response = ada_client.post(f"{LIST}add/", {"lines": "ring\nCIRCLE\nstar: a star"})
    assert "Added 2 concepts." in response.text
    assert "Line 2, <bdi>CIRCLE</bdi>: “CIRCLE” is taken" in response.text
    assert ">CIRCLE</textarea>" in response.text
    assert circle.project.concepts.count() == 4
    empty = ada_client.post(f"{LIST}add/", {"lines": "  "})
    assert empty.status_code == 400


def test_selected_concepts_are_switched_off_and_on(ada_client: Client, circle: Concept) -> None:
    for do, active in (("off", False), ("on", True)):
        body = {"concept": [circle.pk, "x"], "do": do, "query": "q=circle"}
        response = ada_client.post(f"{LIST}change/", body)
        assert response["Location"] == f"{LIST}?q=circle"
        circle.refresh_from_db()
        assert circle.active is active
    response = ada_client.post(f"{LIST}change/", {"do": "off"}, follow=True)
    assert "No concept is selected" in response.text


def test_two_concepts_become_one(ada_client: Client, circle: Concept) -> None:
    square = circle.project.concepts.get(name="square")
    body = {"concept": [circle.pk, square.pk], "do": "merge"}
    address = ada_client.post(f"{LIST}change/", body)["Location"]
    assert "Which one stays?" in ada_client.get(address).text
    response = ada_client.post(address, {"into": circle.pk}, follow=True)
    assert "Merged “square” into “circle”" in response.text
    assert ada_client.get(page(square)).status_code == 404


def test_a_concept_is_explained(ada_client: Client, circle: Concept) -> None:
    more = {
        "definition": "Round <b>only</b>.",
        "phrases-0-language": "ar",
        "phrases-0-phrase": "دائرة",
        "aliases": "disc\nhoop, ring",
    }
    response = ada_client.post(page(circle), filled(circle, **more), follow=True)
    assert "Saved." in response.text and "Round &lt;b&gt;only&lt;/b&gt;." in response.text
    circle.refresh_from_db()
    assert circle.aliases == ["disc", "hoop", "ring"]
    assert dict(circle.phrases.values_list("language", "phrase")) == {"ar": "دائرة"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "Square"}, "there is a concept “square” already"),
        ({"phrases-0-language": "english!", "phrases-0-phrase": "x"}, "no language tag"),
        ({"phrases-0-phrase": "ein Kreis"}, "Say which language this is"),
        ({"definition": "x" * 501}, "at most 500 characters"),
        ({"value": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_was_typed_is_kept_where_it_is_refused(
    ada_client: Client, circle: Concept, changes: dict[str, str], why: str
) -> None:
    typed = {"aliases": "typed before"} | changes
    response = ada_client.post(page(circle), filled(circle, **typed))
    assert response.status_code == 400 and why in response.text
    for value in typed.values():
        assert value in response.text
    circle.refresh_from_db()
    assert circle.version == 0


def test_the_second_of_two_owners_is_told_and_loses_nothing(
    ada_client: Client, circle: Concept
) -> None:
    own = filled(circle, definition="Mine.")
    concepts.edit(concept=circle, definition="Theirs.")
    response = ada_client.post(page(circle), own)
    assert response.status_code == 400
    assert "Somebody else has changed “circle” meanwhile" in response.text
    assert "It is now: Theirs." in response.text and ">\nMine.</textarea>" in response.text
    assert 'name="version" value="1"' in response.text
    again = ada_client.post(page(circle), own | {"version": 1})
    assert again.status_code == 302
    circle.refresh_from_db()
    assert circle.definition == "Mine."


def test_examples_are_picked_changed_and_removed(ada_client: Client, circle: Concept) -> None:
    tile, address = whole(circle.project, 1), f"{page(circle)}examples/"
    quiet = ada_client.post(address, {"tile": tile.pk, "choice": "hard_yes", "quiet": "1"})
    assert quiet.status_code == 204
    ada_client.post(address, {"tile": tile.pk, "choice": "hard_yes", "note": "Small."})
    assert circle.examples.get().note == "Small."
    ada_client.post(address, {"tile": tile.pk, "choice": "no"})
    assert (circle.examples.get().kind, circle.examples.get().note) == ("no", "Small.")
    wrong = ada_client.post(address, {"tile": tile.pk, "choice": "perhaps", "quiet": "1"})
    assert wrong.status_code == 409
    for digits in (30, 5_000):
        made_up = {"tile": "9" * digits, "choice": "no"}
        assert ada_client.post(address, made_up).status_code == 404
    ada_client.post(address, {"tile": tile.pk, "choice": "remove"})
    assert not ConceptExample.objects.exists()


def test_an_example_that_was_decided_otherwise_is_pointed_out(
    ada_client: Client, circle: Concept, ada: User
) -> None:
    tile = whole(circle.project, 1)
    examples.choose(concept=circle, tile=tile, kind="yes", by=ada)
    assert "otherwise since" not in ada_client.get(page(circle)).text
    review.decide_pair(tile=tile, concept=circle, value=False, by=ada)
    assert "Decided otherwise since: no." in ada_client.get(page(circle)).text
    review.reopen(question=Question.objects.get(tile=tile, concept=circle), by=ada)
    assert "Reopened since" in ada_client.get(page(circle)).text


def test_likely_unlikely_and_disputed_pictures_are_offered(
    ada_client: Client, circle: Concept, ada: User, alice, bob
) -> None:
    disputed = circle.questions.filter(state="open")[0]
    for annotator, value in ((alice, True), (bob, False)):
        answer(annotator, {disputed.pk: value})
    sure = circle.questions.filter(state="gold", verdict=True)
    likely = example_candidates.candidates(circle, Wall.YES, 24)
    assert {q.tile_id for q in sure} <= {each.tile for each in likely[:8]}
    unlikely = [each.probability for each in example_candidates.candidates(circle, Wall.NO, 24)]
    assert unlikely == sorted(unlikely) and unlikely[0] == 0
    hard = example_candidates.candidates(circle, Wall.HARD, 24)
    assert hard[0].tile == disputed.tile_id and hard[0].disputed
    examples.choose(concept=circle, tile=sure[0].tile, kind="yes", by=ada)
    likely = example_candidates.candidates(circle, Wall.YES, 24)
    assert sure[0].tile_id not in {each.tile for each in likely}
    for wall in ("yes", "no", "hard", "x"):
        assert ada_client.get(page(circle), {"wall": wall}).status_code == 200


def test_a_concept_without_answers_is_deleted(ada_client: Client, circle: Concept, alice) -> None:
    ring = concepts.create(project=circle.project, name="ring")
    assert "Deleted “ring”." in ada_client.post(f"{page(ring)}delete/", follow=True).text
    answer(alice, {Question.objects.filter(concept=circle)[0].pk: True})
    kept = ada_client.post(f"{page(circle)}delete/", follow=True)
    assert "never deleted" in kept.text and Concept.objects.filter(pk=circle.pk).exists()


def test_instructions_are_read_as_they_are_written(ada_client: Client, shapes: Project) -> None:
    address = f"{LIST}instructions/"
    body = {
        "version": shapes.version,
        "instructions": "Look.\r\n\r\n- twice\r\n- <script>",
        "practice_questions": 2,
    }
    response = ada_client.post(address, body, follow=True)
    assert "<p>Look.</p>" in response.text and "<li>twice</li>" in response.text
    assert "<li>&lt;script&gt;</li>" in response.text
    assert "practise on 2 questions now" in response.text
    stale = ada_client.post(address, body | {"instructions": "Mine."})
    assert stale.status_code == 400 and "It is now: Look." in stale.text
    assert ada_client.post(address, body | {"practice_questions": 11}).status_code == 400


def test_members_look_and_owners_change(shapes: Project, circle: Concept) -> None:
    tile = whole(shapes, 1)
    writes = [
        (f"{LIST}add/", {"lines": "ring"}),
        (f"{LIST}change/", {"concept": circle.pk, "do": "off"}),
        (f"{LIST}merge/?concept={circle.pk}", {"into": 1}),
        (f"{page(circle)}exclusions/", {"other": 1, "do": "never"}),
        (page(circle), filled(circle, definition="Mine.")),
        (f"{page(circle)}examples/", {"tile": tile.pk, "choice": "yes"}),
        (f"{page(circle)}delete/", {}),
        (f"{LIST}instructions/", {"version": 0, "practice_questions": 1}),
    ]
    for role, reads, refused in (
        ("reviewer", 200, 403),
        ("viewer", 200, 403),
        ("annotator", 404, 404),
        (None, 404, 404),
    ):
        client = member(shapes, role)
        assert [client.get(each).status_code for each in (LIST, page(circle))] == [reads] * 2
        assert {client.post(*write).status_code for write in writes} == {refused}, role
    circle.refresh_from_db()
    assert circle.active and not circle.definition and not circle.examples.exists()
    owner = member(shapes, "owner")
    assert owner.post(*writes[3]).status_code == 302
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    user = User.objects.get(username="a member who is owner")
    Membership.objects.create(project=elsewhere, user=user, role="owner")
    assert owner.get(f"/projects/elsewhere/concepts/{circle.pk}/").status_code == 404


def test_concepts_without_examples_can_be_listed_first(shapes, ada, ada_client):
    tile = Tile.objects.filter(grid=1).first()
    circle = shapes.concepts.get(name="circle")
    examples.choose(concept=circle, tile=tile, kind="yes", by=ada)
    page = ada_client.get("/projects/shapes/concepts/?order=examples")
    assert [concept.name for concept, _ in page.context["rows"]] == ["square", "circle"]


def test_an_owner_says_what_is_in_one_picture(ada_client: Client, circle: Concept, ada) -> None:
    square, address = circle.project.concepts.get(name="square"), f"{page(circle)}exclusions/"
    group = ExclusiveGroup.objects.create(project=circle.project, overlap=0.05)
    group.concepts.set([circle, square])
    circle.project.concepts.update(exclusive=True)
    assert "never in one picture, as answers have shown" in ada_client.get(page(circle)).text
    said = ada_client.post(address, {"other": square.pk, "do": "together"}, follow=True)
    assert "one picture can show “square”, too. Labels follow within minutes." in said.text
    assert "can be in one picture, says <bdi>ada</bdi>" in said.text
    assert Recomputation.objects.get(project=circle.project).requested
    back = ada_client.post(address, {"other": square.pk, "do": "back"}, follow=True)
    assert "Taken back" in back.text and "as answers have shown" in back.text
    again = ada_client.post(address, {"other": square.pk, "do": "back"}, follow=True)
    assert "Nobody has said anything of “circle” and “square” (any more)" in again.text
    unclear = ada_client.post(address, {"other": square.pk}, follow=True)
    assert "Say whether one picture can show both" in unclear.text
    assert not ExclusionRule.objects.exists()
    gone = ada_client.post(address, {"other": circle.pk, "do": "never"}, follow=True)
    assert "Choose another concept of this project" in gone.text
    viewer = member(circle.project, "viewer")
    assert "They can be in one picture" not in viewer.get(page(circle)).text
