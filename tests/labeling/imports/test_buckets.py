"""Buckets as sources: allowed ones alone, whole or not at all, and gone on with where one fails."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.test import Client

from labeling import buckets, outbound, tasks
from labeling.imports import bucket_files, runner, staging, uploads
from labeling.imports.options import DEFAULTS
from labeling.models import Image, Import, Membership, Project
from tests.buckets import SECRET
from tests.fake_bucket import FakeBucket
from tests.labeling.imports.sources import captions, refused, take, tarred, zipped
from tests.pictures import png

pytestmark = pytest.mark.django_db


@pytest.fixture
def birds(db) -> Project:
    return Project.objects.create(slug="birds", name="Birds")


def fill(bucket: FakeBucket, **files: bytes | str) -> None:
    for name, data in files.items():
        bucket["photos", name] = data if isinstance(data, bytes) else data.encode()


def pictures(bucket: FakeBucket, count: int, folder: str = "spring/") -> None:
    """Put pictures there, each with a caption beside it."""
    for number in range(count):
        bucket["photos", f"{folder}{number}.png"] = png(number)
        bucket["photos", f"{folder}{number}.txt"] = f"a bird on a branch, no. {number}".encode()


def begin(project, by, address="s3://photos", **options) -> Import:
    return bucket_files.begin(
        project=project, by=by, address=address, options=DEFAULTS, start_at_once=True, **options
    )


def advanced(record: Import) -> Import:
    tasks.advance_import(record.pk)
    record.refresh_from_db()
    return record


@pytest.fixture
def owner(birds, carol) -> Client:
    Membership.objects.create(project=birds, user=carol, role="owner")
    client = Client()
    client.force_login(carol)
    return client


def report(record: Import) -> dict[str, str]:
    with record.report.open() as file:
        rows = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig")))
        return {row["path"]: row["reason"] for row in rows if row["outcome"] == "refused"}


def gets(bucket: FakeBucket) -> int:
    return sum(count for asked, count in bucket.asked.items() if asked.startswith("GET"))


def test_pictures_with_captions_come_from_a_bucket(bucket, django_capture_on_commit_callbacks):
    pictures(bucket, 3)
    bucket.page = 2
    with django_capture_on_commit_callbacks(execute=True):
        said = take("s3://photos/spring/")
    assert "Fetched 6 files" in said
    assert "3 captions: 3 attached" in said
    assert "imported 3, already there 0, near-duplicates 0, refused 0." in said
    assert captions() == {(f"{n}.png", f"a bird on a branch, no. {n}") for n in range(3)}
    assert bucket.asked["LIST spring/"] == 6, "three pages, before and after"
    assert bucket.signed == {True}
    record = Import.objects.get()
    assert (record.state, record.name, record.address) == ("done", "spring", "s3://photos/spring")
    assert not staging.folder_of(record).exists() and not record.uploaded_files.exists()
    assert "already there 3" in take("s3://photos/spring")


def test_every_layout_is_read_as_from_a_folder(bucket, box):
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 16, "height": 16}],
        "annotations": [{"id": 1, "image_id": 1, "caption": "a wren in a hedge"}],
    }
    tar = tarred(box / "shard.tar", [("k.png", png(2)), ("k.txt", b"an owl at night, asleep")])
    pack = zipped(box / "pack.zip", [("z.png", png(3)), ("z.txt", b"two gulls over a pier")])
    fill(
        bucket,
        **{
            "coco/a.png": png(1),
            "coco/captions.json": json.dumps(coco),
            "shards/00000.tar": tar.read_bytes(),
            "pack.zip": pack.read_bytes(),
            "hub/b.png": png(4),
            "hub/metadata.jsonl": json.dumps({"file_name": "b.png", "text": "a heron, standing"}),
        },
    )
    assert "imported 4," in take("s3://photos")
    assert captions() == {
        ("coco/a.png", "a wren in a hedge"),
        ("shards/00000/k.png", "an owl at night, asleep"),
        ("pack/z.png", "two gulls over a pier"),
        ("hub/b.png", "a heron, standing"),
    }


def test_one_object_is_a_source_of_its_own(bucket, box):
    pack = zipped(box / "pack.zip", [("owl/z.png", png(3))])
    fill(bucket, **{"packs/pack.zip": pack.read_bytes(), "packs/pack.zip.txt": "not meant"})
    assert "imported 1," in take("s3://photos/packs/pack.zip")
    assert Image.objects.get().source == "owl/z.png"


def test_an_empty_object_of_that_key_marks_a_folder(bucket):
    pictures(bucket, 1)
    fill(bucket, **{"spring": b"", "spring/": b""})
    assert "imported 1, already there 0, near-duplicates 0, refused 0." in take(
        "s3://photos/spring"
    )


def test_a_bucket_that_is_busy_is_asked_again(bucket):
    pictures(bucket, 2)
    bucket.refuse("LIST", 2)
    bucket.refuse("GET spring/0.png", 3, 500, "InternalError")
    bucket.refuse("HEAD", 1, 503, "")
    assert "imported 2, already there 0, near-duplicates 0, refused 0." in take(
        "s3://photos/spring"
    )


def test_what_is_cut_off_goes_on_where_it_was(bucket):
    pictures(bucket, 1)
    data = bucket["photos", "spring/0.png"]
    bucket.cut["spring/0.png"] = len(data) // 2
    assert "imported 1," in take("s3://photos/spring")
    assert bucket.asked["GET spring/0.png"] == 2


def test_one_that_fails_half_way_shows_nothing_and_goes_on_later(bucket):
    pictures(bucket, 10)
    bucket.refuse("GET spring/7", 1_000)
    words = refused("s3://photos/spring")
    assert "it answers 503 (SlowDown)" in words and "What has come is kept" in words
    assert "spring/" not in words and "7.png" in words and "7.txt" in words
    record = Import.objects.get()
    assert (record.state, record.error) == ("failed", words)
    assert not Image.objects.exists()
    bucket.refusals.clear()
    came = {row.path for row in record.uploaded_files.all() if row.received}
    bucket.asked.clear()
    said = take("s3://photos/spring")
    assert f"Goes on with the import no. {record.pk}" in said and "imported 10," in said
    assert came and not any(bucket.asked[f"GET spring/{name}"] for name in came)
    assert len(captions()) == 10


def test_an_object_that_changes_meanwhile_is_refused_by_name(bucket, birds, carol):
    pictures(bucket, 4)

    def change(request: str) -> None:
        if request == "GET spring/1.png":
            bucket["photos", "spring/1.png"] = png(99)
        if request == "GET spring/2.txt":  # after it may have been fetched
            bucket["photos", "spring/0.png"] = png(98)
            bucket.objects["photos"].pop("spring/2.png", None)

    bucket.before = change
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert record.state == "done"
    assert report(record) == {
        "0.png": bucket_files.CHANGED,
        "1.png": bucket_files.CHANGED,
        "2.png": bucket_files.GONE,
    }
    bucket.before = lambda request: None
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    counts = record.counts
    assert (counts["taken"], counts["known"], counts["refused"]) == (2, 1, 0)


def test_a_newer_version_is_fetched_when_it_goes_on(bucket, birds, carol):
    pictures(bucket, 2)
    bucket.refuse("GET spring/1.txt", 1_000)
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert record.state == "failed" and not birds.images.exists()
    bucket.refusals.clear()
    bucket["photos", "spring/0.txt"] = b"another caption by now, longer"
    bucket["photos", "spring/2.png"] = png(2)
    runner.retry(record=record, by=carol)
    record = advanced(record)
    assert (record.state, record.counts["taken"], record.counts["refused"]) == ("done", 3, 0)
    assert ("0.png", "another caption by now, longer") in captions()


def test_what_the_credentials_may_not_read_is_refused_by_name(bucket, birds, carol):
    pictures(bucket, 3)
    bucket.refuse("GET spring/1.png", 1, 403, "AccessDenied")
    bucket.refuse("GET spring/0.png", 1, 403, "InvalidObjectState")
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert (record.state, record.counts["taken"]) == ("done", 1)
    told = report(record)
    assert "credentials (AccessDenied)" in told["1.png"] and "restored" in told["0.png"]


def test_credentials_that_end_fail_it_whole_and_nobody_reads_them(bucket, birds, carol):
    pictures(bucket, 2)
    bucket.refuse("GET", 1_000, 403, "ExpiredToken")
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert record.state == "failed" and "ExpiredToken" in record.error
    assert SECRET not in record.error and "tester" not in record.error
    assert "Credential" not in record.error


def test_without_credentials_a_public_bucket_is_read(bucket, monkeypatch):
    pictures(bucket, 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "imported 1," in take("s3://photos/spring")
    assert bucket.signed == {False}


def test_keys_that_lead_elsewhere_are_refused_and_others_are_told_apart(bucket, birds, carol):
    fill(
        bucket,
        **{
            "s/../x.png": png(1),
            "s//double.png": png(2),
            "s/a\\b.png": png(3),
            "s/a/b.png": png(4),
            "s/owl.png": png(5),
            "s/Owl.PNG": png(6),
            "s/folder/": b"",
            "s/bytes/": b"what?",
            "s/empty.png": b"",
            "s/new\nline.png": png(7),
            "s/nul\0.png": png(7),
            "s/.hidden": b"x",
            "s/owl.png/inside.png": png(8),
            f"s/{'long' * 200}.png": png(9),
        },
    )
    record = advanced(begin(birds, carol, "s3://photos/s"))
    assert record.state == "done", record.error
    told = report(record)
    assert told.pop("../x.png") == "its path leaves the folder"
    assert told.pop("/double.png") == "its path leaves the folder"
    assert told.pop("bytes") == bucket_files.A_FOLDER
    assert told.pop("new/x0aline.png") == "control characters in its path"
    assert told.pop("nul/x00.png") == "control characters in its path"
    assert "longer than 500" in told.pop(next(path for path in told if path.startswith("long")))
    assert told.pop("a/b.png") == "there is another of this name before it"
    assert list(told) == ["empty.png"]
    sources = set(birds.images.values_list("source", flat=True))
    assert sources == {"a/b.png", "owl.png", "Owl.PNG", "owl.png/inside.png"}


def test_what_is_too_large_is_refused_before_it_is_fetched(bucket, birds, carol, settings):
    pictures(bucket, 1)
    fill(bucket, **{"spring/huge.png": bytes(50_000)})
    settings.IMAGE_MAX_BYTES = 20_000
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert report(record)["huge.png"].startswith("larger than")
    assert not bucket.asked["GET spring/huge.png"]


@pytest.mark.parametrize("limit", [{"UPLOAD_MAX_FILES": 3}, {"UPLOAD_MAX_BYTES": 100}])
def test_more_than_an_import_may_hold_is_refused_whole(bucket, birds, carol, settings, limit):
    pictures(bucket, 4)
    for name, most in limit.items():
        setattr(settings, name, most)
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert record.state == "failed" and "holds too much" in record.error
    assert not gets(bucket)


def test_a_full_disk_says_so_and_keeps_what_has_come(bucket, birds, carol, settings):
    pictures(bucket, 2)
    settings.UPLOAD_MIN_FREE_BYTES = 10**18
    record = advanced(begin(birds, carol, "s3://photos/spring"))
    assert record.state == "fetching" and "no room left" in record.error
    settings.UPLOAD_MIN_FREE_BYTES = 0
    assert advanced(record).state == "done"


def test_one_that_is_cancelled_meanwhile_stops(bucket, birds, carol, monkeypatch):
    pictures(bucket, 3)
    record = begin(birds, carol, "s3://photos/spring")
    announce = bucket_files._Source.announce

    def cancel(source) -> None:
        announce(source)
        runner.cancel(record=record, by=carol)

    monkeypatch.setattr(bucket_files._Source, "announce", cancel)
    monkeypatch.setattr(bucket_files, "SAVE_EVERY", 0.0)
    assert advanced(record).state == "cancelled"
    assert not birds.images.exists() and not record.uploaded_files.exists()


@pytest.mark.parametrize(
    ("allowed", "address", "is_allowed"),
    [
        ("s3://photos", "s3://photos/any/where", True),
        ("s3://photos/in", "s3://photos/in", True),
        ("s3://photos/in", "s3://photos/in/2026/", True),
        ("s3://photos/in", "S3://photos/in", True),
        ("s3://photos/in", "s3://photos/inside", False),
        ("s3://photos/in", "s3://photos", False),
        ("s3://photos/in", "s3://photos/in/../out", False),
        ("s3://photos/in", "s3://photos/in//x", False),
        ("s3://photos/in", "s3://photos/in\\..\\x", False),
        ("s3://photos", "s3://photos.evil.example/x", False),
        ("s3://photos", "s3://evil@photos/x", False),
        ("s3://photos", "s3://photos:80/x", False),
        ("s3://photos", "s3://arn:aws:s3:::photos", False),
        ("s3://photos", "s3:///photos", False),
        ("s3://photos", "gs://photos", False),
        ("s3://photos", "s3://photos/\x00", False),
    ],
)
def test_only_what_the_owner_allowed_may_be_named(allowed, address, is_allowed):
    try:
        place = buckets.find(address, allowed=[f"{allowed} http://10.0.0.1:9000"], setting="X")
    except buckets.BucketError:
        assert not is_allowed
    else:
        assert is_allowed and place.endpoint == "http://10.0.0.1:9000"


def test_nothing_is_asked_of_a_bucket_that_is_not_allowed(bucket, settings, birds, carol):
    pictures(bucket, 1)
    settings.IMPORT_BUCKETS = [f"s3://photos/other {bucket.url}"]
    assert "is not among the buckets that IMPORT_BUCKETS allows" in refused("s3://photos/spring")
    with pytest.raises(uploads.UploadError, match="IMPORT_BUCKETS"):
        begin(birds, carol, "s3://photos/spring")
    settings.IMPORT_BUCKETS = []
    assert "No bucket is allowed on this server" in refused("s3://photos/spring")
    assert not bucket.asked and not Import.objects.exists()


def test_one_that_is_no_longer_allowed_is_not_gone_on_with(bucket, settings, birds, carol):
    pictures(bucket, 1)
    record = begin(birds, carol, "s3://photos/spring")
    settings.IMPORT_BUCKETS = []
    assert advanced(record).state == "failed" and not bucket.asked


@pytest.mark.parametrize("text", ["s3://a-b minio:9000", "photos", "s3://a-b ftp://x", "s3://X"])
def test_a_setting_that_cannot_be_read_is_named(text):
    with pytest.raises(buckets.BucketError, match=r"^IMPORT_BUCKETS: "):
        buckets.listed([text], setting="IMPORT_BUCKETS")


def test_private_addresses_are_the_owners_to_name(bucket, settings, monkeypatch):
    pictures(bucket, 1)
    settings.IMPORT_BUCKETS = ["s3://photos"]
    asked = []

    def resolve(host: str, port: int) -> str:
        asked.append(host)
        raise outbound.FetchError(f"{host} is at a private address")

    monkeypatch.setattr(outbound, "resolve", resolve)
    assert "is at a private address" in refused("s3://photos/spring")
    assert asked and asked[0].endswith("amazonaws.com") and not bucket.asked


@pytest.mark.parametrize(
    ("address", "words"),
    [("s3://nowhere", "no bucket of that name"), ("s3://photos/empty", "nothing lies there")],
)
def test_where_there_is_nothing_is_said(bucket, settings, address, words):
    settings.IMPORT_BUCKETS = [f"s3://nowhere {bucket.url}", f"s3://photos {bucket.url}"]
    fill(bucket, **{"x.png": png(1)})
    assert words in refused(address)


def test_a_server_that_is_away_is_told_from_an_empty_one(bucket, settings):
    settings.IMPORT_BUCKETS = ["s3://photos http://127.0.0.1:9"]
    with pytest.raises(CommandError, match="the connection failed, or broke off"):
        take("s3://photos")


def test_files_are_forgotten_a_day_after_it_failed(bucket, birds, carol):
    pictures(bucket, 2)
    bucket.refuse("GET spring/1.txt", 1_000)
    refused("s3://photos/spring")
    record = Import.objects.get()
    assert record.finished_at is not None and any(_files(record))
    record.finished_at -= runner.FAILED_KEPT * 2
    record.save()
    runner.forget_abandoned()
    assert not record.uploaded_files.exists()


def _files(record: Import) -> list[Path]:
    return [path for path in staging.folder_of(record).rglob("*") if path.is_file()]


def test_an_owner_names_one_on_the_page(bucket, owner, birds):
    pictures(bucket, 2)
    shown = owner.get("/projects/birds/pictures/").content.decode()
    assert "Import from a bucket" in shown and bucket.url not in shown
    said = owner.post("/projects/birds/pictures/bucket/", {"address": " s3://photos/spring/ "})
    record = Import.objects.get()
    assert said.url == f"/projects/birds/imports/{record.pk}/"
    fetching = owner.get(said.url).content.decode()
    assert "Fetching it" in fetching and "s3://photos/spring" in fetching
    assert advanced(record).state == "choosing"
    assert "It holds 2 pictures and 2 captions" in owner.get(said.url).content.decode()


def test_an_address_that_is_not_allowed_is_told_on_the_page(bucket, owner):
    said = owner.post("/projects/birds/pictures/bucket/", {"address": "s3://others/<b>"})
    shown = owner.get(said.url).content.decode()
    assert "s3://others/&lt;b&gt; is not among the buckets" in shown
    assert 'value="s3://others/&lt;b&gt;"' in shown and not Import.objects.exists()


def test_without_allowed_ones_no_page_speaks_of_buckets(owner, settings):
    settings.IMPORT_BUCKETS = []
    assert "bucket" not in owner.get("/projects/birds/pictures/").content.decode()


def test_a_script_names_one_and_learns_what_is_missing(bucket, owner, birds):
    pictures(bucket, 2)
    bucket.refuse("GET spring/1.txt", 1_000)
    body = {"address": "s3://photos/spring", "start_at_once": True, "vendor": "Birders"}
    said = _post(owner, body)
    assert said.status_code == 201, said.content
    assert (said.json()["state"], said.json()["address"]) == ("fetching", "s3://photos/spring")
    record = advanced(Import.objects.get())
    path = f"/api/v1/imports/{record.pk}/"
    assert owner.get(path).json()["error"] == record.error
    missing = [row["path"] for row in owner.get(f"{path}files/").json()["results"]]
    assert "1.txt" in missing
    report = b"".join(owner.get(f"{path}report/")).decode()
    assert "1.txt,missing" in report and ",fetched" in report
    bucket.refusals.clear()
    assert owner.post(f"{path}retry/", content_type="application/json").status_code == 202
    record = advanced(record)
    assert (record.state, record.counts["taken"], record.vendor) == ("done", 2, "Birders")


@pytest.mark.parametrize(
    "body", [{}, {"address": "s3://others"}, {"address": "/etc"}, {"address": "s3://photos/\0"}]
)
def test_a_script_that_names_what_it_may_not_is_refused(bucket, owner, body):
    said = _post(owner, body)
    assert said.status_code == 400 and not Import.objects.exists()


def _post(client: Client, body: object):
    path = "/api/v1/projects/birds/imports/bucket/"
    return client.post(path, json.dumps(body), content_type="application/json")
