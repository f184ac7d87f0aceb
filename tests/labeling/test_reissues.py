"""Marked snapshots are issued again in one step, and name their successor."""

import pytest
from django.core.management import CommandError, call_command

from labeling import reissues, removal, snapshots
from labeling.models import Snapshot
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db


@pytest.fixture
def marked(garden) -> list[Snapshot]:
    """Two snapshots of the same settings, and one with generated pictures, that lost a picture."""
    for number in range(1, 4):
        add(garden, number)
    frozen = [
        snapshots.freeze(project=garden, include_generated=both) for both in (False, False, True)
    ]
    removal.remove([garden.images.first()], by=None, reason="Somebody asked.")
    for row in frozen:
        row.refresh_from_db()
    return frozen


def test_one_that_lost_a_picture_is_frozen_again_without_it_as_its_successor(garden, marked):
    first, *_ = marked
    successor = snapshots.fill(reissues.reissue(first))
    first.refresh_from_db()
    assert first.successor == successor and first.warning
    assert (successor.counts["images"], successor.warning) == (2, "")
    assert successor.include_generated == first.include_generated


def test_it_is_issued_once_however_often_it_is_asked_for(garden, marked):
    first, *_ = marked
    successor = reissues.reissue(first)
    assert reissues.reissue(first) == successor
    assert Snapshot.objects.count() == 4


def test_all_of_the_same_settings_have_one_successor(garden, marked):
    successors = reissues.reissue_all(garden)
    assert [row.include_generated for row in successors] == [False, True]
    assert [row.predecessors.count() for row in successors] == [2, 1]
    assert not reissues.marked(garden).exists()
    assert reissues.reissue_all(garden) == []


def test_a_successor_that_failed_or_lost_something_too_is_replaced(garden, marked):
    first, *_ = marked
    snapshots.fill(reissues.reissue(first))
    removal.remove([garden.images.first()], by=None, reason="Somebody asked again.")
    again = snapshots.fill(reissues.reissue(first))
    first.refresh_from_db()
    assert first.successor == again and again.counts["images"] == 1


def test_a_sound_one_is_not_issued_again(garden):
    add(garden, 1)
    snapshot = snapshots.freeze(project=garden)
    with pytest.raises(reissues.ReissueError, match="Nothing that snapshot"):
        reissues.reissue(snapshot)


def test_the_command_issues_all_of_a_project(garden, marked, capsys):
    call_command("reissue", project="garden")
    assert "in place of" in capsys.readouterr().out
    assert all(row.successor for row in Snapshot.objects.filter(pk__in=[m.pk for m in marked]))
    call_command("reissue", project="garden")
    assert "Nothing that its snapshots hold" in capsys.readouterr().out
    for arguments in ((), ("7777",)):
        with pytest.raises(CommandError):
            call_command("reissue", *arguments)


def test_it_is_issued_again_over_the_api(garden, marked, ada_client):
    first, *_ = marked
    address = f"/api/v1/snapshots/{first.pk}/"
    response = ada_client.post(f"{address}reissue/")
    assert response.status_code == 202
    assert ada_client.get(address).json()["successor"] == response.json()["id"]
    sound = response.json()["id"]
    assert ada_client.post(f"/api/v1/snapshots/{sound}/reissue/").status_code == 409
