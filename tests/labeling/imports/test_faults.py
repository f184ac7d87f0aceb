"""Imports that are stopped, killed, or disturbed go on later, and lose nothing."""

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
from django.db import connection

from labeling import merging
from labeling.decoding import pool
from labeling.images import visible
from labeling.imports import read_ahead, shares, undo
from labeling.models import ClassSet, Concept, Image, Import, Project, Question
from tests import fragile_worker
from tests.at_once import run_at_once
from tests.fragile_worker import HOSTILE
from tests.labeling.imports.sources import refused, take, zipped
from tests.pictures import png
from tests.processes import children, is_alive
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]


def cats(path, count):
    return zipped(path, [(f"cat/{n}.png", png(n, (32, 32))) for n in range(count)])


def test_a_picture_that_crashes_its_decoder_is_refused_and_the_rest_imported(tmp_path, monkeypatch):
    files = [(f"{n}.png", png(n)) for n in range(5)]
    source = zipped(tmp_path / "a.zip", [*files, ("hostile.png", HOSTILE)])
    with monkeypatch.context() as patch:
        patch.setattr(pool.worker, "__name__", fragile_worker.__name__)
        output = take(source)
    assert "imported 5, already there 0, near-duplicates 0, refused 1 file:" in output
    assert "decoding it ended the process (Segmentation fault): hostile.png" in output
    assert "already there 5, near-duplicates 0, refused 1 file:" in take(source)


def test_decoders_that_cannot_start_are_said_in_a_sentence(tmp_path, monkeypatch):
    source = cats(tmp_path / "a.zip", 2)
    with monkeypatch.context() as patch:
        patch.setattr(pool.worker, "__name__", "no_such_module")
        assert "did not start (exit status 1). Import the same source again" in refused(source)
    assert not Image.objects.exists()
    assert "imported 2" in take(source)


def test_a_picture_that_another_imports_undo_removes_meanwhile_is_stored_anew(
    tmp_path, monkeypatch
):
    take(cats(tmp_path / "a.zip", 2))
    first = Import.objects.get()

    def look_and_undo(batch):
        undo.undo(first, None)
        return batch.finish_as_ever()

    monkeypatch.setattr(
        read_ahead._Started, "finish_as_ever", read_ahead._Started.finish, raising=False
    )
    monkeypatch.setattr(read_ahead._Started, "finish", look_and_undo)
    output = take(cats(tmp_path / "b.zip", 3))
    assert "imported 3, already there 0, near-duplicates 0, refused 0" in output
    assert Image.objects.filter(visible()).count() == 3


@pytest.mark.django_db(transaction=True)
def test_an_import_and_the_undo_of_another_with_the_same_pictures_lose_none(tmp_path, monkeypatch):
    monkeypatch.setattr(read_ahead, "BATCH", 3)
    monkeypatch.setattr(undo, "BATCH", 2)
    take(cats(tmp_path / "a.zip", 12))
    first, again = Import.objects.get(), cats(tmp_path / "b.zip", 12)
    output, undone = run_at_once(lambda: take(again), lambda: undo.undo(first, None))
    assert undone.state == "undone" and "refused 0" in output
    assert Image.objects.filter(visible()).count() == 12
    assert set(Image.objects.values_list("imported_by__state", flat=True)) == {"done"}


@pytest.mark.django_db(transaction=True)
def test_classes_that_are_merged_during_an_import_are_followed(tmp_path, monkeypatch, ada):
    names = "cat/0.png", "dog/1.png", "kitty/2.png", "dog/3.png"
    take(zipped(tmp_path / "a.zip", [(name, png(n)) for n, name in enumerate(names[:2])]))
    source = zipped(tmp_path / "b.zip", [(name, png(n)) for n, name in enumerate(names)][2:])

    def look_and_merge(batch):
        cat, kitty = (Concept.objects.get(name=name) for name in ("cat", "kitty"))
        merging.merge(concept=kitty, into=cat, by=ada)
        return batch.finish_as_ever()

    monkeypatch.setattr(
        read_ahead._Started, "finish_as_ever", read_ahead._Started.finish, raising=False
    )
    monkeypatch.setattr(read_ahead._Started, "finish", look_and_merge)
    assert "imported 2" in take(source)
    (classes,) = ClassSet.objects.all()
    assert set(Image.objects.values_list("class_set", flat=True)) == {classes.pk}
    question = Question.objects.get(tile__image__source="kitty/2.png")
    assert (question.concept.name, question.stated) == ("cat", 0.9)


