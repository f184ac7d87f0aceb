"""Snapshots in the admin."""

import pytest
from django.urls import reverse

from labeling import snapshots, tasks
from labeling.models import Snapshot
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(garden):
    add(garden, 1, keywords=["tree"])
    add(garden, 2)
    return garden


def test_an_admin_freezes_one_and_a_worker_writes_it(
    admin_client, project, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(tasks.freeze, "apply_async", lambda args, **options: tasks.freeze(*args))
    with django_capture_on_commit_callbacks(execute=True):
        response = admin_client.post(
            reverse("admin:labeling_snapshot_add"), {"project": project.pk}, follow=True
        )
    assert response.status_code == 200
    snapshot = Snapshot.objects.get()
    assert snapshot.state == Snapshot.State.READY
    assert snapshot.requested_by.is_superuser
    page = admin_client.get(reverse("admin:labeling_snapshot_change", args=[snapshot.pk]))
    assert "/exports/?snapshot=" in page.text and snapshot.sha256 in page.text


def test_it_leads_to_where_it_is_exported(admin_client, project):
    snapshot = snapshots.freeze(project=project)
    page = admin_client.get(reverse("admin:labeling_snapshot_changelist"))
    assert f"/projects/garden/exports/?snapshot={snapshot.pk}" in page.text


def test_the_list_says_how_far_a_snapshot_is_and_whether_anybody_writes_it(admin_client, project):
    waiting = snapshots.begin(project=project)
    begun = snapshots.begin(project=project)
    Snapshot.objects.filter(pk=begun.pk).acquire(begun.pk, progress=0.4)
    page = admin_client.get(reverse("admin:labeling_snapshot_changelist"))
    assert "freezing, 40% written" in page.text and "waiting for a worker" in page.text
    page = admin_client.get(reverse("admin:labeling_snapshot_change", args=[waiting.pk]))
    assert "waiting for a worker" in page.text


def test_the_list_says_how_many_pictures_are_to_train_on_and_to_test(admin_client, project):
    counts = {"images": 1860, "train": 1762, "test": 98, "captions": 3210}
    Snapshot.objects.filter(pk=snapshots.begin(project=project).pk).update(counts=counts)
    page = admin_client.get(reverse("admin:labeling_snapshot_changelist"))
    assert "1,762 + 98" in page.text and "3,210" in page.text


@pytest.mark.django_db(transaction=True)
def test_every_column_of_the_list_is_seen_in_a_window_of_1280_pixels(
    page, live_server, project, admin_client
):
    snapshot = snapshots.freeze(project=project)
    counts = {"images": 1860, "train": 1762, "test": 98, "captions": 13210}
    Snapshot.objects.filter(pk=snapshot.pk).update(counts=counts)
    session = {"name": "sessionid", "value": admin_client.cookies["sessionid"].value}
    page.context.add_cookies([{**session, "url": live_server.url}])
    page.goto(live_server.url + reverse("admin:labeling_snapshot_changelist"))
    widths = "element => [element.scrollWidth, element.clientWidth]"
    content, visible = page.locator(".results").evaluate(widths)
    assert content <= visible
