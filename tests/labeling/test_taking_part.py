"""What visitors see of projects that are drafts, archived, private or empty."""

import pytest
from django.core.cache import cache
from django.core.signing import get_cookie_signer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling import challenges, images, pools, questions, taking_part, visitors
from labeling.images import tiles
from labeling.models import Annotator, Challenge, Membership, Pool, Project, Question, Role, Tile
from tests.cast import member
from tests.pictures import draw

pytestmark = pytest.mark.django_db
URL = "/api/v1/challenges/"


@pytest.fixture
def secret(shapes: Project) -> Project:
    """Return the shapes as a private project, whose name is nobody's business."""
    Project.objects.update(private=True, name="Secret shapes")
    shapes.refresh_from_db()
    return shapes


def ask(client: Client):
    return client.post(URL, {"project": "shapes", "kind": "grid"}, content_type="application/json")


def invited_visitor(project: Project) -> Client:
    """Return the client of a visitor without an account who accepted an invitation."""
    visitor = Annotator.objects.create()
    Membership.objects.create(project=project, annotator=visitor, role=Role.ANNOTATOR)
    client = Client()
    signer = get_cookie_signer(salt="tessera_annotator" + visitors.COOKIE_SALT)
    client.cookies["tessera_annotator"] = signer.sign(visitor.pseudonym)
    return client


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"state": "draft"}, "closed", "still being prepared"),
        ({"state": "archived"}, "closed", "finished"),
        ({"private": True}, "private", "is private"),
        ({"state": "draft", "private": True}, "closed", "still being prepared"),
    ],
)
def test_strangers_are_told_in_a_sentence_and_not_the_name(client, shapes, changes, code, sentence):
    Project.objects.update(name="Secret shapes", **changes)
    response = ask(client)
    assert response.status_code == 403 and response.json()["code"] == code
    page = client.get("/take-part/shapes/")
    assert page.status_code == 403
    for text in (response.content.decode(), page.content.decode()):
        assert sentence in text and "Secret" not in text
    assert not Challenge.objects.exists() and not Annotator.objects.exists()


def test_nothing_is_issued_to_a_stranger_by_whatever_way(alice, secret):
    with pytest.raises(challenges.Private):
        challenges.issue(annotator=alice, project=secret)


@pytest.mark.parametrize("role", [Role.OWNER, Role.REVIEWER, Role.TRAINER, Role.ANNOTATOR])
def test_members_who_may_annotate_take_part_in_a_private_project(secret, carol, role):
    client = member(secret, carol, role)
    assert client.get("/take-part/shapes/").status_code == 200
    assert ask(client).status_code == 201
    assert "Secret shapes" in client.get("/").content.decode()
    assert client.get("/take-part/")["Location"] == "/take-part/shapes/"


def test_a_viewer_sees_the_pages_and_answers_nothing(secret, carol):
    client = member(secret, carol, Role.VIEWER)
    assert ask(client).json()["code"] == "private"
    assert "Secret shapes" in client.get("/take-part/shapes/").content.decode()  # a member


def test_a_visitor_who_was_invited_takes_part_without_an_account(secret):
    client = invited_visitor(secret)
    assert ask(client).status_code == 201
    assert client.get("/take-part/")["Location"] == "/take-part/shapes/"
    assert "Secret shapes" in client.get("/").content.decode()
    assert "Secret shapes" not in Client().get("/").content.decode()


def test_a_member_of_a_draft_is_led_to_its_page(shapes, carol):
    Project.objects.update(state="draft")
    client = member(shapes, carol, Role.OWNER)
    page = client.get("/take-part/shapes/").content.decode()
    assert 'href="/projects/shapes/"' in page and "Shapes" in page


def test_an_empty_project_is_not_on_the_first_page(client, carol):
    Project.objects.create(slug="empty", name="Nothing here", state="open")
    page = client.get("/").content.decode()
    assert "Nothing here" not in page and "No project is asking" in page
    assert "No project is asking" in client.get("/take-part/").content.decode()


def all_answered(project: Project) -> None:
    """Leave nothing to ask in a project, nor to describe."""
    Pool.objects.filter(concept__project=project).update(frontier=1.0)
    for tile in Tile.objects.filter(image__project=project):
        for number in range(5):
            Question.objects.create(
                project=project, tile=tile, kind="caption", text=str(number), random_key=0.5
            )
    Question.objects.filter(project=project).update(state="settled")


