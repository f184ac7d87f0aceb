"""The pages of pictures and imports: who may do what, and what they say."""

from collections.abc import Mapping

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from labeling import images, tasks
from labeling.models import Import, Membership, Project
from tests.labeling.imports.sources import zipped
from tests.labeling.imports.uploading import begin, upload
from tests.pictures import png

pytestmark = pytest.mark.django_db
FILES = {"owl/1.png": png(1), "Wren <b>/2.png": png(2), "a.pdf": b"%PDF"}


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT, settings.UPLOAD_MIN_FREE_BYTES = tmp_path / "cache", 0


@pytest.fixture
def birds(carol: User) -> Project:
    project = Project.objects.create(slug="birds", name="Birds")
    Membership.objects.create(project=project, user=carol, role="owner")
    return project


@pytest.fixture
def owner(birds: Project, carol: User) -> Client:
    client = Client()
    client.force_login(carol)
    return client


def page(name: str, *args: object) -> str:
    return reverse(name, args=["birds", *args])


def read(birds: Project, carol: User, files: Mapping[str, bytes] = FILES) -> Import:
    """An import that waits for concepts to be chosen."""
    record = upload(birds, carol, files)
    tasks.advance_imports()
    record.refresh_from_db()
    return record


def imported(birds: Project, carol: User) -> Import:
    record = upload(birds, carol, FILES, start_at_once=True)
    tasks.advance_imports()
    record.refresh_from_db()
    assert record.state == "done"
    return record


def test_the_page_shows_where_to_drop_pictures_and_those_there_are(owner, birds, carol):
    assert b"There are none yet." in owner.get(page("project-pictures")).content
    record = imported(birds, carol)
    shown = owner.get(page("project-pictures"))
    assert b"3 read: 2 taken, 0 known already, 1 refused" in shown.content
    assert [image.source for image in shown.context["images"]] == ["owl/1.png", "Wren <b>/2.png"]
    assert b"Wren &lt;b&gt;/2.png" in shown.content
    assert owner.get(page("project-pictures"), {"record": record.pk}).status_code == 200


def test_pictures_are_found_by_keyword_folder_and_path(owner, birds, carol):
    imported(birds, carol)
    expected = {
        "OWL": ["owl/1.png"],
        "/2.p": ["Wren <b>/2.png"],
        "wren <B>": ["Wren <b>/2.png"],
        "%": [],
    }
    for words, sources in expected.items():
        shown = owner.get(page("project-pictures"), {"q": words})
        assert [image.source for image in shown.context["images"]] == sources, words
    assert owner.get(page("project-pictures"), {"q": "x\0"}).status_code == 200


def test_pictures_come_a_page_at_a_time(owner, shapes, ada_client):
    shown = ada_client.get("/projects/shapes/pictures/")
    assert len(shown.context["images"]) == 24 and shown.context["before"] is None
    newest = shown.context["images"][0].pk
    later = ada_client.get("/projects/shapes/pictures/", {"before": newest})
    assert len(later.context["images"]) == 23
    for nonsense in ("before=x", "before=-1", "record=%00", "q=" + "x" * 300, "imports=%FF"):
        assert ada_client.get(f"/projects/shapes/pictures/?{nonsense}").status_code == 200


def test_an_archive_comes_in_without_a_script(owner, birds, tmp_path):
    data = zipped(tmp_path / "box.zip", [("owl/1.png", png(1))]).read_bytes()
    files = [SimpleUploadedFile("box.zip", data), SimpleUploadedFile("2.png", png(2))]
    response = owner.post(page("project-upload"), {"files": files})
    record = Import.objects.get()
    assert response.url == page("project-import", record.pk)
    tasks.advance_imports()
    assert b"2 pictures" in owner.get(response.url).content


def test_a_form_that_cannot_be_taken_is_told_why(owner, birds, settings):
    response = owner.post(page("project-upload"), {}, follow=True)
    assert b"Choose an archive or pictures first." in response.content
    settings.UPLOAD_MIN_FREE_BYTES = 2**62
    files = {"files": SimpleUploadedFile("1.png", png(1))}
    response = owner.post(page("project-upload"), files, follow=True)
    assert b"disk is full" in response.content
    assert not Import.objects.exists()


