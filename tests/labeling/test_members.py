"""People join a project by invitation, in a role, and at least one owner always stays."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils import timezone

from labeling import members
from labeling.models import Event, Invitation, Membership, Project
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds", state="open", private=True)


@pytest.fixture
def olga(project) -> User:
    """Return the project's only owner."""
    owner = User.objects.create_user("olga")
    Membership.objects.create(project=project, user=owner, role="owner")
    return owner


def invite(project: Project, olga: User, **options) -> str:
    return members.invite(project=project, by=olga, **{"role": "reviewer", **options})[1]


def join(project: Project, user: User, role: str) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role)


def test_whoever_accepts_an_invitation_is_a_member(project, olga, carol):
    membership = members.accept(token=invite(project, olga), user=carol)
    assert (membership.project, membership.role) == (project, "reviewer")
    assert [event.message for event in Event.objects.order_by("pk")] == [
        "Invited one person by link as reviewer.",
        "“carol” joined as reviewer by an invitation.",
    ]


def test_only_the_hash_of_a_token_is_stored(project, olga):
    invitation, token = members.invite(project=project, role="viewer", by=olga)
    stored = Invitation.objects.values().get(pk=invitation.pk)
    assert token not in map(str, stored.values())
    assert members.find(token) == invitation


def test_an_invitation_is_used_once(project, olga, carol, bea):
    token = invite(project, olga)
    members.accept(token=token, user=carol)
    with pytest.raises(members.InvitationError, match="used already"):
        members.accept(token=token, user=bea)


def test_it_is_for_nobody_else(project, olga, carol, bea):
    token = invite(project, olga, for_username="bea")
    with pytest.raises(members.InvitationError, match="somebody else, and you are signed in as"):
        members.accept(token=token, user=carol)
    assert members.accept(token=token, user=bea).user == bea


def test_it_expires(project, olga, carol):
    token = invite(project, olga)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(members.InvitationError, match="expired"):
        members.accept(token=token, user=carol)


def test_one_that_was_withdrawn_is_accepted_by_nobody(project, olga, carol):
    token = invite(project, olga)
    members.revoke(invitation=Invitation.objects.get(), by=olga)
    with pytest.raises(members.InvitationError, match="withdrawn"):
        members.accept(token=token, user=carol)
    with pytest.raises(members.MemberError, match="withdrawn already"):
        members.revoke(invitation=Invitation.objects.get(), by=olga)


def test_nobody_joins_an_archived_project(project, olga, carol):
    token = invite(project, olga)
    Project.objects.update(state="archived")
    with pytest.raises(members.InvitationError, match="archived"):
        members.accept(token=token, user=carol)


def test_a_made_up_token_belongs_to_no_invitation(project, olga, carol):
    with pytest.raises(members.InvitationError, match="no such invitation"):
        members.accept(token=Invitation.new_token(), user=carol)


@pytest.mark.parametrize(("role", "invited_as"), [("owner", "reviewer"), ("reviewer", "reviewer")])
def test_a_member_keeps_the_higher_role_and_uses_nothing_up(project, olga, carol, role, invited_as):
    join(project, carol, role)
    token = invite(project, olga, role=invited_as)
    assert members.accept(token=token, user=carol).role == role
    assert Invitation.objects.get().uses == 0


def test_a_member_is_raised_to_a_higher_role(project, olga, carol):
    join(project, carol, "viewer")
    assert members.accept(token=invite(project, olga, role="reviewer"), user=carol).role == (
        "reviewer"
    )
    assert Membership.objects.get(user=carol).role == "reviewer"
    assert Invitation.objects.get().uses == 1


def test_no_role_is_lost_for_one_that_allows_something_else(project, olga, carol):
    join(project, carol, "reviewer")
    with pytest.raises(members.InvitationError, match="another role"):
        members.accept(token=invite(project, olga, role="trainer"), user=carol)
    assert Invitation.objects.get().uses == 0


def test_a_visitor_accepts_an_invitation_to_annotate(project, olga, alice):
    membership = members.accept(token=invite(project, olga, role="annotator"), annotator=alice)
    assert (membership.annotator, membership.user, membership.role) == (alice, None, "annotator")


