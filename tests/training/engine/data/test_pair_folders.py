"""A plain folder whose table names pairs is read, but nothing that lies elsewhere."""

from pathlib import Path

import pytest
from PIL import Image

from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write two pictures into a folder, and one beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for place, colour in ((folder / "a.png", "red"), (folder / "b.png", "blue")):
        Image.new("RGB", (8, 8), colour).save(place)
    Image.new("RGB", (8, 8), "black").save(tmp_path / "secret.png")
    return folder


def test_a_table_names_pairs_with_their_captions(folder: Path) -> None:
    (folder / "pairs.csv").write_text("first,second,caption\na.png,b.png,two  colours\n")
    (row,) = read_snapshot(folder).train
    assert row.second and (row.path.name, row.second.name) == ("a.png", "b.png")
    assert row.captions == (("two colours", 1.0),)


@pytest.mark.parametrize(
    "name", ["../secret.png", "{outside}", "link.png", "a\0.png", "no.png", "", "."]
)
def test_a_half_that_is_not_in_the_folder_is_named_with_its_line(folder: Path, name: str) -> None:
    outside = folder.parent / "secret.png"
    (folder / "link.png").symlink_to(outside)
    name = name.format(outside=outside)
    (folder / "pairs.csv").write_text(f"first,second\na.png,b.png\na.png,{name}\n")
    with pytest.raises(TrainingError, match=r"Line 3 of .*pairs\.csv: there is no picture"):
        read_snapshot(folder)
