"""A project's settings: saved, refused, and edited by two owners at once."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Event, Membership, Project, Role
from tests.cast import member

pytestmark = pytest.mark.django_db
URL = "/projects/shapes/settings/"


@pytest.fixture
def owner(shapes: Project, carol: User) -> Client:
    """Return the client of Carol, who owns the shapes."""
    return member(shapes, carol, Role.OWNER)


def opened(client: Client) -> dict[str, object]:
    """Return what a browser would send back of the page unchanged."""
    response = client.get(URL)
    form = response.context["form"]
    body: dict[str, object] = {"version": response.context["project"].version}
    for name in form.fields:
        value = form[name].value()
        body[f"initial-{name}"] = str(value)
        if value is not False:
            body[name] = str(value)
    return body


def test_an_owner_changes_settings(owner: Client) -> None:
    body = opened(owner) | {"name": "Forms", "private": "on", "settle_at": "0.9", "language": "de"}
    assert owner.post(URL, body)["Location"] == URL
    project = Project.objects.get()
    assert (project.name, project.private, project.settle_at) == ("Forms", True, 0.9)
    assert (project.language, project.version) == ("de", 1)
    assert Event.objects.get().actor == "carol"
    assert "Saved." in owner.get(URL).content.decode()


def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(owner: Client) -> None:
    body = opened(owner) | {"name": "Forms", "answers_min": "7", "answers_cap": "3"}
    page = owner.post(URL, body)
    assert "allow at least as many" in str(page.context["form"].errors["answers_cap"])
    text = page.content.decode()
    assert 'value="Forms"' in text and '<details class="thresholds" open>' in text
    assert Project.objects.get().name == "Shapes"


def test_of_two_owners_the_second_keeps_what_was_typed_and_sees_what_changed(
    owner: Client, ada_client: Client
) -> None:
    seen_by_carol, seen_by_ada = opened(owner), opened(ada_client)
    ada_client.post(URL, seen_by_ada | {"description": "Round and not", "name": "Ada's name"})
    page = owner.post(URL, seen_by_carol | {"name": "Carol's name", "private": "on"})
    assert page.status_code == 409 and Project.objects.get().name == "Ada's name"
    text = page.content.decode()
    assert "Somebody else saved meanwhile" in text and "ada, " in text
    form = page.context["form"]
    assert form["name"].value() == "Carol's name"
    assert form["description"].value() == "Round and not"
    changed = [("Name", "Ada's name"), ("Description", "Round and not")]
    assert page.context["meanwhile"] == changed

    again = {name: form[name].value() for name in form.fields if form[name].value()}
    initial = {f"initial-{name}": form.data[f"initial-{name}"] for name in form.fields}
    assert owner.post(URL, again | initial | {"version": 1}).status_code == 302
    project = Project.objects.get()
    assert (project.name, project.description) == ("Carol's name", "Round and not")
    assert project.private and project.version == 2


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30, "٣"])
def test_a_version_that_cannot_be_read_saves_nothing(owner: Client, version: str) -> None:
    page = owner.post(URL, opened(owner) | {"name": "Forms", "version": version})
    assert page.status_code == 409 and Project.objects.get().name == "Shapes"


def test_a_project_is_taken_back_archived_and_reopened_by_buttons(owner: Client) -> None:
    states = []
    for step in ("unpublish", "publish", "archive", "reopen"):
        assert owner.post(f"/projects/shapes/{step}/")["Location"] == "/projects/shapes/"
        states.append(Project.objects.get().state)
        assert owner.get(URL).status_code == 200
    assert states == ["draft", "open", "archived", "open"]


def test_a_step_that_cannot_be_says_why(owner: Client) -> None:
    assert "open already" in owner.post("/projects/shapes/publish/", follow=True).content.decode()
    assert owner.get("/projects/shapes/publish/").status_code == 405


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.TRAINER, Role.ANNOTATOR, Role.VIEWER, None])
def test_only_owners_change_settings_and_states(shapes, carol, role) -> None:
    if role:
        Membership.objects.create(project=shapes, user=carol, role=role)
    client = Client()
    client.force_login(carol)
    refused = 404 if role in (None, Role.ANNOTATOR) else 403
    for path in ("settings", "publish", "unpublish", "archive", "reopen"):
        response = client.post(f"/projects/shapes/{path}/", {"name": "Mine"})
        assert response.status_code == refused, path
    project = Project.objects.get()
    assert (project.name, project.state) == ("Shapes", "open")


def test_a_name_is_no_markup(owner: Client) -> None:
    name = "<script>alert(1)</script>"
    owner.post(URL, opened(owner) | {"name": name})
    for path in (URL, "/projects/", "/projects/shapes/", "/projects/shapes/preview/", "/"):
        text = owner.get(path).content.decode()
        assert name not in text and "&lt;script&gt;" in text, path