def test_a_visitor_signs_in_for_all_other_roles(project, olga, alice):
    for options in ({"role": "viewer"}, {"role": "annotator", "for_username": "olga"}):
        Membership.objects.filter(user=olga).update(role="owner")
        invitation = Invitation(project=project, **options)
        invitation.expires_at = timezone.now() + timedelta(days=1)
        with pytest.raises(members.SignInRequired):
            members.check(invitation, None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"role": "reviewer", "uses_max": None}, "Only an invitation for annotators"),
        ({"role": "owner", "uses_max": 21}, "1 to 20 people"),
        ({"role": "annotator", "uses_max": 0}, "1 to 10,000 people"),
        ({"role": "viewer", "days": 0}, "from 1 to 365 days"),
        ({"role": "viewer", "for_username": "nobody"}, "There is no user “nobody”"),
        ({"role": "viewer", "for_username": "olga"}, "“olga” is owner of this project already"),
    ],
)
def test_it_says_why_an_invitation_is_not_made(project, olga, options, reason):
    with pytest.raises(members.MemberError, match=reason):
        members.invite(project=project, by=olga, **options)
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("role", ["reviewer", "trainer", "annotator", "viewer"])
def test_only_who_manages_the_project_invites(project, carol, role):
    join(project, carol, role)
    with pytest.raises(PermissionDenied):
        members.invite(project=project, role="annotator", by=carol)


def test_an_owner_changes_roles_and_removes_members(project, olga, carol):
    membership = join(project, carol, "viewer")
    assert members.change_role(membership=membership, role="trainer", by=olga).role == "trainer"
    members.remove(membership=membership, by=olga)
    assert not Membership.objects.filter(user=carol).exists()
    assert [event.message for event in Event.objects.order_by("pk")] == [
        "Made “carol” trainer, who was viewer.",
        "Removed “carol”, who was trainer.",
    ]


def test_the_last_owner_stays(project, olga):
    membership = Membership.objects.get(user=olga)
    for act in (
        lambda: members.remove(membership=membership, by=olga),
        lambda: members.change_role(membership=membership, role="viewer", by=olga),
        lambda: members.leave(project=project, user=olga),
    ):
        with pytest.raises(members.MemberError, match="last owner"):
            act()
    assert Membership.objects.get().role == "owner"


def test_an_owner_leaves_once_there_is_another(project, olga, carol):
    join(project, carol, "owner")
    members.leave(project=project, user=olga)
    assert [membership.user for membership in project.memberships.all()] == [carol]


def test_a_visitor_is_given_no_other_role(project, olga, alice):
    membership = Membership.objects.create(project=project, annotator=alice, role="annotator")
    with pytest.raises(members.MemberError, match="only annotate"):
        members.change_role(membership=membership, role="viewer", by=olga)


def test_the_account_of_an_only_owner_is_not_deleted(project, olga, carol):
    with pytest.raises(ProtectedError, match="protected foreign keys"):
        olga.delete()
    join(project, carol, "owner")
    olga.delete()
    assert [membership.user for membership in project.memberships.all()] == [carol]


def test_a_project_is_deleted_with_its_owners(project, olga):
    project.delete()
    assert not Membership.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_the_last_use_at_once_one_joins(project, olga, carol, bea):
    token = invite(project, olga)
    outcomes = run_at_once(
        lambda: members.accept(token=token, user=carol),
        lambda: members.accept(token=token, user=bea),
    )
    errors = [outcome for outcome in outcomes if isinstance(outcome, members.InvitationError)]
    assert len(errors) == 1 and "used already" in str(errors[0]), outcomes
    assert Membership.objects.exclude(user=olga).count() == 1
    assert Invitation.objects.get().uses == 1


@pytest.mark.django_db(transaction=True)
def test_who_accepts_twice_at_once_joins_once(project, olga, carol):
    token = invite(project, olga, uses_max=5)
    outcomes = run_at_once(*[lambda: members.accept(token=token, user=carol)] * 4)
    assert not any(isinstance(outcome, IntegrityError) for outcome in outcomes)
    assert {outcome.pk for outcome in outcomes} == {Membership.objects.get(user=carol).pk}
    assert Invitation.objects.get().uses == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(project, olga, carol):
    join(project, carol, "owner")
    outcomes = run_at_once(
        lambda: members.leave(project=project, user=olga),
        lambda: members.leave(project=project, user=carol),
    )
    assert [type(outcome) for outcome in outcomes].count(members.MemberError) == 1
    assert project.memberships.filter(role="owner").count() == 1
