"""Archives as programs write them: links, lies, names and what is cut off."""

import inspect
import os
import struct
import sys
import tarfile
import zipfile
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from labeling.imports import archives, folder, tars
from labeling.imports.members import TOO_LONG, Member
from labeling.models import Image
from tests.labeling.imports.sources import captions, refused, take, tarred, write, zipped
from tests.pictures import encoded, jpeg, patchwork, png

pytestmark = pytest.mark.django_db


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
    output = take(source)
    assert "Made the project photos." in output
    assert "imported 3, already there 0, near-duplicates 0, refused 0." in output
    assert list(Image.objects.values_list("source", flat=True)) == [n for n, _ in PICTURES]


def test_what_cannot_be_taken_is_refused_with_a_reason_and_nothing_else_is_lost(tmp_path, settings):
    settings.IMAGE_MAX_BYTES, settings.IMAGE_MAX_PIXELS = 100_000, 1_000_000
    gif = encoded(patchwork(1), "GIF", save_all=True, append_images=[patchwork(2)])
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
    output = take(source)
    assert "imported 2, already there 0, near-duplicates 0, refused 11 files:" in output
    for line in (
        "not a readable picture (JPEG, PNG, WebP, GIF, BMP and TIFF are read): text.jpg",
        "damaged or cut off: cut.jpg",
        "1,001 × 1,000 is more than 1,000,000 pixels: bomb.png",
        "larger than 0.09537 MB: large.jpg",
        "animated, or several pictures in one file: moving.gif",
        "its path leaves the archive: ../outside.jpg, /absolute.jpg, C:",
        "an archive within an archive: inner.zip, inner.tar.gz",
    ):
        assert line in output
    assert "MACOSX" not in output and "hidden" not in output and "Thumbs" not in output


