"""Names of files whose encoding nobody says: UTF-8, or the one that was chosen; never a guess."""

from labeling.captions import has_controls

UNKNOWN = (
    "a name in an unknown encoding: say which (--encoding cp932, or the encoding of the import), "
    "or pack it again with names in UTF-8"
)


def decode(raw: bytes, *encodings: str) -> str | None:
    """Return a name by the first of the encodings in which it is one; None where it is in none."""
    if raw.isascii():
        return raw.decode("ascii")
    for encoding in filter(None, encodings):
        try:
            name = raw.decode(encoding)
        except UnicodeError:
            continue
        if encoding == "utf-8" or not has_controls(name):
            return name
    return None


def shown(raw: bytes) -> str:
    """Return a name that cannot be read as it is named where it is refused."""
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
