"""`import_images` from end to end: what is imported, counted, and gone on with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labeling.imports import pipeline
from labeling.models import Concept, Image, Project, Question
from tests.labeling.imports.sources import fill, refused, take, write, zipped
from tests.pictures import encoded, jpeg, patchwork, png
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


PICTURES = [("cat/0.jpg", jpeg(0)), ("cat/1.jpg", jpeg(1)), ("dog/2.png", png(2))]


def test_importing_the_same_source_twice_adds_nothing(tmp_path):
    source = zipped(tmp_path / "a.zip", [*PICTURES, ("cat/0.txt", "a striped cat on a wall")])
    take(source)
    before = Image.objects.count(), Question.objects.count(), Concept.objects.count()
    assert "imported 0, already there 3, near-duplicates 0, refused 0." in take(source)
    assert (Image.objects.count(), Question.objects.count(), Concept.objects.count()) == before


def test_near_duplicates_are_counted(box):
    image = patchwork(1, (300, 200))
    fill(box, **{"a.png": encoded(image, "PNG"), "b.jpg": encoded(image, "JPEG", quality=70)})
    assert "imported 2, already there 0, near-duplicates 1" in take(box)


def test_a_picture_under_two_names_has_the_keywords_of_both(box):
    fill(box, **{"a.png": png(), "a.txt": "dog, lawn, sun", "b.png": png(), "b.txt": "dog, day"})
    take(box)
    assert Image.objects.get().keywords == ["dog", "lawn", "sun", "day"]


def test_keywords_put_right_count_when_they_are_imported_again(box):
    fill(box, **{"a.png": png(), "a.txt": "dog, lawn, sun"})
    take(box)
    fill(box, **{"a.txt": "cat, sofa, night"})
    take(box)
    assert Image.objects.get().keywords == ["cat", "sofa", "night"]


def test_a_source_that_is_no_source_is_said_in_a_sentence(box, tmp_path):
    assert "There is no" in refused(tmp_path / "missing")
    assert "holds no pictures" in refused(box)
    write(tmp_path, "one.jpg", jpeg())
    assert "neither a folder nor a zip nor a tar" in refused(tmp_path / "one.jpg")
    whole = zipped(tmp_path / "a.zip", PICTURES).read_bytes()
    write(tmp_path, "half.zip", whole[: len(whole) // 2])
    assert refused(tmp_path / "half.zip")
    with pytest.raises(CommandError, match="--project is a short name"):
        call_command("import_images", str(box), project="no such/name")
    assert not Project.objects.exists()


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(box, tmp_path, settings):
    write(box, "a.jpg", jpeg())
    write(tmp_path, "file", "in the way")
    settings.MEDIA_ROOT = tmp_path / "file"
    assert "The pictures cannot be stored" in refused(box)
    assert not Image.objects.exists()


def test_many_refusals_are_counted_and_not_all_named(tmp_path):
    source = zipped(tmp_path / "a.zip", [(f"{n}.jpg", b"no") for n in range(25)])
    output = take(source)
    assert "refused 25:" in output and "19.jpg and 5 more" in output


def test_an_import_that_fails_half_way_goes_on_where_it_stopped(tmp_path, monkeypatch):
    source = zipped(tmp_path / "a.zip", [(f"cat/{n}.png", png(n)) for n in range(10)])
    monkeypatch.setattr(pipeline, "BATCH", 4)
    taken = []

    def stop(things, name, total):
        for thing in things:
            taken.append(thing)
            if len(taken) == 9:  # the second batch is being decoded, the third read
                raise KeyboardInterrupt
            yield thing

    with monkeypatch.context() as patch:
        patch.setattr("labeling.management.commands.import_images.bar", stop)
        assert "to go on" in refused(source)
    assert Image.objects.count() == Question.objects.count() == 4
    assert "imported 6, already there 4" in take(source)
    assert Question.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_loses_nothing_and_goes_on(tmp_path, settings):
    source = tmp_path / "a.zip"
    zipped(source, [(f"cat/{n}.png", png(n, (128, 128))) for n in range(600)])
    database = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{database['USER']}@{host}:{database['PORT']}/{database['NAME']}",
        "DATA_DIR": str(tmp_path / "data"),
    }
    command = [sys.executable, "manage.py", "import_images", str(source), "--project", "photos"]
    process = subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL
    )
    wait_until(lambda: Image.objects.exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = Image.objects.count()
    assert 0 < there < 600
    assert Question.objects.count() == there
    settings.MEDIA_ROOT = tmp_path / "data" / "media"
    assert f"imported {600 - there:,}, already there {there:,}" in take(source)
    assert all((tmp_path / "data" / "media" / name).is_file() for name in files())


def files():
    return Image.objects.values_list("file", flat=True)
