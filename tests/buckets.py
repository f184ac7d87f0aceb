"""A bucket that tests read from and write to, which the installation's owner allowed."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from config import storage
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
