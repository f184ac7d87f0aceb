"""The command `project`."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from labeling.models import Membership, Project

pytestmark = pytest.mark.django_db


def project(*arguments: str) -> str:
    output = StringIO()
    call_command("project", *arguments, stdout=output)
    return output.getvalue()


def test_it_makes_a_draft_with_an_owner(carol: User) -> None:
    assert "Made the draft “Birds”, birds." in project("--create", "Birds", "--owner", "carol")
    assert Membership.objects.get().user == carol
    assert "own-name" in project("own-name", "--create", "Birds", "--audience", "public")
    assert not Project.objects.get(slug="own-name").private


def test_it_takes_a_project_through_its_life(shapes: Project) -> None:
    for step, state in (
        ("--unpublish", "draft"),
        ("--publish", "open"),
        ("--archive", "archived"),
        ("--reopen", "open"),
    ):
        assert f"“Shapes” is now {state}." in project("shapes", step)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing", "--publish"], "There is no project “nothing”"),
        (["--publish"], "There is no project"),
        (["shapes", "--publish"], "open already"),
        (["--create", " "], "Give the project a name"),
        (["new", "--create", "Birds"], "word of this site"),
        (["--create", "Birds", "--owner", "nobody"], "There is no user “nobody”"),
    ],
)
def test_it_says_in_a_sentence_what_cannot_be(shapes: Project, arguments, sentence) -> None:
    with pytest.raises(CommandError, match=sentence):
        project(*arguments)
