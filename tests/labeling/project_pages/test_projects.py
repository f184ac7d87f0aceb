"""The list of one's own projects, the form for a new one, and where sign-in leads."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Membership, Project, Role
from labeling.project_pages import languages
from tests.cast import allow

pytestmark = pytest.mark.django_db
PASSWORD = "a long sentence of mine"


@pytest.fixture
def client(carol: User) -> Client:
    """Return the client of Carol, who is signed in."""
    client = Client()
    client.force_login(carol)
    return client


def new(client: Client, **body: str):
    typed = {"name": "Birds", "description": "", "language": "en", "audience": "team"} | body
    return client.post("/projects/new/", typed)


def test_an_owner_sees_their_own_projects_with_what_waits(client, carol, shapes) -> None:
    other = Project.objects.create(slug="other", name="Somebody else's")
    Membership.objects.create(project=shapes, user=carol, role=Role.OWNER)
    archived = Project.objects.create(slug="old", name="Old one", state="archived")
    Membership.objects.create(project=archived, user=carol, role=Role.OWNER)
    page = client.get("/projects/")
    text = page.content.decode()
    assert "Shapes" in text and "You are its owner" in text and other.name not in text
    (card,) = page.context["cards"]
    assert card["next"].text == "Mark 20 gold" or card["next"].url
    assert list(page.context["archived"]) == [archived]


def test_whoever_has_none_is_told_what_to_do(client, carol) -> None:
    assert "You are a member of no project" in client.get("/projects/").content.decode()
    allow(carol, "add_project")
    assert "Make one, drop your pictures" in client.get("/projects/").content.decode()


def test_a_project_is_made_of_a_name_and_an_audience(client, carol) -> None:
    allow(carol, "add_project")
    assert client.get("/projects/new/").status_code == 200
    response = new(client, name="鳥の写真", audience="public", language="ja")
    project = Project.objects.get()
    assert response["Location"] == f"/projects/{project.slug}/"
    assert (project.name, project.language, project.private) == ("鳥の写真", "ja", False)
    assert client.get(response["Location"]).status_code == 200


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(client, carol) -> None:
    allow(carol, "add_project")
    page = new(client, name="Birds \u202e", description="Of the lake", audience="me")
    assert "control characters" in str(page.context["form"].errors["name"])
    text = page.content.decode()
    assert 'value="Of the lake"' in text and 'value="me" required checked' in text
    for body in ({"name": ""}, {"name": "x" * 121}, {"language": "xx-none"}, {"audience": "all"}):
        assert new(client, **body).status_code == 200
    assert not Project.objects.exists()


def test_only_whoever_may_create_does(client) -> None:
    assert client.get("/projects/new/").status_code == 403
    assert new(client).status_code == 403
    assert new(Client())["Location"].startswith("/sign-in/")
    assert Client().get("/projects/")["Location"].startswith("/sign-in/")
    assert not Project.objects.exists()


def test_the_header_leads_to_projects_whoever_has_any(client, carol, shapes) -> None:
    link = 'href="/projects/"'
    assert link not in client.get("/").content.decode()
    assert link not in Client().get("/").content.decode()
    Membership.objects.create(project=shapes, user=carol, role=Role.VIEWER)
    assert link in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("owned", "may_create", "target"),
    [
        (0, False, "/"),
        (0, True, "/projects/"),
        (1, False, "/projects/project-0/"),
        (2, False, "/projects/"),
    ],
)
def test_sign_in_leads_to_ones_work(carol, owned, may_create, target) -> None:
    carol.set_password(PASSWORD)
    carol.save()
    if may_create:
        allow(carol, "add_project")
    for number in range(owned):
        project = Project.objects.create(slug=f"project-{number}", name=f"Project {number}")
        Membership.objects.create(project=project, user=carol, role=Role.OWNER)
    body = {"username": "carol", "password": PASSWORD}
    client = Client()
    assert client.post("/sign-in/", body)["Location"] == target
    assert client.post("/sign-in/?next=/draw/", body | {"next": "/draw/"})["Location"] == "/draw/"


def test_the_admin_makes_drafts_too(ada_client: Client, ada: User) -> None:
    page = ada_client.get("/admin/labeling/project/add/")
    form = page.context["adminform"].form
    body = {n: form[n].value() for n in form.fields if form[n].value() not in (None, False)}
    body |= {"name": "Birds", "slug": "birds"}
    assert ada_client.post("/admin/labeling/project/add/", body).status_code == 302
    project = Project.objects.get()
    assert project.state == "draft" and project.memberships.get().user == ada
    body["slug"] = "new"
    refusal = ada_client.post("/admin/labeling/project/add/", body)
    assert "word of this site" in refusal.content.decode()
    assert (
        "/admin/r/"
        in ada_client.get(f"/admin/labeling/project/{project.pk}/change/").content.decode()
    )
    assert project.get_absolute_url() == "/projects/birds/"


def test_languages_are_offered_under_their_own_names():
    names = {name for _, name in languages.choices()}
    assert {"Deutsch", "Español de Argentina", "British English"} <= names
