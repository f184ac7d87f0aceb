"""Nothing half-imported is asked about or shown; an import that failed goes on, or is undone."""

import errno
import json
from contextlib import nullcontext

import pytest

from labeling import activity, parts, pools, progress, projects, showcase, snapshot_rows
from labeling.concepts.edits import DEFAULT_PREVALENCE, restate_prevalence
from labeling.images import browsing, visible
from labeling.imports import publishing, read_ahead, shares, undo
from labeling.models import Concept, Image, Import, Pool, Project, Question
from labeling.selection import known
from labeling.tasks import fill_due_pools
from tests.labeling.imports.sources import publish, refused, take, zipped
from tests.pictures import png
from training import readiness

pytestmark = pytest.mark.django_db


@pytest.fixture
def half(tmp_path, monkeypatch):
    """Ten pictures of cats, with captions and gold, of whose import four are stored."""
    files = [(f"cat/{n}.png", png(n)) for n in range(10)]
    for n in range(10):
        row = {"caption": f"A cat of the kind that has the number {n}.", "gold": {"cat": True}}
        files.append((f"cat/{n}.json", json.dumps(row)))
    source = zipped(tmp_path / "half.zip", files)
    monkeypatch.setattr(read_ahead, "BATCH", 4)
    monkeypatch.setattr(shares, "RENEW_EVERY", 0.0)

    def stop(done):
        if done == 9:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        meter = "labeling.management.commands.import_images.meter"
        patch.setattr(meter, lambda *_: nullcontext(stop))
        refused(source)
    publish()
    assert Image.objects.count() == 4
    return source


def shown(project):
    concepts = snapshot_rows.concepts_of(project)
    rows = snapshot_rows.build(project=project, concepts=concepts, include_generated=False)
    return {
        "pages": browsing.search(project).count(),
        "pools": pools.has_pictures(project, 1),
        "snapshot": len(list(rows)),
        "showcase": len(showcase._choose(project)),
        "questions": Question.objects.exists(),
    }


def test_what_is_half_imported_is_neither_asked_about_nor_shown(half):
    project = Project.objects.get()
    fill_due_pools()
    assert shown(project) == {
        **{"pages": 0, "pools": False, "snapshot": 0, "showcase": 0, "questions": False},
    }
    counts = progress.totals([project.pk])[project.pk].images, progress.tiles(project)
    assert counts == (0, 0) and readiness.of_project(project).pictures == 0
    assert not any(activity.measure(project=project).pictures)
    assert parts.progress(project).whole == 0
    assert known.tiles_a_day(project) == 0 and pools.due() == []
    assert "picture" in projects.nothing_to_ask(project)
    record = Import.objects.get()
    assert browsing.search(project, record=record).count() == 4, "whoever looks at the import"


def test_a_prevalence_is_the_share_of_the_pictures_that_are_there(half):
    concept = Concept.objects.get()
    take(half)
    restate_prevalence(concept)
    concept.refresh_from_db()
    assert concept.prevalence == 0.99
    Import.objects.update(state="failed")
    restate_prevalence(concept)
    concept.refresh_from_db()
    assert concept.prevalence == DEFAULT_PREVALENCE


def test_an_import_that_failed_goes_on_as_the_same_one_and_then_all_is_there(half):
    fill_due_pools()
    output = take(half)
    record = Import.objects.get()
    assert f"Goes on with the import no. {record.pk}, which was not finished." in output
    assert "imported 10, already there 0" in output
    assert (record.state, record.error) == ("done", "")
    project = Project.objects.get()
    assert shown(project)["pages"] == shown(project)["snapshot"] == 10
    assert Question.objects.filter(kind="caption").count() == 10
    assert Question.objects.filter(state="gold").count() == 10
    counts = record.counts["texts"]
    assert counts["gold"] == {"read": 10, "attached": 10, "refused": 0}


def test_a_source_that_changed_is_not_taken_for_the_one_that_failed(half, tmp_path):
    files = [(f"cat/{n}.png", png(n)) for n in range(2, 6)]
    texts = [(f"cat/{n}.txt", f"A cat that is called number {n}.") for n in range(2, 6)]
    zipped(half, [*files, *texts])
    output = take(half)
    first, second = Import.objects.order_by("pk")
    assert "Goes on" not in output
    assert f"has changed since the import no. {first.pk}, which was not finished" in output
    assert (first.state, second.state) == ("failed", "done")
    assert "imported 2, already there 2" in output
    project = Project.objects.get()
    assert shown(project)["pages"] == shown(project)["snapshot"] == 4
    captions = Question.objects.filter(kind="caption", stated__isnull=False)
    assert sorted(captions.values_list("text", flat=True)) == [text for _, text in texts]
    assert "has changed" in take(half), "while the first is there"
    undo.undo(first, None)
    assert (Image.objects.count(), shown(project)["snapshot"]) == (4, 4)
    assert "has changed" not in take(half)


def test_a_source_that_is_read_otherwise_does_not_go_on_either(half):
    assert "or how it is read, has changed" in take(half, texts="captions")


def test_another_import_that_brings_the_pictures_shows_them(half, tmp_path):
    whole = zipped(tmp_path / "whole.zip", [(f"cat/{n}.png", png(n)) for n in range(3)])
    assert "already there 3" in take(whole)
    first, second = Import.objects.order_by("pk")
    assert (first.state, second.state) == ("failed", "done")
    assert Image.objects.filter(visible()).count() == 3
    assert set(Question.objects.values_list("tile__image__source", flat=True)) == {
        f"cat/{n}.png" for n in range(3)
    }


def test_an_import_that_failed_can_be_taken_back(half, ada):
    undo.undo(Import.objects.get(), ada)
    assert not Image.objects.exists() and Import.objects.get().state == "undone"


def test_concepts_that_are_added_meanwhile_are_asked_about_at_the_end(half, monkeypatch):
    from labeling import concepts

    project = Project.objects.get()
    owl = concepts.create(project=project, name="kitten", aliases=["cats"])
    assert not Question.objects.filter(concept=owl).exists()
    take(half)
    assert Question.objects.filter(concept__name="cat").count() == 10


def test_pools_that_have_passed_by_go_back_for_the_pictures_of_a_finished_import(half):
    concept = Concept.objects.get(name="cat")
    fill_due_pools()
    assert not Question.objects.filter(concept=concept).exists()
    take(half)
    pools.notice()
    Pool.objects.update(filled_at=None)
    fill_due_pools()
    pool = Pool.objects.get(concept=concept)
    assert pool.frontier == 1.0
    sliced = Question.objects.filter(concept=concept, slice_key__isnull=False)
    assert sliced.count() == Image.objects.count() == 10


def test_a_disk_that_fills_fails_the_import_and_it_goes_on(tmp_path, monkeypatch):
    source = zipped(tmp_path / "a.zip", [(f"cat/{n}.png", png(n)) for n in range(3)])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("labeling.images.files._write", full)
        assert "No space left on device" in refused(source)
    assert Import.objects.get().state == "failed" and not Image.objects.filter(visible()).exists()
    assert "imported 3, already there 0" in take(source)


def test_an_import_is_done_in_the_moment_in_which_its_pictures_are_announced(half, monkeypatch):
    def fail(held, **_):
        raise RuntimeError("killed")

    monkeypatch.setattr(Import, "release", fail)
    record = Import.objects.get()
    with pytest.raises(RuntimeError):
        publishing.finish(record)
    record.refresh_from_db()
    assert record.state == "failed"
