"""An import as a job: its counts, its report, and how it goes on."""

import csv
import io
import json

import pytest

from labeling.imports import jobs, shares, source
from labeling.imports.ledger import CountsDiffer
from labeling.imports.report import Report
from labeling.models import Event, Image, Import, Project
from tests.labeling.imports.sources import fill, take
from tests.pictures import encoded, patchwork, png

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(db):
    project = Project.objects.create(slug="photos", name="Photos")
    return Import.objects.create(project=project, name="box")


def execute(record, box, *, renew=lambda done: None, concepts=()):
    members = source.find(box)
    jobs.prepare(record, members)
    jobs.execute(record, members, concepts=list(concepts), renew=renew)
    with record.report.open() as file:
        return list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig")))


@pytest.fixture
def mixed(box):
    """Two pictures that look alike, a copy, a bad one, two texts."""
    image = patchwork(1, (300, 200))
    fill(
        box,
        **{"a.png": encoded(image, "PNG"), "b.jpg": encoded(image, "JPEG", quality=70)},
        **{"copy.png": encoded(image, "PNG"), "bad.png": b"no", "a.txt": "owl, sky, day"},
        **{"b.txt": b"\xff", "lonely.txt": "nobody"},
    )
    return box


def test_the_report_holds_every_file_once_with_what_became_of_it(record, mixed):
    rows = execute(record, mixed)
    (refused,) = (row for row in rows if row["outcome"] == "text refused")
    assert (refused["path"], refused["reason"]) == (
        "lonely.txt",
        "a text without a picture of the same name",
    )
    (decided,) = (row for row in rows if row["outcome"] == "decided")
    assert decided["reason"].startswith("2 texts in .txt files are keywords: ")
    rows = [row for row in rows if row not in (refused, decided)]
    assert {row["path"]: row["outcome"] for row in rows} == {
        "a.png": "taken",
        "b.jpg": "taken",
        "copy.png": "known already",
        "bad.png": "refused",
        "a.txt": "text",
        "b.txt": "refused",
        "lonely.txt": "text",
    }
    assert len(rows) == 7
    assert [row["path"] for row in rows if row["near_duplicate"]] == ["b.jpg"]
    assert "not UTF-8 text" in {row["path"]: row["reason"] for row in rows}["b.txt"]


def test_the_counts_add_up(record, mixed):
    execute(record, mixed)
    assert record.counts == {
        **{"read": 5, "taken": 2, "known": 1, "refused": 2},
        **{"near_duplicates": 1, "text_files": 2, "cut": 0},
        "texts": {"keyword": {"read": 4, "attached": 3, "refused": 1}},
        "remarks": 0,
        "retracted": {},
    }
    assert record.pictures == 4


def test_a_text_that_is_left_out_has_a_row_of_its_own(record, box):
    fill(box, **{"a.png": png(), "a.txt": "x y" * 400})
    taken, refused = (row for row in execute(record, box) if row["path"] == "a.png")
    assert (taken["outcome"], taken["reason"]) == ("taken", "")
    assert "longer than 500" in refused["reason"] and refused["where"] == "a.txt"
    assert record.counts["refused"] == 0
    assert record.counts["texts"] == {"caption": {"read": 1, "attached": 0, "refused": 1}}


def test_the_texts_of_a_picture_that_is_refused_are_refused_with_it(record, box):
    row = {"file_name": "a.png", "text": "a wall", "tags": ["wall", "wall"], "license": "MIT"}
    fill(box, **{"a.png": b"no picture", "b.png": png(), "metadata.jsonl": json.dumps(row)})
    reasons = [row["reason"] for row in execute(record, box) if row["outcome"] == "text refused"]
    assert reasons == ["its picture was refused"] * 4
    assert {kind: each["refused"] for kind, each in record.counts["texts"].items()} == {
        "caption": 1,
        "keyword": 2,
        "license": 1,
    }


def test_a_text_without_an_outcome_is_a_fault_of_the_importer(record, box):
    fill(box, **{"a.png": png()})
    with Report.of_import() as report:
        report.texts.read["caption"] = 1
        with pytest.raises(CountsDiffer, match="1 texts of kind caption were read, and 0 have"):
            report.check(read=0)


def test_new_pictures_know_their_import_and_others_keep_theirs(record, box):
    fill(box, **{"a.png": png(1)})
    execute(record, box)
    later = Import.objects.create(project=record.project, name="box")
    fill(box, **{"b.png": png(2)})
    execute(later, box)
    assert dict(Image.objects.values_list("source", "imported_by")) == {
        "a.png": record.pk,
        "b.png": later.pk,
    }


def test_a_job_that_was_killed_goes_on_and_reports_every_file_once(record, box, monkeypatch):
    monkeypatch.setattr(shares, "RENEW_EVERY", 0.0)
    monkeypatch.setattr("labeling.imports.read_ahead.BATCH", 2)
    fill(box, **{f"{n}.png": png(n) for n in range(9)}, **{"9.png": png(0)})

    def kill(done):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(record, box, renew=kill)
    assert 0 < Image.objects.count() < 9
    rows = execute(record, box)
    assert {row["path"]: row["outcome"] for row in rows} == {
        **{f"{n}.png": "taken" for n in range(9)},
        "9.png": "known already",
    }
    assert len(rows) == 10 and record.counts["taken"] == Image.objects.count() == 9


def test_a_path_is_no_formula_for_a_spreadsheet(record, box):
    fill(box, **{"=cmd|x.png": png()})
    assert execute(record, box)[0]["path"] == "'=cmd|x.png"


def test_the_history_tells_of_an_import_from_its_beginning_to_its_end(record, mixed):
    execute(record, mixed)
    messages = list(Event.objects.filter(kind="import").values_list("message", flat=True))
    assert messages[::-1] == [
        "Began to import box: 4 pictures.",
        "Imported box: 2 new pictures, 1 known already, 1 near-duplicate, 2 refused; "
        "4 keywords: 3 attached, 1 refused.",
    ]


def test_the_command_leaves_a_row_that_says_what_it_did(box):
    fill(box, **{"owl/a.png": png(1), "b.png": png(2), "bad.png": b"no"})
    output = take(box)
    row = Import.objects.get()
    assert (row.state, row.name, row.source) == ("done", "box", str(box))
    assert (row.concepts, row.counts["taken"], row.done) == (["owl"], 2, 3)
    assert row.made_concepts == list(row.project.concepts.values_list("pk", flat=True))
    assert f"undo_import {row.pk}" in output and "is a draft" in output


def test_a_command_that_was_killed_is_said_to_have_failed(box):
    fill(box, **{"a.png": png(1)})
    project = Project.objects.create(slug="photos", name="Photos")
    lost = Import.objects.create(project=project, state="importing", source="/elsewhere")
    Import.objects.acquire(lost.pk)
    Import.objects.update(lease_until="2020-01-01T00:00Z")
    take(box)
    lost.refresh_from_db()
    assert lost.state == "failed" and "run it again" in lost.error
