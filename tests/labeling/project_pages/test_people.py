"""Owners decide who belongs to a project on its page of people."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling import members
from labeling.models import Invitation, Membership, Project

pytestmark = pytest.mark.django_db
PEOPLE = "/projects/shapes/people/"


@pytest.fixture
def olgas(olga) -> Client:
    client = Client()
    client.force_login(olga)
    return client


@pytest.fixture
def viewer(shapes, carol) -> Client:
    Membership.objects.create(project=shapes, user=carol, role="viewer")
    client = Client()
    client.force_login(carol)
    return client


def invite(client: Client, **fields) -> object:
    body = {"role": "reviewer", "for_username": "", "uses_max": "1", "days": "14", **fields}
    return client.post(f"{PEOPLE}invite/", body)


def test_an_owner_makes_a_link_that_is_shown_once(olgas):
    page = invite(olgas).content.decode()
    (token,) = re.findall(r"http://testserver/invitations/([\w-]+)/", page)
    assert members.find(token) == Invitation.objects.get()
    assert token not in olgas.get(PEOPLE).content.decode()


def test_a_form_that_is_refused_keeps_what_was_typed(olgas):
    response = invite(olgas, uses_max="", days="30")
    page = response.content.decode()
    assert response.status_code == 400
    assert "Only an invitation for annotators may be used any number of times." in page
    assert 'value="30"' in page and not Invitation.objects.exists()


@pytest.mark.parametrize("fields", [{"role": "king"}, {"days": "0"}, {"uses_max": "x"}])
def test_what_makes_no_sense_is_refused(olgas, fields):
    assert invite(olgas, **fields).status_code == 400


def test_an_owner_changes_a_role_and_removes_a_member(olgas, viewer, carol):
    pk = Membership.objects.get(user=carol).pk
    olgas.post(f"{PEOPLE}members/{pk}/role/", {"role": "trainer"})
    assert Membership.objects.get(pk=pk).role == "trainer"
    olgas.post(f"{PEOPLE}members/{pk}/remove/")
    assert not Membership.objects.filter(pk=pk).exists()


def test_the_last_owner_is_told_to_stay(olgas, olga):
    pk = Membership.objects.get(user=olga).pk
    for address, body in ((f"members/{pk}/role/", {"role": "viewer"}), ("leave/", {})):
        page = olgas.post(f"{PEOPLE}{address}", body, follow=True).content.decode()
        assert "The last owner stays" in page


def test_a_member_leaves_and_sees_the_project_no_more(viewer):
    assert viewer.post(f"{PEOPLE}leave/").url == "/"
    assert viewer.get(PEOPLE).status_code == 404


def test_a_viewer_sees_the_members_and_changes_nothing(viewer, olga, carol):
    page = viewer.get(PEOPLE).content.decode()
    assert "olga" in page and "Invite somebody" not in page
    pk = Membership.objects.get(user=olga).pk
    assert invite(viewer).status_code == 403
    assert viewer.post(f"{PEOPLE}members/{pk}/remove/").status_code == 403
    assert viewer.get(f"{PEOPLE}annotators/").status_code == 403


def test_an_owner_of_another_project_reaches_no_member_of_this_one(olgas, ada):
    other = Project.objects.create(slug="other", name="Other")
    theirs = Membership.objects.create(project=other, user=ada, role="owner")
    invitation, _ = members.invite(project=other, role="viewer", by=ada)
    assert olgas.post(f"{PEOPLE}members/{theirs.pk}/remove/").status_code == 404
    assert olgas.post(f"{PEOPLE}invitations/{invitation.pk}/revoke/").status_code == 404


def test_an_invitation_is_withdrawn(olgas):
    invite(olgas)
    olgas.post(f"{PEOPLE}invitations/{Invitation.objects.get().pk}/revoke/")
    assert Invitation.objects.get().status == "withdrawn"


def test_a_name_is_text_and_no_markup(olgas, shapes):
    user = User.objects.create(username="<img src=x>")
    Membership.objects.create(project=shapes, user=user, role="viewer")
    assert "<img src=x>" not in olgas.get(PEOPLE).content.decode()