def test_an_import_that_fails_half_way_goes_on_where_it_stopped(tmp_path, monkeypatch):
    source = zipped(tmp_path / "a.zip", [(f"cat/{n}.png", png(n)) for n in range(10)])
    monkeypatch.setattr(read_ahead, "BATCH", 4)
    monkeypatch.setattr(shares, "RENEW_EVERY", 0.0)

    def stop(done):
        if done == 9:  # the second batch is being decoded, the third read
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        meter = "labeling.management.commands.import_images.meter"
        patch.setattr(meter, lambda *_: nullcontext(stop))
        assert "to go on" in refused(source)
    assert Import.objects.get().state == "failed"
    assert Image.objects.count() == 4
    assert not Question.objects.exists(), "nobody is asked before all are there"
    assert "imported 10, already there 0" in take(source), "it is the same import"
    assert Question.objects.count() == 10


@pytest.fixture
def start(tmp_path, settings):
    """Start an import in a process of its own, with the files where this process looks too."""
    settings.MEDIA_ROOT = tmp_path / "data" / "media"
    database = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    address = f"{database['USER']}@{host}:{database['PORT']}/{database['NAME']}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{address}",
        "DATA_DIR": str(tmp_path / "data"),
    }

    def start(source):
        command = [sys.executable, "manage.py", "import_images", str(source), "--project", "photos"]
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_killed_or_stopped_loses_nothing_and_goes_on(tmp_path, start, end):
    source = cats(tmp_path / "a.zip", 3 * read_ahead.BATCH)
    process = start(source)
    wait_until(lambda: Image.objects.exists() or process.poll() is not None)
    decoders = children(process.pid, of="decoding")
    process.send_signal(end)
    _, errors = process.communicate()
    assert (b"Stopped. Import the same source again to go on." in errors) == (end == signal.SIGINT)
    wait_until(lambda: not any(map(is_alive, decoders)))
    there = Image.objects.count()
    assert decoders and 0 < there < 3 * read_ahead.BATCH
    assert not Question.objects.exists(), "nobody is asked before all are there"
    output = take(source)
    if end == signal.SIGINT:
        assert "imported 1,500, already there 0" in output, "it is the same import"
    else:  # the row is leased for a minute yet: another import brings the pictures
        assert f"imported {1500 - there:,}, already there {there:,}" in output
    assert Image.objects.filter(visible()).count() == 1500
    assert Question.objects.count() == Image.objects.count() == 1500
    assert all(Path(image.file.path).is_file() for image in Image.objects.all())


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_source_at_once_import_each_picture_once(tmp_path, monkeypatch):
    monkeypatch.setattr(read_ahead, "BATCH", 10)
    pictures = [(f"cat/{n % 50}-{n}.png", png(n % 50, (32, 32))) for n in range(100)]
    source = zipped(tmp_path / "a.zip", pictures)
    both_are_here, outputs = threading.Barrier(2), []
    Concept.objects.create(project=Project.objects.create(state="open", slug="photos"), name="cat")

    def importing():
        both_are_here.wait()
        try:
            outputs.append(take(source))
        finally:
            connection.close()

    threads = [threading.Thread(target=importing) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [
        list(map(int, re.findall(r"imported (\d+), already there (\d+)", out)[0]))
        for out in outputs
    ]
    assert [sum(count) for count in counts] == [100, 100]
    assert sum(imported for imported, _ in counts) == Image.objects.count() == 50
    assert Question.objects.count() == 50
    assert not Image.objects.exclude(near_duplicate_of=None).exists()
    copies = [len(image.further_sources) for image in Image.objects.all()]
    assert copies == [1] * 50
