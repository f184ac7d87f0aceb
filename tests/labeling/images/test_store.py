import hashlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from PIL import Image as Pillow

from labeling import bulk_insert, images
from labeling.images import ImageRejected, NewImage
from labeling.images.duplicates import DuplicateIndex
from labeling.models import Image, Project, Tile
from tests.pictures import decoded, encoded, jpeg, patchwork, png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def project():
    return Project.objects.create(state="open", slug="photos", name="Photos")


def add(project, data, **more):
    return images.add(project=project, data=data, **{"source": "a.jpg", **more})


def stored(image):
    return Path(default_storage.path(image.file.name)).read_bytes()


def test_it_keeps_a_picture_with_its_hashes_and_its_whole_tile(project):
    data = jpeg()
    image, new = add(project, data, license="MIT", keywords=[" red ", "red", "", "bicycle"])
    assert new
    assert image.source_sha256 == hashlib.sha256(data).hexdigest()
    assert image.sha256 == hashlib.sha256(stored(image)).hexdigest()
    assert (image.width, image.height, image.license) == (96, 64, "MIT")
    assert image.keywords == ["red", "bicycle"]
    assert [(tile.grid, tile.width, tile.height) for tile in image.tiles.all()] == [(1, 96, 64)]


def test_the_same_picture_is_there_once(project):
    first, _ = add(project, png(), source="one.png")
    again, new = add(project, png(), source="other.png")
    assert (again, new) == (first, False)
    assert Image.objects.count() == Tile.objects.count() == 1


def test_the_same_pixels_in_another_file_are_the_same_picture(project):
    first, _ = add(project, png())
    again, new = add(project, encoded(patchwork(), "BMP"))
    assert (again, new) == (first, False)


def test_two_projects_may_hold_the_same_picture(project):
    other = Project.objects.create(state="open", slug="other", name="Other")
    assert add(project, png())[1] and add(other, png())[1]
    assert Image.objects.count() == 2


def test_a_picture_saved_anew_is_flagged_as_a_near_duplicate(project):
    first, _ = add(project, jpeg(4, (400, 300)))
    smaller = encoded(patchwork(4, (400, 300)).resize((200, 150)), "JPEG", quality=60)
    again, new = add(project, smaller)
    assert new and again.near_duplicate_of == first
    assert Image.objects.get(pk=again.pk).near_duplicate_of == first


def test_the_same_shape_in_another_colour_is_no_near_duplicate(project):
    red, blue, green = patchwork(4).split()
    add(project, encoded(patchwork(4), "PNG"))
    other, _ = add(project, encoded(Pillow.merge("RGB", (green, red, blue)), "PNG"))
    assert other.near_duplicate_of is None


def test_a_refused_picture_leaves_nothing(project):
    with pytest.raises(ImageRejected):
        add(project, b"nonsense")
    assert not Image.objects.exists()


def test_the_limits_are_settings(project, settings):
    settings.IMAGE_MAX_PIXELS = 100
    with pytest.raises(ImageRejected, match="more than 100 pixels"):
        add(project, png())
    settings.IMAGE_MAX_BYTES = 10
    with pytest.raises(ImageRejected, match="larger than"):
        add(project, png())


def test_a_file_that_a_crash_cut_off_is_written_again(project):
    picture = images.preparer()(png())
    path = Path(default_storage.path(f"images/{picture.sha256[:2]}/{picture.sha256}.webp"))
    path.parent.mkdir(parents=True)
    path.write_bytes(picture.data[:10])
    image, _ = add(project, png())
    assert default_storage.path(image.file.name) == str(path)
    assert decoded(stored(image)).size == (96, 64)


def test_rows_that_fail_leave_files_that_the_next_attempt_takes_up(project, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(bulk_insert, "insert_with_ids", fail)
        with pytest.raises(RuntimeError):
            add(project, png())
    assert not Image.objects.exists()
    assert add(project, png())[1]


def test_a_batch_may_hold_a_picture_twice_and_one_that_is_there(project):
    there, _ = add(project, png(1))
    prepare = images.preparer()
    new_images = [NewImage(picture=prepare(png(n)), source=f"{n}.png") for n in (1, 2, 2, 3)]
    taken = images.add_many(
        project=project, new_images=new_images, duplicate_index=DuplicateIndex(project)
    )
    assert [one.new for one in taken] == [False, True, False, True]
    assert taken[0].image == there and taken[1].image == taken[2].image
    assert [one.tile.image_id for one in taken] == [one.image.pk for one in taken]


def test_what_was_drawn_by_a_model_says_so(project):
    image, _ = add(project, png(), generated=True, prompt="a red bicycle")
    assert image.generated and image.prompt == "a red bicycle"
