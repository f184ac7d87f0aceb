"""An export is whole or not at all: hashed, counted, and the same in every run."""

import gc
import hashlib
import io
import tarfile
import zipfile
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import c2pa
import pyarrow.parquet as pq
import pytest
import yaml

from labeling import exports, marks, snapshot_folder
from labeling.exports import ExportError, Options
from labeling.exports.formats import answers_csv, kohya
from labeling.exports.pictures import Picture
from labeling.exports.sinks import ArchiveSink, FolderSink
from labeling.exports.stored import StoredFolder, listed
from labeling.exports.writer import About
from labeling.snapshot_folder import SnapshotError
from tests import certificates
from tests.labeling.exports import frozen
from tests.labeling.exports.frozen import pixels, rows_of, stored_pixels
from tests.pictures import decoded

ACCURACY = [
    "concept,answered,labels,covered,judged,by,accuracy,low,high",
    ",yes,24,24,40,gold,0.9,0.769,0.96",
    "night,yes,24,24,3,gold,,,",
    ",no,0,24,40,answers,,,",
]
OF_FOLDERS = sorted(exports.FORMATS.keys() - {"answers"})  # those that need no database


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("format", OF_FOLDERS)
def test_the_same_snapshot_and_options_give_the_same_bytes(snapshot, tmp_path, format):
    for out in ("one", "two", "one.zip", "two.zip", "one.tar", "two.tar"):
        exports.export(folder=snapshot, format=format, out=tmp_path / out)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize("format", OF_FOLDERS)
def test_the_manifest_lists_every_file_with_its_hash(snapshot, tmp_path, format):
    out = tmp_path / "out"
    result = exports.export(folder=snapshot, format=format, out=out)
    manifest = dict(listed(StoredFolder(out)))
    there = files(out)
    manifest_file = there.pop("MANIFEST.sha256")
    assert {name: hashlib.sha256(data).hexdigest() for name, data in there.items()} == manifest
    assert hashlib.sha256(manifest_file).hexdigest() == result.sha256
    assert result.size == sum(map(len, there.values()))


