"""Exports that go into a bucket: counted and hashed there, gone on with, never mixed."""

import hashlib
import io

import pytest
from django.core.management import CommandError, call_command

from labeling import exports, snapshots
from labeling.buckets import writing
from labeling.exports import ExportError, jobs, to_bucket
from labeling.models import Event, Export
from tests.fake_bucket import FakeBucket
from tests.labeling.exports.frozen import pixels
from tests.labeling.garden import add_captioned

pytestmark = pytest.mark.django_db
TO = "s3://photos/out/birds"


@pytest.fixture
def snapshot(garden):
    add_captioned(garden)
    return snapshots.freeze(project=garden)


@pytest.fixture
def whole(snapshot, tmp_path) -> dict[str, bytes]:
    """Return the files of the export as a folder."""
    exports.export_snapshot(snapshot=snapshot, format="imagefolder", out=tmp_path / "out")
    return {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }


def export(snapshot, to=TO, format="imagefolder", **options) -> str:
    out = io.StringIO()
    call_command("export", str(snapshot.pk), format=format, to=to, stdout=out, **options)
    return out.getvalue()


def there(bucket: FakeBucket, folder: str = "out/birds/") -> dict[str, bytes]:
    return {
        key.removeprefix(folder): data
        for key, data in bucket.objects["photos"].items()
        if key.startswith(folder)
    }


def puts(bucket: FakeBucket) -> int:
    return sum(count for asked, count in bucket.asked.items() if asked.startswith("PUT"))


def test_it_lies_there_as_it_would_in_a_folder(bucket, snapshot, whole):
    bucket.refuse("HEAD", 4, 403, "AccessDenied")  # of what is around: the right ends at the prefix
    assert f"6 pictures, 6 captions, checked: {TO}" in export(snapshot)
    assert there(bucket) == whole


def test_the_manifest_is_written_last_and_the_mark_goes(bucket, snapshot):
    order = []
    bucket.before = lambda request: order.append(request) if request.startswith("PUT") else None
    export(snapshot)
    assert order[0].endswith(to_bucket.MARK) and order[-1].endswith("MANIFEST.sha256")
    assert to_bucket.MARK not in there(bucket)


@pytest.mark.parametrize("are_hashes", [True, False])
def test_one_that_failed_half_way_is_recognised_and_goes_on(bucket, snapshot, whole, are_hashes):
    bucket.etags_are_hashes = are_hashes
    refused = sorted(name for name in whole if name.endswith(".parquet"))[0]
    bucket.refuse(f"PUT out/birds/{refused}", 1_000)
    with pytest.raises(CommandError, match=r"it answers 503 .* export it to there again"):
        export(snapshot)
    half = there(bucket)
    assert "MANIFEST.sha256" not in half and to_bucket.MARK in half
    bucket.refusals.clear()
    bucket.asked.clear()
    export(snapshot)
    assert there(bucket) == whole
    if are_hashes:
        assert puts(bucket) == len(whole) - (len(half) - 1), "what is there is kept"


def test_what_is_there_already_is_checked_and_kept(bucket, snapshot):
    export(snapshot)
    bucket.asked.clear()
    export(snapshot)
    assert puts(bucket) == 0


def test_an_address_in_use_is_left_alone(bucket, snapshot):
    bucket["photos", "out/birds/mine.txt"] = b"do not touch"
    with pytest.raises(CommandError, match="is in use"):
        export(snapshot)
    assert there(bucket) == {"mine.txt": b"do not touch"}
    bucket.objects["photos"].clear()
    export(snapshot)
    before = there(bucket)
    with pytest.raises(CommandError, match="is in use"):
        export(snapshot, format="kohya")
    with pytest.raises(CommandError, match=f"Another export lies at {TO}: name a prefix beside"):
        export(snapshot, to=f"{TO}/train/more")
    with pytest.raises(CommandError, match="is in use"):
        export(snapshot, to="s3://photos/out")
    assert there(bucket) == before


def test_two_exports_are_never_mixed(bucket, snapshot):
    bucket.refuse("PUT out/birds/train", 1_000)
    with pytest.raises(CommandError, match="503"):
        export(snapshot)
    bucket.refusals.clear()
    with pytest.raises(CommandError, match="Another export to s3://photos/out/birds was begun"):
        export(snapshot, format="kohya")


@pytest.mark.parametrize("are_hashes", [True, False])
def test_what_arrives_otherwise_than_it_was_sent_is_noticed(bucket, snapshot, whole, are_hashes):
    bucket.etags_are_hashes = are_hashes
    name = sorted(name for name in whole if name.endswith(".webp"))[0]

    def damage(request: str) -> None:
        key = f"out/birds/{name}"
        if request.startswith("LIST") and key in bucket.objects["photos"]:
            data = bucket["photos", key]
            bucket["photos", key] = bytes([data[0] ^ 1]) + data[1:]

    bucket.before = damage
    with pytest.raises(CommandError, match=f"{name} is not there as it was written"):
        export(snapshot)
    assert "MANIFEST.sha256" not in there(bucket)