def test_concepts_are_chosen_on_the_page_of_the_import(owner, birds, carol):
    record = read(birds, carol, {**FILES, "owl/1.npz": b"", "owl/9.txt": b"an owl, asleep"})
    shown = owner.get(page("project-import", record.pk))
    assert b"It holds 3 pictures" in shown.content
    assert (
        b"a text without a picture of the same name" in shown.content
        and b"owl/9.txt" in shown.content
    )
    assert {each["name"] for each in shown.context["candidates"]} == {"owl", "Wren <b>"}
    choice = {"concept": ["owl"], "others": "bird, feather\n\nOWL"}
    assert owner.post(page("project-import-choose", record.pk), choice).status_code == 302
    record.refresh_from_db()
    assert record.concepts == ["OWL", "bird", "feather"]
    tasks.advance_imports()
    shown = owner.get(page("project-import", record.pk)).content
    assert b"3 files were read" in shown and b"not a readable picture" in shown
    assert b"passed over" in shown and b"owl/1.npz" in shown
    assert b"".join(owner.get(page("project-import-report", record.pk))).count(b"\n") == 9


def test_a_wrong_name_loses_nothing_that_was_ticked_or_typed(owner, birds, carol):
    record = read(birds, carol)
    choice = {"concept": ["Wren <b>"], "others": "x" * 81}
    shown = owner.post(page("project-import-choose", record.pk), choice)
    assert shown.status_code == 409 and b"80 are the limit" in shown.content
    assert shown.context["typed"] == "x" * 81
    ticked = [each["name"] for each in shown.context["candidates"] if each["ticked"]]
    assert ticked == ["Wren <b>"]


def test_how_its_texts_are_read_is_shown_and_chosen(owner, birds, carol):
    texts = {f"{n}.png": png(n) for n in range(3)}
    texts |= {f"{n}.txt": f"dog, lawn, sky {n}".encode() for n in range(3)}
    record = read(birds, carol, texts)
    shown = owner.get(page("project-import", record.pk)).content.decode()
    assert "3 texts in .txt files are keywords: of the parts between commas" in shown
    form = {"group": [".txt"], "texts": ["captions"], "encoding": "", "column-caption": "prompt"}
    wrong = owner.post(page("project-import-options", record.pk), {**form, "encoding": "klingon"})
    assert wrong.status_code == 409 and b'value="prompt"' in wrong.content
    assert owner.post(page("project-import-options", record.pk), form).status_code == 302
    record.refresh_from_db()
    assert record.state == "reading"
    assert record.options == {"texts": {".txt": "captions"}, "columns": {"caption": "prompt"}}


def test_the_second_of_two_who_choose_is_told(owner, birds, carol):
    record = read(birds, carol)
    owner.post(page("project-import-choose", record.pk), {"concept": ["owl"]})
    second = owner.post(page("project-import-choose", record.pk), {"concept": []})
    assert second.status_code == 409 and b"not waiting for concepts" in second.content


def test_every_state_has_its_page(owner, birds, carol):
    record = begin(birds, carol, FILES)
    for state in Import.State.values:
        Import.objects.update(state=state)
        for address in (page("project-import", record.pk), page("project-pictures")):
            assert owner.get(address).status_code == 200, state


def test_a_failed_import_is_tried_again_and_a_cancelled_one_is_not(owner, birds, carol):
    record = upload(birds, carol, {"a.txt": b"owl"})
    tasks.advance_imports()
    assert b"holds no pictures" in owner.get(page("project-import", record.pk)).content
    owner.post(page("project-import-retry", record.pk))
    assert Import.objects.get().state == "reading"
    owner.post(page("project-import-cancel", record.pk))
    response = owner.post(page("project-import-retry", record.pk), follow=True)
    assert b"It has not failed" in response.content
    assert Import.objects.get().state == "cancelled"


def test_a_picture_is_shown_with_what_is_known_of_it_and_removed_for_a_reason(owner, birds, carol):
    imported(birds, carol)
    image = birds.images.get(source="owl/1.png")
    shown = owner.get(page("project-picture", image.pk)).content
    assert b"owl/1.png" in shown and b"an owl" in shown and b"box" in shown
    refused = owner.post(page("project-picture-remove", image.pk), {"reason": " "})
    assert refused.status_code == 400 and b"Say why" in refused.content
    owner.post(page("project-picture-remove", image.pk), {"reason": "private"})
    assert not birds.images.filter(pk=image.pk).exists()
    assert owner.get(page("project-picture", image.pk)).status_code == 404


