"""Texts go back beside the pictures that they are of, under the pictures' own names."""

import errno
import json
import shutil

import pytest

from labeling import exports
from labeling.exports import ExportError, Options
from tests.labeling.exports import frozen
from tests.labeling.exports.frozen import rows_of


@pytest.fixture
def home(snapshot, tmp_path):
    """The folder that the pictures came from, with a file of the user's own."""
    folder = tmp_path / "home"
    for row in rows_of(snapshot).values():
        path = folder / row["source"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a photograph")
    (folder / "notes.txt").write_text("mine")
    return folder


def export(snapshot, out, **options):
    return exports.export(folder=snapshot, format="folder", out=out, options=Options(**options))


def with_sources(folder, monkeypatch, sources):
    """Return the folder of a snapshot of pictures that came from those paths."""
    make = frozen.row

    def row(number, split, size):
        told, data = make(0, split, (size[0] + number, size[1]))
        return {**told, "source": sources[number], "text": f"no. {number}"}, data

    monkeypatch.setattr(frozen, "row", row)
    return frozen.write(folder, len(sources))


def test_a_text_lies_beside_its_picture(snapshot, home):
    result = export(snapshot, home)
    for row in rows_of(snapshot).values():
        text = (home / row["source"]).with_suffix(".txt")
        if row["text"] and not row["generated"]:
            assert text.read_text(encoding="utf-8") == row["text"] + "\n"
        else:
            assert not text.exists()
        assert (home / row["source"]).read_bytes() == b"a photograph"
    assert (home / "notes.txt").read_text() == "mine"
    assert not (home / "MANIFEST.sha256").exists()
    assert result.left_out["pictures: a model drew them: they came from no folder"] == 1


def test_the_one_folder_in_which_all_lay_may_be_named_itself(snapshot, home):
    folder = home / "holiday, 2024"
    result = export(snapshot, folder)
    assert len(list(folder.glob("*.txt"))) == result.counts["texts"]
    assert len(list(folder.glob("label_accuracy_*.csv"))) == 1
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_nothing_of_the_users_is_overwritten_unless_chosen(snapshot, home):
    own = home / "holiday, 2024/IMG_0000.txt"
    own.write_text("what I wrote")
    before = sorted(home.rglob("*"))
    with pytest.raises(ExportError, match=r"hold something else: .*IMG_0000.txt"):
        export(snapshot, home)
    assert sorted(home.rglob("*")) == before and own.read_text() == "what I wrote"
    export(snapshot, home, overwrite=True)
    assert own.read_text(encoding="utf-8").startswith("a sign")


def test_a_second_time_nothing_is_written(snapshot, home):
    first = export(snapshot, home)
    second = export(snapshot, home)
    assert second.left_out["files: there already, the same"] == first.counts["texts"] + 1


def test_a_folder_that_is_a_link_out_of_it_is_refused(snapshot, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/holiday, 2024").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match=r"outside of"):
        export(snapshot, tmp_path / "home")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_pictures_of_one_stem_have_texts_of_their_own(tmp_path, monkeypatch):
    sources = ["a/x.png", "a/x.jpg", "a/X.webp", "../out.png", "/etc/x.png", "b/y.png", "b/y.png"]
    snapshot = with_sources(tmp_path / "snapshot", monkeypatch, sources)
    result = export(snapshot, tmp_path / "out")
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.txt")}
    assert names == {"a/x.png.txt", "a/x.jpg.txt", "a/X.webp.txt"}
    assert result.left_out["pictures: they came from no path within a folder"] == 2
    assert result.left_out["pictures: several came from one path"] == 2


def made(monkeypatch, folder, sources):
    """Return a snapshot of pictures from these paths, whose captions are their numbers."""
    make = frozen.row

    def row(number, split, size):
        told, data = make(0, split, (size[0] + number, size[1]))
        caption = {**told["captions"][0], "text": f"no. {number}"}
        return {**told, "source": sources[number], "captions": [caption]}, data

    monkeypatch.setattr(frozen, "row", row)
    return frozen.write(folder, len(sources))


def test_strange_names_get_their_texts(tmp_path, monkeypatch):
    plain = ["-rf.jpg", "a b/#1 100%.jpg", "🦉/بومة.jpg", "one/x.jpg", "two/x.jpg", "a.b.c.jpg"]
    cases = ["c/IMG.jpg", "c/img.jpg"]
    long = ["l/" + "é" * 117 + ".jpg", "l/" + "é" * 126 + ".jpg"]
    sources = plain + cases + long
    result = export(made(monkeypatch, tmp_path / "snapshot", sources), tmp_path / "out")
    texts = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text()
        for path in (tmp_path / "out").rglob("*.txt")
    }
    expected = {name.removesuffix(".jpg") + ".txt": n for n, name in enumerate(sources[:9])}
    expected |= {"c/IMG.jpg.txt": 6, "c/img.jpg.txt": 7}
    del expected["c/IMG.txt"], expected["c/img.txt"]
    assert texts == {name: f"no. {number}\n" for name, number in expected.items()}
    assert (
        result.left_out[
            "pictures: their path is too long, or of letters that no file should be called by"
        ]
        == 1
    )


def test_no_text_lies_where_another_does(tmp_path, monkeypatch):
    sources = ["a/x.jpg", "a/x.png", "a/x.jpg.png", "a/x.JPG.gif.png", "b/y.jpg.png"]
    result = export(made(monkeypatch, tmp_path / "snapshot", sources), tmp_path / "out")
    texts = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text()
        for path in (tmp_path / "out").rglob("*.txt")
    }
    names = ["a/x.jpg", "a/x.png", "a/x.jpg.png", "a/x.JPG.gif", "b/y.jpg"]
    assert texts == {f"{name}.txt": f"no. {number}\n" for number, name in enumerate(names)}
    assert result.counts["texts"] == len(names)


