"""Files that lie elsewhere are fetched whole, by however many workers at the same time."""

from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile, File
from pytest import MonkeyPatch

from labeling import local_files


class RemoteStorage:
    """A storage whose files have no path on this machine."""

    def path(self, name: str) -> str:
        raise NotImplementedError

    def open(self, name: str) -> File:
        return ContentFile(b"a picture")


def test_two_workers_who_fetch_the_same_image_do_not_share_a_draft(
    tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    """The other one begins, and is done, before the first moves its draft in place."""
    monkeypatch.setattr(settings, "CACHE_ROOT", tmp_path)
    monkeypatch.setattr(local_files, "default_storage", RemoteStorage())
    rename = Path.rename

    def interrupted(draft: Path, path: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        local_files.fetch("images/cat.png", cache="images")
        return rename(draft, path)

    monkeypatch.setattr(Path, "rename", interrupted)
    path = local_files.fetch("images/cat.png", cache="images")
    assert path.read_bytes() == b"a picture"
    assert [each.name for each in path.parent.iterdir()] == ["cat.png"]


def test_older_copies_go_when_a_new_one_is_fetched(
    tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CACHE_ROOT", tmp_path)
    monkeypatch.setattr(local_files, "default_storage", RemoteStorage())
    for name in ("71-other", "7-old", "7-new"):
        path = local_files.fetch(f"features/{name}", cache="features", replaces="7-*")
    assert sorted(each.name for each in path.parent.iterdir()) == ["7-new", "71-other"]
