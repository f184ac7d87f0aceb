"""From a model's folder to its snapshot, from a picture to the models, and back."""

import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from labeling import removal, snapshots, stored_folders
from labeling.models import Answer, Image, Snapshot
from tests.cast import answer, member
from tests.training.studio import make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(snapshot):
    """A model whose folder keeps the hash of its snapshot, as runs write it."""
    config = {"recipe": "diffusion", "snapshot_sha256": snapshot.sha256}
    return make_model(snapshot, recipe="diffusion", config=config)


def lineage(capsys, *arguments: str, **options: object) -> str:
    call_command("lineage", *arguments, **options)
    return capsys.readouterr().out


def test_a_model_folder_that_was_carried_away_finds_its_snapshot(model, snapshot, tmp_path, capsys):
    carried = tmp_path / "elsewhere"
    shutil.copytree(stored_folders.fetch(model.folder), carried)
    said = lineage(capsys, str(carried))
    assert f"Snapshot {snapshot.pk}" in said and snapshot.sha256 in said
    assert f"Diffusion model no. {model.pk}" in said


@pytest.mark.parametrize("config", ["[", "[]", '{"snapshot_sha256": "../x"}', '{"recipe": "gan"}'])
def test_a_folder_that_names_no_snapshot_is_refused(db, tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(CommandError, match=r"cannot be read|names no snapshot"):
        call_command("lineage", str(tmp_path))


def test_a_model_of_another_installation_is_told_so(db, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"snapshot_sha256": "0" * 64}))
    with pytest.raises(CommandError, match="No snapshot here has the hash 000"):
        call_command("lineage", str(tmp_path))


def test_a_snapshot_is_found_by_number_hash_and_folder(model, snapshot, capsys):
    names = str(snapshot.pk), snapshot.sha256, snapshot.folder, model.folder, model.run.folder
    for name in names:
        said = lineage(capsys, name)
        assert f"Snapshot {snapshot.pk}" in said and f"model no. {model.pk}" in said
    with pytest.raises(CommandError, match="known here"):
        call_command("lineage", "7777777")


def test_a_picture_leads_through_its_answers_to_the_models(shapes, alice, tmp_path, capsys):
    question = shapes.questions.filter(kind="concept", state="open", grid=1).first()
    answer(alice, {question.pk: True})
    image = question.tile.image
    frozen = snapshots.freeze(project=shapes)
    model = make_model(frozen, recipe="diffusion")
    for name in (image.source, image.sha256):
        said = lineage(capsys, name)
        assert f"question {question.pk}, {question.concept}: 1 of 1 yes" in said
        assert f"Snapshot {frozen.pk}" in said and f"model no. {model.pk}" in said
    Image.objects.filter(pk=image.pk).update(source="\x1b[2Ja.png")
    assert r"Picture \x1b[2Ja.png of" in lineage(capsys, image.sha256)
    (found,) = json.loads(lineage(capsys, str(image.pk), picture=True, json=True))
    assert found["picture"]["answers"] == 1
    assert [each["id"] for each in found["models"]] == [model.pk]


def test_a_removed_picture_still_leads_to_what_holds_it(shapes, model, snapshot, capsys):
    image = shapes.images.filter(generated=False).order_by("pk").first()
    later = shapes.images.order_by("pk").last()
    removal.remove([image], by=None, reason="Somebody asked.")
    said = lineage(capsys, image.sha256)
    assert "It was removed" in said and "Somebody asked." in said
    assert f"Snapshot {snapshot.pk}" in said and f"model no. {model.pk}" in said
    after = snapshots.freeze(project=shapes)
    assert f"Snapshot {after.pk}" not in lineage(capsys, image.sha256)
    assert f"Snapshot {after.pk}" in lineage(capsys, later.sha256)


def test_members_trace_over_the_api_and_strangers_find_nothing(
    shapes, model, snapshot, ada_client, client, bea
):
    image = shapes.images.order_by("pk").first()
    for query in ({"sha256": snapshot.sha256}, {"model": model.pk}, {"picture": image.pk}):
        (found,) = ada_client.get("/api/v1/lineage/", query).json()
        assert [each["id"] for each in found["snapshots"]] == [snapshot.pk]
        assert [each["id"] for each in found["models"]] == [model.pk]
    both = {"model": model.pk, "picture": image.pk}
    assert ada_client.get("/api/v1/lineage/", both).status_code == 400
    client.force_login(bea)
    assert client.get("/api/v1/lineage/", {"model": model.pk}).status_code == 403


def test_the_page_of_a_picture_leads_to_its_snapshots_and_models(shapes, alice, carol, tmp_path):
    question = shapes.questions.filter(kind="concept", state="open", grid=1).first()
    answer(alice, {question.pk: True})
    frozen = snapshots.freeze(project=shapes)
    model = make_model(frozen, recipe="diffusion")
    image = question.tile.image
    page = member(shapes, carol, "owner").get(f"/projects/shapes/pictures/{image.pk}/")
    text = page.content.decode()
    assert f"/projects/shapes/snapshots/{frozen.pk}/" in text
    assert f"/projects/shapes/models/{model.pk}/" in text
    assert f"1, up to id {Answer.objects.get().pk} of" in text


def test_each_removal_says_what_is_marked_and_learned_from_it(shapes, alice, carol, tmp_path):
    question = shapes.questions.filter(kind="concept", state="open", grid=1).first()
    answer(alice, {question.pk: True})
    owner = member(shapes, carol, "owner")
    api = "/api/v1/projects/shapes"
    for remove in (
        lambda: owner.post(f"{api}/annotators/{alice.pk}/withdraw/"),
        lambda: owner.post(
            f"/api/v1/images/{question.tile.image_id}/remove/",
            {"reason": "Somebody asked."},
            content_type="application/json",
        ),
    ):
        frozen = snapshots.freeze(project=shapes)
        model = make_model(frozen, recipe="diffusion", current=False)
        marked = remove().json()["marked"]
        assert marked["snapshots"][0]["id"] == frozen.pk, "and others whose successor it is"
        assert {"id": model.pk, "name": str(model)} in marked["models"]
        assert owner.get(f"{api}/snapshots/marked/").json() == marked
        page = owner.get("/projects/shapes/snapshots/").content.decode()
        assert "Issue again" in page and str(model) in page
        (successor,) = owner.post(f"{api}/snapshots/reissue/").json()
        assert snapshots.fill(Snapshot.objects.get(pk=successor["id"])).state == "ready"
        assert owner.get(f"{api}/snapshots/marked/").json() == {"snapshots": [], "models": []}


def test_an_owner_removes_an_annotators_answers_on_their_page(shapes, alice, carol, tmp_path):
    question = shapes.questions.filter(kind="concept", state="open", grid=1).first()
    answer(alice, {question.pk: True})
    frozen = snapshots.freeze(project=shapes)
    address = f"/projects/shapes/people/annotators/{alice.pk}/withdraw/"
    owner = member(shapes, carol, "owner")
    page = owner.post(address, follow=True).content.decode()
    assert "Removed 1 answer and 0 captions of alice from this project." in page
    assert f"Snapshot {frozen.pk} holds something that was removed since" in page
    assert not Answer.objects.exists() and owner.post(address).status_code == 404


def test_a_lineage_of_nothing_says_what_to_give(shapes, carol):
    answered = member(shapes, carol, "owner").get("/api/v1/lineage/")
    assert answered.status_code == 400
    assert "one of sha256, snapshot, model and picture" in answered.content.decode()
