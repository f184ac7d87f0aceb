"""The way of an upload after its last byte, whoever dies or changes their mind meanwhile."""

import io
import zipfile
from datetime import timedelta

import pyarrow as pa
import pytest
from django.utils import timezone
from pyarrow import parquet

from labeling import tasks
from labeling.imports import importer, outcomes, runner, staging, uploads
from labeling.models import Concept, Event, Import, LeaseLost, Project
from labeling.stored_folders.errors import StorageAway
from tests.labeling.imports.bombs import Named
from tests.labeling.imports.sources import zipped
from tests.labeling.imports.uploading import begin, send, upload
from tests.pictures import png

pytestmark = pytest.mark.django_db
FILES = {
    "box/owl/1.png": png(1),
    "box/owl/2.png": png(2),
    "box/Wren/3.png": png(3),
    "box/Wren/3.txt": b"bird, small",
    "box/note.pdf": b"%PDF",
    "../4.png": png(4),
}


@pytest.fixture
def birds(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds")


def advanced(record: Import) -> Import:
    tasks.advance_import(record.pk)
    record.refresh_from_db()
    return record


def test_an_upload_is_read_chosen_for_and_imported(
    birds, carol, django_capture_on_commit_callbacks
):
    record = advanced(upload(birds, carol, FILES))
    assert (record.state, record.pictures) == ("choosing", 4)
    assert {(each["name"], each["pictures"]) for each in record.candidates} >= {
        ("owl", 2),
        ("Wren", 1),
    }
    assert not birds.concepts.exists() and not birds.images.exists()
    runner.choose(record=record, by=carol, names=["owl", " Wren ", "OWL"])
    with django_capture_on_commit_callbacks(execute=True):
        record = advanced(record)
    assert (record.state, record.concepts) == ("done", ["OWL", "Wren"])
    counts = record.counts
    assert (counts["taken"], counts["known"], counts["refused"], counts["read"]) == (3, 0, 2, 5)
    with record.report.open() as file:
        table = file.read().decode()
    assert "../4.png,refused,,its path leaves the folder" in table and "note.pdf,refused" in table
    assert set(birds.images.values_list("imported_by", flat=True)) == {record.pk}
    assert not staging.folder_of(record).exists() and not record.uploaded_files.exists()
    assert [event.message for event in Event.objects.order_by("pk")] == [
        f"Uploaded “box”: 6 files, {record.bytes:,} bytes.",
        "Chose 2 concepts for the import of “box”.",
        "Began to import box: 4 pictures.",
        "Imported box: 3 new pictures, 0 known already, 0 near-duplicates, 2 refused; "
        "2 keywords: 2 attached, 0 refused.",
    ]


def test_it_may_go_on_by_itself_with_what_is_proposed(birds, carol):
    record = advanced(upload(birds, carol, FILES, start_at_once=True))
    assert record.state == "done"
    assert set(birds.concepts.values_list("name", flat=True)) == {"owl", "Wren"}


def test_it_may_go_on_by_itself_with_what_was_chosen_before(birds, carol):
    assert advanced(upload(birds, carol, FILES, concepts=[])).state == "done"
    assert not birds.concepts.exists() and birds.images.count() == 3


def test_of_two_owners_who_choose_at_once_the_second_is_told(birds, carol, bea):
    record = advanced(upload(birds, carol, FILES))
    runner.choose(record=record, by=carol, names=["owl"])
    with pytest.raises(uploads.UploadConflict, match="not waiting for concepts"):
        runner.choose(record=record, by=bea, names=["Wren"])
    record.refresh_from_db()
    assert record.concepts == ["owl"]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "owl\0"])
def test_what_cannot_name_a_concept_is_refused(birds, carol, name):
    record = advanced(upload(birds, carol, FILES))
    with pytest.raises(uploads.UploadError):
        runner.choose(record=record, by=carol, names=["owl", name])
    assert Import.objects.get().state == "choosing"


def test_a_worker_that_dies_loses_nothing(birds, carol, monkeypatch):
    record = advanced(upload(birds, carol, FILES))
    runner.choose(record=record, by=carol, names=["owl"])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            runner.advance(record)
    record.refresh_from_db()
    assert (record.state, record.attempts, birds.images.count()) == ("importing", 0, 3)
    tasks.advance_imports()
    record.refresh_from_db()
    assert (record.state, record.counts["taken"], record.counts["known"]) == ("done", 3, 0)
    assert birds.images.count() == 3


def test_a_worker_that_was_killed_is_replaced_once_its_lease_ends(birds, carol):
    record = upload(birds, carol, FILES)
    Import.objects.acquire(record.pk, attempts=1)
    tasks.advance_imports()
    assert Import.objects.get().state == "reading", "somebody may be at it"
    Import.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.advance_imports()
    assert Import.objects.get().state == "choosing"


