"""Folders in the storage: whole or not at all, whoever puts, reads and deletes them meanwhile."""

import errno
import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling import stored_folders
from labeling.stored_folders import (
    FolderDamaged,
    FolderMissing,
    StorageAway,
    cache,
    locks,
    objects,
    threads,
)
from tests.fake_bucket import FakeBucket

NAME = "runs/7"
FILES = {"config.json": b"{}", "model/weights": b"w" * 3_000}


def folder(path: Path, **files: bytes) -> Path:
    for name, data in (files or FILES).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def content(path: Path) -> dict[str, bytes]:
    return {
        each.relative_to(path).as_posix(): each.read_bytes()
        for each in path.rglob("*")
        if each.is_file() and not each.name.startswith(".folder")
    }


def another_host(settings: Any, tmp_path: Path) -> None:
    """Go on as a machine that has no copy of anything."""
    stored_folders.release()
    settings.CACHE_ROOT = tmp_path / "another host"


class TestInAFolderOfThisMachine:
    @pytest.fixture(autouse=True)
    def media(self, settings, tmp_path: Path) -> Path:
        settings.MEDIA_ROOT, settings.CACHE_ROOT = tmp_path / "media", tmp_path / "cache"
        return tmp_path / "media"

    def test_nothing_is_copied(self, media: Path, tmp_path: Path) -> None:
        place = folder(stored_folders.working(NAME))
        assert not stored_folders.exists(NAME)
        stored_folders.put(place, NAME)
        assert stored_folders.fetch(NAME) == place == media / "runs" / "7"
        assert content(place) == FILES
        assert not (tmp_path / "cache").exists()

    def test_a_folder_of_elsewhere_is_copied_or_moved_there(self, tmp_path: Path) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        assert content(stored_folders.fetch(NAME)) == FILES
        stored_folders.put(folder(tmp_path / "b", other=b"1"), NAME)
        assert content(stored_folders.fetch(NAME)) == {"other": b"1"}
        stored_folders.put(tmp_path / "a", NAME, move=True)
        assert content(stored_folders.fetch(NAME)) == FILES and not (tmp_path / "a").exists()

    def test_a_folder_without_its_index_is_not_there(self) -> None:
        folder(stored_folders.working(NAME))
        with pytest.raises(FolderMissing, match="no complete folder runs/7"):
            stored_folders.fetch(NAME)

    def test_a_file_alone(self, tmp_path: Path) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        with stored_folders.open(NAME, "config.json") as file:
            assert file.read() == b"{}"
        with pytest.raises(FolderMissing, match="holds no other"):
            stored_folders.open(NAME, "other")
        assert stored_folders.index(NAME)["model/weights"].size == 3_000

    def test_what_is_deleted_is_gone(self, tmp_path: Path) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        stored_folders.delete(NAME)
        stored_folders.delete(NAME)
        assert not stored_folders.exists(NAME)

    def test_a_full_disk_is_said_to_be_full(self, tmp_path: Path, monkeypatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(objects, "copy", full)
        with pytest.raises(OSError, match="No space left"):
            stored_folders.put(folder(tmp_path / "a"), NAME)

    def test_a_disk_that_fails_is_no_verdict(self, tmp_path: Path, monkeypatch) -> None:
        def stale(*_: object) -> None:
            raise OSError(errno.ESTALE, "Stale file handle")

        monkeypatch.setattr(objects, "copy", stale)
        with pytest.raises(StorageAway, match="cannot be reached"):
            stored_folders.put(folder(tmp_path / "a"), NAME)


@pytest.mark.parametrize("name", ["../x", "a/../b", "/etc", "a//b", "a\\b", "a/./b", "a\0"])
def test_names_lead_nowhere_else(name: str, tmp_path: Path) -> None:
    for call in (stored_folders.fetch, stored_folders.exists, stored_folders.delete):
        with pytest.raises(ValueError, match="is no name of a stored folder"):
            call(name)


def test_a_row_that_has_no_folder_yet_has_none() -> None:
    assert not stored_folders.exists("") and stored_folders.place("") == ""
    assert stored_folders.here("") is None
    with pytest.raises(FolderMissing, match="has no folder"):
        stored_folders.fetch("")
    with pytest.raises(ValueError, match="is no name"):
        stored_folders.delete("")


class TestInABucket:
    def test_a_folder_is_fetched_by_another_host(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        place = folder(stored_folders.working(NAME))
        stored_folders.put(place, NAME)
        another_host(settings, tmp_path)
        path = stored_folders.fetch(NAME)
        assert path.name == "7" and content(path) == FILES
        remote.asked.clear()
        assert stored_folders.fetch(NAME) == path
        assert set(remote.asked) == {"GET runs/7/.folder.json"}, "one request"

    def test_some_files_without_the_rest(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        path = stored_folders.fetch(NAME, only=["config.json"])
        assert content(path) == {"config.json": b"{}"}
        with stored_folders.open(NAME, "model/weights") as file:
            assert file.read() == FILES["model/weights"]
        with pytest.raises(FolderMissing, match="runs/7 in the storage holds no other"):
            stored_folders.open(NAME, "other")

    def test_what_was_moved_is_not_fetched_again(self, remote: FakeBucket, tmp_path: Path) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME, move=True)
        remote.asked.clear()
        assert content(stored_folders.fetch(NAME)) == FILES
        assert not any("weights" in each for each in remote.asked)
        assert not (tmp_path / "a").exists()

    def test_half_of_a_folder_is_none_and_is_gone_on_with(
        self, remote: FakeBucket, tmp_path: Path
    ) -> None:
        remote.refuse("PUT runs/7/model", 1)
        with pytest.raises(StorageAway, match=r"cannot be reached, or refuses \(SlowDown\)"):
            stored_folders.put(folder(tmp_path / "a"), NAME)
        with pytest.raises(FolderMissing):
            stored_folders.fetch(NAME)
        remote.asked.clear()
        stored_folders.put(tmp_path / "a", NAME)
        assert not any(each.startswith("PUT runs/7/config.json") for each in remote.asked)
        assert content(stored_folders.fetch(NAME)) == FILES

    def test_the_earlier_folder_stays_until_the_new_one_is_whole(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        folder(tmp_path / "a", **{"config.json": b"[]"})
        remote.refuse("PUT runs/7/.folder.json", 1)
        with pytest.raises(StorageAway):
            stored_folders.put(tmp_path / "a", NAME)
        another_host(settings, tmp_path)
        old = stored_folders.fetch(NAME)
        assert content(old) == FILES
        stored_folders.put(tmp_path / "a", NAME)
        remote.asked.clear()
        new = stored_folders.fetch(NAME)
        assert content(new) == FILES | {"config.json": b"[]"} and content(old) == FILES
        assert not any("weights" in each for each in remote.asked), "the same in both"
        assert sum("config.json" in key for key in remote.keys("files")) == 1, "the old one went"

    def test_a_folder_that_is_put_again_while_it_is_fetched(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        another_host(settings, tmp_path)
        begun = threading.Event()

        def again(request: str) -> None:
            if request.startswith("HEAD runs/7/config.json") and not begun.is_set():
                begun.set()
                folder(tmp_path / "a", **{"config.json": b"[]"})
                stored_folders.put(tmp_path / "a", NAME)

        remote.before = again
        assert content(stored_folders.fetch(NAME))["config.json"] == b"[]"

    def test_two_put_different_folders_of_one_name(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "old", same=b"1", other=b"2"), NAME)
        begun = threading.Event()

        def another(request: str) -> None:
            if request.startswith("PUT runs/7/new") and not begun.is_set():
                begun.set()
                stored_folders.put(folder(tmp_path / "b", other=b"2"), NAME)  # `same` goes

        remote.before = another
        stored_folders.put(folder(tmp_path / "a", same=b"1", new=b"3"), NAME)
        assert content(stored_folders.fetch(NAME)) == {"same": b"1", "new": b"3"}

    def test_a_file_that_was_swapped_is_refused(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        (key,) = (key for key in remote.keys("files") if "weights" in key)
        for swapped in (b"x" * 3_000, b"x" * 3_001, b""):
            remote["files", key] = swapped
            with pytest.raises(FolderDamaged, match="is not what was put there"):
                stored_folders.fetch(NAME)
        del remote.objects["files"][key]
        with pytest.raises(FolderDamaged, match="lacks a file"):
            stored_folders.fetch(NAME)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"[]",
            b'{"format": 1, "plain": false, "digest": "a", "files": {"../../x": [1, "a"]}}',
            b'{"format": 1, "plain": false, "digest": "a", "files": {"x": [-1, "a"]}}',
        ],
    )
    def test_an_index_that_was_swapped_leads_nowhere(
        self, remote: FakeBucket, data: bytes, tmp_path: Path
    ) -> None:
        remote["files", "runs/7/.folder.json"] = data
        with pytest.raises(FolderDamaged, match="index of runs/7 in the storage is damaged"):
            stored_folders.fetch(NAME)

    def test_a_copy_that_was_changed_is_fetched_again(
        self, remote: FakeBucket, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        path = stored_folders.fetch(NAME)
        (path / "config.json").unlink()
        (path / "model/weights").chmod(0o600)
        (path / "model/weights").write_bytes(b"x" * 3_000)
        assert content(stored_folders.fetch(NAME)) == FILES

    def test_a_storage_that_is_away_is_no_missing_folder(
        self, remote: FakeBucket, tmp_path: Path, settings
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        for status, code in ((503, "SlowDown"), (403, "AccessDenied"), (507, "QuotaExceeded")):
            remote.refuse("GET", 1, status, code)
            with pytest.raises(StorageAway):
                stored_folders.fetch(NAME)
        kept = remote.objects.pop("files")  # then each file is said not to be there
        with pytest.raises(StorageAway, match="NoSuchBucket"):
            stored_folders.fetch(NAME)
        with pytest.raises(StorageAway):
            stored_folders.exists("runs/8")
        remote.objects["files"] = kept
        assert content(stored_folders.fetch(NAME)) == FILES

    def test_a_folder_that_is_deleted_while_it_is_read(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        read = stored_folders.fetch(NAME)
        stored_folders.delete(NAME)
        assert remote.keys("files") == []
        assert content(read) == FILES, "this thread still reads it"
        with pytest.raises(FolderMissing):
            stored_folders.fetch(NAME)

    def test_a_folder_that_is_deleted_while_it_is_fetched(
        self, remote: FakeBucket, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)

        def delete(request: str) -> None:
            if request.startswith("HEAD runs/7/config.json"):
                remote.objects["files"].clear()

        remote.before = delete
        with pytest.raises(FolderMissing, match="no complete folder"):
            stored_folders.fetch(NAME)

    @pytest.mark.parametrize("small", [0, 8 << 20])
    def test_files_that_are_written_meanwhile_are_put_as_they_were_at_one_moment(
        self, remote: FakeBucket, settings, tmp_path: Path, monkeypatch, small: int
    ) -> None:
        monkeypatch.setattr("labeling.stored_folders.putting.SMALL", small)
        place, written = folder(tmp_path / "a", log=b"1", draft=b"1"), [b"12", b"123"]

        def write(request: str) -> None:
            if request.startswith("PUT runs/7/log") and written:
                (place / "log").write_bytes(written.pop(0))
            (place / "draft").unlink(missing_ok=True)

        remote.before = write
        stored_folders.put(place, NAME)
        another_host(settings, tmp_path)
        assert content(stored_folders.fetch(NAME))["log"] in {b"1", b"12", b"123"}
        remote.before = lambda request: None
        stored_folders.put(place, NAME)
        assert content(stored_folders.fetch(NAME)) == {"log": (place / "log").read_bytes()}
        assert len(remote.keys("files")) == 2, "nothing else is left there"

    def test_a_folder_in_a_folder_keeps_its_files(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        place = folder(tmp_path / "a")
        stored_folders.put(place, NAME)
        stored_folders.put(place / "model", f"{NAME}/model")
        folder(place, **{"model/weights": b"new"})
        stored_folders.put(place, NAME)
        another_host(settings, tmp_path)
        assert content(stored_folders.fetch(f"{NAME}/model")) == {"weights": b"w" * 3_000}
        assert content(stored_folders.fetch(NAME))["model/weights"] == b"new"

    def test_one_file_is_read_while_the_rest_is_still_fetched(
        self, remote: FakeBucket, settings, tmp_path: Path
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        another_host(settings, tmp_path)
        read: list[bytes] = []

        def meanwhile(request: str) -> None:
            if request.startswith("GET runs/7/model") and not read:
                read.append(b"")
                with stored_folders.open(NAME, "config.json") as file:
                    read.append(file.read())

        remote.before = meanwhile
        assert content(stored_folders.fetch(NAME)) == FILES and read[-1] == b"{}"

    def test_a_storage_that_renames_what_is_there(
        self, settings, tmp_path: Path, monkeypatch
    ) -> None:
        one_by_one = lambda work, items: [work(item) for item in items]  # noqa: E731
        monkeypatch.setattr(threads, "all_at_once", one_by_one)  # as Django's storage needs it
        default = {"BACKEND": "tests.buckets.RenamingStorage"}
        settings.STORAGES = {**settings.STORAGES, "default": default}
        settings.CACHE_ROOT = tmp_path / "cache"
        stored_folders.put(folder(tmp_path / "a"), NAME)
        folder(tmp_path / "a", **{"config.json": b"[]"})
        stored_folders.put(tmp_path / "a", NAME)
        assert content(stored_folders.fetch(NAME)) == FILES | {"config.json": b"[]"}
        stored_folders.delete(NAME)
        assert not stored_folders.exists(NAME)

    def test_what_was_killed_long_ago_leaves_no_drafts(self, remote: FakeBucket) -> None:
        old, new = (stored_folders.working(f"runs/.draft-{number}") for number in (1, 2))
        os.utime(old, (0, 0))
        assert stored_folders.working(NAME).is_dir()
        assert new.is_dir() and not old.exists()

    def test_a_folder_brought_from_a_bucket_to_this_machine(
        self, remote: FakeBucket, tmp_path: Path, settings
    ) -> None:
        stored_folders.put(folder(tmp_path / "a"), NAME)
        for key in remote.keys("files"):
            path = tmp_path / "media" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(remote["files", key])
        default = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
        settings.STORAGES = {**settings.STORAGES, "default": default}
        settings.MEDIA_ROOT = tmp_path / "media"
        assert content(stored_folders.fetch(NAME)) == FILES

    def test_what_an_unfinished_try_left_is_deleted_too(
        self, remote: FakeBucket, tmp_path: Path
    ) -> None:
        remote.refuse("PUT runs/7/.folder", 1)
        with pytest.raises(StorageAway):
            stored_folders.put(folder(tmp_path / "a"), NAME)
        stored_folders.delete(NAME)
        assert remote.keys("files") == []

    def test_a_folder_of_many_files_has_a_list_of_its_own(
        self, remote: FakeBucket, settings, tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.setattr("labeling.stored_folders.indexes.INLINE", 1)
        stored_folders.put(folder(tmp_path / "a"), NAME)
        another_host(settings, tmp_path)
        assert content(stored_folders.fetch(NAME)) == FILES
        (name,) = (key for key in remote.keys("files") if "/.folder-" in key)
        remote.asked.clear()
        stored_folders.fetch(NAME)
        assert f"GET {name}" not in remote.asked
        remote.asked.clear()
        for file, data in FILES.items():
            sha256 = hashlib.sha256(data).hexdigest()
            assert stored_folders.holds(NAME, ["no.txt", file], sha256)
            assert not stored_folders.holds(NAME, ["no.txt"], sha256)
            assert not stored_folders.holds(NAME, [file], "0" * 64)
        assert f"GET {name}" not in remote.asked
        remote["files", name] = b"{}"
        with pytest.raises(FolderDamaged):
            stored_folders.index(NAME)

    def test_a_folder_copied_from_a_machine_into_a_bucket(
        self, remote: FakeBucket, tmp_path: Path, settings
    ) -> None:
        bucket = settings.STORAGES
        settings.STORAGES = {
            **bucket,
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        }
        settings.MEDIA_ROOT = tmp_path / "media"
        stored_folders.put(folder(tmp_path / "a"), NAME)
        for path in (tmp_path / "media").rglob("*"):
            if path.is_file():
                name = path.relative_to(tmp_path / "media").as_posix()
                remote["files", name] = path.read_bytes()
        settings.STORAGES = bucket
        assert content(stored_folders.fetch(NAME)) == FILES


class TestRoom:
    @pytest.fixture(autouse=True)
    def put_three(self, remote: FakeBucket, settings, tmp_path: Path) -> None:
        for number in (1, 2, 3):
            stored_folders.put(folder(tmp_path / f"{number}", x=b"x" * 100), f"runs/{number}")
        settings.FOLDER_CACHE_BYTES = 200

    def use(self, name: str, time: int) -> Path:
        path = stored_folders.fetch(name)
        os.utime(path.parent / cache.USE, (time, time))
        return path

    def test_the_least_recently_used_copy_goes(self) -> None:
        first, second = self.use("runs/1", 20), self.use("runs/2", 10)
        stored_folders.release()
        self.use("runs/3", 30)
        assert first.exists() and not second.exists()

    def test_a_copy_that_another_thread_uses_stays(self) -> None:
        first, second = self.use("runs/1", 10), self.use("runs/2", 20)
        in_thread(lambda: stored_folders.fetch("runs/3"))
        assert first.exists() and second.exists()

    def test_a_copy_that_another_process_uses_stays(self) -> None:
        first, second = self.use("runs/1", 10), self.use("runs/2", 20)
        stored_folders.release()
        context = multiprocessing.get_context("fork")
        ready, done = context.Event(), context.Event()
        process = context.Process(target=_keep, args=(first.parent / cache.USE, ready, done))
        process.start()
        assert ready.wait(10)
        self.use("runs/3", 30)
        assert first.exists() and not second.exists()
        done.set()
        process.join()

    def test_a_full_disk_takes_other_copies_first(self, settings, monkeypatch) -> None:
        settings.FOLDER_CACHE_BYTES = 10_000
        first = self.use("runs/1", 10)
        stored_folders.release()
        download = cache._download

        def once_full(*arguments: Any) -> None:
            if first.exists():
                raise OSError(errno.ENOSPC, "No space left on device")
            download(*arguments)

        monkeypatch.setattr(cache, "_download", once_full)
        assert content(self.use("runs/2", 20)) == {"x": b"x" * 100}
        with pytest.raises(OSError, match="No space"):
            first.mkdir(parents=True)
            stored_folders.fetch("runs/3")


def test_two_fetch_the_same_folder_at_once(remote: FakeBucket, settings, tmp_path: Path) -> None:
    """The other waits, and fetches nothing a second time."""
    stored_folders.put(folder(tmp_path / "a"), NAME)
    paths: list[Path] = []
    both = [
        threading.Thread(target=lambda: paths.append(stored_folders.fetch(NAME))) for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert paths[0] == paths[1] and content(paths[0]) == FILES
    assert {count for key, count in remote.asked.items() if key.startswith("GET runs/7/c")} == {1}


def test_the_first_error_ends_a_transfer() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 5:
            raise StorageAway("away")
        done.append(number)

    with pytest.raises(StorageAway):
        threads.all_at_once(work, range(10_000))
    assert len(done) <= threads.SOME


def test_what_a_storage_says_is_not_repeated(remote: FakeBucket, tmp_path: Path) -> None:
    remote.refuse("PUT", 1, 403, "AccessDenied")
    with pytest.raises(StorageAway) as raised:
        stored_folders.put(folder(tmp_path / "a"), NAME)
    assert "AccessDenied" in str(raised.value) and "tester" not in str(raised.value)


def test_an_index_names_the_size_and_hash_of_each_file(remote: FakeBucket, tmp_path: Path) -> None:
    stored_folders.put(folder(tmp_path / "a"), NAME)
    about = json.loads(remote["files", "runs/7/.folder.json"])
    assert about["files"]["config.json"][0] == 2 and len(about["files"]["config.json"][1]) == 64


OUT = "../../../../outside"


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": OUT},  # whose copy would lie outside of the cache
        {"digest": "/tmp/outside"},
        {"digest": "0" * 64},  # of another list than that
        {"digest": None},
        {"digest": OUT, "files": None},
        {"files": [["config.json", 2]]},
        {"files": {"../../outside": [2, "0" * 64]}},
        {"files": {"a": [2, "../" * 16]}},
        {"files": {"a": [10**20, "0" * 64]}},  # for which all other copies would be deleted
        {"files": {"a": [-1, "0" * 64]}},
        "[" * 100_000,
    ],
    ids=str,
)
def test_an_index_that_somebody_else_wrote_leads_nowhere_else(
    remote: FakeBucket, settings, tmp_path: Path, changed: dict[str, Any] | str
) -> None:
    stored_folders.put(folder(tmp_path / "a"), NAME)
    about = json.loads(remote["files", "runs/7/.folder.json"])
    if not isinstance(changed, str):
        files = changed.get("files")
        listed = json.dumps(files, ensure_ascii=False, separators=(",", ":"))
        about |= {"digest": hashlib.sha256(listed.encode()).hexdigest()} if files else {}
        changed = json.dumps(about | changed)
    remote["files", "runs/7/.folder.json"] = changed.encode()
    another_host(settings, tmp_path)
    with pytest.raises(FolderDamaged, match="index of runs/7 in the storage is damaged"):
        stored_folders.fetch(NAME)
    assert not list(tmp_path.glob("**/outside")) and not Path("/tmp/outside").exists()


def in_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def _keep(path: Path, ready: Any, done: Any) -> None:
    locks.keep(path)
    ready.set()
    done.wait(20)
