"""Annotators are told what a concept is, in their language, and shown its examples."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import challenges, concepts, examples, wording
from labeling.models import Challenge, Concept, ConceptExample, Membership, Project, Question, Tile

pytestmark = pytest.mark.django_db
JSON = "application/json"
ROLES = ("owner", "reviewer", "trainer", "annotator", "viewer", None)


@pytest.fixture
def circle(shapes: Project) -> Concept:
    circle = shapes.concepts.get(name="circle")
    shapes.concepts.exclude(pk=circle.pk).update(active=False)
    phrases = {"de": "ein Kreis", "ar": "دائرة"}
    return concepts.edit(concept=circle, definition="Round.", phrases=phrases)


@pytest.fixture
def example(circle: Concept, ada: User) -> ConceptExample:
    tile = Tile.objects.filter(image__project=circle.project)[1]
    return examples.choose(concept=circle, tile=tile, kind="hard_yes", note="Small.", by=ada)


def ask(client: Client, language: str = "", kind: str = "grid"):
    body = {"project": "shapes", "kind": kind}
    address = "/api/v1/challenges/"
    return client.post(address, body, content_type=JSON, headers={"Accept-Language": language})


def member(role: str | None) -> Client:
    user = User.objects.create_user(f"a member who is {role}")
    if role:
        Membership.objects.create(project=Project.objects.get(), user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("wanted", "subject", "lang"),
    [("", "a circle", "en"), ("de-CH, en;q=0.8", "ein Kreis", "de"), ("ar", "دائرة", "ar")],
)
def test_a_challenge_asks_in_the_visitors_language(
    client: Client, circle: Concept, wanted: str, subject: str, lang: str
) -> None:
    shown = ask(client, wanted).json()
    assert (shown["subject"], shown["lang"], shown["concept"]) == (subject, lang, circle.pk)
    guide = client.get(shown["guide"], headers={"Accept-Language": wanted}).json()
    assert (guide["phrase"], guide["lang"], guide["definition"]) == (subject, lang, "Round.")
    assert guide["definition_lang"] == "en"


def test_a_caption_has_no_guide(client: Client, circle: Concept) -> None:
    Question.objects.filter(kind="concept").delete()
    shown = ask(client, "de", kind="verify").json()
    assert (shown["concept"], shown["guide"], shown["lang"]) == (None, "", "en")


def test_a_guide_shows_examples_and_no_other_tile(
    client: Client, circle: Concept, example: ConceptExample
) -> None:
    guide = client.get(f"/api/v1/projects/shapes/concepts/{circle.pk}/guide/").json()
    (shown,) = guide["examples"]
    assert (shown["shows"], shown["hard"], shown["note"]) == (True, True, "Small.")
    assert client.get(shown["url"])["Content-Type"] == "image/webp"
    other = shown["url"].replace(str(example.pk), str(example.pk + 1))
    assert client.get(other).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_guides_version_changes_with_what_it_says(client: Client, circle: Concept) -> None:
    def version() -> str:
        shown = ask(client).json()
        address = f"/api/v1/challenges/{shown['token']}/skip/"
        assert client.post(address, content_type="application/json").status_code == 200
        return shown["guide_version"]

    first = version()
    assert first and version() == first
    concepts.edit(concept=circle, aliases=["disc"])
    assert version() == first
    concepts.edit(concept=circle, definition="Round and closed.")
    assert version() not in {"", first}
    concepts.edit(concept=circle, definition="")
    assert version() == ""


def test_only_who_may_take_part_sees_a_private_projects_guide(
    client: Client, circle: Concept, example: ConceptExample
) -> None:
    Project.objects.update(private=True)
    outsider = member(None)
    picture = f"/api/v1/projects/shapes/examples/{example.pk}/picture/"
    for address in (f"/api/v1/projects/shapes/concepts/{circle.pk}/guide/", picture):
        assert client.get(address).status_code == 404
        assert outsider.get(address).status_code == 404
    members = {role: member(role) for role in ROLES if role}
    for address in (f"/api/v1/projects/shapes/concepts/{circle.pk}/guide/", picture):
        assert {each.get(address).status_code for each in members.values()} == {200}
    Project.objects.update(state="draft", private=False)
    assert client.get(picture).status_code == members["annotator"].get(picture).status_code == 404
    assert members["viewer"].get(picture).status_code == 200


def test_examples_are_picked_by_owners_alone(circle: Concept) -> None:
    tile = Tile.objects.filter(image__project=circle.project)[2]
    address = f"/api/v1/concepts/{circle.pk}/examples/"
    body = {"tile": tile.pk, "kind": "no", "note": "Square."}
    allowed = {role: member(role).post(address, body, JSON).status_code for role in ROLES}
    refused = dict.fromkeys(("reviewer", "trainer", "viewer"), 403)
    assert allowed == {"owner": 201, "annotator": 404, None: 404} | refused
    example = circle.examples.get()
    for role in ("reviewer", "viewer"):
        user = User.objects.get(username=f"a member who is {role}")
        client = Client()
        client.force_login(user)
        assert client.get(address).json()[0]["note"] == "Square."
        assert client.delete(f"{address}{example.pk}/").status_code == 403
    assert circle.examples.exists()


def test_a_tile_of_another_project_is_no_example(
    ada_client: Client, circle: Concept, garden: Project
) -> None:
    from tests.labeling.garden import add

    tile = add(garden, 1).tiles.get()
    address = f"/api/v1/concepts/{circle.pk}/examples/"
    assert ada_client.post(address, {"tile": tile.pk, "kind": "yes"}, JSON).status_code == 404
    wrong = ada_client.post(address, {"tile": tile.pk, "kind": "maybe"}, JSON)
    assert wrong.status_code == 400


def test_an_example_is_asked_of_nobody(circle: Concept, ada: User, alice) -> None:
    """Not as gold either: its answer is given away in the guide."""
    gold = circle.questions.filter(state="gold")
    for question in gold[:3]:
        examples.choose(concept=circle, tile=question.tile, kind="yes", by=ada)
    given_away = set(circle.examples.values_list("tile", flat=True))
    for _ in range(10):
        challenge = challenges.issue(annotator=alice, project=circle.project, kind="grid")
        assert challenge is not None and given_away.isdisjoint(challenge.tiles)
        challenges.skip(challenge=challenge)
    assert Challenge.objects.filter(tiles__overlap=list(gold.values_list("tile", flat=True)))


def test_a_cached_summary_costs_a_challenge_no_query(
    client: Client, circle: Concept, django_assert_num_queries
) -> None:
    challenge = Challenge(kind="grid", concept=circle)
    wording.of_challenge(challenge, ["de"])
    with django_assert_num_queries(0):
        assert wording.of_challenge(challenge, ["de"]).subject == "ein Kreis"