def test_a_command_that_is_only_held_up_keeps_its_import(birds):
    record = Import.objects.create(project=birds, source="/box", state=Import.State.IMPORTING)
    held = Import.objects.acquire(record.pk)
    Import.objects.update(lease_until=timezone.now() - timedelta(seconds=30))
    tasks.advance_imports()
    held.renew()
    Import.objects.update(lease_until=timezone.now() - timedelta(seconds=90))
    tasks.advance_imports()
    record.refresh_from_db()
    assert record.state == "failed" and "run it again" in record.error
    with pytest.raises(LeaseLost):
        held.renew()


def test_an_import_that_kills_its_workers_is_given_up_and_may_be_tried_again(birds, carol):
    record = upload(birds, carol, FILES)
    past = timezone.now() - timedelta(seconds=1)
    Import.objects.update(attempts=runner.ATTEMPTS, lease_token="x", lease_until=past)
    tasks.advance_imports()
    record.refresh_from_db()
    assert record.state == "failed" and "was lost 3 times" in record.error
    assert "was lost 3 times" in Event.objects.first().message
    assert runner.retry(record=record, by=carol).state == "reading"
    assert advanced(record).state == "choosing"
    with pytest.raises(uploads.UploadConflict, match="has not failed"):
        runner.retry(record=record, by=carol)


def test_a_source_without_pictures_fails_with_the_reasons(birds, carol, tmp_path):
    archive = zipped(tmp_path / "box.zip", [("../1.png", png(1))]).read_bytes()
    record = advanced(upload(birds, carol, {"box.zip": archive}))
    assert record.state == "failed"
    assert record.error == "box holds no pictures (its path leaves the archive)."


def test_a_fault_of_the_server_is_told_without_its_insides(birds, carol, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret insides")

    with monkeypatch.context() as patch:
        patch.setattr(importer, "run", fail)
        record = advanced(upload(birds, carol, FILES, concepts=[]))
    assert record.state == "failed" and "secret" not in record.error
    assert "secret insides" in caplog.text
    runner.retry(record=record, by=carol)
    assert advanced(record).state == "done"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "no room left"),
        (StorageAway("The storage cannot be reached."), "cannot be reached"),
    ],
)
def test_a_storage_that_is_full_or_away_only_delays_it(birds, carol, monkeypatch, error, words):
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(importer, "run", fail)
        record = advanced(upload(birds, carol, FILES, concepts=[]))
    assert record.state == "importing" and words in record.error
    assert "goes on by itself" in record.error
    tasks.advance_imports()
    record.refresh_from_db()
    assert (record.state, record.error) == ("done", "")


def test_an_import_can_be_cancelled_at_any_time(birds, carol, django_capture_on_commit_callbacks):
    records = [
        begin(birds, carol, FILES),
        upload(birds, carol, FILES),
        advanced(upload(birds, carol, FILES)),
    ]
    for record in records:
        with django_capture_on_commit_callbacks(execute=True):
            assert runner.cancel(record=record, by=carol).state == "cancelled"
        assert not staging.folder_of(record).exists() and not record.uploaded_files.exists()
        assert advanced(record).state == "cancelled"
        for step in (
            lambda record=record: runner.cancel(record=record, by=carol),
            lambda record=record: runner.choose(record=record, by=carol, names=[]),
            lambda record=record: send(record, 0, b"x"),
            lambda record=record: uploads.complete(record=record, by=carol),
        ):
            with pytest.raises(uploads.UploadConflict):
                step()


def test_one_that_is_cancelled_while_it_is_imported_stops_there(birds, carol, monkeypatch):
    record = upload(birds, carol, FILES, concepts=[])
    run = importer.run

    def cancel_after(**options: object) -> bool:
        done = run(**options)  # type: ignore[arg-type]
        runner.cancel(record=Import.objects.get(), by=carol)
        return done

    runner.advance(record)
    monkeypatch.setattr(importer, "run", cancel_after)
    with pytest.raises(LeaseLost):
        runner.advance(record)
    record.refresh_from_db()
    assert (record.state, record.counts, birds.images.count()) == ("cancelled", {}, 3)


def test_one_whose_project_is_deleted_meanwhile_ends_quietly(birds, carol, monkeypatch):
    record = upload(birds, carol, FILES, concepts=[])
    runner.advance(record)

    def delete_first(**_: object) -> None:
        Project.objects.all().delete()
        raise RuntimeError("rows are gone")

    monkeypatch.setattr(importer, "run", delete_first)
    runner.advance(record)
    assert not Import.objects.exists() and not staging.folder_of(record).exists()


def test_uploads_that_never_end_are_swept(birds, carol, django_capture_on_commit_callbacks):
    abandoned, recent, unchosen = begin(birds, carol, FILES), begin(birds, carol, FILES), None
    send(abandoned, 0, FILES["box/owl/1.png"])
    unchosen = advanced(upload(birds, carol, FILES))
    week, day = timezone.now() - timedelta(days=8), timezone.now() - timedelta(days=1, minutes=1)
    Import.objects.filter(pk=abandoned.pk).update(active_at=day)
    Import.objects.filter(pk=unchosen.pk).update(active_at=week)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.forget_uploads()
    states = dict(Import.objects.values_list("pk", "state"))
    assert states == {abandoned.pk: "cancelled", recent.pk: "uploading", unchosen.pk: "cancelled"}
    assert not staging.folder_of(abandoned).exists()
    assert Import.objects.get(pk=abandoned.pk).error == "Nobody went on with it."


