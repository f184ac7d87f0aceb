"""Lines of a text of any length, one at a time; a line that is wrong spoils no other.

Nothing is read whole: a line that is too long is passed over piece by piece.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from labeling.decoding import ImageRejected
from labeling.imports import texts

LINE_MAX = 4 * 2**20  # bytes of a line
PIECE = 2**20  # bytes that are read at once
PEEKED = 64 * 1024  # bytes from whose beginning the ends of lines are recognised
TOO_LONG = f"a line of more than {LINE_MAX // 2**20} MB"


class Line(NamedTuple):
    """A line with its end, or why it cannot be read."""

    number: int  # from 1
    text: str
    problem: str = ""


def numbered(file: BinaryIO, encoding: str = "") -> Iterator[Line]:
    """Yield each line. Lines end with a line feed; in a text without any, with a carriage return.

    encoding: of what is not UTF-8. Raises `ImageRejected`.
    """
    with file:
        buffered = io.BufferedReader(cast(io.RawIOBase, file), PIECE)
        head = buffered.peek(PEEKED)[:PEEKED]
        is_wide = head.startswith(texts.UTF_16) or encoding.startswith(("utf-16", "utf-32"))
        if is_wide or (b"\r" in head and b"\n" not in head):
            yield from _decoded(buffered, encoding if is_wide and encoding else "", is_wide)
            return
        for number, line in enumerate(_lines(buffered), start=1):
            yield _line(number, line, encoding)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield each line; None in place of one that is too long."""
    while line := file.readline(LINE_MAX + 1):
        if len(line) <= LINE_MAX:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(PIECE)
        yield None


def _line(number: int, line: bytes | None, encoding: str) -> Line:
    if line is None:
        return Line(number, "", TOO_LONG)
    if number > 1 and line.startswith(texts.UTF_8_MARK):
        return Line(number, line.decode("utf-8", "replace"))  # a letter, within a text
    try:
        return Line(number, texts.decode(line, encoding))
    except ImageRejected as error:
        return Line(number, "", str(error))


def _decoded(file: BinaryIO, encoding: str, is_wide: bool) -> Iterator[Line]:
    """Yield the lines of UTF-16, or of a text whose lines end with a carriage return."""
    name = (encoding or "utf-16") if is_wide else "utf-8-sig"
    wrapper = io.TextIOWrapper(file, name, newline=None)
    number = 0
    try:
        while line := wrapper.readline(LINE_MAX + 1):
            number += 1
            is_long = len(line) > LINE_MAX
            while is_long and line and not line.endswith("\n"):
                line = wrapper.readline(PIECE)
            yield Line(number, "", TOO_LONG) if is_long else Line(number, line)
    except UnicodeError:
        yield Line(number + 1, "", f"not {name} text: what follows was not read")
