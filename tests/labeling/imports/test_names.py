"""Names of files are read as they were written, or refused with a word; never as mojibake."""

import io
import os
import struct
import tarfile
import zipfile
import zlib

import pytest

from labeling.imports import archives, encodings, folder, tars, zips
from labeling.imports.members import Member
from labeling.models import Concept
from tests.labeling.imports.bombs import Named, unicode_path
from tests.labeling.imports.sources import captions, refused, take, write, zipped
from tests.pictures import png

UTF_8 = 0x800
DOG, CAT = "いぬ", "ねこ"


def named(path, *infos):
    with zipfile.ZipFile(path, "w") as archive:
        for number, info in enumerate(infos):
            archive.writestr(info, png(number))
    return path


def paths(members):
    return [each.path for each in members if isinstance(each, Member)]


def japanese(path):
    return named(path, *(Named(f"{name}/1.png".encode("cp932")) for name in (DOG, CAT)))


@pytest.mark.django_db
def test_names_in_a_code_page_are_refused_with_a_word_and_read_by_an_option(tmp_path):
    source = japanese(tmp_path / "windows.zip")
    message = refused(source)
    assert "a name in an unknown encoding: say which (--encoding cp932" in message
    assert not Concept.objects.exists()
    assert "imported 2," in take(source, encoding="cp932")
    assert set(Concept.objects.values_list("name", flat=True)) == {DOG, CAT}


@pytest.mark.django_db
def test_names_in_utf_8_and_with_backslashes_are_read_whatever_their_flags(tmp_path):
    source = tmp_path / "names.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr(Named("café/0.png".encode(), flag=UTF_8), png(0))
        archive.writestr(Named(b"cat\\1.png"), png(1))  # a Windows program
        archive.writestr(Named(b"cat\\1.txt"), b"a first cat")
        archive.writestr(Named(f"{DOG}/2.png".encode("cp932")), png(2))
    output = take(source)
    assert set(Concept.objects.values_list("name", flat=True)) == {"caf\u00e9", "cat"}
    assert captions() == {("cat/1.png", "a first cat")}
    assert "a name in an unknown encoding" in output and "%82%A2%82%CA/2.png" in output


def test_the_flag_comes_first_then_info_zips_field_then_the_bytes(tmp_path):
    raw = b"cafe/a.png"
    source = named(
        tmp_path / "a.zip",
        Named("naïve.png".encode(), flag=UTF_8, extra=unicode_path(b"", "wrong.png")),
        Named(raw, extra=unicode_path(raw, "café/a.png")),
        Named("ñ.png".encode()),
    )
    assert paths(zips.members(source)) == ["naïve.png", "café/a.png", "ñ.png"]


@pytest.mark.parametrize(
    "extra",
    [
        unicode_path(b"b.png", "other.png", crc=1),  # of a name that was changed since
        struct.pack("<HHB", 0x7075, 1, 1),  # without a name
        struct.pack("<HHBI", 0x7075, 6, 1, zlib.crc32(b"b.png")) + b"\xff",  # not UTF-8
        b"\x75",
    ],
)
def test_a_field_that_is_not_of_the_name_counts_for_nothing(extra, tmp_path):
    source = tmp_path / "a.zip"
    named(source, Named(b"b.png", extra=extra))
    assert paths(zips.members(source)) == ["b.png"]


def test_names_that_are_valid_in_two_encodings_are_read_in_the_one_of_the_others(tmp_path):
    ambiguous = "ﾃｱ".encode("cp932")
    assert ambiguous.decode("utf-8") == "ñ"
    alone = named(tmp_path / "alone.zip", Named(ambiguous + b".png"))
    assert paths(zips.members(alone, encoding="cp932")) == ["ñ.png"]
    both = named(
        tmp_path / "both.zip", Named(ambiguous + b".png"), Named(f"{DOG}.png".encode("cp932"))
    )
    assert paths(zips.members(both, encoding="cp932")) == ["ﾃｱ.png", f"{DOG}.png"]


def test_a_name_that_is_utf_8_by_chance_is_no_name_where_another_is_not(tmp_path):
    chinese = [Named(f"{name}/1.png".encode("gb18030")) for name in ("狗", "猫")]
    assert "猫".encode("gb18030").decode("utf-8") == "è"
    source = named(tmp_path / "a.zip", *chinese)
    assert paths(zips.members(source)) == []
    assert paths(zips.members(source, encoding="gb18030")) == ["狗/1.png", "猫/1.png"]


def test_a_backslash_within_a_letter_is_no_folder(tmp_path):
    source = named(tmp_path / "a.zip", Named("表/ソ.png".encode("cp932")))
    assert paths(zips.members(source, encoding="cp932")) == ["表/ソ.png"]


def test_a_wrong_encoding_is_refused_where_it_shows(tmp_path):
    source = japanese(tmp_path / "a.zip")
    assert paths(zips.members(source, encoding="latin-1")) == [], "they hold control characters"
    assert paths(zips.members(source, encoding="euc_kr")) == [], "they are none"


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_names_of_a_tar_go_through_the_same_door(format, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=format, encoding="cp932") as archive:
        info = tarfile.TarInfo(f"{DOG}/1.png")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    (refusal,) = tars.members(path)
    assert refusal.reason == encodings.UNKNOWN and refusal.path == "%82%A2%82%CA/1.png"
    assert paths(tars.members(path, encoding="cp932")) == [f"{DOG}/1.png"]


def test_names_in_a_folder_go_through_the_same_door(box):
    for name in (f"{DOG}".encode("cp932"), "café".encode()):
        (box / os.fsdecode(name)).mkdir()
        (box / os.fsdecode(name) / "1.png").write_bytes(png(1))
    names = [each.path for each in folder.members(box)]
    assert names == ["café/1.png", "%82%A2%82%CA"]
    assert paths(folder.members(box, encoding="cp932")) == ["café/1.png", f"{DOG}/1.png"]


@pytest.mark.django_db
def test_the_option_holds_for_shards_too(box):
    japanese(box / "a.zip")
    assert "imported 2," in take(box, encoding="cp932")


@pytest.mark.django_db
def test_letters_of_peoples_languages_stay_in_names(tmp_path):
    name = "می‌خواهم/1.png"
    assert paths(zips.members(named(tmp_path / "a.zip", Named(name.encode())))) == [name]


def test_two_shards_never_share_a_folder():
    beside = {"a.zip", "a.tar", "b.tar.gz", "b", "c.tar"}
    assert archives.folder_of("a.zip", beside) == "a.zip/"
    assert archives.folder_of("a.tar", beside) == "a.tar/"
    assert archives.folder_of("b.tar.gz", beside) == "b.tar.gz/"
    assert archives.folder_of("c.tar", beside) == "c/"
    assert archives.folder_of(".tar", {".tar"}) == ".tar/"


@pytest.mark.django_db
def test_an_encoding_that_there_is_not_is_refused(box):
    write(box, "a.png", png(1))
    assert "There is no such encoding" in refused(box, encoding="klingon")
    assert "imported 1" in take(zipped(box / "b.zip", [("a.png", png(2))]), encoding="gb18030")
