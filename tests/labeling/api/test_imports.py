"""Pictures in over the API: as a script does it, and as nobody should be able to."""

import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling import images, tasks
from labeling.models import Import, Membership, Project
from tests.labeling.api.endpoints import API
from tests.pictures import png

pytestmark = pytest.mark.django_db
FILES = {"owl/1.png": png(1), "owl/2.png": png(2), "wren/3.png": png(3)}


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.UPLOAD_MIN_FREE_BYTES = 0


@pytest.fixture
def birds(carol) -> Project:
    project = Project.objects.create(slug="birds", name="Birds")
    Membership.objects.create(project=project, user=carol, role="owner")
    return project


@pytest.fixture
def owner(birds, carol) -> Client:
    client = Client()
    client.force_login(carol)
    return client


def post(client: Client, path: str, body: object = None):
    return client.post(API + path, json.dumps(body or {}), content_type="application/json")


def begin(client: Client, files=FILES, **options) -> str:
    """Begin an upload and announce its files; return its path."""
    response = post(client, "projects/birds/imports/", {"name": "birds", **options})
    path = f"imports/{response.json()['id']}/"
    if announced := [{"path": name, "size": len(data)} for name, data in files.items()]:
        assert post(client, f"{path}files/", {"files": announced}).status_code == 200
    return path


def send(client: Client, path: str, **parts: bytes):
    files = {name.lstrip("_"): SimpleUploadedFile("x", data) for name, data in parts.items()}
    return client.post(f"{API}{path}parts/", files)


def test_a_script_uploads_chooses_and_downloads_the_report(owner, birds):
    path = begin(owner)
    parts = {f"_{number}": data for number, data in enumerate(FILES.values())}
    assert send(owner, path, **parts).json()["files"][2] == {"number": 2, "received": len(png(3))}
    assert post(owner, f"{path}complete/").json()["state"] == "reading"
    tasks.advance_imports()
    shown = owner.get(API + path).json()
    assert shown["state"] == "choosing"
    assert [each["name"] for each in shown["candidates"] if each["ticked"]] == ["owl", "wren"]
    assert post(owner, f"{path}concepts/", {"concepts": ["owl"]}).json()["state"] == "importing"
    tasks.advance_imports()
    shown = owner.get(API + path).json()
    assert (shown["state"], shown["counts"]["taken"]) == ("done", 3)
    report = owner.get(f"{API}{path}report/")
    assert report["Content-Type"] == "text/csv" and "attachment" in report["Content-Disposition"]
    assert b"owl/1.png,taken" in b"".join(report.streaming_content)
    (listed,) = owner.get(f"{API}projects/birds/imports/").json()["results"]
    assert (listed["id"], "candidates" in listed) == (shown["id"], False)
    assert post(owner, f"{path}undo/").json()["state"] == "undoing"
    tasks.advance_imports()
    assert owner.get(API + path).json()["state"] == "undone" and not birds.images.exists()
    assert post(owner, f"{path}undo/").status_code == 409


def test_pictures_are_looked_through_and_removed(owner, birds):
    for number, data in enumerate(FILES.values()):
        images.add(project=birds, data=data, source=list(FILES)[number], keywords=["bird"])
    listed = owner.get(f"{API}projects/birds/images/", {"q": "wren"}).json()["results"]
    assert [each["source"] for each in listed] == ["wren/3.png"]
    assert len(owner.get(f"{API}projects/birds/images/", {"q": "BIRD"}).json()["results"]) == 3
    path = f"images/{listed[0]['id']}/"
    assert owner.get(API + path).json()["keywords"] == ["bird"]
    assert post(owner, f"{path}remove/", {"reason": " "}).status_code == 400
    removed = post(owner, f"{path}remove/", {"reason": "private"}).json()
    nothing = {"snapshots": [], "models": []}
    assert removed == {"images": 1, "questions": 0, "answers": 0, "marked": nothing}
    assert owner.get(API + path).status_code == 404


def test_what_is_missing_is_listed_and_a_large_file_comes_in_parts(owner):
    path = begin(owner, {"a.png": b"abcdef", "b.png": b"b"})
    assert send(owner, path, **{"0@0": b"abc"}).status_code == 200
    gap = send(owner, path, **{"0@4": b"ef"})
    assert (gap.status_code, gap.json()["code"]) == (409, "gap")
    incomplete = post(owner, f"{path}complete/")
    assert (incomplete.status_code, incomplete.json()["code"]) == (409, "incomplete")
    missing = owner.get(f"{API}{path}files/").json()["results"]
    assert missing == [
        {"number": 0, "path": "a.png", "size": 6, "received": 3},
        {"number": 1, "path": "b.png", "size": 1, "received": 0},
    ]
    assert send(owner, path, **{"0@3": b"def", "1": b"b"}).status_code == 200
    assert owner.get(f"{API}{path}files/").json()["results"] == []