def test_an_archive_holds_what_the_folder_does(snapshot, tmp_path):
    exports.export(folder=snapshot, format="imagefolder", out=tmp_path / "out")
    exports.export(folder=snapshot, format="imagefolder", out=tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert held.keys() == files(tmp_path / "out").keys()
    assert {k: v for k, v in held.items() if k != "MANIFEST.sha256"} == {
        k: v for k, v in files(tmp_path / "out").items() if k != "MANIFEST.sha256"
    }


def test_a_short_export_is_thrown_away(snapshot, tmp_path, monkeypatch):
    def forgetful(sink, about):
        writer = kohya.Kohya(sink, about)
        close = writer.close
        monkeypatch.setattr(writer, "close", lambda: {**close(), "pictures": 13})
        return writer

    format = replace(exports.FORMATS["kohya"], writer=forgetful)
    monkeypatch.setitem(exports.FORMATS, "kohya", format)
    with pytest.raises(ExportError, match=r"holds 12 pictures, .* not 13 "):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot"]


def test_a_file_that_the_disk_spoils_is_noticed(snapshot, tmp_path, monkeypatch):
    finish = exports.FolderSink.finish

    def spoil(sink) -> str:
        digest = finish(sink)
        next(sink._folder.glob("train/*.txt")).write_text("something else")
        return digest

    monkeypatch.setattr(exports.FolderSink, "finish", spoil)
    with pytest.raises(ExportError, match=r"is not what was written"):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")


def test_a_folder_or_file_in_use_is_left_alone(snapshot, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("dear")
    (tmp_path / "out.zip").write_text("dear")
    for out in ("out", "out.zip"):
        with pytest.raises(ExportError, match=r"in use"):
            exports.export(folder=snapshot, format="kohya", out=tmp_path / out)
    assert (tmp_path / "out/letter.txt").read_text() == "dear"


@pytest.mark.parametrize("harm", ["lost", "changed", "metadata", "consistently", "another"])
def test_a_damaged_snapshot_is_not_exported(snapshot, tmp_path, harm):
    picture = next(snapshot.glob("train/*.webp"))
    if harm == "lost":
        picture.unlink()
    elif harm == "changed":
        picture.write_bytes(picture.read_bytes()[:-1] + b"x")
    elif harm == "metadata":
        (snapshot / "train/metadata.jsonl").write_text("")
    elif harm == "consistently":  # a picture and what the manifest says of it
        data, manifest = b"another", snapshot / "manifest.json"
        old = hashlib.sha256(picture.read_bytes()).hexdigest()
        picture.write_bytes(data)
        manifest.write_text(
            manifest.read_text().replace(old, hashlib.sha256(data).hexdigest()), "utf-8"
        )
    else:  # one of the same name, whose hash begins alike
        picture.rename(snapshot / "train/other.webp")
        picture.write_bytes((snapshot / "train/other.webp").read_bytes() + b"\0")
    with pytest.raises(SnapshotError, match=r"freeze a new snapshot"):
        exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("format", OF_FOLDERS)
def test_an_export_that_was_killed_goes_on_and_ends_the_same(
    snapshot, tmp_path, monkeypatch, format
):
    from labeling.exports import run
    from labeling.exports.sinks import FolderSink

    options = Options(shard=2) if "shard" in exports.FORMATS[format].options else Options()
    out, draft = tmp_path / "out", tmp_path / "draft"
    exports.export(folder=snapshot, format=format, out=out, options=options)
    read, reads = Picture.data, []

    def killed_at(number: int):
        def data(picture) -> bytes:
            reads.append(picture.name)
            if len(reads) == number:
                raise Killed
            return read(picture)

        return data

    def attempt() -> None:
        sink = FolderSink(draft)
        try:
            run.write(run.Source(snapshot), exports.FORMATS[format], options, sink)
        finally:
            sink.close()

    monkeypatch.setattr(Picture, "data", killed_at(8))
    if exports.FORMATS[format].writer.__name__ in ("Labels", "Folder"):
        return  # they read no picture: there is nothing to keep
    with pytest.raises(Killed):
        attempt()
    reads.clear()
    monkeypatch.setattr(Picture, "data", killed_at(99))
    attempt()
    assert len(reads) <= 12 - 6, "what was whole was written again"
    (draft / ".journal.jsonl").unlink()
    assert files(draft) == files(out)


def test_pictures_are_made_smaller_and_encoded_as_chosen(snapshot, tmp_path):
    out = tmp_path / "out"
    options = Options(size=36, image_format="png")
    exports.export(folder=snapshot, format="imagefolder", out=out, options=options)
    sizes = {decoded(path.read_bytes()).size for path in out.glob("*/*.png")}
    assert sizes == {(36, 32)} and not list(out.glob("*/*.webp"))


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(snapshot, tmp_path, image_format):
    out = tmp_path / "out"
    options = Options(image_format=image_format)
    exports.export(folder=snapshot, format="imagefolder", out=out, options=options)
    for stem, row in rows_of(snapshot).items():
        data = (out / row["split"] / f"{stem}.{image_format}").read_bytes()
        assert pixels(data) == stored_pixels(snapshot, row)


def drawn(snapshot: Path) -> set[str]:
    """Return the stems of the pictures that a model drew."""
    return {stem for stem, row in rows_of(snapshot).items() if row["generated"]}


def pictures_of(out: Path) -> dict[str, bytes]:
    """Return the pictures of an export, in whatever they lie, by their stems."""
    there = files(out)
    pictures = {Path(name).stem: data for name, data in there.items() if decodes(data)}
    for name, data in there.items():
        if name.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                members = {each.name: tar.extractfile(each) for each in tar.getmembers()}
            pictures |= {Path(k).stem: v.read() for k, v in members.items() if v}
        if name.endswith(".parquet"):
            rows = pq.read_table(io.BytesIO(data)).to_pylist()
            images = [row["image"] for row in rows if "image" in row]
            pictures |= {Path(image["path"]).stem: image["bytes"] for image in images}
    return {stem: data for stem, data in pictures.items() if decodes(data)}


def decodes(data: bytes) -> bool:
    with suppress(OSError):
        return decoded(data).size != (0, 0)
    return False


@pytest.mark.parametrize("format", ["coco", "croissant", "imagefolder", "kohya", "parquet"])
@pytest.mark.parametrize("values", [{}, {"image_format": "png"}, {"image_format": "jpeg"}])
def test_what_a_model_drew_stays_marked(snapshot, tmp_path, format, values):
    out, options = tmp_path / "out", Options(**values, size=36) if values else Options()
    exports.export(folder=snapshot, format=format, out=out, options=options)
    found = {stem: marks.of_bytes(data) for stem, data in pictures_of(out).items()}
    assert len(found) == 12
    assert {stem for stem, mark in found.items() if mark == frozen.MARK} == drawn(snapshot)
    assert {stem for stem, mark in found.items() if mark is None} == found.keys() - drawn(snapshot)


@pytest.mark.parametrize("image_format", ["keep", "png"])
def test_what_a_model_drew_is_signed_where_its_owner_signs(
    snapshot, tmp_path, settings, image_format
):
    settings.C2PA_CERTIFICATE, settings.C2PA_KEY = map(str, certificates.write(tmp_path))
    out = tmp_path / "out"
    options = Options(image_format=image_format)
    exports.export(folder=snapshot, format="webdataset", out=out, options=options)
    for stem, data in pictures_of(out).items():
        kind = f"image/{decoded(data).format.lower()}"
        reader = c2pa.Reader.try_create(kind, io.BytesIO(data))
        assert (reader is not None) == (stem in drawn(snapshot))
        assert reader is None or reader.get_validation_state() == "Valid"


def test_what_the_options_leave_out_is_counted(snapshot, tmp_path):
    out = tmp_path / "out"
    options = Options(split="train", confidence=0.8, pictures="real", concepts=("sign",))
    result = exports.export(folder=snapshot, format="imagefolder", out=out, options=options)
    rows = pq.read_table(out / "train/metadata.parquet").to_pylist()
    assert not (out / "test").exists()
    assert all(not row["generated"] for row in rows)
    assert all(c["confidence"] >= 0.8 for row in rows for c in row["captions"])
    assert {c["name"] for row in rows for c in row["concepts"]} == {"sign"}
    assert all("night" not in row["tags"] for row in rows)
    pictures = result.left_out["pictures: of test"] + result.left_out["pictures: generated"]
    assert len(rows) + pictures == 12


def objects_of(out: Path, name: str = "train/metadata.parquet") -> list[dict]:
    """Return the boxes of a table, each with the size of its picture."""
    import pyarrow.parquet as pq

    return [
        {
            **{key: values[n] for key, values in row["objects"].items()},
            "size": (row["width"], row["height"]),
        }
        for row in pq.read_table(out / name).to_pylist()
        for n in range(len(row["objects"]["category"]))
    ]


def test_options_apply_to_boxes(snapshot, tmp_path):
    held = [b for row in rows_of(snapshot).values() for b in row["boxes"]]
    walls = sum(each["label"] == "a wall, red" for each in held)
    assert walls and len(held) > walls
    out = tmp_path / "out"
    result = exports.export(folder=snapshot, format="imagefolder", out=out)
    assert result.left_out["boxes: below the least confidence"] == walls
    assert result.counts["boxes"] == len(held) - walls
    one = Options(confidence=0.0, concepts=("A wall, RED",), labels="hard")
    result = exports.export(
        folder=snapshot, format="imagefolder", out=tmp_path / "one", options=one
    )
    assert result.counts["boxes"] == walls
    assert {each["probability"] for each in objects_of(tmp_path / "one")} == {1.0}
    assert result.left_out["boxes: concepts that are not chosen"] == len(held) - walls


def test_what_comes_from_elsewhere_is_left_out(tmp_path, monkeypatch):
    """Pictures of ours, of which a vendor's import says more under another licence."""
    make, ours = frozen.row, {**frozen.NOWHERE, "import_id": 1, "license": "MIT"}
    theirs = {**frozen.NOWHERE, "import_id": 2, "vendor": "Acme, Inc.", "license": "CC0-1.0"}

    def row(number, split, size):
        told, data = make(number, split, size)
        texts = (("ours", 0), ("theirs", 1), ("written here", -1))
        captions = [
            {"text": text, "confidence": 0.9, "source": "import", "provenance": place}
            for text, place in texts[: 3 if number == 0 else 1]
        ]
        box = {**frozen.boxes(1, size)[0], "provenance": 1}
        return {
            **told,
            "provenance": [ours, theirs] if number == 0 else [ours],
            "license": "MIT",
            "captions": captions,
            "boxes": [box] if number == 0 else [],
        }, data

    monkeypatch.setattr(frozen, "row", row)
    snapshot = frozen.write(tmp_path / "snapshot", 3)

    def held(**values) -> tuple[int, int, int]:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        options = exports.options_of("imagefolder", {"captions": "all", **values})
        result = exports.export(folder=snapshot, format="imagefolder", out=out, options=options)
        return tuple(result.counts[kind] for kind in ("pictures", "captions", "boxes"))

    assert held() == (3, 5, 1)
    assert held(vendor="Acme, Inc.") == held(imported_by="2") == (1, 1, 1)
    assert held(imported_by=1) == (3, 3, 0)
    assert held(license="MIT") == (3, 4, 0)
    with pytest.raises(ExportError, match=r"leave no picture"):
        held(license="CC0-1.0")


def test_boxes_shrink_with_their_picture(snapshot, tmp_path):
    for size in (0, 18):
        options = Options(size=size, confidence=0.0)
        exports.export(
            folder=snapshot, format="imagefolder", out=tmp_path / str(size), options=options
        )
    whole, small = objects_of(tmp_path / "0"), objects_of(tmp_path / "18")
    assert {each["size"] for each in small} == {(18, 16)}
    assert [[side / 4 for side in each["bbox"]] for each in whole] == [e["bbox"] for e in small]
    assert all(each["area"] == each["bbox"][2] * each["bbox"][3] for each in small)


def test_formats_without_a_place_for_boxes_count_them(snapshot, tmp_path):
    result = exports.export(folder=snapshot, format="kohya", out=tmp_path / "out")
    (reason,) = (each for each in result.left_out if "kohya" in each)
    assert result.left_out[reason] + result.left_out["boxes: below the least confidence"] == sum(
        len(row["boxes"]) for row in rows_of(snapshot).values()
    )


def test_hard_labels_are_certain_or_left_out(snapshot, tmp_path):
    out = tmp_path / "out"
    options = Options(labels="hard", confidence=0.8)
    result = exports.export(folder=snapshot, format="imagefolder", out=out, options=options)
    rows = pq.read_table(out / "train/metadata.parquet").to_pylist()
    assert {c["probability"] for row in rows for c in row["concepts"]} == {0.0, 1.0}
    assert result.left_out["labels: too uncertain to be hard"] == 12


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"colour": "red"}, "no option"),
        ({"confidence": "high"}, "a number from 0 to 1"),
        ({"confidence": "nan"}, "a number from 0 to 1"),
        ({"size": "-1"}, "a whole number"),
        ({"labels": "medium"}, "one of soft, hard"),
        ({"copy_pictures": "true"}, "no option"),
        ({"concepts": 7}, "a list of names"),
    ],
)
def test_an_option_that_is_none_is_refused_with_a_word(values, word):
    with pytest.raises(ExportError, match=word):
        exports.options_of("kohya", values)


