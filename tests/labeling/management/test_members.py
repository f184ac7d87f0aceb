"""Members by command: the same rules as on the page."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from labeling import members
from labeling.models import Invitation, Membership, Project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def olga(db):
    """Make a project whose only owner is Olga."""
    project = Project.objects.create(slug="birds", name="Birds")
    owner = User.objects.create_user("olga")
    Membership.objects.create(project=project, user=owner, role="owner")
    return owner


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("members", "birds", *arguments, stdout=output)
    return output.getvalue()


def test_an_invitation_is_printed_once_and_works(carol):
    output = run("invite", "reviewer", "--by", "olga", "--for", "carol")
    token = output.strip().rstrip("/").rpartition("/")[2]
    assert f"/invitations/{token}/" in output
    assert members.accept(token=token, user=carol).role == "reviewer"
    assert run() == run("list") == "olga: owner\ncarol: reviewer\n"


def test_a_role_is_changed_and_a_membership_ended(carol):
    Membership.objects.create(project=Project.objects.get(), user=carol, role="viewer")
    assert "trainer now" in run("change", "carol", "trainer", "--by", "olga")
    assert "no longer" in run("remove", "carol", "--by", "olga")
    assert run() == "olga: owner\n"


def test_what_the_page_refuses_is_refused(carol):
    for arguments, sentence in [
        (("invite", "reviewer", "--by", "carol"), "Only those who manage"),
        (("invite", "reviewer", "--by", "nobody"), "no user “nobody”"),
        (("invite", "owner", "--by", "olga", "--days", "0"), "from 1 to 365 days"),
        (("remove", "olga", "--by", "olga"), "The last owner stays"),
        (("change", "carol", "viewer", "--by", "olga"), "not a member"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            run(*arguments)
    assert not Invitation.objects.exists()