def test_a_zip_that_lies_about_a_size_is_found_out(tmp_path):
    source = zipped(tmp_path / "a.zip", [("a.jpg", jpeg(1)), ("lie.jpg", b"\0" * 50_000_000)])
    data = source.read_bytes()
    true, lie = struct.pack("<I", 50_000_000), struct.pack("<I", 1_000)
    assert true in data
    source.write_bytes(data.replace(true, lie))
    assert "damaged inside the archive: lie.jpg" in take(source)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_refused_and_the_others_are_imported(method, tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", method) as file:
        file.writestr("damaged.png", png(1))
        file.writestr("whole.png", png(2))
        middle = file.getinfo("whole.png").header_offset // 2 + 20
    data = bytearray(archive.read_bytes())
    data[middle : middle + 20] = bytes(20)
    archive.write_bytes(data)
    report = take(archive)
    assert "imported 1," in report and "damaged inside the archive: damaged.png" in report


def test_a_zip_of_a_version_that_nobody_knows_is_refused_as_a_whole(tmp_path):
    archive = zipped(tmp_path / "a.zip", [("a.png", png(1))])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99
    archive.write_bytes(data)
    assert "damaged: pack it again" in refused(archive)


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
    output = take(source)
    assert "a link: link.jpg, hard.jpg" in output
    assert "not a regular file: null.jpg" in output


def test_links_in_a_folder_are_refused_and_not_followed(box):
    write(box, "a.jpg", jpeg())
    (box / "link.jpg").symlink_to("a.jpg")
    (box / "loop").symlink_to(box)
    os.mkfifo(box / "pipe.jpg")
    output = take(box)
    assert "imported 1," in output
    assert "a link: link.jpg, loop" in output
    assert "not a regular file: pipe.jpg" in output


def test_of_a_tar_that_is_cut_off_the_beginning_is_imported(tmp_path):
    whole = tarred(tmp_path / "a.tar.gz", [(f"{n}.png", png(n)) for n in range(30)], "w:gz")
    part = tmp_path / "part.tar.gz"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    output = take(part)
    assert 0 < Image.objects.count() < 30
    assert "cut off" in output


def test_a_name_that_stands_twice_in_an_archive_is_taken_once(tmp_path):
    members = [("x/a.png", png(1)), ("x/a.txt", b"the first wall")]
    members += [("x/a.png", png(2)), ("x/a.txt", b"the second wall")]
    output = take(tarred(tmp_path / "twice.tar", members))
    assert "imported 1" in output
    assert "there is another of this name before it: x/a.png, x/a.txt" in output
    assert captions() == {("x/a.png", "the first wall")}


def test_names_of_any_kind_are_told_without_harm(tmp_path):
    source = zipped(tmp_path / "a.zip", [("a.jpg", jpeg()), ("\x1b[31mred\n.jpg", b"no")])
    output = take(source)
    assert "\x1b" not in output and r"\x1b[31mred\x0a.jpg" in output


def pax(kind, size):
    """A header that says something of the members that follow, of so many bytes."""
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(-(-max(size, 0) // 512) * 512)


def test_headers_of_a_tar_are_not_read_into_memory_whatever_their_size(tmp_path):
    bomb = tmp_path / "bomb.tar"
    whole = tarred(tmp_path / "whole.tar", [("a.jpg", jpeg(1)), ("b.jpg", jpeg(2))]).read_bytes()
    end = whole.index(b"b.jpg")
    kinds = [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
    for header in [pax(kind, tars.HEADER_MAX + 1) for kind in kinds]:
        bomb.write_bytes(header + whole)
        assert "neither a folder nor a zip nor a tar" in refused(bomb)
        bomb.write_bytes(whole[:end] + header + whole[end:])
        entries = list(tars.members(bomb))
        assert [entry.path for entry in entries] == ["a.jpg", "bomb.tar"]
        assert "cut off or damaged" in entries[-1].reason
    shared = pax(tarfile.XGLTYPE, tars.HEADER_MAX // 2) * 3
    bomb.write_bytes(whole[:end] + shared + whole[end:])
    assert len(list(tars.members(bomb))) == 2
    bomb.write_bytes(whole[:end] + pax(tarfile.XHDTYPE, 0) * 5_000 + whole[end:])
    assert len(list(tars.members(bomb))) == 2


def test_a_tar_that_leads_back_to_where_it_was_ends(tmp_path):
    back = tarfile.TarInfo("back.jpg")
    header = bytearray(back.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (256**12 - 1_024).to_bytes(12, "big")  # its size: -1,024
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tarred(tmp_path / "a.tar", [("a.jpg", jpeg(1))])
    data = path.read_bytes().rstrip(b"\0")
    data += bytes(-len(data) % 512)
    path.write_bytes(data + header + bytes(10_240))
    entries = list(islice(tars.members(path), 10))
    assert [entry.path for entry in entries] == ["a.jpg", "a.tar"]


def test_a_tar_of_nothing_but_what_is_passed_over_is_not_stepped_through(tmp_path, monkeypatch):
    hidden = [(f".hidden-{number}", b"") for number in range(5)]
    path = tarred(tmp_path / "a.tar", [*hidden, ("a.jpg", jpeg(1))])
    assert [entry.path for entry in tars.members(path)] == ["a.jpg"]
    monkeypatch.setattr(tars, "PASSED_OVER_MAX", 3)
    (entry,) = tars.members(path)
    assert "what follows it was not read" in entry.reason


@pytest.mark.parametrize("kind", ["zip", "tar.xz"])
def test_a_path_without_end_is_refused(kind, tmp_path):
    files = [("a.jpg", jpeg(1)), ("a/" * 20_000 + "b.jpg", jpeg(2))]
    path = tmp_path / f"a.{kind}"
    source = zipped(path, files) if kind == "zip" else tarred(path, files, "w:xz")
    output = take(source)
    assert "imported 1," in output and "its path is longer than 1,000 characters" in output
    assert len(output) < 3_000


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_of_archives_that_were_joined_it_is_told_that_one_was_not_read(kind, tmp_path):
    pack = zipped if kind == "zip" else partial(tarred, mode=f"w:{kind[4:]}")
    first = pack(tmp_path / f"1.{kind}", [("a.png", png(1))])
    second = pack(tmp_path / f"2.{kind}", [("b.png", png(2))])
    joined = tmp_path / f"joined.{kind}"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    member, rejection = archives.reopened(joined)
    assert isinstance(member, Member) and rejection.cut
    assert "was not read: give each" in rejection.reason


def test_folders_within_folders_are_read_however_many_there_are(box):
    deep = str(box)
    for depth in range(520):
        deep += "/a"
        Path(deep).mkdir()
        if depth == 440:
            Path(deep, "a.png").write_bytes(png(1))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        found = list(folder.members(box))
    finally:
        sys.setrecursionlimit(limit)
    rejection, member = sorted(found, key=lambda each: isinstance(each, Member))
    assert member.path.endswith("/a/a.png") and rejection.reason == TOO_LONG
