"""The commands that take back: `undo_import` and `remove_images`."""

import io

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Image, Import, RemovedImage
from tests.labeling.imports.sources import fill, take
from tests.pictures import png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def box(tmp_path):
    box = tmp_path / "box"
    box.mkdir()
    fill(box, **{"owl/0.png": png(0), "owl/1.png": png(1)})
    take(box)
    return box


def run(*words: object, **options: object) -> str:
    out = io.StringIO()
    call_command(*map(str, words), stdout=out, **options)
    return out.getvalue()


def test_an_import_is_taken_back_by_its_number(box):
    record = Import.objects.get()
    assert "Took back the import box: 2 pictures removed" in run("undo_import", record.pk)
    assert not Image.objects.exists()
    with pytest.raises(CommandError, match="taken back already"):
        run("undo_import", record.pk)
    with pytest.raises(CommandError, match="There is no import no"):
        run("undo_import", 0)


def test_pictures_are_removed_by_path_or_number(box):
    other = Image.objects.get(source="owl/1.png")
    removing = {"project": "photos", "reason": "private"}
    assert run("remove_images", "owl/0.png", other.pk, **removing) == (
        "Removed 2 pictures with 0 answers.\n"
    )
    assert set(RemovedImage.objects.values_list("source", "reason")) == {
        ("owl/0.png", "private"),
        ("owl/1.png", "private"),
    }


def test_nothing_is_removed_where_a_picture_is_not_there(box):
    for words, message in (
        (("owl/0.png", "gone.png"), "has no picture gone.png: nothing was removed"),
        (("owl/0.png",), "Say why"),
    ):
        with pytest.raises(CommandError, match=message):
            run("remove_images", *words, project="photos", reason=" ")
    with pytest.raises(CommandError, match="There is no project"):
        run("remove_images", "owl/0.png", project="nope", reason="private")
    assert Image.objects.count() == 2
