"""Archives that would inflate beyond measure are refused before a byte of them is inflated."""

import struct
import tarfile
import zipfile

import pytest

from labeling.decoding import ImageRejected
from labeling.imports import tars, zip_checks, zips
from labeling.imports.members import BadArchive, Member, Rejection
from labeling.models import Image, Project
from tests.labeling.imports import bombs
from tests.labeling.imports.sources import refused, take, tarred, write, zipped
from tests.pictures import png


@pytest.fixture
def nothing_is_inflated(monkeypatch):
    opened = zipfile.ZipFile.open

    def write_alone(self, name, mode="r", **options):
        assert mode == "w", "a member was opened"
        return opened(self, name, mode, **options)

    monkeypatch.setattr(zipfile.ZipFile, "open", write_alone)


@pytest.mark.django_db
@pytest.mark.usefixtures("nothing_is_inflated")
def test_members_that_quote_each_other_are_refused(tmp_path):
    bomb = bombs.quoted(tmp_path / "bomb.zip", members=1_500, kernel=25 * 2**20)
    with zipfile.ZipFile(bomb) as archive:
        infos = archive.infolist()
    assert bomb.stat().st_size < 200_000 and sum(info.file_size for info in infos) > 38 * 10**9
    assert "would unpack from" in refused(bomb)
    assert not Project.objects.exists()


@pytest.mark.usefixtures("nothing_is_inflated")
def test_members_that_lie_over_each_other_are_refused_however_little_they_hold(tmp_path):
    bomb = bombs.quoted(tmp_path / "small.zip", members=5, kernel=1_000)
    with pytest.raises(BadArchive, match="lie over each other"):
        list(zips.members(bomb))


@pytest.mark.usefixtures("nothing_is_inflated")
def test_two_names_of_one_member_are_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1)), ("b.png", png(2))])
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # where its header lies
    path.write_bytes(data)
    with pytest.raises(BadArchive, match="lie over each other"):
        list(zips.members(path))


@pytest.mark.usefixtures("nothing_is_inflated")
@pytest.mark.parametrize("field", ["extra", "packed"])
def test_a_member_that_reaches_into_the_directory_is_refused(field, tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1))])
    data = bytearray(path.read_bytes())
    if field == "extra":
        data[28:30] = struct.pack("<H", 60_000)
    else:
        entry = data.rindex(b"PK\1\2")
        data[entry + 20 : entry + 24] = struct.pack("<I", len(data))
    path.write_bytes(data)
    with pytest.raises(BadArchive, match="lie over each other"):
        list(zips.members(path))


def test_a_member_of_which_the_directory_says_something_else_is_refused_alone(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1)), ("b.png", png(2)), ("c.png", png(3))])
    data = bytearray(path.read_bytes())
    data[data.index(b"a.png")] = ord("x")
    header = data.index(b"b.png") - zip_checks.HEADER.size
    data[header + 22 : header + 26] = struct.pack("<I", 7)  # its size
    path.write_bytes(data)
    members = list(zips.members(path))
    assert [type(each) for each in members] == [Rejection, Rejection, Member]
    assert {each.reason for each in members[:2]} == {zips.BROKEN}


@pytest.mark.usefixtures("nothing_is_inflated")
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_inflates_beyond_measure_is_refused(method, tmp_path, monkeypatch):
    monkeypatch.setattr("labeling.imports.members.INFLATION_FREE", 2**20)
    bomb = bombs.ratio(tmp_path / "bomb.zip", members=40, size=2**20, method=method)
    assert bomb.stat().st_size < 300_000
    with pytest.raises(BadArchive, match="more than 100 times as many: import the files"):
        list(zips.members(bomb))


def test_a_little_of_what_inflates_beyond_measure_is_not_refused(tmp_path):
    path = bombs.ratio(tmp_path / "blank.zip", members=3, size=2**20)
    assert [each.size for each in zips.members(path)] == [2**20] * 3


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_declares_more_than_it_can_hold_is_refused(mode, tmp_path):
    path = tmp_path / "bomb.tar"
    info = tarfile.TarInfo("a.png")
    info.size = 38 * 10**9
    with tarfile.open(path, mode) as archive:
        archive.addfile(info)  # its header alone
    with pytest.raises(BadArchive, match="would unpack from"):
        list(tars.members(path))


def test_sparse_files_of_a_tar_are_refused(tmp_path):
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000"}
    path = tarred(tmp_path / "a.tar", [(info, b"x"), ("b.png", b"y")])
    refusal, whole = tars.members(path)
    assert (refusal.path, refusal.reason, whole.path) == ("a.png", tars.SPARSE, "b.png")


@pytest.mark.django_db
def test_bombs_within_archives_are_not_opened(tmp_path, box):
    inner = bombs.ratio(tmp_path / "inner.zip", members=2, size=2**20)
    outer = zipped(tmp_path / "outer.zip", [("inner.zip", inner.read_bytes()), ("a.png", png(1))])
    output = take(outer)
    assert "imported 1," in output and "an archive within an archive: inner.zip" in output


@pytest.mark.django_db
def test_a_bomb_among_shards_is_refused_and_the_others_are_imported(box, tmp_path):
    bomb = bombs.quoted(tmp_path / "bomb.zip", members=5, kernel=1_000)
    write(box, "00000.zip", bomb.read_bytes())
    zipped(box / "00001.zip", [("a.png", png(1))])
    output = take(box)
    assert "imported 1," in output and "lie over each other" in output and "00000.zip" in output
    assert "Not all was there to read: 00000.zip" in output
    assert Image.objects.get().source == "00001/a.png"


def test_a_name_that_ends_early_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [("axpng", png(1))])
    path.write_bytes(path.read_bytes().replace(b"axpng", b"a\0png"))
    (refusal,) = zips.members(path)
    assert refusal.reason == "a NUL byte in its path"


def test_what_a_zip_hides_behind_a_name_is_not_read(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", b"x" * 1_000)])
    (member,) = zips.members(path)
    assert isinstance(member, Member) and member.size == 1_000
    with pytest.raises((ImageRejected, ValueError)):
        member.read(10)


@pytest.mark.parametrize("offset", [2**63, 2**64 - 1])
def test_a_member_that_is_said_to_lie_beyond_any_file_is_refused(offset, tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", png(1))])
    data = bytearray(path.read_bytes())
    entry, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    name = entry + 46
    extra = struct.pack("<HHQ", 1, 8, offset)  # Zip64: APPNOTE 4.5.3
    struct.pack_into("<I", data, end + 12, end - entry + len(extra))
    struct.pack_into("<H", data, entry + 30, len(extra))
    struct.pack_into("<I", data, entry + 42, 0xFFFFFFFF)
    data[name + 5 : name + 5] = extra
    path.write_bytes(data)
    with pytest.raises(BadArchive, match="lie over each other"):
        list(zips.members(path))
