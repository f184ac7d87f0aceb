"""A folder that is not mounted loses nothing, and two installations do not share a bucket."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from config import installation
from config.checks.storage import check_ownership
from config.monitoring import health
from labeling import folder_deletions, removal, stored_folders
from labeling.images import store
from labeling.models import FolderDeletion, Installation, Project, RemovedImage
from labeling.stored_folders import FolderMissing, StorageAway, ownership
from labeling.stored_folders.ownership import StorageNotOurs
from tests.fake_bucket import FakeBucket
from tests.pictures import png

NAME = "snapshots/1-ab"


@pytest.fixture(autouse=True)
def media(transactional_db: None, settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def begun(media: Path) -> Path:
    """Begin an installation, with a file of its own."""
    assert check_ownership() == []
    return media


def unmount(media: Path) -> Path:
    """Leave the folder as it is without its disk, which is returned."""
    disk = media.with_name("disk")
    media.rename(disk)
    media.mkdir()
    return disk


def said() -> list[str]:
    return [message.msg for message in check_ownership() if message.is_serious()]


def test_the_first_start_names_the_storage(begun: Path) -> None:
    assert str(Installation.objects.get().key) in (begun / ownership.FILE).read_text()
    assert check_ownership() == []
    assert Installation.objects.count() == 1


def test_a_first_start_while_the_storage_is_away_leaves_it_to_the_next(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, files: Any) -> None:
        raise StorageAway("The storage cannot be reached.")

    with monkeypatch.context() as patch:
        patch.setattr(ownership, "write", refuse)
        assert said() == []
    assert not Installation.objects.exists()
    ownership.check()
    assert said() == []
    assert Installation.objects.exists()


def test_no_process_begins_on_a_folder_that_is_not_mounted(begun: Path) -> None:
    disk = unmount(begun)
    assert said() == [ownership.LACKS]
    begun.rmdir()
    disk.rename(begun)
    assert said() == []


def test_nothing_is_missing_while_it_is_not_mounted(begun: Path) -> None:
    with pytest.raises(FolderMissing):
        stored_folders.fetch(NAME)
    unmount(begun)
    with pytest.raises(StorageAway, match="a disk is not mounted"):
        stored_folders.fetch(NAME)
    with pytest.raises(StorageAway, match="a disk is not mounted"):
        stored_folders.exists(NAME)


def test_nothing_is_written_below_the_place_of_the_disk(begun: Path, shapes: Project) -> None:
    unmount(begun)
    with pytest.raises(StorageNotOurs):
        store.add(project=shapes, data=png(7), source="new.png")
    with pytest.raises(StorageNotOurs):
        stored_folders.working(NAME)
    assert list(begun.iterdir()) == []


def test_what_is_to_be_deleted_waits_for_the_disk(begun: Path, shapes: Project) -> None:
    name = default_storage.save("images/ab/removed.webp", ContentFile(b"picture"))
    RemovedImage.objects.create(project=shapes, image_id=1, sha256="ab", file=name)
    FolderDeletion.objects.create(name=NAME)
    disk = unmount(begun)
    assert removal.delete_files() == 0
    folder_deletions.delete_folders()
    assert FolderDeletion.objects.exists()
    assert RemovedImage.objects.exclude(file="").exists()
    begun.rmdir()
    disk.rename(begun)
    assert removal.delete_files() == 1
    assert not (begun / name).exists()


def test_a_process_that_runs_says_so(begun: Path) -> None:
    health.ask_storage()
    unmount(begun)
    with pytest.raises(health.NotReady, match="a disk is not mounted"):
        health.ask_storage()


def test_a_bucket_of_another_installation_is_refused(stored_in_bucket: FakeBucket) -> None:
    assert said() == []
    ownership.write(str(uuid.uuid4()))
    assert said() == [ownership.ANOTHERS]


def test_a_second_installation_does_not_take_a_storage_over(begun: Path) -> None:
    Installation.objects.all().delete()
    assert said() == [ownership.ANOTHERS]
    assert not Installation.objects.exists()


def test_a_storage_is_claimed_by_a_command(begun: Path) -> None:
    shutil.rmtree(begun)
    call_command("claim_storage", verbosity=0)
    assert said() == []
    Installation.objects.all().delete()
    call_command("claim_storage", verbosity=0)
    assert said() == []
    assert str(Installation.objects.get().key) in (begun / ownership.FILE).read_text()


def test_processes_that_are_told_nothing_ask_nothing(media: Path) -> None:
    installation.expect()
    ownership.check()