@pytest.fixture
def another(shapes: Project) -> Project:
    """Return a second project, which comes before the shapes by its name."""
    project = Project.objects.create(slug="another", name="Another", state="open")
    project.concepts.create(name="heart", phrase="a heart")
    image, _ = images.add(
        project=project, data=draw(shape="square", colour="red", corner=0), source="square.png"
    )
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=list(project.concepts.all()))
    pools.fill_project(project)
    return project


def test_take_part_leads_to_a_project_that_has_a_question(client, shapes, another):
    assert client.get("/take-part/")["Location"] == "/take-part/another/"
    all_answered(another)
    cache.clear()
    assert client.get("/take-part/")["Location"] == "/take-part/shapes/"


def test_take_part_leads_back_to_where_somebody_was_last(client, shapes, another):
    ask(client)
    cache.clear()
    assert client.get("/take-part/")["Location"] == "/take-part/shapes/"


def test_who_has_answered_everything_is_told_so_and_led_nowhere(client, shapes):
    all_answered(shapes)
    assert "There is nothing to ask you" in client.get("/take-part/").content.decode()
    page = client.get("/").content.decode()
    assert "There is nothing to ask you" in page and "Answer the first question" not in page
    assert 'href="/take-part/shapes/"' not in page


def test_a_project_with_nothing_left_has_no_dead_button(client, shapes, another):
    all_answered(another)
    page = client.get("/").content.decode()
    assert 'href="/take-part/shapes/"' in page and 'href="/take-part/another/"' not in page
    assert page.index("Shapes") < page.index("Another")  # those that ask come first


def test_to_look_makes_nobody_an_annotator_and_issues_nothing(client, shapes):
    client.get("/")
    client.get("/take-part/")
    assert not Annotator.objects.exists() and not Challenge.objects.exists()


def test_the_first_page_costs_few_queries_once_it_has_measured(client, shapes, another):
    client.get("/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    assert len(queries) <= 3, [query["sql"] for query in queries]


def test_the_first_page_costs_few_queries_for_each_project_before_it_has_measured(
    client, shapes, another
):
    def cost() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get("/")
        return len(queries)

    client.get("/")  # what is read once
    both = cost()
    Project.objects.filter(slug="another").update(state="draft")
    assert both - cost() <= 22  # of one so small that its pool is looked at twice


def test_whoever_has_not_been_in_a_project_is_asked_what_newcomers_are(shapes, another, alice):
    rows = list(Project.objects.all())
    cache.clear()
    taking_part.asking(None, rows)
    with CaptureQueriesContext(connection) as queries:
        assert taking_part.asking(alice, rows) == rows
    assert len(queries) == 1  # where they have been


def test_privacy_costs_a_public_project_nothing_and_a_private_one_a_look_up(shapes, carol):
    client = member(shapes, carol, Role.ANNOTATOR)
    ask(client)
    with CaptureQueriesContext(connection) as public:
        ask(client)
    Project.objects.update(private=True)
    with CaptureQueriesContext(connection) as private:
        ask(client)
    memberships = [q for q in public if "labeling_membership" in str(q["sql"])]
    assert memberships == []
    memberships = [q for q in private if "labeling_membership" in str(q["sql"])]
    assert len(memberships) == 1


def test_the_menu_offers_the_kinds_that_the_project_can_ask(client, shapes):
    page = client.get("/take-part/shapes/").content.decode()
    offered = ["grid", "verify", "write"]  # no picture is asked about by its parts
    assert taking_part.kinds(shapes) == offered
    assert [k for k in Challenge.Kind.values if f'data-kind-link="{k}"' in page] == offered
    tiles_described = Tile.objects.filter(image__project=shapes, grid=1)
    Question.objects.bulk_create(
        Question(project=shapes, tile=tile, kind="caption", text=f"Words {n}", random_key=n / 10)
        for tile in tiles_described
        for n in range(5)
    )
    cache.clear()
    assert taking_part.kinds(shapes) == ["grid", "verify"]
    page = client.get("/take-part/shapes/?kind=write").content.decode()
    assert (
        'data-kind-link="write" aria-current="page"' in page
    )  # whoever came is told where they are


def test_a_kind_whose_pool_is_still_to_be_filled_is_offered(shapes):
    Question.objects.filter(project=shapes, kind="concept").delete()
    Pool.objects.filter(concept__project=shapes).update(frontier=0.0)
    assert "grid" in taking_part.kinds(shapes)


def test_the_kinds_of_a_project_are_read_once_for_all(shapes):
    taking_part.kinds(shapes)
    with CaptureQueriesContext(connection) as queries:
        taking_part.kinds(shapes)
    assert len(queries) == 0