def test_the_files_of_one_that_failed_are_kept_for_a_day(
    birds, carol, django_capture_on_commit_callbacks
):
    record = advanced(upload(birds, carol, {"a.txt": b"owl"}))
    tasks.forget_uploads()
    assert staging.folder_of(record).exists()
    Import.objects.update(finished_at=timezone.now() - timedelta(days=2))
    with django_capture_on_commit_callbacks(execute=True):
        tasks.forget_uploads()
    assert not staging.folder_of(record).exists()
    with pytest.raises(uploads.UploadConflict, match="deleted by now"):
        runner.retry(record=record, by=carol)


def test_the_time_left_follows_from_the_rate(birds):
    now = timezone.now()
    record = Import(project=birds, state="importing", pictures=100, done=0, claimed_at=now)
    assert record.seconds_left is None and record.share == 0
    record.done, record.heartbeat_at = 25, now + timedelta(seconds=10)
    assert (record.share, record.seconds_left) == (0.25, 30.0)
    assert Import(project=birds, state="uploading", bytes=10, received=5).share == 0.5
    assert Import(project=birds, state="reading").share is None


def test_concepts_that_the_project_has_are_matched(birds, carol):
    owl = Concept.objects.create(project=birds, name="Owl", phrase="an owl")
    record = advanced(upload(birds, carol, FILES))
    candidates = {each["name"]: each for each in record.candidates}
    assert (candidates["owl"]["concept"], candidates["owl"]["ticked"]) == (owl.name, True)
    runner.choose(record=record, by=carol, names=["owl"])
    advanced(record)
    assert birds.concepts.count() == 1


def test_an_upload_whose_names_are_in_a_code_page_is_read_again_in_it(birds, carol, tmp_path):
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(Named("いぬ/1.png".encode("cp932")), png(1))
    record = upload(birds, carol, {"windows.zip": path.read_bytes()})
    failed = runner.advance(record)
    assert failed.state == "failed" and "say which (--encoding cp932" in failed.error
    runner.read_again(record=record, by=carol, options={"encoding": "cp932"})
    read = runner.advance(record)
    assert (read.state, read.error) == ("choosing", "")
    assert [each["name"] for each in read.candidates] == ["いぬ"]


TAGGED = {f"box/{n}.png": png(n) for n in range(3)} | {
    f"box/{n}.txt": f"dog, lawn, sky {n}".encode() for n in range(3)
}


def test_what_its_texts_are_is_shown_and_may_be_chosen_before_it_is_imported(birds, carol):
    record = advanced(upload(birds, carol, TAGGED))
    (decision,) = record.decisions
    assert (decision["group"], decision["texts"], decision["kind"]) == (".txt", 3, "keywords")
    assert (record.captions, {each["name"] for each in record.candidates}) >= (0, {"dog"})
    runner.read_again(record=record, by=carol, options={"texts": {".txt": "captions"}})
    record = advanced(record)
    assert record.state == "choosing" and record.options == {"texts": {".txt": "captions"}}
    assert (record.captions, record.candidates) == (3, [])
    assert record.decisions[0]["chosen"]
    runner.choose(record=record, by=carol, names=[])
    assert advanced(record).counts["texts"]["caption"]["attached"] == 3


def test_options_that_cannot_be_are_refused_and_change_nothing(birds, carol):
    record = advanced(upload(birds, carol, TAGGED))
    for options, word in (
        ({"encoding": "klingon"}, "There is no such encoding"),
        ({"texts": {".txt": "poems"}}, "Texts are captions, keywords"),
        ({"columns": {"smell": "x"}}, "Columns are chosen for picture"),
        ({"colour": "red"}, "There is no option colour"),
    ):
        with pytest.raises(uploads.UploadError, match=word):
            runner.read_again(record=record, by=carol, options=options)
    record.refresh_from_db()
    assert (record.state, record.options) == ("choosing", {})


def test_an_import_that_has_gone_on_is_not_read_again(birds, carol):
    record = advanced(upload(birds, carol, TAGGED))
    runner.choose(record=record, by=carol, names=[])
    with pytest.raises(uploads.UploadConflict):
        runner.read_again(record=record, by=carol, options={})


def test_a_reason_that_cannot_be_stored_fails_an_import_all_the_same(birds, carol):
    table = io.BytesIO()
    parquet.write_table(pa.table({"a\0b": [1]}), table)
    record = advanced(upload(birds, carol, {"a.parquet": table.getvalue()}))
    assert record.state == "failed" and r"found a\x00b" in record.error
