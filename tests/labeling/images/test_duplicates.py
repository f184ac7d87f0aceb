import numpy as np
import pytest

from labeling.decoding import difference_hash
from labeling.images.duplicates import DuplicateIndex
from labeling.models import Image, Project
from tests.pictures import encoded, patchwork

pytestmark = pytest.mark.django_db


@pytest.fixture
def duplicate_index():
    return DuplicateIndex(Project.objects.create(slug="photos", name="Photos"))


def hashed(image):
    return difference_hash(image), encoded(image, "WEBP", lossless=True)


def test_it_finds_the_picture_that_another_repeats(duplicate_index):
    for number in range(200):
        duplicate_index.add(number, *hashed(patchwork(number)))
    again = patchwork(123).resize((48, 32)).resize((96, 64))
    assert duplicate_index.original(*hashed(again)) == 123
    assert duplicate_index.original(*hashed(patchwork(999))) is None


def test_it_finds_nothing_among_none(duplicate_index):
    assert duplicate_index.original(*hashed(patchwork())) is None


def test_it_reads_a_picture_from_its_file_when_no_copy_is_at_hand(settings, tmp_path):
    from labeling import images

    settings.MEDIA_ROOT = tmp_path
    project = Project.objects.create(slug="photos", name="Photos")
    image, _ = images.add(project=project, data=encoded(patchwork(1), "PNG"), source="1.png")
    assert DuplicateIndex(project).original(*hashed(patchwork(1))) == image.pk


def test_near_duplicates_point_at_the_first_and_not_at_each_other(settings, tmp_path):
    from labeling import images

    settings.MEDIA_ROOT = tmp_path
    project = Project.objects.create(slug="photos", name="Photos")
    for quality in (95, 70, 50):
        data = encoded(patchwork(1, (300, 200)), "JPEG", quality=quality)
        images.add(project=project, data=data, source=f"{quality}.jpg")
    first, *others = Image.objects.order_by("id")
    assert [image.near_duplicate_of for image in others] == [first, first]


def test_a_hundred_thousand_hashes_are_searched_in_milliseconds(duplicate_index):
    import time

    hashes = np.random.default_rng(0).integers(-(2**63), 2**63, 100_000, dtype=np.int64)
    duplicate_index._ids, duplicate_index._hashes = np.arange(100_000), hashes
    duplicate_index._size = 100_000
    started = time.process_time()
    assert duplicate_index._nearest(int(hashes[77])) == [77]
    assert time.process_time() - started < 0.1
