"""The pages of snapshots: freeze one, look at it, compare two, issue marked ones again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.pictures import striped

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from labeling.models import Project, Snapshot
    from training.models import Model

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path) -> Project:
    """Three pictures, nobody asked about them."""
    from labeling import images
    from labeling.models import Concept, Project

    settings.MEDIA_ROOT = tmp_path / "media"
    project = Project.objects.create(slug="birds", name="Birds", state="open")
    Concept.objects.create(project=project, name="owl", phrase="an owl", prevalence=0.1)
    for number in range(3):
        images.add(project=project, data=striped(number), source=f"{number}.png")
    return project


@pytest.fixture
def frozen(project) -> Snapshot:
    from labeling import snapshots

    return snapshots.freeze(project=project)


@pytest.fixture
def trained(frozen) -> Model:
    from tests.training.studio import make_model

    return make_model(frozen, recipe="diffusion")


@pytest.fixture
def sign_in(project) -> Callable[[str], Client]:
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.models import Membership

    def sign_in(role: str) -> Client:
        user: User = User.objects.create_user(f"a {role}")
        Membership.objects.create(project=project, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    return sign_in


def remove_one(project: Project) -> None:
    from labeling import removal

    removal.remove([project.images.order_by("pk")[0]], by=None, reason="Somebody asked.")


def address(name: str, *more: object) -> str:
    return reverse(f"project-{name}", args=["birds", *more])


def test_a_trainer_freezes_the_labels_and_is_led_to_the_snapshot(project, sign_in):
    from labeling import snapshots
    from labeling.models import Snapshot

    client = sign_in("trainer")
    response = client.post(address("snapshots-freeze"), {"include_generated": "on"}, follow=True)
    snapshot = Snapshot.objects.get()
    assert response.redirect_chain[-1][0] == address("snapshot", snapshot.pk)
    assert snapshot.include_generated and "Waiting for a worker" in response.text
    snapshots.fill(snapshot)
    page = client.get(address("snapshot", snapshot.pk)).text
    assert snapshot.sha256 in page and "owl" in page and "size_categories" in page
    assert f"No. {snapshot.pk}" in client.get(address("snapshots")).text


def test_times_are_written_as_people_read_them(project, frozen, sign_in):
    made = {**frozen.made_from, "captions": {"count": 3, "newest_id": 7}}
    made["answers"] = {"count": 9, "newest_id": 5, "until": "2026-11-29T20:01:02.123456+00:00"}
    type(frozen).objects.update(made_from=made)
    page = sign_in("viewer").get(address("snapshot", frozen.pk)).text
    assert ">29 Nov 2026, 20:01</time>" in page and ">2026-11-29T" not in page


def test_whoever_only_looks_finds_no_button_to_freeze(project, frozen, sign_in):
    page = sign_in("viewer").get(address("snapshots")).text
    assert f"No. {frozen.pk}" in page and "Freeze the labels" not in page


def test_a_marked_one_lists_its_models_and_is_issued_again_in_one_step(
    project, frozen, trained, sign_in
):
    remove_one(project)
    client = sign_in("trainer")
    page = client.get(address("snapshot", frozen.pk)).text
    assert "1 picture that was removed since" in page
    assert address("model", trained.pk) in page
    response = client.post(address("snapshot-reissue", frozen.pk), follow=True)
    frozen.refresh_from_db()
    assert response.redirect_chain[-1][0] == address("snapshot", frozen.successor_id)
    page = client.get(address("snapshot", frozen.pk)).text
    assert address("snapshot", frozen.successor_id) in page and "without that" not in page
    model = client.get(address("model", trained.pk)).text
    assert address("snapshot", frozen.successor_id) in model
    assert address("snapshot", frozen.pk) in model


def test_all_marked_ones_are_issued_again_at_once(project, frozen, sign_in):
    remove_one(project)
    client = sign_in("owner")
    assert "Snapshots hold something" in client.get(address("snapshots")).text
    page = client.post(address("snapshots-reissue"), follow=True).text
    assert "Issued again: no." in page
    assert "Nothing that they hold" in client.post(address("snapshots-reissue"), follow=True).text


def test_what_changed_between_two_is_shown_with_its_totals(project, frozen, sign_in):
    from labeling import questions, snapshots
    from labeling.images import tiles
    from labeling.models import Question

    remove_one(project)
    image = project.images.get(source="1.png")
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=list(project.concepts.all()))
    Question.objects.update(probability=0.97, answers_count=3)
    second = snapshots.freeze(project=project)
    client = sign_in("viewer")
    page = client.get(address("snapshot-difference", second.pk)).text
    assert f"from no. {frozen.pk} to no. {second.pk}" in page
    assert "Removed from" in page and "0.png" in page
    assert "<bdi>owl</bdi>: no" in page and "<b>yes</b>" in page
    removed = client.get(address("snapshot-difference", second.pk), {"kind": "removed"}).text
    assert "0.png" in removed and "1.png" not in removed
    of_first = client.get(address("snapshot-difference", frozen.pk), follow=True).text
    assert f"from no. {frozen.pk} to no. {second.pk}" in of_first


def test_one_whose_folder_has_gone_says_so(project, frozen, sign_in):
    from labeling import snapshots
    from labeling.models import Snapshot

    remove_one(project)
    second = snapshots.freeze(project=project)
    Snapshot.objects.filter(pk=frozen.pk).update(folder=f"{frozen.folder}-gone")
    client = sign_in("viewer")
    assert "Its folder has gone" in client.get(address("snapshot", frozen.pk)).text
    response = client.get(address("snapshot-difference", second.pk))
    assert response.status_code == 409 and "has gone" in response.text


def test_another_projects_snapshot_is_not_found(project, frozen, sign_in):
    from labeling.models import Project

    other = Project.objects.create(slug="other", name="Other")
    frozen.project = other
    frozen.save()
    client = sign_in("owner")
    for name in ("snapshot", "snapshot-difference"):
        assert client.get(address(name, frozen.pk)).status_code == 404
