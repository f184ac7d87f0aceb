"""A project's life: a draft, published, archived, reopened; and two owners who edit at once."""

import pytest
from django.contrib.auth.models import User

from labeling import access, concepts, projects
from labeling.access import Capability
from labeling.models import Event, Membership, Project, Role
from labeling.projects import Audience

pytestmark = pytest.mark.django_db
State = Project.State


@pytest.fixture
def draft(shapes: Project) -> Project:
    """Return the shapes as a draft."""
    shapes.state = State.DRAFT
    shapes.save(update_fields=["state"])
    return shapes


def history(project: Project) -> list[str]:
    return [event.message for event in Event.objects.filter(project=project).order_by("id")]


def test_whoever_creates_a_project_owns_a_draft(carol: User) -> None:
    project = projects.create(by=carol, name="  Birds of   the lake ", description=" Seen ")
    assert (project.name, project.slug, project.state) == (
        "Birds of the lake",
        "birds-of-the-lake",
        State.DRAFT,
    )
    assert project.description == "Seen"
    assert Membership.objects.get(project=project).role == Role.OWNER
    assert access.may(carol, project, Capability.MANAGE)
    event = Event.objects.get(project=project)
    assert (event.user, event.kind) == (carol, Event.Kind.PROJECT)


def test_a_command_creates_a_project_without_an_owner() -> None:
    project = projects.create(by=None, name="birds", slug="birds")
    assert not project.memberships.exists() and history(project)


@pytest.mark.parametrize(
    ("audience", "private", "answers_min"),
    [(Audience.ME, True, 1), (Audience.TEAM, True, 2), (Audience.PUBLIC, False, 2)],
)
def test_an_audience_says_who_answers_and_how_many(audience, private, answers_min) -> None:
    project = projects.create(by=None, name="Birds", audience=audience)
    assert (project.private, project.answers_min) == (private, answers_min)


@pytest.mark.parametrize(
    ("name", "slugs"),
    [
        ("Birds", ["birds", "birds-2", "birds-3"]),
        ("Vögel am See", ["vogel-am-see", "vogel-am-see-2"]),
        ("Straße in Łódź", ["strasse-in-lodz"]),
        ("鳥の写真", ["project", "project-2"]),
        ("🦆🦆", ["project"]),
        ("New", ["new-2", "new-3"]),
        ("x" * 120, ["x" * 52, "x" * 52 + "-2"]),
    ],
)
def test_a_name_in_any_script_gets_an_address_of_its_own(name: str, slugs: list[str]) -> None:
    assert [projects.create(by=None, name=name).slug for _ in slugs] == slugs


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\tb\u202e"}, "name"),
        ({"name": "Birds", "slug": "new"}, "slug"),
        ({"name": "Birds", "slug": "a/b"}, "slug"),
        ({"name": "Birds", "slug": "shapes"}, "slug"),
        ({"name": "Birds", "language": "not a tag"}, "language"),
    ],
)
def test_what_cannot_be_is_refused_and_names_its_field(shapes, given, field) -> None:
    with pytest.raises(projects.Invalid) as refusal:
        projects.create(by=None, **given)
    assert list(refusal.value.errors) == [field]
    assert Project.objects.count() == 1


def test_a_draft_is_published_taken_back_archived_and_reopened(draft: Project, ada: User) -> None:
    projects.publish(project=draft, by=ada)
    assert draft.state == State.OPEN and draft.published_at
    projects.archive(project=draft, by=ada)
    assert Project.objects.get().state == State.ARCHIVED
    projects.reopen(project=draft, by=ada)
    assert Project.objects.get().state == State.OPEN
    projects.unpublish(project=draft, by=ada)
    stored = Project.objects.get()
    assert stored.state == State.DRAFT and stored.published_at is None
    assert history(draft) == [
        "Published the project.",
        "Archived the project.",
        "Reopened the project.",
        "Took the project back to a draft.",
    ]


def test_a_draft_that_was_archived_is_a_draft_again(draft: Project, ada: User) -> None:
    projects.archive(project=draft, by=ada)
    projects.reopen(project=draft, by=ada)
    assert Project.objects.get().state == State.DRAFT


def test_without_pictures_nothing_is_published(ada: User) -> None:
    empty = projects.create(by=ada, name="Empty")
    with pytest.raises(projects.NothingToAsk, match="no pictures yet"):
        projects.publish(project=empty, by=ada)
    assert Project.objects.get().state == State.DRAFT


def test_without_a_concept_that_is_asked_nothing_is_published(draft: Project, ada: User) -> None:
    draft.concepts.update(active=False)
    with pytest.raises(projects.NothingToAsk, match="No concept is asked"):
        projects.publish(project=draft, by=ada)


def test_what_is_open_is_not_published_twice(shapes: Project, ada: User) -> None:
    with pytest.raises(projects.Conflict, match="open already"):
        projects.publish(project=shapes, by=ada)
    assert history(shapes) == []


def test_of_two_who_publish_the_same_draft_one_does(draft: Project, ada: User, carol: User) -> None:
    seen_by_carol = Project.objects.get()
    projects.publish(project=draft, by=ada)
    with pytest.raises(projects.Conflict):
        projects.publish(project=seen_by_carol, by=carol)
    assert history(draft) == ["Published the project."]


def test_of_two_owners_who_edit_at_once_the_second_is_told(shapes, ada, carol) -> None:
    projects.edit(project=shapes, by=carol, version=0, name="Forms", settle_at=0.9)
    with pytest.raises(projects.Conflict) as conflict:
        projects.edit(project=shapes, by=ada, version=0, name="Figures")
    assert conflict.value.stored.name == "Forms"
    projects.edit(project=shapes, by=ada, version=1, name="Figures")
    assert Project.objects.get().name == "Figures"
    assert history(shapes) == ["Changed “Name” and “A label is certain from”.", "Changed “Name”."]


def test_what_is_as_before_is_no_change(shapes: Project, ada: User) -> None:
    projects.edit(project=shapes, by=ada, version=0, name="Shapes")
    assert Project.objects.get().version == 0 and history(shapes) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"settle_at": 0.2}, "settle_at"),
        ({"answers_min": 0}, "answers_min"),
        ({"answers_min": 5, "answers_cap": 4}, "answers_cap"),
        ({"random_share": 1.5}, "random_share"),
        ({"language": "x"}, "language"),
        ({"slug": "other"}, "slug"),
        ({"state": "open"}, "state"),
    ],
)
def test_settings_that_cannot_be_change_nothing(shapes, ada, changes, field) -> None:
    with pytest.raises(projects.Invalid) as refusal:
        projects.edit(project=shapes, by=ada, version=0, description="New", **changes)
    assert list(refusal.value.errors) == [field]
    assert Project.objects.get().description == ""


def test_a_phrase_in_the_language_that_becomes_the_projects_own_is_asked_from_then_on(
    shapes: Project, ada: User
) -> None:
    circle = shapes.concepts.get(name="circle")
    concepts.edit(concept=circle, phrases={"de": "ein Kreis", "fr": "un cercle"}, by=ada)
    projects.edit(project=shapes, by=ada, version=0, language="de")
    circle.refresh_from_db()
    assert circle.phrase == "ein Kreis"
    others = dict(circle.phrases.values_list("language", "phrase"))
    assert others == {"en": "a circle", "fr": "un cercle"}
    assert shapes.concepts.get(name="square").phrase == "a square"


def test_an_empty_project_has_no_questions(shapes: Project, ada: User) -> None:
    projects.create(by=ada, name="Empty")
    assert list(projects.with_questions(Project.objects.all())) == [shapes]
