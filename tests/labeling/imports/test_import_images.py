"""`import_images` from end to end: what is imported, counted, and gone on with."""

import pytest
from django.core.management import CommandError, call_command
from django.test import TestCase

from labeling.models import Concept, Image, Project, Question
from labeling.tasks import fill_due_pools
from tests.labeling.imports.sources import fill, refused, take, write, zipped
from tests.pictures import encoded, jpeg, patchwork, png

pytestmark = pytest.mark.django_db


PICTURES = [("cat/0.jpg", jpeg(0)), ("cat/1.jpg", jpeg(1)), ("dog/2.png", png(2))]


def test_importing_the_same_source_twice_adds_nothing(tmp_path):
    source = zipped(tmp_path / "a.zip", [*PICTURES, ("cat/0.txt", "a striped cat on a wall")])
    take(source)
    before = Image.objects.count(), Question.objects.count(), Concept.objects.count()
    assert "imported 0, already there 3, near-duplicates 0, refused 0." in take(source)
    assert (Image.objects.count(), Question.objects.count(), Concept.objects.count()) == before


def test_an_import_wakes_a_worker_to_fill_the_pools_of_what_to_ask(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(fill_due_pools, "apply_async", lambda *_, **__: sent.append(1))
    with TestCase.captureOnCommitCallbacks(execute=True):
        take(zipped(tmp_path / "a.zip", PICTURES))
    assert sent == [1]


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
    assert "refused 25 files:" in output and "19.jpg and 5 more" in output
