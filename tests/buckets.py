"""A bucket that tests read from and write to, which the installation's owner allowed."""

import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage
from django.utils._os import safe_join

from config import storage
from labeling import stored_folders
from tests.fake_bucket import FakeBucket, serving

SECRET = "nobody-may-read-this"


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBucket]:
    """Serve s3://photos, which imports may read and exports may write."""
    pytest.importorskip("botocore", reason="It is an extra, named s3.")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setattr("labeling.buckets.retries.pause", lambda seconds: None)
    with serving() as fake:
        fake.objects["photos"] = {}
        settings.IMPORT_BUCKETS = [f"s3://photos {fake.url}"]
        settings.EXPORT_BUCKETS = [f"s3://photos {fake.url}"]
        yield fake


@pytest.fixture
def stored_in_bucket(bucket: FakeBucket, settings: Any) -> FakeBucket:
    """Keep all files in s3://files, below a prefix, as FILE_STORAGE would have it."""
    bucket.objects["files"] = {}
    place = storage.parse(f"s3://files/tessera?endpoint_url={bucket.url}&region_name=us-east-1")
    settings.FILE_STORAGE = place
    settings.STORAGES = {**settings.STORAGES, "default": place.as_setting()}
    return bucket


@pytest.fixture
def remote(
    stored_in_bucket: FakeBucket, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeBucket]:
    """Keep all files in s3://files, and ask for each once; this machine keeps copies for the test.

    Go on as another machine by naming another folder CACHE_ROOT.
    """
    from botocore.config import Config
    from storages.backends.s3 import S3Storage

    monkeypatch.setattr(S3Storage, "_create_session", lambda storage: _session())
    options = settings.FILE_STORAGE.options
    once = options["client_config"].merge(Config(retries={"total_max_attempts": 1}))
    default = settings.STORAGES["default"]
    default = {**default, "OPTIONS": {**options, "location": "", "client_config": once}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    settings.CACHE_ROOT = tmp_path / "cache"
    yield stored_in_bucket
    stored_folders.release()


class RenamingStorage(InMemoryStorage):
    """A storage elsewhere that gives a new name to what would replace a file."""

    def path(self, name: str) -> str:
        raise NotImplementedError

    def _relative_path(self, name: str) -> str:
        return os.path.relpath(safe_join(self.location, name), self.location)


class _Session:
    """What makes connections; it takes long to make, so that all threads and tests share one."""

    def __init__(self) -> None:
        import boto3

        self._session, self._lock = boto3.Session("tester", SECRET), threading.Lock()

    def resource(self, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            return self._session.resource(*arguments, **named)


@lru_cache(maxsize=1)
def _session() -> _Session:
    return _Session()
