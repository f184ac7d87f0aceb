"""Deleting a project that holds nothing, while others bring something into it."""

import threading

import pytest
from django.urls import reverse

from labeling import projects
from labeling.imports import importer, runner
from labeling.models import Import, Project
from labeling.project_pages import base
from tests.at_once import run_at_once
from tests.labeling.imports.uploading import upload
from tests.pictures import png

FILES = {"box/owl/1.png": png(1), "box/owl/2.png": png(2)}


@pytest.fixture
def birds(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds")


@pytest.mark.django_db
def test_an_admin_is_told_why_a_project_stays(admin_client, birds, carol):
    address = reverse("admin:labeling_project_delete", args=[birds.pk])
    record = upload(birds, carol, FILES, concepts=[])
    page = admin_client.post(address, {"post": "yes"}, follow=True)
    assert "on their way into the project: cancel the import first" in page.text
    runner.cancel(record=record, by=carol)
    admin_client.post(address, {"post": "yes"})
    assert not Project.objects.exists() and not Import.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_import_that_stores_a_batch_is_waited_for(birds, carol, monkeypatch):
    record = upload(birds, carol, FILES, concepts=[])
    runner.advance(record)
    storing, plain = threading.Barrier(2), importer.shares.hold

    def hold(share):
        plain(share)
        if not birds.images.exists():
            storing.wait(30)  # from here on the deletion waits for this transaction

    def delete():
        storing.wait(30)
        projects.delete(birds)

    monkeypatch.setattr(importer.shares, "hold", hold)
    done, refused = run_at_once(lambda: runner.advance(record), delete)
    assert isinstance(refused, projects.Conflict) and "archive it instead" in str(refused)
    assert done.state == "done" and birds.images.count() == 2


@pytest.mark.django_db(transaction=True)
def test_whoever_begins_to_upload_into_one_that_is_being_deleted_is_told(client, birds, carol):
    Project.objects.get(pk=birds.pk).memberships.create(user=carol, role="owner")
    client.force_login(carol)
    begin = "/api/v1/projects/birds/imports/"

    def post():
        return client.post(begin, {"name": "box"}, content_type="application/json")

    response, refused = run_at_once(post, lambda: projects.delete(birds))
    assert not isinstance(response, Exception)
    if refused is None:
        assert response.status_code == 404 and not Project.objects.exists()
    else:
        assert response.status_code == 201 and "on their way" in str(refused)


@pytest.mark.django_db
def test_whoever_writes_into_one_that_has_just_gone_is_told(client, birds, carol, monkeypatch):
    birds.memberships.create(user=carol, role="owner")
    client.force_login(carol)

    def may(*_):
        Project.objects.filter(pk=birds.pk).delete()  # by somebody else, just now
        return True

    monkeypatch.setattr(base.access, "may", may)
    response = client.post(reverse("project-concepts-add", args=["birds"]), {"lines": "owl"})
    assert response.status_code == 404 and "There is no such page" in response.text
