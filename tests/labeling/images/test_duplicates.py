import numpy as np
import pytest

from labeling import images
from labeling.decoding import difference_hash
from labeling.images import duplicates
from labeling.images.duplicates import DuplicateIndex, HashedImage
from labeling.models import Image, Project
from tests.pictures import encoded, patchwork

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return Project.objects.create(state="open", slug="photos", name="Photos")


@pytest.fixture
def duplicate_index(project):
    return DuplicateIndex(project)


def hashed(number, image):
    data = encoded(image, "WEBP", lossless=True)
    return HashedImage(number, difference_hash(image), data)


def test_it_finds_the_picture_of_the_same_batch_that_another_repeats(duplicate_index):
    again = patchwork(123).resize((48, 32)).resize((96, 64))
    batch = [hashed(number, patchwork(number)) for number in range(300)]
    *first, original = duplicate_index.add([*batch, hashed(1000, again)])
    assert (set(first), original) == ({None}, 123)
    assert duplicate_index.add([hashed(1001, patchwork(999))]) == [None]


def test_it_finds_the_picture_of_an_earlier_batch_that_another_repeats(duplicate_index, project):
    image, _ = images.add(project=project, data=encoded(patchwork(1), "PNG"), source="1.png")
    duplicate_index.refresh()
    assert duplicate_index.add([hashed(image.pk + 1, patchwork(1))]) == [image.pk]
    assert DuplicateIndex(project).add([hashed(image.pk + 1, patchwork(1))]) == [None]  # not read


def test_a_batch_cut_in_pieces_finds_the_same(duplicate_index, project, monkeypatch):
    pictures = [hashed(n, patchwork(n % 7)) for n in range(20)]
    whole = duplicate_index.add(pictures)
    monkeypatch.setattr(duplicates, "BATCH", 3)
    monkeypatch.setattr(duplicates, "BLOCK", 2)
    assert (
        DuplicateIndex(project).add(pictures) == whole == [None] * 7 + [n % 7 for n in range(7, 20)]
    )


def test_the_nearest_is_the_original_and_the_older_of_two_as_near(duplicate_index):
    darker = patchwork(1).point(lambda value: value * 0.97)
    brighter = patchwork(1).point(lambda value: min(255, value * 1.03))
    pictures = [hashed(1, patchwork(1)), hashed(2, darker), hashed(3, brighter)]
    assert duplicate_index.add(pictures) == [None, 1, 1]


@pytest.mark.parametrize("bit", [0, 31, 62, 63])
def test_hashes_that_differ_in_one_bit_are_near_whichever_it_is(duplicate_index, bit):
    data = encoded(patchwork(1), "WEBP", lossless=True)
    flipped = np.array([1 << bit], dtype=np.uint64).view(np.int64)
    first, again = HashedImage(1, 5, data), HashedImage(2, 5 ^ int(flipped[0]), data)
    assert duplicate_index.add([first, again]) == [None, 1]


def test_hashes_that_differ_in_every_bit_are_not_near(duplicate_index):
    data = encoded(patchwork(1), "WEBP", lossless=True)
    assert duplicate_index.add([HashedImage(1, 5, data), HashedImage(2, ~5, data)]) == [None, None]


def test_near_duplicates_point_at_the_first_and_not_at_each_other(project):
    for quality in (95, 70, 50):
        data = encoded(patchwork(1, (300, 200)), "JPEG", quality=quality)
        images.add(project=project, data=data, source=f"{quality}.jpg")
    first, *others = Image.objects.order_by("id")
    assert [image.near_duplicate_of for image in others] == [first, first]


def test_a_hundred_thousand_hashes_are_searched_in_milliseconds(duplicate_index):
    import time

    hashes = np.random.default_rng(0).integers(-(2**63), 2**63, 100_000, dtype=np.int64)
    duplicate_index._extend(list(enumerate(hashes.tolist())))
    started = time.process_time()
    (candidates,) = duplicate_index._candidates(hashes[77:78].view(np.uint64))
    assert candidates == [(0, 77)]
    assert time.process_time() - started < 0.1