def test_the_same_list_of_files_goes_on(owner):
    fingerprint = "0123456789abcdef"
    path = begin(owner, fingerprint=fingerprint)
    again = post(owner, "projects/birds/imports/", {"name": "x", "fingerprint": fingerprint})
    assert (again.status_code, again.json()["part_bytes"]) == (200, 4 * 1024 * 1024)
    assert path == f"imports/{again.json()['id']}/"


def test_each_path_is_judged_by_itself(owner):
    path = begin(owner, {})
    files = [{"path": name, "size": 1} for name in ("a\0.png", "\ud800", ".hidden", "a.png")]
    answer = post(owner, f"{path}files/", {"files": files}).json()["files"]
    assert answer == [
        {"number": 0, "received": 0, "problem": "control characters in its path"},
        {"number": 1, "received": 0, "problem": "control characters in its path"},
        {"number": None, "received": 0, "problem": "passed over"},
        {"number": 2, "received": 0, "problem": ""},
    ]


NONSENSE = [
    {},
    {"files": []},
    {"files": "a.png"},
    {"files": [{"path": "a.png"}]},
    {"files": [{"path": 7, "size": 1}]},
    {"files": [{"path": "a.png", "size": -1}]},
    {"files": [{"path": "a.png", "size": "1"}]},
    {"files": [{"path": "a.png", "size": 10**18}]},
    {"files": [{"path": "a.png", "size": 1, "modified": -1}]},
    {"files": [{"path": str(number), "size": 1} for number in range(1_001)]},
]


def test_nonsense_announces_nothing(owner):
    path = begin(owner, {"a.png": b"a"})
    for body in NONSENSE:
        response = post(owner, f"{path}files/", body)
        assert response.status_code == 400, body
    assert Import.objects.get().files == 1


@pytest.mark.parametrize("name", ["a.png", "-1", "0@", "0@x", "0@-1", "9" * 10, "0 0"])
def test_a_part_says_what_it_is_a_part_of(owner, name):
    path = begin(owner, {"a.png": b"abc"})
    assert send(owner, path, **{name: b"abc"}).status_code == 400
    assert owner.post(f"{API}{path}parts/", {"0": "text"}).status_code == 400
    assert owner.post(f"{API}{path}parts/", {}).status_code == 400


def test_a_full_disk_is_told_as_such(owner, settings):
    path = begin(owner, {"a.png": b"abc"})
    settings.UPLOAD_MIN_FREE_BYTES = 2**62
    response = send(owner, path, **{"0": b"abc"})
    assert (response.status_code, response.json()["code"]) == (507, "disk_full")
    settings.UPLOAD_MAX_BYTES = 10
    response = post(owner, "projects/birds/imports/", {"name": "x", "bytes": 11})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_an_import_is_cancelled_once(owner):
    path = begin(owner)
    assert post(owner, f"{path}cancel/").json()["state"] == "cancelled"
    for step in ("cancel/", "complete/", "retry/"):
        assert post(owner, path + step).status_code == 409, step
    assert send(owner, path, **{"0": b"x"}).status_code == 409
    assert owner.get(f"{API}{path}report/").status_code == 404


@pytest.mark.parametrize("role", ["reviewer", "trainer", "annotator", "viewer", None])
def test_only_owners_bring_pictures_in(owner, birds, bea, role):
    path = begin(owner)
    client = Client()
    client.force_login(bea)
    if role:
        Membership.objects.create(project=birds, user=bea, role=role)
    closed = 404 if role in {None, "annotator"} else 403
    assert post(client, "projects/birds/imports/", {"name": "x"}).status_code == closed
    for step in ("files/", "complete/", "concepts/", "cancel/", "retry/", "undo/"):
        assert post(client, path + step).status_code == closed, step
    assert send(client, path, **{"0": b"x"}).status_code == closed
    seen = 200 if role in {"reviewer", "trainer", "viewer"} else 404
    assert client.get(API + path).status_code == seen


