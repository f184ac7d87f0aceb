"""A backup that is made while people answer, and what a restored installation has of it."""

import gzip
import hashlib
import io
import json
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from config import backup
from config.backup import manifest as manifests
from config.backup import tables
from config.backup.places import Folder
from labeling import snapshots
from labeling.inference import recompute
from labeling.models import Answer, Heartbeat, Image, Installation, Project, Question
from labeling.stored_folders import StorageAway, ownership
from tests import emptying
from tests.cast import answer
from tests.fake_bucket import FakeBucket

pytestmark = pytest.mark.django_db(transaction=True)
WEIGHTS = "models/7-ab/model.safetensors"


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.SNAPSHOT_ROOT = tmp_path / "media", tmp_path / "snapshots"


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "backup")


@pytest.fixture
def answered(shapes: Project, alice: Any, bob: Any) -> Project:
    """Let Alice and Bob answer, recompute, freeze a snapshot, and have a model's file."""
    asked = list(shapes.questions.filter(state="open").values_list("pk", flat=True)[:12])
    answer(alice, dict.fromkeys(asked, True))
    answer(bob, dict.fromkeys(asked[:6], False))
    recompute.run(project=shapes)
    snapshots.freeze(project=shapes)
    default_storage.save(WEIGHTS, ContentFile(b"weights"))
    return shapes


def lose_everything(settings: Any, tmp_path: Path) -> None:
    emptying.empty_tables()
    settings.MEDIA_ROOT = tmp_path / "elsewhere"


def counts() -> dict[str, int]:
    not_restored = {"labeling.Installation", "sessions.Session"}
    models = [model for model in apps.get_models() if model._meta.label not in not_restored]
    return {model._meta.label: model._base_manager.count() for model in models}


def beliefs() -> list[tuple[Any, ...]]:
    return list(Question.objects.order_by("pk").values_list("pk", "probability", "state"))


def pictures() -> dict[str, str]:
    names = sorted(set(Image.objects.values_list("file", flat=True)))
    return {name: hashlib.sha256(content(name)).hexdigest() for name in names}


def content(name: str) -> bytes:
    with default_storage.open(name) as file:
        return bytes(file.read())


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let something happen on another connection once the tables are being written."""
    dump = tables.dump

    def dump_and_act(*arguments: Any) -> Any:
        for number, table in enumerate(dump(*arguments)):
            if not number:
                thread = threading.Thread(target=lambda: (act(), connection.close()))
                thread.start()
                thread.join()
            yield table

    monkeypatch.setattr(tables, "dump", dump_and_act)


def test_what_was_backed_up_is_there_again(
    answered: Project, place: Folder, settings: Any, tmp_path: Path
) -> None:
    before = counts(), beliefs(), pictures()
    backup.make(place)
    lose_everything(settings, tmp_path)
    backup.restore(place)
    assert (counts(), beliefs(), pictures()) == before
    assert content(WEIGHTS) == b"weights"


def test_ids_go_on_where_they_were(
    answered: Project, place: Folder, settings: Any, tmp_path: Path, alice: Any
) -> None:
    newest = Answer.objects.latest("pk").pk
    backup.make(place)
    lose_everything(settings, tmp_path)
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE labeling_answer_id_seq RESTART")
    backup.restore(place)
    question = Question.objects.filter(state="open").exclude(answers__annotator=alice).first()
    assert question
    answer(alice, {question.pk: True})
    assert Answer.objects.latest("pk").pk > newest


def test_people_answer_meanwhile_and_the_backup_is_of_one_moment(
    answered: Project,
    place: Folder,
    settings: Any,
    tmp_path: Path,
    alice: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = counts(), beliefs()
    question = answered.questions.filter(state="open").exclude(answers__annotator=alice).first()
    assert question

    def act() -> None:
        answer(alice, {question.pk: True})
        default_storage.save("models/8/model.safetensors", ContentFile(b"newer"))

    meanwhile(monkeypatch, act)
    backup.make(place)
    assert counts() != before[0]
    lose_everything(settings, tmp_path)
    backup.restore(place)
    assert (counts(), beliefs()) == before
    assert default_storage.exists("models/8/model.safetensors")  # files since cost nothing


def test_the_next_backup_copies_what_is_new_alone(answered: Project, place: Folder) -> None:
    first = backup.make(place)
    contents = set(place.names("objects"))
    assert first.copied == first.manifest.file_count > 24
    default_storage.save("models/8/model.safetensors", ContentFile(b"newer"))
    second = backup.make(place)
    assert second.copied == 1
    assert second.manifest.file_count == first.manifest.file_count + 1
    added = len(set(place.names("objects")) - contents)
    assert added <= 3  # the file, the list of files, and a table that counts something


def test_older_backups_go_with_what_only_they_need(
    answered: Project, place: Folder, settings: Any, tmp_path: Path
) -> None:
    backup.make(place)
    default_storage.delete(WEIGHTS)
    made = backup.make(place, keep=1)
    assert manifests.names(place) == [made.manifest.name]
    assert hashlib.sha256(b"weights").hexdigest() not in "".join(place.names("objects"))
    lose_everything(settings, tmp_path)
    backup.restore(place)
    assert Project.objects.filter(slug="shapes").exists()


def test_an_installation_that_is_not_empty_is_left_alone(
    answered: Project, place: Folder, tmp_path: Path
) -> None:
    backup.make(place)
    before = counts()
    with pytest.raises(CommandError, match=r"not empty .* --replace"):
        call_command("restore", str(tmp_path / "backup"))
    Answer.objects.all().delete()
    call_command("restore", str(tmp_path / "backup"), "--replace", verbosity=0)
    assert counts() == before


def test_a_damaged_backup_changes_no_table(
    answered: Project, place: Folder, settings: Any, tmp_path: Path
) -> None:
    made = backup.make(place)
    table = next(each for each in made.manifest.tables if each.name == "labeling_answer")
    (tmp_path / "backup" / "objects" / table.sha256[:2] / table.sha256).write_bytes(b"damaged")
    for act in (backup.verify, backup.restore):
        lose_everything(settings, tmp_path)
        with pytest.raises(backup.BackupError, match="is damaged: objects/"):
            act(place)
        assert not Project.objects.exists()


def test_a_restore_keeps_out_of_an_installation_that_runs(
    answered: Project, place: Folder, settings: Any, tmp_path: Path
) -> None:
    backup.make(place)
    Heartbeat.objects.create(name="web-7@here", kind="web", at=Now())
    other = connection.copy()
    other.ensure_connection()
    try:
        with pytest.raises(backup.BackupError, match="web-7@here still runs, and what people"):
            backup.restore(place, replace=True)
    finally:
        other.close()
    assert Project.objects.exists()


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of the only backup of a folder."""
    (found,) = (path / "backups").glob("*.json")
    fields = json.loads(found.read_text())
    change(fields)
    found.write_text(json.dumps(fields))


