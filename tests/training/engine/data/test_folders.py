"""A plain folder of pictures with keyword files is as good as a snapshot, or is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.engine.data.folders import HELD_OUT_FROM, read_folder
from training.engine.data.packing import pack
from training.engine.data.rows import digest
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (24, 16)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a cat with keywords, a sunset with a sentence, a stone without text."""
    folder = tmp_path / "mine"
    folder.mkdir()
    picture(folder / "cat.png", (200, 120, 40))
    (folder / "cat.txt").write_text("cat,  ginger\ncat, on a  sofa,,\n")
    picture(folder / "sunset.JPG", (250, 90, 60))
    (folder / "sunset.txt").write_text("a sunset over the sea")
    picture(folder / "stone.webp", (90, 90, 90))
    (folder / "notes.md").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def test_keywords_and_sentences_are_read_from_files_of_the_same_name(folder: Path) -> None:
    snapshot = read_snapshot(folder)
    rows = {row.path.name: row for row in snapshot.train}
    assert set(rows) == {"cat.png", "sunset.JPG", "stone.webp"}
    assert rows["cat.png"].tags == ("cat", "ginger", "on a sofa")
    assert rows["cat.png"].captions == (("cat, ginger, on a sofa", 1.0),)
    assert rows["sunset.JPG"].captions == (("a sunset over the sea", 1.0),)
    assert rows["sunset.JPG"].tags == ()
    assert rows["stone.webp"].captions == ()
    assert snapshot.test == () == snapshot.concepts


def test_a_folder_with_folders_of_classes_is_refused_and_the_reason_says_what_is_read(
    folder: Path,
) -> None:
    folder.rename(folder.parent / "cat")
    with pytest.raises(TrainingError, match=r"folder of a snapshot, or .* directly in it, not in"):
        read_snapshot(folder.parent)


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("", ()),
        (" \n,\n", ()),
        ("кошка, рыжая", ("кошка", "рыжая")),
        ("猫，橙色、沙发", ("猫", "橙色", "沙发")),
        ("قطة، حمراء", ("قطة", "حمراء")),
        ("\ufeff🐈, 🛋️", ("🐈", "🛋️")),
        ("many, " * 2000, ("many",)),
        (", ".join(map(str, range(2500))), tuple(map(str, range(2500)))),
    ],
)
def test_keywords_may_be_none_or_many_and_of_any_script(
    tmp_path: Path, text: str, keywords: tuple[str, ...]
) -> None:
    picture(tmp_path / "x.png", (1, 2, 3))
    (tmp_path / "x.txt").write_text(text, "utf-8")
    (row,) = read_folder(tmp_path).train
    assert row.captions == (((", ".join(keywords), 1.0),) if keywords else ())
    assert row.tags == (keywords if len(keywords) > 1 else ())


def test_a_text_of_ten_thousand_characters_is_one_caption(tmp_path: Path) -> None:
    picture(tmp_path / "x.png", (1, 2, 3))
    (tmp_path / "x.txt").write_text("word " * 2000)
    (row,) = read_folder(tmp_path).train
    assert len(row.captions[0][0]) == 9999


def test_the_content_names_a_picture_and_not_its_file(folder: Path) -> None:
    before = read_folder(folder)
    (folder / "cat.png").rename(folder / "tom.png")
    (folder / "cat.txt").rename(folder / "tom.txt")
    renamed = read_folder(folder)
    assert renamed.digest == before.digest
    assert digest(renamed.train) == digest(before.train)

    picture(folder / "tom.png", (0, 0, 0))
    repainted = read_folder(folder)
    assert repainted.digest != before.digest
    assert digest(repainted.train) != digest(before.train)

    (folder / "stone.txt").write_text("stone")
    assert read_folder(folder).digest != repainted.digest


def test_copies_of_a_picture_count_once_with_what_is_said_of_it(folder: Path) -> None:
    (folder / "a copy.png").write_bytes((folder / "cat.png").read_bytes())
    snapshot = read_folder(folder)
    assert len(snapshot.train) == 3
    assert [row.path.name for row in snapshot.train if row.tags] == ["cat.png"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_pictures_of_every_size_and_mode_are_packed(tmp_path: Path, mode: str) -> None:
    for index, size in enumerate([(1, 1), (3, 40), (40, 3), (33, 17)]):
        image = Image.new("L", size, 255).convert(mode) if mode != "I;16" else None
        if image is None:
            image = Image.fromarray(np.full(size[::-1], 65535, np.uint16))
        image.save(tmp_path / f"{index}.tiff" if mode != "LA" else tmp_path / f"{index}.png")
    snapshot = read_folder(tmp_path)
    pixels = pack(snapshot.train, 8, tmp_path / "cache", digest(snapshot.train))
    assert pixels.shape == (4, 8, 8, 3)
    assert pixels.min() > 250


def test_what_is_transparent_is_white_and_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    photograph = Image.new("RGB", (16, 8), "black")
    photograph.paste("white", (0, 0, 8, 8))
    exif = photograph.getexif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: left becomes top
    photograph.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    rows = {row.path.stem: row for row in read_folder(tmp_path).train}
    assert pack([rows["clear"]], 4, tmp_path / "cache", "clear").min() == 255
    turned = pack([rows["turned"]], 8, tmp_path / "cache", "turned")[0]
    assert turned[0].min() > 200 and turned[-1].max() < 50


def test_one_picture_is_enough(tmp_path: Path) -> None:
    picture(tmp_path / "only.png", (1, 2, 3))
    assert len(read_snapshot(tmp_path).train) == 1


def test_judges_get_a_tenth_of_a_large_folder(tmp_path: Path) -> None:
    for number in range(HELD_OUT_FROM):
        picture(tmp_path / f"{number}.bmp", (number, 255 - number, 0), (2, 2))
    snapshot = read_folder(tmp_path)
    assert 5 <= len(snapshot.test) <= 40
    assert len(snapshot.train) + len(snapshot.test) == HELD_OUT_FROM


def test_a_truncated_picture_is_named_and_nothing_is_packed(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "cat.png").read_bytes()
    (folder / "cat.png").write_bytes(whole[: len(whole) // 2])
    snapshot = read_snapshot(folder)
    with pytest.raises(TrainingError, match=r"cat\.png cannot be read"):
        pack(snapshot.train, 8, tmp_path / "cache", digest(snapshot.train))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    picture(tmp_path / "cats" / "x.png", (1, 2, 3))
    with pytest.raises(TrainingError, match="holds no pictures: put them there directly"):
        read_folder(tmp_path)
    with pytest.raises(TrainingError, match="holds no pictures"):
        read_folder(tmp_path / "missing")


def test_keywords_that_are_no_text_are_named(folder: Path) -> None:
    (folder / "cat.txt").write_bytes(b"caf\xe9")
    with pytest.raises(TrainingError, match=r"cat\.txt is not text in UTF-8"):
        read_folder(folder)
    (folder / "cat.txt").unlink()
    (folder / "cat.txt").mkdir()
    with pytest.raises(TrainingError, match=r"cat\.txt cannot be read"):
        read_folder(folder)