def test_an_import_is_undone_once_it_is_said_what_goes(owner, birds, carol):
    record = imported(birds, carol)
    assert b"Undo this import" in owner.get(page("project-import", record.pk)).content
    confirmation = owner.get(page("project-import-undo", record.pk)).content
    assert b"<b>2</b> pictures that it brought go" in confirmation and b"owl" in confirmation
    assert birds.images.count() == 2
    owner.post(page("project-import-undo", record.pk))
    tasks.advance_imports()
    shown = owner.get(page("project-import", record.pk)).content
    assert b"It was taken back: 2 pictures are gone" in shown
    assert not birds.images.exists() and not birds.concepts.exists()
    again = owner.post(page("project-import-undo", record.pk), follow=True)
    assert b"was taken back already" in again.content


@pytest.mark.parametrize("role", ["reviewer", "trainer", "viewer", "annotator", None])
def test_only_owners_change_anything(owner, birds, carol, bea, role):
    record = read(birds, carol)
    image, _ = images.add(project=birds, data=png(9), source="9.png")
    client = Client()
    client.force_login(bea)
    if role:
        Membership.objects.create(project=birds, user=bea, role=role)
    sees = role in {"reviewer", "trainer", "viewer"}
    for name, *args in (
        ("project-pictures",),
        ("project-import", record.pk),
        ("project-picture", image.pk),
    ):
        shown = client.get(page(name, *args))
        assert shown.status_code == (200 if sees else 404), name
        assert b'<form method="post"' not in shown.content.partition(b"<main")[2], name
    for name, *args in (
        ("project-upload",),
        ("project-import-choose", record.pk),
        ("project-import-options", record.pk),
        ("project-import-cancel", record.pk),
        ("project-import-retry", record.pk),
        ("project-import-undo", record.pk),
        ("project-picture-remove", image.pk),
    ):
        assert client.post(page(name, *args)).status_code == (403 if sees else 404), name
    record.refresh_from_db()
    assert record.state == "choosing"


def test_the_rows_of_another_project_are_not_there(owner, birds, shapes, carol):
    other = upload(shapes, carol, FILES)
    for name, pk in (
        ("project-import", other.pk),
        ("project-import-report", other.pk),
        ("project-picture", shapes.images.first().pk),
    ):
        assert owner.get(page(name, pk)).status_code == 404, name
    cancel = page("project-import-cancel", other.pk)
    assert owner.post(cancel).status_code == 404
    assert Client(enforce_csrf_checks=True).post(cancel).status_code == 403


def test_an_archived_project_offers_no_place_to_drop_pictures(owner, birds):
    Project.objects.update(state="archived")
    shown = owner.get(page("project-pictures")).content
    assert b"data-upload" not in shown and b"takes no more pictures" in shown


def test_an_owner_says_where_an_import_comes_from(owner, birds, carol):
    record = imported(birds, carol)
    form = {"vendor": "Words <b>", "batch": "May", "license": "CC0", "url": "https://a.example/"}
    form |= {"price": "12.50", "currency": "eur", "note": "Of spring."}
    assert owner.post(page("project-import-declare", record.pk), form).status_code == 302
    shown = owner.get(page("project-import", record.pk)).content.decode()
    assert "Words &lt;b&gt;" in shown and "12.50 EUR" in shown and "Of spring." in shown
    wall = owner.get(page("project-pictures"), {"vendor": "Words <b>"}).content.decode()
    assert wall.count("<img") == 2 and "every batch" in wall
    picture = owner.get(page("project-picture", record.images.first().pk)).content.decode()
    assert "Words &lt;b&gt;" in picture and "Licence <bdi>CC0" in picture
    labels = owner.get(page("project-labels"), {"vendor": "Words <b>", "decided": "all"})
    assert "every vendor" in labels.content.decode()
    assert "12.50 EUR of imports" in labels.content.decode()
    assert birds.events.filter(message__startswith="Declared of").exists()


def test_what_was_typed_is_kept_where_it_is_refused(owner, birds, carol):
    record = imported(birds, carol)
    shown = owner.post(page("project-import-declare", record.pk), {"vendor": "A", "price": "12"})
    assert shown.status_code == 400
    assert b"in which currency" in shown.content and b'value="12"' in shown.content
    assert Import.objects.get(pk=record.pk).vendor == ""