def test_options_are_the_same_from_texts_and_json():
    texts = exports.options_of("kohya", {"confidence": "0.7", "concepts": "b, a", "repeats": "3"})
    json = exports.options_of("kohya", {"confidence": 0.7, "concepts": ["a", "b"], "repeats": 3})
    assert texts == json
    assert exports.options_of("kohya", texts.chosen) == texts


def test_a_snapshot_without_pictures_to_export_says_so(tmp_path):
    folder = frozen.write(tmp_path / "snapshot", 4)
    with pytest.raises(ExportError, match=r"leave no picture"):
        options = Options(split="test")
        exports.export(folder=folder, format="kohya", out=tmp_path / "out", options=options)


def test_members_of_a_tar_are_those_of_tarfile(tmp_path):
    from labeling.exports import tar_members

    members = {"a.txt": b"", "b.jpg": b"x" * 512, "c é.json": b"y" * 700}
    path = tmp_path / "some.tar"
    data = b"".join(tar_members.member(name, data) for name, data in members.items())
    path.write_bytes(data + tar_members.END)
    with tarfile.open(path) as archive:
        assert {m.name: archive.extractfile(m).read() for m in archive} == members
    with path.open("rb") as file:
        assert dict(tar_members.read(file)) == {name: len(data) for name, data in members.items()}
    with pytest.raises(ExportError, match=r"too long"):
        tar_members.member("n" * 101, b"")