def list_of_files(path: Path, *rows: object) -> None:
    """Let the only backup of a folder list other files."""
    data = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    kept = Folder(path).keep(io.BytesIO(data))
    rewrite(path, lambda fields: fields.update(files=list(kept)))


EMPTY = hashlib.sha256(b"").hexdigest()
MANIFESTS: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda fields: fields.update(made_at="tomorrow"),
    lambda fields: fields.update(tables=None),
    lambda fields: fields["tables"][0].update(sha256="../../../etc/passwd"),
    lambda fields: fields["tables"][0].update(name="pg_authid"),
    lambda fields: fields["tables"][0].update(size=-1),
    lambda fields: fields.update(files=["../secret", 1]),
)
ROWS = (
    ["../../outside", EMPTY, 0, ""],
    ["/tmp/outside", EMPTY, 0, ""],
    ["a", "../" * 20, 0, ""],
    ["a"],
    {"name": "a"},
    "x" * 20_000,
)


def test_a_backup_that_somebody_else_wrote_leads_nowhere_else(
    alice: Any, place: Folder, tmp_path: Path
) -> None:
    backup.make(place)
    place.keep(io.BytesIO(b""))
    (path,) = (tmp_path / "backup" / "backups").glob("*.json")
    whole = path.read_text()
    for change in MANIFESTS:
        rewrite(tmp_path / "backup", change)
        with pytest.raises(backup.BackupError, match=r"cannot be read|none of Tessera's"):
            backup.restore(place, replace=True)
        path.write_text(whole)
    for row in ROWS:
        list_of_files(tmp_path / "backup", row)
        with pytest.raises(backup.BackupError, match=r"list of files of backup .* cannot be read"):
            backup.restore(place, replace=True)
    assert not list(tmp_path.glob("**/outside")) and not Path("/tmp/outside").exists()
    assert alice.__class__.objects.exists()


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder"])
def test_what_is_no_file_of_a_backup_is_not_waited_for(
    place: Folder, tmp_path: Path, kind: str
) -> None:
    kept = place.keep(io.BytesIO(b"small"))
    path = tmp_path / "backup" / kept.name
    path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    with (
        pytest.raises(backup.BackupError, match=r"is incomplete: objects/.* is missing"),
        place.fetched(kept),
    ):
        pass


def test_a_content_that_grew_is_not_copied_whole(place: Folder, tmp_path: Path) -> None:
    kept = place.keep(io.BytesIO(b"small"))
    with (tmp_path / "backup" / kept.name).open("wb") as file:
        file.truncate(2**40)  # in a file with holes
    with pytest.raises(backup.BackupError, match="is damaged"), place.fetched(kept):
        pass


def test_a_backup_of_a_newer_version_is_refused(answered: Project, place: Folder) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations VALUES (9999, 'labeling', '0099_x', now())")
        try:
            backup.make(place)
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE id = 9999")
    with pytest.raises(backup.BackupError, match=r"not know \(labeling.0099_x\): install"):
        backup.restore(place, replace=True)


def test_a_place_without_a_backup_gives_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no backup"):
        call_command("restore", str(tmp_path))


def test_a_bucket_holds_backups_too(
    answered: Project,
    bucket: FakeBucket,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("boto3", reason="It is an extra, named s3.")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    before = counts()
    place = backup.place_at("s3://photos/backups/labels")
    backup.make(place)
    assert backup.make(place).copied == 0
    lose_everything(settings, tmp_path)
    backup.restore(place)
    assert counts() == before
    backup.verify(place)
    bucket.refuse("PUT", times=20, status=403, code="AccessDenied")
    default_storage.save("models/8/model.safetensors", ContentFile(b"newer"))
    with pytest.raises(CommandError, match=r"refused: the credentials are wrong or lack a right"):
        call_command("backup", "s3://photos/backups/labels")


def test_the_files_of_another_installation_are_not_written_over(
    answered: Project, place: Folder, settings: Any, tmp_path: Path
) -> None:
    backup.make(place)
    lose_everything(settings, tmp_path)
    ownership.write(str(uuid.uuid4()))
    with pytest.raises(backup.BackupError, match="the files of another installation"):
        backup.restore(place)
    assert not Project.objects.exists()
    backup.restore(place, replace=True)
    assert str(Installation.objects.get().key) == ownership.read()


def test_no_backup_is_made_of_a_disk_that_is_not_there(answered: Project, place: Folder) -> None:
    Installation.objects.create()
    with pytest.raises(StorageAway, match="a disk is not mounted"):
        backup.make(place, keep=1)
