"""Archives that are made to inflate to far more than they are, and zips with names of any kind."""

import struct
import zipfile
import zlib

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")


def deflated_zeros(size):
    """Return `size` bytes of zeros as a raw deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*pieces, packer.compress(bytes(size % (1 << 20))), packer.flush()])


def quoted(path, *, members, kernel):
    """Write a zip whose members quote each other's headers and share one kernel.

    After D. Fifield, "A better zip bomb" (WOOT 2019): each member begins with a stored block of
    deflate that holds the next one's header, and goes on as that one does. kernel: bytes of zeros
    to which the shared stream inflates.
    """
    stream = deflated_zeros(kernel)
    data, size, crc = stream, kernel, zlib.crc32(bytes(kernel))
    entries = []
    for number in reversed(range(members)):
        name = b"%05d.png" % number
        header = LOCAL.pack(
            b"PK\3\4", 20, 0, 8, 0, 0x5821, crc & 0xFFFFFFFF, len(data), size, len(name), 0
        )
        entries.append((name, len(header) + len(name), len(data), size, crc))
        whole = header + name + data
        block = struct.pack("<BHH", 0, len(header + name), len(header + name) ^ 0xFFFF)
        quoted_data = block + whole
        if number:
            crc = 0  # never read: nothing is inflated
            size += len(header) + len(name)
            data = quoted_data
        else:
            data = whole
    directory, offset = b"", 0
    for name, length, packed, size, crc in reversed(entries):
        directory += CENTRAL.pack(
            *(b"PK\1\2", 20, 20, 0, 8, 0, 0x5821, crc & 0xFFFFFFFF, packed, size, len(name)),
            *(0, 0, 0, 0, 0, offset),
        )
        directory += name
        offset += length + 5
    end = END.pack(b"PK\5\6", 0, 0, members, members, len(directory), len(data), 0)
    path.write_bytes(data + directory + end)
    return path


def ratio(path, *, members, size, method=zipfile.ZIP_DEFLATED):
    """Write a plain zip of members that are nothing but zeros, each of so many bytes."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for number in range(members):
            archive.writestr(f"{number}.png", bytes(size))
    return path


class Named(zipfile.ZipInfo):
    """A member whose name is these bytes, with a word of their encoding or without."""

    def __init__(self, name: bytes, *, flag: int = 0, extra: bytes = b"") -> None:
        super().__init__(name.decode("latin-1"))
        self.filename, self.name, self.flag = name.decode("latin-1"), name, flag
        self.extra = extra

    def _encodeFilenameFlags(self):  # noqa: N802 (zipfile's)
        return self.name, self.flag


def unicode_path(raw: bytes, name: str, *, crc: int | None = None) -> bytes:
    """Return Info-ZIP's extra field with a member's name in Unicode."""
    data = struct.pack("<BI", 1, zlib.crc32(raw) if crc is None else crc) + name.encode()
    return struct.pack("<HH", 0x7075, len(data)) + data
