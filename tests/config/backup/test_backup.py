"""A backup that is made while people answer, and what a restored installation has of it."""

import hashlib
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

from config import backup
from config.backup import manifest as manifests
from config.backup import tables
from config.backup.places import Folder
from labeling import snapshots
from labeling.inference import recompute
from labeling.models import Answer, Image, Installation, Project, Question
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