def test_an_owner_who_is_removed_meanwhile_sends_nothing_more(owner, birds, carol):
    path = begin(owner)
    Membership.objects.all().delete()
    assert send(owner, path, **{"0": png(1)}).status_code == 404
    assert Import.objects.get().received == 0


def test_the_owner_of_another_project_sees_nothing(owner, bea):
    path = begin(owner)
    other = Project.objects.create(slug="own", name="Own")
    Membership.objects.create(project=other, user=bea, role="owner")
    client = Client()
    client.force_login(bea)
    assert client.get(API + path).status_code == 404
    assert post(client, f"{path}cancel/").status_code == 404


def test_nothing_is_sent_from_another_site(owner, carol):
    path = begin(owner)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(carol)
    part = {"0": ContentFile(b"x", name="x")}
    assert strict.post(f"{API}{path}parts/", part).status_code == 403
    assert post(strict, f"{path}cancel/").status_code == 403


def test_nobody_begins_uploads_without_end(owner, settings):
    settings.UPLOAD_MAX_UNFINISHED = 1_000
    statuses = {
        post(owner, "projects/birds/imports/", {"name": "x"}).status_code for _ in range(70)
    }
    assert statuses == {201, 429}


def test_where_an_import_comes_from_is_said_with_it_or_later(owner):
    path = begin(owner, vendor="Words Ltd", price="12.50", currency="EUR")
    said = owner.get(API + path).json()
    assert (said["vendor"], said["price"], said["currency"]) == ("Words Ltd", "12.50", "EUR")
    body = json.dumps({"batch": "May", "license": "CC0"})
    changed = owner.patch(API + path, body, content_type="application/json")
    assert changed.status_code == 200
    assert (changed.json()["batch"], changed.json()["vendor"]) == ("May", "Words Ltd")
    for wrong in ({"price": 1, "currency": "euro"}, {"url": "a\u0000b"}, {"vendor": "x" * 300}):
        response = owner.patch(API + path, json.dumps(wrong), content_type="application/json")
        assert response.status_code == 400, wrong
    assert owner.get(API + path).json()["batch"] == "May"


def test_pictures_and_captions_say_where_they_come_from(owner):
    row = {"file_name": "1.png", "text": "an owl at night", "vendor": "Words Ltd"}
    files = {"1.png": png(1), "metadata.jsonl": json.dumps(row).encode(), "2.png": png(2)}
    path = begin(owner, files, batch="May")
    send(owner, path, **{f"_{number}": data for number, data in enumerate(files.values())})
    assert post(owner, f"{path}complete/", {"start_at_once": True}).status_code == 202
    tasks.advance_imports()
    images = owner.get(f"{API}projects/birds/images/?vendor=Words Ltd").json()["results"]
    assert [each["source"] for each in images] == ["1.png"]
    assert images[0]["provenance"]["batch"] == "May"
    found = owner.get(f"{API}projects/birds/questions/?batch=May&kind=caption").json()["results"]
    (caption,) = found
    assert caption["provenance"]["vendor"] == "Words Ltd" and caption["stated"] == 0.9
    none = owner.get(f"{API}projects/birds/questions/?vendor=Nobody").json()["results"]
    assert none == []


def test_a_script_chooses_what_the_texts_are(owner, birds):
    files = {**FILES, "owl/1.txt": b"owl, night, tree", "list.csv": b"image,words\n1.png,an owl\n"}
    path = begin(owner, files)
    send(owner, path, **{f"_{number}": data for number, data in enumerate(files.values())})
    options = {"columns": {"caption": "words"}}
    post(owner, f"{path}complete/", {"options": options})
    tasks.advance_imports()
    shown = owner.get(API + path).json()
    assert shown["options"] == options
    assert [(each["group"], each["kind"]) for each in shown["decisions"]] == [
        (".txt", "keywords"),
        ("words", "captions"),
    ]
    refused = post(owner, f"{path}options/", {"encoding": "klingon"})
    assert refused.status_code == 400 and "no such encoding" in refused.content.decode()
    again = post(owner, f"{path}options/", {"texts": {"": "captions"}})
    assert (again.status_code, again.json()["state"]) == (202, "reading")
    tasks.advance_imports()
    shown = owner.get(API + path).json()
    assert [each["chosen"] for each in shown["decisions"]] == [True]
    assert post(owner, f"{path}concepts/", {"concepts": []}).status_code == 202
    assert post(owner, f"{path}options/", {}).status_code == 409
