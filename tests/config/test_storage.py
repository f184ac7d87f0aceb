"""Where files lie, by the environment alone; and what is said where they cannot lie there."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from config import storage
from tests.buckets import SECRET

pytest_plugins = ["tests.buckets"]


def test_without_a_setting_files_lie_in_the_media_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    place = storage.parse("")
    assert place == (storage.FOLDER, {})
    assert storage.problems(place) == []


def test_a_folder_is_named_by_an_address(tmp_path):
    place = storage.parse(f"file://{tmp_path}/all%20files")
    assert place.options == {"location": f"{tmp_path}/all files"}


def test_a_bucket_is_named_by_an_address_with_its_options():
    place = storage.parse(
        "s3://photos/of/all?endpoint_url=http://minio:9000&region_name=here&use_ssl=false"
    )
    assert place.backend == storage.S3
    given = {"bucket_name", "location", "endpoint_url", "region_name", "use_ssl"}
    assert {name: place.options[name] for name in given} == {
        "bucket_name": "photos",
        "location": "of/all",
        "endpoint_url": "http://minio:9000",
        "region_name": "here",
        "use_ssl": False,
    }
    assert storage.problems(place) == []


def test_a_bucket_that_is_away_is_given_up_soon_and_replaces_nothing():
    options = storage.parse("s3://photos").options
    config = options["client_config"]
    longest = storage.ATTEMPTS * max(config.connect_timeout, config.read_timeout)
    assert longest < 30
    assert config.retries["total_max_attempts"] == storage.ATTEMPTS
    assert options["file_overwrite"] is False


def test_a_class_takes_its_options_as_json():
    place = storage.parse(storage.S3, '{"bucket_name": "photos", "file_overwrite": true}')
    assert place.options["bucket_name"] == "photos"
    assert place.options["file_overwrite"] is True


@pytest.mark.parametrize(
    ("place", "options", "words"),
    [
        ("s3://key:secret@photos", "", "holds no credentials"),
        ("s3://photos?secret_key=secret", "", "AWS_SECRET_ACCESS_KEY"),
        ("s3:///photos", "", "names no bucket"),
        ("s3://photos:9000", "", "endpoint_url says"),
        ("s3://photos?endpoint_url=minio:9000", "", "begins with https://"),
        ("file://media/files", "", "three slashes"),
        ("ftp://photos", "", "none of these"),
        ("media", "", "dotted name"),
        ("", "[]", "object of JSON"),
        ("", "{", "object of JSON"),
        ("s3://photos", '{"bucket_name": "other"}', "both say bucket_name"),
    ],
)
def test_it_says_what_is_wrong_with_a_setting(place, options, words):
    with pytest.raises(ImproperlyConfigured, match=words) as raised:
        storage.parse(place, options)
    assert "secret@" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3://photos?regoin_name=here", "no option regoin_name: did you mean region_name?"),
        ("labeling.no.Storage", "cannot be imported"),
    ],
)
def test_it_says_what_is_wrong_with_a_class_or_an_option(place, words):
    (problem,) = storage.problems(storage.parse(place))
    assert words in problem


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(storage.PACKAGES, storage.S3, ("no_such_package.of_buckets", "s3"))
    with pytest.raises(ImproperlyConfigured, match=r"the extra \[s3\]"):
        storage.parse("s3://photos")


def test_a_probe_leaves_nothing(stored_in_bucket, settings, tmp_path):
    assert storage.probe() == ""
    assert stored_in_bucket.keys("files") == []
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": storage.FOLDER}}
    settings.MEDIA_ROOT = tmp_path
    assert storage.probe() == ""


@pytest.mark.parametrize(
    ("request_", "status", "code", "words"),
    [
        ("PUT", 403, "AccessDenied", "cannot be written .* s3:PutObject"),
        ("PUT", 404, "NoSuchBucket", "no such bucket: make it"),
        ("PUT", 507, "InsufficientStorage", "the bucket is full"),
        ("PUT", 403, "InvalidAccessKeyId", "knows no such credentials"),
        ("PUT", 400, "Strange", "it answers Strange"),
        ("GET", 403, "AccessDenied", "cannot be read .* s3:GetObject"),
        ("DELETE", 403, "AccessDenied", "cannot be deleted .* s3:DeleteObject"),
    ],
)
def test_a_probe_says_what_cannot_be_done(stored_in_bucket, request_, status, code, words):
    stored_in_bucket.refuse(request_, 2, status, code)
    problem = storage.probe()
    assert SECRET not in problem
    assert re.search(words, problem), problem


def test_a_probe_of_a_bucket_that_is_away_says_so(settings):
    place = storage.parse("s3://photos?endpoint_url=http://127.0.0.1:9&region_name=here")
    settings.STORAGES = {**settings.STORAGES, "default": place.as_setting()}
    assert "nothing answers there" in storage.probe() or "credentials" in storage.probe()


def test_files_are_kept_below_the_prefix_and_read_back(stored_in_bucket):
    name = default_storage.save("images/ab/abc.webp", ContentFile(b"pixels"))
    assert stored_in_bucket["files", "tessera/images/ab/abc.webp"] == b"pixels"
    with default_storage.open(name) as file:
        assert file.read() == b"pixels"
    assert default_storage.listdir("images") == (["ab"], [])
    assert default_storage.save(name, ContentFile(b"others")) != name
    with pytest.raises(FileNotFoundError):
        default_storage.open("images/none")
