"""Copies that pixels at their places do not show: mirrored, cropped, brightened."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageEnhance, ImageOps
from safetensors.numpy import save_file

from labeling import images, removal
from labeling.images import feature_duplicates, windows
from labeling.inference import intake
from labeling.models import Image, Project, Tile


def scene(*, sun: str = "gold") -> Picture.Image:
    """A house under a sun, which is no mirror image of itself."""
    picture = Picture.new("RGB", (120, 120), "skyblue")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 90, 120, 120), fill="forestgreen")
    draw.rectangle((20, 50, 65, 100), fill="firebrick")
    draw.polygon([(15, 50), (42, 22), (70, 50)], fill="sienna")
    draw.ellipse((80, 8, 112, 40), fill=sun)
    return picture


def stored(picture: Picture.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=90)
    return file.getvalue()


COPIES = {
    "mirrored": ImageOps.mirror(scene()),
    "cropped": scene().crop((0, 0, 108, 108)),
    "brightened": ImageEnhance.Brightness(scene()).enhance(0.85),
    "framed": ImageOps.expand(scene(), 10, "white").crop((2, 2, 138, 138)),
}
OTHERS = {
    "another sun": scene(sun="navy"),
    "a plain one": Picture.new("RGB", (120, 120), "skyblue"),
    "upside down": ImageOps.flip(scene()),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_changed_copy_shows_the_same(name: str) -> None:
    own, copy = windows.cut(stored(scene())), windows.cut(stored(COPIES[name]))
    assert windows.show_the_same(own, copy) and windows.show_the_same(copy, own)


@pytest.mark.parametrize("name", OTHERS)
def test_another_picture_does_not(name: str) -> None:
    own, other = windows.cut(stored(scene())), windows.cut(stored(OTHERS[name]))
    assert not windows.show_the_same(own, other) and not windows.show_the_same(other, own)


@pytest.fixture
def houses(db: None) -> Project:
    """A house, its copies, and others, of which an encoder says that all are alike."""
    project = Project.objects.create(slug="houses", name="Houses")
    for name, picture in {"house": scene(), **COPIES, **OTHERS}.items():
        images.add(project=project, data=png(picture), source=name)
    return project


def png(picture: Picture.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def take_in(project: Project, folder: Path) -> None:
    """Store features by which all pictures are near each other, but one that is unreadable."""
    tiles = np.array(Tile.objects.filter(image__project=project).order_by("pk").values_list("pk"))
    features = np.ones((len(tiles), 4), np.float16)
    unreadable = Tile.objects.get(image__project=project, image__source="upside down").pk
    features[tiles[:, 0] == unreadable] = np.nan
    none = np.zeros(0, np.int64)
    tensors = {"tiles": tiles[:, 0], "images": features, "learned": none, "concepts": none}
    save_file({**tensors, "texts": np.zeros((0, 4), np.float16)}, folder / "features")
    intake.replace(project=project, file=folder / "features", encoder="efficientnet-lite0")


def duplicates(project: Project) -> dict[str, str]:
    """Return what each near-duplicate repeats, by source."""
    rows = project.images.filter(near_duplicate_of__isnull=False).order_by("pk")
    return dict(rows.values_list("source", "near_duplicate_of__source"))


def test_the_encoder_proposes_and_the_pixels_decide(houses: Project, tmp_path: Path) -> None:
    assert duplicates(houses) == {}
    take_in(houses, tmp_path)
    assert feature_duplicates.mark(houses, known=np.zeros(0, np.int64)) == len(COPIES)
    assert duplicates(houses) == dict.fromkeys(COPIES, "house")
    assert feature_duplicates.mark(houses, known=np.zeros(0, np.int64)) == 0


def test_only_new_pictures_are_compared_and_older_ones_keep_their_place(
    houses: Project, tmp_path: Path
) -> None:
    take_in(houses, tmp_path)
    tiles = Tile.objects.filter(image__project=houses)
    known = tiles.exclude(image__source="mirrored").values_list("pk", flat=True)
    assert feature_duplicates.mark(houses, known=np.array(sorted(known))) == 1
    assert duplicates(houses) == {"mirrored": "house"}


def test_what_a_new_near_duplicate_was_repeated_by_repeats_its_original(
    houses: Project, tmp_path: Path
) -> None:
    mirrored = houses.images.get(source="mirrored")
    houses.images.filter(source="a plain one").update(near_duplicate_of=mirrored)
    take_in(houses, tmp_path)
    feature_duplicates.mark(houses, known=np.zeros(0, np.int64))
    assert duplicates(houses)["a plain one"] == "house"


def test_the_copies_of_a_removed_picture_repeat_the_oldest_of_them(
    houses: Project, tmp_path: Path, ada: object
) -> None:
    take_in(houses, tmp_path)
    feature_duplicates.mark(houses, known=np.zeros(0, np.int64))
    removal.remove([Image.objects.get(source="house")], by=ada, reason="private")
    assert duplicates(houses) == {
        "cropped": "mirrored",
        "brightened": "mirrored",
        "framed": "mirrored",
    }