def test_no_picture_lies_where_a_folder_does(tmp_path, monkeypatch):
    snapshot = made(monkeypatch, tmp_path / "snapshot", ["x.webp", "x.webp/y.png", "z.png"])
    result = export(snapshot, tmp_path / "out", copy_pictures=True)
    copied = {
        path.relative_to(tmp_path / "out").as_posix()
        for path in tmp_path.rglob("out/**/*.webp")
        if path.is_file()
    }
    assert copied == {"x.webp/y.webp", "z.webp"}
    assert result.left_out["pictures: a folder is called as they would be"] == 1


def test_a_text_gets_the_name_that_the_disk_has(tmp_path, monkeypatch):
    """A Mac decomposes names; imports compose them."""
    from unicodedata import normalize

    home, long = tmp_path / "home", "é" * 117
    folder = home / normalize("NFD", "Fotos für später")
    folder.mkdir(parents=True)
    (folder / normalize("NFD", "é.jpg")).write_bytes(b"a photograph")
    (folder / f"{long}.jpg").write_bytes(b"a photograph")
    sources = [f"Fotos für später/{stem}.jpg" for stem in ("é", long)]
    snapshot = made(monkeypatch, tmp_path / "snapshot", sources)
    export(snapshot, home)
    texts = {path.relative_to(home) for path in home.rglob("*.txt")}
    assert texts == {
        (folder / normalize("NFD", "é.txt")).relative_to(home),
        (folder / f"{long}.txt").relative_to(home),
    }
    assert export(snapshot, home).left_out["files: there already, the same"] == 3


def test_everything_fits_into_json_and_pictures_may_come_too(snapshot, tmp_path):
    result = export(snapshot, tmp_path / "out", sidecar="json", copy_pictures=True, captions="all")
    assert result.counts == {"pictures": 11, "texts": 11}
    for row in rows_of(snapshot).values():
        if not row["generated"]:
            beside = (tmp_path / "out" / row["source"]).with_suffix(".json")
            told = json.loads(beside.read_text(encoding="utf-8"))
            assert (told["text"], told["tags"]) == (row["text"], row["tags"])
            assert beside.with_suffix(".webp").is_file()


def test_paths_that_no_folder_can_hold_are_left_out_and_counted(tmp_path, monkeypatch):
    names = ["a\nb.png", "c\x1b[31m.png", f"{'é' * 125}.png", f"…{'d/' * 150}e.png"[:300] + "x.png"]
    sources = [*names, "f.png", "f.txt/g.png"]
    snapshot = with_sources(tmp_path / "snapshot", monkeypatch, sources)
    result = export(snapshot, tmp_path / "out")
    written = {
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.txt")
    }
    assert {name for name in written if (tmp_path / "out" / name).is_file()} == {"f.txt/g.txt"}
    assert {k: n for k, n in result.left_out.items() if k.startswith("pictures: ")} == {
        "pictures: their path is too long, or of letters that no file should be called by": 4,
        "pictures: a folder is called as their text would be": 1,
    }


def test_a_disk_that_fills_leaves_the_folder_as_it_was(snapshot, home, monkeypatch):
    before, moved = sorted(home.rglob("*")), []

    def full(source, target, move=shutil.move):
        move(source, target)
        moved.append(target)
        if len(moved) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(OSError, match="No space"):
        export(snapshot, home)
    assert sorted(home.rglob("*")) == before
    monkeypatch.undo()
    assert export(snapshot, home).counts["texts"] > 3


def test_a_file_where_a_folder_would_be_is_left_alone(snapshot, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/holiday, 2024").write_text("mine")
    with pytest.raises(ExportError, match="below what is a file"):
        export(snapshot, tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["holiday, 2024"]
