"""The names of a zip's members, of which many programs do not say the encoding.

It is said by the UTF-8 flag (APPNOTE 4.4.4) or by Info-ZIP's Unicode path (extra field 0x7075,
APPNOTE 4.6.9). Else a name is UTF-8 where all such names of the zip are; or in the encoding that
was chosen; or refused, even where it is valid UTF-8 by chance: 猫 in GB 18030 is è in UTF-8.
"""

import struct
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

from labeling.imports import encodings

UTF_8 = 0x800  # of a member's flag bits
UNICODE_PATH = 0x7075


def raw(info: ZipInfo) -> bytes:
    """Return a name as it stands in the directory; without the flag, `zipfile` reads cp437."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & UTF_8 else "cp437")


def decoded(infos: Sequence[ZipInfo], encoding: str = "") -> list[str | None]:
    """Return the members' names; None for one in an encoding that nobody said.

    encoding: of those of which the zip says nothing; a name may be valid by chance in several, so
    it comes before UTF-8 as soon as one of them is not UTF-8.
    """
    names = [_said(info) for info in infos]
    unsaid = [raw(info) for info, name in zip(infos, names, strict=True) if name is None]
    all_utf_8 = all(encodings.decode(each, "utf-8") is not None for each in unsaid)
    order = ("utf-8",) if all_utf_8 else (encoding, "utf-8") if encoding else ()
    return [
        encodings.decode(raw(info), *order) if name is None else name
        for info, name in zip(infos, names, strict=True)
    ]


def _said(info: ZipInfo) -> str | None:
    """Return a name whose encoding the zip says."""
    if info.flag_bits & UTF_8:
        return info.orig_filename
    return _unicode_path(info.extra, raw(info))


def _unicode_path(extra: bytes, name: bytes) -> str | None:
    """Return the Unicode path, unless it is of another name than the one that it stands beside."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and len(field) > 5 and field[0] == 1:
            if struct.unpack_from("<I", field, 1)[0] != zlib.crc32(name):
                return None
            try:
                return field[5:].decode("utf-8")
            except UnicodeDecodeError:
                return None
    return None
