"""Projects over HTTP: members create, change and publish theirs as on the pages."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from labeling import projects
from labeling.models import Membership, Project, Role
from tests.cast import allow, answer, member

pytestmark = pytest.mark.django_db
URL = "/api/v1/projects/"
ONE = f"{URL}shapes/"


@pytest.fixture
def owner(shapes: Project, carol: User) -> Client:
    """Return the client of Carol, who owns the shapes."""
    return member(shapes, carol, Role.OWNER)


def post(client: Client, address: str, **body):
    return client.post(address, body, content_type="application/json")


def patch(client: Client, etag: str | None = None, **body):
    headers = {} if etag is None else {"If-Match": etag}
    return client.patch(ONE, body, content_type="application/json", headers=headers)


def listed(client: Client) -> dict[str, dict]:
    return {row["slug"]: row for row in client.get(URL).json()["results"]}


def test_whoever_may_create_makes_a_draft_of_their_own(carol: User) -> None:
    allow(carol, "add_project")
    client = Client()
    client.force_login(carol)
    response = post(client, URL, name="Birds", audience="me", language="pt-br")
    assert response.status_code == 201
    body = response.json()
    assert (body["slug"], body["state"], body["private"]) == ("birds", "draft", True)
    assert (body["language"], body["settings"]["answers_min"]) == ("pt-BR", 1)
    assert Membership.objects.get().role == Role.OWNER
    for wrong in ({"name": ""}, {"name": "B", "slug": "new"}, {"name": "B", "audience": "all"}):
        refusal = post(client, URL, **wrong)
        assert refusal.status_code == 400 and refusal.json()["code"] == "invalid"


def test_nobody_else_creates(owner: Client) -> None:
    assert post(Client(), URL, name="Birds").status_code == 401
    assert post(owner, URL, name="Birds").status_code == 403
    assert Project.objects.count() == 1


def test_members_list_theirs_with_their_state_and_others_the_public_ones(owner, ada) -> None:
    projects.create(by=ada, name="Secret")
    Project.objects.create(slug="empty", name="Empty", state="open")
    assert set(listed(owner)) == set(listed(Client())) == {"shapes"}
    assert listed(owner)["shapes"]["settings"]["version"] == 0
    assert listed(Client())["shapes"]["settings"] is None
    Project.objects.filter(slug="shapes").update(state="archived")
    assert listed(owner)["shapes"]["state"] == "archived" and not listed(Client())
    assert Client().get(ONE).status_code == 404


def test_settings_that_somebody_else_changed_are_not_overwritten(owner: Client) -> None:
    read = owner.get(ONE)["ETag"]
    changed = patch(owner, etag=read, name="Forms", private=True, settle_at=0.9)
    assert changed.status_code == 200 and changed.json()["settings"]["version"] == 1
    late = patch(owner, etag=read, name="Figures")
    assert late.status_code == 412 and late.json()["code"] == "changed"
    assert Project.objects.get().name == "Forms"
    assert patch(owner, name="Figures").json()["name"] == "Figures"  # whatever it was


def test_settings_may_be_changed_while_people_answer(owner: Client, alice, shapes) -> None:
    read = owner.get(ONE)["ETag"]
    answer(alice, {shapes.questions.filter(kind="concept").first().pk: True})
    cache.clear()
    assert owner.get(ONE, headers={"If-None-Match": read}).status_code == 200
    assert patch(owner, etag=read, name="Forms").status_code == 200


@pytest.mark.parametrize("etag", ['"nonsense"', "nonsense", '"0-x", "1-x"', "*", ""])
def test_any_version_will_do_or_one_of_several(owner: Client, etag: str) -> None:
    expected = 200 if etag in {'"0-x", "1-x"', "*"} else 412
    assert patch(owner, etag=etag, name="Forms").status_code == expected


@pytest.mark.parametrize(
    "body",
    [
        {"settle_at": 0.1},
        {"settle_at": "NaN"},
        {"answers_min": 9, "answers_cap": 3},
        {"name": ""},
        {"language": "nonsense!"},
        {"private": "yes"},
        {"version": 0},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_be_are_refused(owner: Client, body) -> None:
    refusal = patch(owner, **body)
    assert refusal.status_code == 400 and refusal.json()["detail"]
    assert Project.objects.get().version == 0


def test_a_project_goes_through_its_life(owner: Client) -> None:
    states = [
        post(owner, f"{ONE}{step}/").json()["state"]
        for step in ("unpublish", "publish", "archive", "reopen")
    ]
    assert states == ["draft", "open", "archived", "open"]
    assert post(owner, f"{ONE}publish/").status_code == 409


def test_what_has_nothing_to_ask_is_not_published(owner: Client) -> None:
    post(owner, f"{ONE}unpublish/")
    Project.objects.get().concepts.update(active=False)
    refusal = post(owner, f"{ONE}publish/")
    assert refusal.status_code == 409 and refusal.json()["code"] == "nothing_to_ask"


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.TRAINER, Role.ANNOTATOR, Role.VIEWER])
def test_only_owners_change_a_project(shapes: Project, carol: User, role: Role) -> None:
    Membership.objects.create(project=shapes, user=carol, role=role)
    client = Client()
    client.force_login(carol)
    refused = 404 if role == Role.ANNOTATOR else 403
    assert patch(client, name="Mine").status_code == refused
    for step in ("publish", "unpublish", "archive", "reopen"):
        assert post(client, f"{ONE}{step}/").status_code == refused, step
    assert Project.objects.get().name == "Shapes"
