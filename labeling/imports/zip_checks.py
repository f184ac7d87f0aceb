"""What a zip's directory claims, checked against the file before anything is inflated.

Members that lie over each other let a small zip inflate to anything (D. Fifield, "A better zip
bomb", WOOT 2019); so no member may reach into the next one or into the directory.
"""

import os
import struct
import zipfile
from pathlib import Path
from zipfile import ZipInfo

from labeling.imports import zip_names
from labeling.imports.members import BadArchive, check_inflation

HEADER = struct.Struct("<4s5H3I2H")  # of a member: APPNOTE 4.3.7
SIGNATURE = b"PK\3\4"
SIZES_FOLLOW = 0x8  # of the flag bits: they stand behind the data
UNKNOWN_SIZE = 0xFFFFFFFF  # it stands in an extra field
OVERLAP = "holds members that lie over each other, as no program packs them"


def check(archive: zipfile.ZipFile, path: Path) -> set[int]:
    """Return the header offsets of members of which the file says something else.

    Raises `BadArchive` where members lie over each other, or inflate to more than is plausible.
    """
    file = archive.fp
    assert file is not None
    infos = archive.infolist()
    check_inflation(
        path,
        packed=os.fstat(file.fileno()).st_size,
        declared=sum(info.file_size for info in infos),
    )
    wrong: set[int] = set()
    end = 0  # of the member before
    for info in sorted(infos, key=lambda each: each.header_offset):
        if not end <= info.header_offset < archive.start_dir:
            raise BadArchive(path, OVERLAP)
        name = zip_names.raw(info)
        start = os.pread(file.fileno(), HEADER.size + len(name), info.header_offset)
        if not _agrees(start, info, name):
            wrong.add(info.header_offset)
        end = info.header_offset + _length(start, info, name)
    if end > archive.start_dir:  # where the directory begins
        raise BadArchive(path, OVERLAP)
    return wrong


def follows_another(archive: zipfile.ZipFile) -> bool:
    """Whether another zip stands before this one in the file, as where two were joined."""
    file = archive.fp
    assert file is not None
    first = min((info.header_offset for info in archive.infolist()), default=archive.start_dir)
    return first > 0 and os.pread(file.fileno(), len(SIGNATURE), 0) == SIGNATURE


def _agrees(start: bytes, info: ZipInfo, name: bytes) -> bool:
    """Whether a member's own header says the same of it as the directory."""
    if len(start) < HEADER.size + len(name):
        return False
    signature, _, flags, method, _, _, _, packed, size, name_length, _ = HEADER.unpack_from(start)
    if (signature, method, name_length) != (SIGNATURE, info.compress_type, len(name)):
        return False
    if start[HEADER.size :] != name:
        return False
    unknown = {UNKNOWN_SIZE, 0} if flags & SIZES_FOLLOW else {UNKNOWN_SIZE}
    return packed in {*unknown, info.compress_size} and size in {*unknown, info.file_size}


def _length(start: bytes, info: ZipInfo, name: bytes) -> int:
    """Return how many bytes a member takes, with its header; at least so many, if that is bad."""
    lengths: tuple[int, int] = (
        HEADER.unpack_from(start)[-2:] if len(start) >= HEADER.size else (len(name), 0)
    )
    return HEADER.size + max(lengths[0], len(name)) + lengths[1] + info.compress_size