def test_a_large_file_goes_in_parts_that_are_kept(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PART", 1_000)
    folder = tmp_path / "whole"
    folder.mkdir()
    data = bytes(range(256)) * 20
    (folder / "00000.tar").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (folder / "MANIFEST.sha256").write_text(f"{digest}  00000.tar\n")
    failures = iter([False, False, False])

    def fail(request: str) -> None:
        if request == "PUT out/birds/00000.tar" and not next(failures, True):
            return
        if request == "PUT out/birds/00000.tar":
            bucket.refuse(request, 1)

    bucket.before = fail
    with pytest.raises(ExportError, match="503"):
        to_bucket.send(folder, TO)
    assert list(bucket.unfinished()["out/birds/00000.tar"]) == [1, 2, 3]
    bucket.before = lambda request: None
    bucket.asked.clear()
    to_bucket.send(folder, TO)
    assert bucket.asked["PUT out/birds/00000.tar"] == 6 - 3
    assert there(bucket)["00000.tar"] == data and not bucket.unfinished()


def test_a_worker_puts_it_there(bucket, snapshot, whole, bea):
    record = jobs.begin(
        snapshot=snapshot, format="imagefolder", values={}, address=f"{TO}/", requested_by=bea
    )
    record = jobs.advance(record)
    assert (record.state, record.address, record.folder) == ("ready", TO, ""), record.error
    assert there(bucket) == whole and not record.is_downloadable
    jobs.delete(export=record, by=bea)
    assert there(bucket) == whole, "what somebody has is theirs"
    assert any("is ready" in event.message for event in Event.objects.all())


def test_a_worker_that_fails_says_why_and_the_next_export_goes_on(bucket, snapshot, whole):
    bucket.refuse("PUT out/birds/train", 1_000, 403, "AccessDenied")
    values = {"snapshot": snapshot, "format": "imagefolder", "values": {}, "address": TO}
    record = jobs.advance(jobs.begin(**values))
    assert record.state == "failed" and "(AccessDenied)" in record.error
    bucket.refusals.clear()
    assert jobs.advance(jobs.begin(**values)).state == "ready"
    assert there(bucket) == whole


def test_only_what_the_owner_allowed_may_be_named(bucket, snapshot, settings):
    settings.EXPORT_BUCKETS = [f"s3://photos/in {bucket.url}"]
    with pytest.raises(ExportError, match="EXPORT_BUCKETS"):
        jobs.begin(snapshot=snapshot, format="kohya", values={}, address=TO)
    with pytest.raises(CommandError, match="EXPORT_BUCKETS"):
        export(snapshot)
    assert not Export.objects.exists() and not bucket.asked


def test_members_name_one_on_the_page_and_by_the_api(bucket, snapshot, admin_client):
    page, api = "/projects/garden/exports/", "/api/v1/projects/garden/exports/"
    assert "s3://photos/garden" in admin_client.get(page).content.decode()
    body = {"snapshot": snapshot.pk, "format": "kohya", "address": "s3://others"}
    assert "EXPORT_BUCKETS" in admin_client.post(page, body).content.decode()
    refused = admin_client.post(api, body, content_type="application/json")
    assert refused.status_code == 400 and "EXPORT_BUCKETS" in refused.json()["detail"]
    body["address"] = TO
    begun = admin_client.post(api, body, content_type="application/json").json()
    assert begun["address"] == TO
    assert jobs.advance(Export.objects.get()).state == "ready"
    assert f'It lies at <bdi dir="ltr">{TO}</bdi>' in admin_client.get(page).content.decode()
    assert admin_client.get(f"/api/v1/exports/{begun['id']}/download/").status_code == 404
    assert admin_client.get(f"{page}{begun['id']}/download/").status_code == 404


def test_out_and_in_again_is_the_same(bucket, snapshot, garden):
    export(snapshot)
    call_command("import_images", TO, project="again", no_input=True, stdout=io.StringIO())
    assert _known("again") == _known(garden.slug)


def _known(slug: str) -> dict[bytes, list[str]]:
    from labeling.models import Image, Question

    known = {}
    for image in Image.objects.filter(project__slug=slug):
        texts = Question.objects.filter(tile__image=image, kind="caption")
        with image.file.open("rb") as file:
            known[pixels(file.read())] = sorted(texts.values_list("text", flat=True))
    return known
