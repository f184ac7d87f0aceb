"""`import_images` from end to end: what is imported, what is refused, what is told."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labeling.imports import importer
from labeling.models import Concept, Image, Project, Question
from tests.drawings import drawing, encoded, jpeg, png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def box(tmp_path):
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


def fill(folder, **files):
    for name, data in files.items():
        write(folder, name, data)


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def tarred(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def take(source, **options):
    out = io.StringIO()
    call_command("import_images", str(source), project="photos", stdout=out, **options)
    return out.getvalue()


def refused(source, **options):
    with pytest.raises(CommandError) as error:
        take(source, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def prior(concept, source):
    return Question.objects.get(concept__name=concept, tile__image__source=source).prior


def captions():
    return set(Question.objects.filter(kind="caption").values_list("tile__image__source", "text"))


PICTURES = [("cat/0.jpg", jpeg(0)), ("cat/1.jpg", jpeg(1)), ("dog/2.png", png(2))]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tar.xz"])
def test_it_takes_folders_zips_and_tars(kind, box, tmp_path):
    if kind == "folder":
        for name, data in PICTURES:
            write(box, name, data)
        source = box
    elif kind == "zip":
        source = zipped(tmp_path / "a.zip", PICTURES)
    else:
        mode = f"w:{kind.partition('.')[2]}"
        source = tarred(tmp_path / f"a.{kind}", [(f"./{n}", d) for n, d in PICTURES], mode)
    told = take(source)
    assert "Made the project photos." in told
    assert "imported 3, already there 0, near-duplicates 0, refused 0." in told
    assert list(Image.objects.values_list("source", flat=True)) == [n for n, _ in PICTURES]


def test_a_folder_name_is_a_concept_as_far_as_imports_are_believed(tmp_path):
    take(zipped(tmp_path / "a.zip", PICTURES))
    assert list(Concept.objects.values_list("name", "phrase")) == [
        ("cat", "a cat"),
        ("dog", "a dog"),
    ]
    assert Concept.objects.get(name="cat").prevalence == pytest.approx(2 / 3)
    assert prior("cat", "cat/0.jpg") == prior("dog", "dog/2.png") == pytest.approx(0.9)
    assert prior("dog", "cat/0.jpg") == prior("cat", "dog/2.png") == pytest.approx(0.1)
    assert not Question.objects.exclude(state="open").exists()


@pytest.mark.parametrize("name", ["train", "test", "val2017", "images", "0001", "a", "photos"])
def test_folders_that_only_sort_are_no_concepts(name, tmp_path):
    take(zipped(tmp_path / "a.zip", [(f"{name}/0.jpg", jpeg())]))
    assert not Concept.objects.exists()


def test_importing_the_same_source_twice_adds_nothing(tmp_path):
    source = zipped(tmp_path / "a.zip", [*PICTURES, ("cat/0.txt", "a striped cat on a wall")])
    take(source)
    before = Image.objects.count(), Question.objects.count(), Concept.objects.count()
    assert "imported 0, already there 3, near-duplicates 0, refused 0." in take(source)
    assert (Image.objects.count(), Question.objects.count(), Concept.objects.count()) == before


def test_near_duplicates_are_counted(box):
    image = drawing(1, (300, 200))
    fill(box, **{"a.png": encoded(image, "PNG"), "b.jpg": encoded(image, "JPEG", quality=70)})
    assert "imported 2, already there 0, near-duplicates 1" in take(box)


def test_a_text_of_the_same_name_is_a_caption_or_keywords(box):
    fill(
        box,
        **{"a.jpg": jpeg(1), "a.txt": "a red bicycle, seen from behind", "b.jpg": jpeg(2)},
        **{"b.txt": "red, old bicycle, wall\n", "c.jpg": jpeg(3), "c.txt": "One line.\nAnother."},
        **{"d.jpg": jpeg(4), "d.caption": "\ufeffbicycle"},
    )
    take(box)
    assert captions() == {
        ("a.jpg", "a red bicycle, seen from behind"),
        ("c.jpg", "One line."),
        ("c.jpg", "Another."),
    }
    assert Question.objects.filter(prior=0.9, source="import").count() == 3
    keywords = dict(Image.objects.exclude(keywords=[]).values_list("source", "keywords"))
    assert keywords == {"b.jpg": ["red", "old bicycle", "wall"], "d.jpg": ["bicycle"]}


def test_a_bad_text_is_refused_and_its_picture_is_not(box):
    fill(
        box,
        **{"a.jpg": jpeg(1), "a.txt": b"\xff\xfe\x00", "b.jpg": jpeg(2), "b.txt": "x y" * 400},
        **{"c.jpg": jpeg(3), "c.txt": b"nul \0 byte", "d.jpg": jpeg(4), "d.txt": "x" * 70_000},
        **{"lonely.txt": "nobody"},
    )
    told = take(box)
    assert "imported 4" in told and "refused 5:" in told
    for reason in (
        "not UTF-8 text: a.txt",
        "its caption is longer than 500 characters: b.jpg",
        "holds NUL bytes, so it is no text: c.txt",
        "larger than 0.0625 MB: d.txt",
        "a text without a picture of the same name: lonely",
    ):
        assert reason in told
    assert not captions()


def test_what_cannot_be_taken_is_refused_with_a_reason_and_nothing_else_is_lost(tmp_path, settings):
    settings.IMAGE_MAX_BYTES, settings.IMAGE_MAX_PIXELS = 100_000, 1_000_000
    gif = encoded(drawing(1), "GIF", save_all=True, append_images=[drawing(2)])
    source = zipped(
        tmp_path / "a.zip",
        [
            ("good.jpg", jpeg(1)),
            ("text.jpg", "no picture"),
            ("cut.jpg", jpeg(2, (300, 300))[:3000]),
            ("bomb.png", png(3, (1001, 1000))),
            ("large.jpg", os.urandom(100_001)),
            ("moving.gif", gif),
            ("../outside.jpg", jpeg(4)),
            ("/absolute.jpg", jpeg(5)),
            ("C:\\windows.jpg", jpeg(6)),
            ("x\\..\\..\\back.jpg", jpeg(7)),
            ("inner.zip", b"PK"),
            ("inner.tar.gz", b"\x1f\x8b"),
            ("__MACOSX/._good.jpg", b"clutter"),
            (".hidden/good.jpg", jpeg(8)),
            ("Thumbs.db", b"clutter"),
            ("last.jpg", jpeg(9)),
        ],
    )
    told = take(source)
    assert "imported 2, already there 0, near-duplicates 0, refused 11:" in told
    for line in (
        "not a readable picture (JPEG, PNG, WebP, GIF, BMP and TIFF are read): text.jpg",
        "damaged or cut off: cut.jpg",
        "1,001 × 1,000 is more than 1,000,000 pixels: bomb.png",
        "larger than 0.09537 MB: large.jpg",
        "animated, or several pictures in one file: moving.gif",
        "its path leaves the archive: ../outside.jpg, /absolute.jpg, C:",
        "an archive within an archive: inner.zip, inner.tar.gz",
    ):
        assert line in told
    assert "MACOSX" not in told and "hidden" not in told and "Thumbs" not in told


def test_a_zip_that_lies_about_a_size_is_found_out(tmp_path):
    source = zipped(tmp_path / "a.zip", [("a.jpg", jpeg(1)), ("lie.jpg", b"\0" * 50_000_000)])
    data = source.read_bytes()
    true, lie = struct.pack("<I", 50_000_000), struct.pack("<I", 1_000)
    assert true in data
    source.write_bytes(data.replace(true, lie))
    assert "damaged inside the archive: lie.jpg" in take(source)


def test_an_encrypted_member_is_refused(tmp_path):
    source = zipped(tmp_path / "a.zip", [("a.jpg", jpeg(1)), ("secret.jpg", jpeg(2))])
    data = bytearray(source.read_bytes())
    at = data.rfind(b"PK\x01\x02")  # the last entry of the directory
    data[at + 8] |= 1
    source.write_bytes(data)
    assert "encrypted: secret.jpg" in take(source)


def test_links_and_devices_in_a_tar_are_refused(tmp_path):
    link, device, hard = (tarfile.TarInfo(name) for name in ("link.jpg", "null.jpg", "hard.jpg"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "a.jpg"
    device.type = tarfile.CHRTYPE
    source = tarred(
        tmp_path / "a.tar", [("a.jpg", jpeg()), (link, b""), (device, b""), (hard, b"")]
    )
    told = take(source)
    assert "a link: link.jpg, hard.jpg" in told
    assert "not a regular file: null.jpg" in told


def test_links_in_a_folder_are_refused_and_not_followed(box):
    write(box, "a.jpg", jpeg())
    (box / "link.jpg").symlink_to("a.jpg")
    (box / "loop").symlink_to(box)
    os.mkfifo(box / "pipe.jpg")
    told = take(box)
    assert "imported 1," in told
    assert "a link: link.jpg, loop" in told
    assert "not a regular file: pipe.jpg" in told


def test_of_a_tar_that_is_cut_off_the_beginning_is_imported(tmp_path):
    whole = tarred(tmp_path / "a.tar.gz", [(f"{n}.png", png(n)) for n in range(30)], "w:gz")
    part = tmp_path / "part.tar.gz"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    told = take(part)
    assert 0 < Image.objects.count() < 30
    assert "cut off" in told


def test_hugging_faces_metadata_is_recognised(box):
    rows = [
        {"file_name": "a.png", "text": "a red wall", "tags": ["red", "wall"], "license": "MIT"},
        {"file_name": "./b.png", "captions": [{"text": "a blue wall", "confidence": 0.9}]},
        {"file_name": "gone.png", "text": "nothing"},
    ]
    fill(box, **{"train/a.png": png(1), "train/b.png": png(2)})
    write(box, "train/metadata.jsonl", "\n".join(json.dumps(row) for row in rows))
    told = take(box)
    assert captions() == {("train/a.png", "a red wall"), ("train/b.png", "a blue wall")}
    image = Image.objects.get(source="train/a.png")
    assert (image.keywords, image.license) == (["red", "wall"], "MIT")
    assert "named in metadata.jsonl, but not there: train/gone.png" in told


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x1e", "\f"])
def test_ends_of_lines_within_a_text_end_no_row_and_no_caption(box, separator):
    caption = f"a red wall{separator}and a door"
    row = {"file_name": "a.png", "text": caption, "license": f"free{separator}of charge"}
    write(box, "a.png", png(1))
    write(box, "metadata.jsonl", json.dumps(row, ensure_ascii=False))
    fill(box, **{"b.png": png(2), "b.txt": f"a blue wall{separator}and a window\na second line"})
    assert "refused 0." in take(box)
    assert captions() == {
        ("a.png", "a red wall and a door"),
        ("b.png", "a blue wall and a window"),
        ("b.png", "a second line"),
    }


def test_names_that_differ_in_spelling_alone_are_one_concept(box, tmp_path):
    file = tmp_path / "concepts.txt"
    file.write_text("Stra\u00dfe\n")
    fill(box, **{"STRASSE/a.png": png(1), "other/b.png": png(2), "other/b.txt": "stra\u00dfe"})
    take(box, concepts=file)
    assert Concept.objects.get().name == "Stra\u00dfe"
    assert prior("Stra\u00dfe", "STRASSE/a.png") == prior("Stra\u00dfe", "other/b.png") == 0.9


def test_cocos_captions_are_recognised(box):
    document = {
        "licenses": [{"id": 4, "name": "CC BY"}],
        "images": [{"id": 7, "file_name": "000007.jpg", "license": 4}],
        "annotations": [
            {"id": 1, "image_id": 7, "caption": "a man on a horse"},
            {"id": 2, "image_id": 7, "caption": "someone rides"},
            {"id": 3, "image_id": 7, "category_id": 1},
        ],
        "categories": [{"id": 1, "name": "horse"}],
    }
    fill(box, **{"val2017/000007.jpg": jpeg(), "annotations/captions.json": json.dumps(document)})
    take(box)
    assert {text for _, text in captions()} == {"a man on a horse", "someone rides"}
    image = Image.objects.get()
    assert (image.keywords, image.license) == (["horse"], "CC BY")


def coco(images, annotations, categories=()):
    rows = {"images": images, "annotations": annotations, "categories": list(categories)}
    return json.dumps(rows)


def test_coco_tells_images_of_one_name_apart_by_their_folders(box):
    images = [{"id": n, "file_name": f"cam{n}/0001.png"} for n in (1, 2)]
    annotations = [{"image_id": n, "caption": f"seen by camera {n}"} for n in (1, 2)]
    fill(box, **{f"data/cam{n}/0001.png": png(n) for n in (1, 2)})
    write(box, "captions.json", coco(images, annotations))
    take(box)
    assert captions() == {
        ("data/cam1/0001.png", "seen by camera 1"),
        ("data/cam2/0001.png", "seen by camera 2"),
    }


@pytest.mark.parametrize("as_written", [str, float])
def test_coco_ids_are_compared_by_what_they_say(box, as_written):
    images = [{"id": 1, "file_name": "images\\a.png"}]
    annotations = [{"image_id": as_written(1), "category_id": as_written(7), "caption": "a wall"}]
    fill(box, **{"images/a.png": png()})
    write(box, "captions.json", coco(images, annotations, [{"id": 7, "name": "bicycle"}]))
    assert "refused 0." in take(box)
    assert captions() == {("images/a.png", "a wall")}
    assert Image.objects.get().keywords == ["bicycle"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            {"annotations": [{"image_id": 99, "caption": "lost"}]},
            "images that it does not list: 99",
        ),
        (
            {"annotations": [{"image_id": 1, "category_id": 8}]},
            "categories that it does not list: 8",
        ),
        ({"annotations": {}}, "its annotations are no list of objects"),
        ({"categories": []}, "it has no annotations"),
        ({"annotations": [{"caption": "of nothing"}]}, "'image_id' is missing or wrong"),
    ],
)
def test_coco_that_leads_nowhere_is_refused_with_a_reason(box, document, reason):
    write(box, "a.png", png())
    images = [{"id": 1, "file_name": "a.png"}]
    write(box, "captions.json", json.dumps({"images": images, **document}))
    told = take(box)
    assert "imported 1" in told and reason in told and "captions.json" in told


def test_a_row_that_says_nothing_spoils_no_other(box):
    rows = ['{"file": "a.png"}', "{", '{"file_name": "a.png", "label": 3}']
    rows += ['{"file_name": "b.png", "text": "a blue wall"}']
    fill(box, **{"a.png": png(1), "b.png": png(2), "metadata.jsonl": "\n".join(rows)})
    told = take(box)
    assert captions() == {("b.png", "a blue wall")}
    assert "names no file in `file_name`: metadata.jsonl, line 1" in told
    assert "no JSON: metadata.jsonl, line 2" in told
    assert "found label; wanted text, caption, captions, tags, keywords" in told


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.parquet", "other.jsonl"])
def test_a_table_that_is_not_read_is_named_with_what_is(box, name):
    fill(box, **{"a.png": png(), name: b"file_name,text\na.png,a wall\n"})
    told = take(box)
    assert f"of tables only metadata.jsonl is read: write one: {name}" in told


def test_paths_are_compared_whatever_wrote_them(box):
    fill(box, **{"sub/e\u0301.png": png()})
    row = {"file_name": "sub\\\u00e9.png", "text": "a wall"}
    write(box, "metadata.jsonl", json.dumps(row))
    assert "refused 0." in take(box)
    assert {text for _, text in captions()} == {"a wall"}


def test_a_name_that_stands_twice_in_an_archive_is_taken_once(tmp_path):
    members = [("x/a.png", png(1)), ("x/a.txt", b"the first wall")]
    members += [("x/a.png", png(2)), ("x/a.txt", b"the second wall")]
    told = take(tarred(tmp_path / "twice.tar", members))
    assert "imported 1" in told
    assert "there is another of this name before it: x/a.png, x/a.txt" in told
    assert captions() == {("x/a.png", "the first wall")}


class Named(zipfile.ZipInfo):
    """A member whose name is these bytes, without a word of their encoding."""

    def __init__(self, name: bytes) -> None:
        super().__init__(name.decode("latin-1"))
        self.filename, self.name = name.decode("latin-1"), name

    def _encodeFilenameFlags(self):  # noqa: N802 (zipfile's)
        return self.name, 0


def test_names_in_a_zip_are_read_as_they_were_written(tmp_path):
    source = tmp_path / "names.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr(Named("café/0.png".encode()), png(0))  # UTF-8, though no flag says so
        archive.writestr(Named(b"cat\\1.png"), png(1))  # a Windows program
        archive.writestr(Named(b"cat\\1.txt"), b"a first cat")
        archive.writestr(Named("いぬ/2.png".encode("cp932")), png(2))
    told = take(source)
    assert set(Concept.objects.values_list("name", flat=True)) == {"caf\u00e9", "cat"}
    assert captions() == {("cat/1.png", "a first cat")}
    assert "a name in an unknown encoding" in told


@pytest.mark.parametrize(
    "caption",
    [
        "\u0633\u06af \u0645\u06cc\u200c\u0646\u0634\u06cc\u0646\u062f",
        "a family \U0001f468\u200d\U0001f469\u200d\U0001f467 and a flag",
        "\u200f\u05db\u05dc\u05d1\u200f \u05dc\u05d1\u05df",
        "a light\u00adhouse at night",
        "\u4e00\u53ea\u767d\u8272\u7684\u72d7\u5750\u5728\u8349\u5730\u4e0a",
    ],
)
def test_captions_of_any_script_are_kept_as_they_are(box, caption):
    fill(box, **{"a.png": png(), "a.txt": caption})
    assert "refused 0." in take(box)
    assert captions() == {("a.png", caption)}


@pytest.mark.parametrize("comma", ["\u3001", "\uff0c", "\u060c", ","])
def test_keywords_stand_between_commas_of_any_script(box, comma):
    fill(box, **{"a.png": png(), "a.txt": comma.join(["\u72ac", "\u732b", "\u829d\u751f"])})
    take(box)
    assert Image.objects.get().keywords == ["\u72ac", "\u732b", "\u829d\u751f"]


def test_a_picture_under_two_names_has_the_keywords_of_both(box):
    fill(box, **{"a.png": png(), "a.txt": "dog, lawn, sun", "b.png": png(), "b.txt": "dog, day"})
    take(box)
    assert Image.objects.get().keywords == ["dog", "lawn", "sun", "day"]


def test_keywords_put_right_count_when_they_are_imported_again(box):
    fill(box, **{"a.png": png(), "a.txt": "dog, lawn, sun"})
    take(box)
    fill(box, **{"a.txt": "cat, sofa, night"})
    take(box)
    assert Image.objects.get().keywords == ["cat", "sofa", "night"]


def test_a_folders_name_may_hold_joiners(box):
    name = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647"
    fill(box, **{f"{name}/a.png": png()})
    take(box)
    assert Concept.objects.get().name == name


def test_a_webdataset_is_recognised(tmp_path):
    source = tarred(
        tmp_path / "00000.tar",
        [
            ("000.jpg", jpeg(1)),
            ("000.txt", b"a cat that sleeps"),
            ("000.json", json.dumps({"caption": "a cat", "tags": ["cat"], "width": 3}).encode()),
            ("000.cls", b"3"),
            ("001.png", png(2)),
            ("001.cls", b"dog"),
        ],
    )
    assert "refused 0." in take(source)
    assert captions() == {("000.jpg", "a cat that sleeps"), ("000.jpg", "a cat")}
    assert [image.keywords for image in Image.objects.order_by("source")] == [["cat"], ["dog"]]


@pytest.mark.parametrize(
    "text", ["[1]", "{", "null", '{"images": 3, "annotations": [{"caption": 1}]}', "[" * 100_000]
)
def test_json_that_says_nothing_is_refused(text, box):
    fill(box, **{"a.jpg": jpeg(), "a.json": text, "metadata.jsonl": text})
    told = take(box)
    assert "imported 1" in told and "metadata.jsonl" in told and "a.json" in told


def test_a_concepts_file_says_what_is_asked(box, tmp_path):
    file = tmp_path / "concepts.txt"
    file.write_text("# what to ask\nbicycle\nfood: something to eat\nCat\n\n")
    fill(box, **{"cat/a.jpg": jpeg(1), "dog/b.jpg": jpeg(2), "dog/b.txt": "bicycle, street"})
    take(box, concepts=file)
    assert dict(Concept.objects.values_list("name", "phrase")) == {
        "Cat": "a Cat",
        "bicycle": "a bicycle",
        "food": "something to eat",
    }
    assert Question.objects.filter(kind="concept").count() == 6
    assert prior("bicycle", "dog/b.jpg") == prior("Cat", "cat/a.jpg") == 0.9
    assert prior("food", "cat/a.jpg") == 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no concept"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\0", "NUL"),
        (b": a thing", "line 1 names no concept"),
        (b"ok\n" + b"x" * 81, "line 2 is longer than 80"),
        (b"\x1b[31mred", "line 1 names no concept"),
        ("\n".join(f"c{n}" for n in range(1001)).encode(), "1,000 are the limit"),
        (None, "cannot be read"),
    ],
)
def test_a_concepts_file_with_nonsense_is_refused_before_anything_is_made(
    content, message, box, tmp_path
):
    write(box, "a.jpg", jpeg())
    file = tmp_path / "concepts.txt"
    if content is not None:
        file.write_bytes(content)
    assert message in refused(box, concepts=file)
    assert not Project.objects.exists()


def test_too_many_folders_ask_for_a_concepts_file(box):
    for number in range(101):
        write(box, f"kind {number}/a.jpg", b"never read")
    assert "--concepts" in refused(box)
    assert not Image.objects.exists()


def test_a_source_that_is_no_source_is_said_in_a_sentence(box, tmp_path):
    assert "There is no" in refused(tmp_path / "missing")
    assert "holds no pictures" in refused(box)
    write(tmp_path, "one.jpg", jpeg())
    assert "neither a folder nor a zip nor a tar" in refused(tmp_path / "one.jpg")
    whole = zipped(tmp_path / "a.zip", PICTURES).read_bytes()
    write(tmp_path, "half.zip", whole[: len(whole) // 2])
    assert refused(tmp_path / "half.zip")
    with pytest.raises(CommandError, match="--project is a short name"):
        call_command("import_images", str(box), project="no such/name")
    assert not Project.objects.exists()


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(box, tmp_path, settings):
    write(box, "a.jpg", jpeg())
    write(tmp_path, "file", "in the way")
    settings.MEDIA_ROOT = tmp_path / "file"
    assert "The pictures cannot be stored" in refused(box)
    assert not Image.objects.exists()


def test_names_of_any_kind_are_told_without_harm(tmp_path):
    source = zipped(tmp_path / "a.zip", [("a.jpg", jpeg()), ("\x1b[31mred\n.jpg", b"no")])
    told = take(source)
    assert "\x1b" not in told and "�[31mred�.jpg" in told


def test_many_refusals_are_counted_and_not_all_named(tmp_path):
    source = zipped(tmp_path / "a.zip", [(f"{n}.jpg", b"no") for n in range(25)])
    told = take(source)
    assert "refused 25:" in told and "19.jpg and 5 more" in told


def test_an_import_that_fails_half_way_goes_on_where_it_stopped(tmp_path, monkeypatch):
    source = zipped(tmp_path / "a.zip", [(f"cat/{n}.png", png(n)) for n in range(10)])
    monkeypatch.setattr(importer, "BATCH", 4)
    taken = []

    def stop(things, name, total):
        for thing in things:
            taken.append(thing)
            if len(taken) == 7:
                raise KeyboardInterrupt
            yield thing

    with monkeypatch.context() as patch:
        patch.setattr("labeling.management.commands.import_images.bar", stop)
        assert "to go on" in refused(source)
    assert Image.objects.count() == Question.objects.count() == 4
    assert "imported 6, already there 4" in take(source)
    assert Question.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_loses_nothing_and_goes_on(tmp_path, settings):
    source = tmp_path / "a.zip"
    zipped(source, [(f"cat/{n}.png", png(n, (128, 128))) for n in range(600)])
    database = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{database['USER']}@{host}:{database['PORT']}/{database['NAME']}",
        "DATA_DIR": str(tmp_path / "data"),
    }
    command = [sys.executable, "manage.py", "import_images", str(source), "--project", "photos"]
    process = subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not Image.objects.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = Image.objects.count()
    assert 0 < there < 600
    assert Question.objects.count() == there
    settings.MEDIA_ROOT = tmp_path / "data" / "media"
    assert f"imported {600 - there:,}, already there {there:,}" in take(source)
    assert all((tmp_path / "data" / "media" / name).is_file() for name in files())


def files():
    return Image.objects.values_list("file", flat=True)