def test_a_card_says_the_name_of_its_project_and_nothing_else(tmp_path, monkeypatch):
    name = 'Birds: "of" #1\n---\nlicense: mit <img src=x>'
    monkeypatch.setitem(frozen.ABOUT, "name", name)
    snapshot = frozen.write(tmp_path / "snapshot", 3)
    exports.export(folder=snapshot, format="imagefolder", out=tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    front, _, text = card.removeprefix("---\n").partition("\n---\n")
    told = yaml.safe_load(front)
    assert (told["pretty_name"], told["license"]) == (" ".join(name.split()), "other")
    assert r'# Birds: "of" \#1 --- license: mit \<img src=x\>' in text


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_on_a_full_disk_fails_once(kind):
    """A zip or tar that nobody closes tries to write its end when it is forgotten."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = ArchiveSink(full, kind)
        with closing(sink), pytest.raises(OSError, match="No space"):
            sink.put("a", lambda: bytes(100_000))
    del sink
    gc.collect()


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("coco", "annotations/captions_train.json"),
        ("croissant", "croissant.json"),
        ("imagefolder", "README.md"),
        ("kohya", "dataset.toml"),
        ("parquet", "README.md"),
        ("webdataset", "README.md"),
    ],
)
def test_it_says_how_often_the_labels_are_right(snapshot, tmp_path, format, name):
    exports.export(folder=snapshot, format=format, out=tmp_path / "out")
    text = " ".join((tmp_path / "out" / name).read_text().split())
    assert (
        "Labels are right in 90.0 % (95 % interval 76.9 to 96.0): of 24 labels that people "
        "answered about, judged by 40 gold questions." in text
    )


def test_the_table_of_label_accuracy_leaves_open_what_is_not_known(snapshot, tmp_path):
    exports.export(folder=snapshot, format="labels", out=tmp_path / "out")
    lines = (tmp_path / "out/accuracy.csv").read_text().splitlines()
    assert lines == ACCURACY


def test_the_table_of_label_accuracy_lies_beside_texts_and_answers(snapshot, tmp_path):
    exports.export(folder=snapshot, format="folder", out=tmp_path / "out")
    (beside,) = (tmp_path / "out").glob("label_accuracy_*.csv")
    assert beside.read_text().splitlines() == ACCURACY
    (tmp_path / "raw").mkdir()
    manifest = snapshot_folder.read_manifest(snapshot)
    with ExitStack() as opened, closing(FolderSink(tmp_path / "raw")) as sink:
        none: list[Any] = []
        rows = partial(iter, none)
        about = About("", "", Options(), manifest, rows, Counter(), opened, rows)
        answers_csv.Answers(sink, about).close()
    assert (tmp_path / "raw/accuracy.csv").read_text().splitlines() == ACCURACY
