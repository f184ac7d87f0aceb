"""Masks are not imported as pictures in silence."""

import pytest

from labeling.imports import masks
from labeling.models import Image
from tests.labeling.imports.sources import fill, take
from tests.pictures import jpeg, png


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["images/a.jpg", "masks/a.png"], ["masks/a.png"]),
        (["a.jpg", "masks/a.png"], ["masks/a.png"]),
        (["a.jpg", "a_mask.png", "b.png"], ["a_mask.png"]),
        (["train/images/a.jpg", "train/masks/a_mask.png"], ["train/masks/a_mask.png"]),
        (["images/train/a.jpg", "masks/train/a.png"], ["masks/train/a.png"]),
        (["v/JPEGImages/a.jpg", "v/SegmentationClass/a.png"], ["v/SegmentationClass/a.png"]),
        (["images/val/a.jpg", "annotations/val/a.png"], ["annotations/val/a.png"]),
        # A class that is called so is none:
        (["masks/1.jpg", "hats/1.jpg"], []),
        (["masks/1.png", "hats/2.png"], []),
        (["masks/1.png", "masks/2.png", "hats/1.png"], []),
        (["face_mask.png", "dog.png"], []),
        (["masks/a.png"], []),
    ],
)
def test_a_mask_is_one_where_its_picture_is_there(paths, expected):
    assert sorted(masks.find(set(paths))) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(("choice", "pictures"), [("refused", 1), ("pictures", 2)])
def test_masks_are_refused_with_a_word_or_taken_by_choice(box, choice, pictures):
    fill(box, **{"images/a.jpg": jpeg(), "masks/a.png": png(1), "masks/a.txt": "a mask"})
    output = take(box, masks=choice)
    assert Image.objects.count() == pictures
    assert ("a mask of another picture" in output) is (choice == "refused")
