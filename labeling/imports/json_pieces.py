"""A JSON file of any size, a value of its outermost list or object at a time."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from labeling.decoding import ImageRejected
from labeling.imports import texts
from labeling.imports.members import Member
from labeling.imports.texts import Hook

PIECE = 2**20  # bytes that are read at once
NAMES_MAX = 1_000
VALUE_MAX = 16 * 2**20  # characters of one value
TOO_LARGE = f"a value of more than {VALUE_MAX // 2**20:,} million characters"
CUT_OFF = "no JSON from its character {:,} on: what follows was not read"
SPACE = re.compile(r"[ \t\n\r]+")


class Pieces:
    """The characters of a file, of which as many are held as one value has."""

    def __init__(self, file: BinaryIO, encoding: str, hook: Hook | None) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._json = json.JSONDecoder(object_hook=hook)
        self._text, self._place = "", 0
        self._passed = 0  # characters before those that are held
        self._ended = False

    def peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            if space := SPACE.match(self._text, self._place):
                self._place = space.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more(PIECE):
                return ""

    def expect(self, wanted: str) -> str:
        """Pass over the next character, which must be one of these. Raises `ImageRejected`."""
        character = self.peek()
        if not character or character not in wanted:
            raise ImageRejected(CUT_OFF.format(self._passed + self._place))
        self._place += 1
        return character

    def end(self) -> None:
        """Raise `ImageRejected` unless nothing follows."""
        if self.peek():
            raise ImageRejected(CUT_OFF.format(self._passed + self._place))

    def value(self) -> Any:
        """Read the next value. Raises `ImageRejected`."""
        self.peek()
        size = PIECE
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._place)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or not self._more(size):
                    reason = CUT_OFF.format(self._passed + self._place)
                    raise ImageRejected(reason) from error
            else:
                if end < len(self._text) or not self._more(size):  # a number may go on
                    self._place = end
                    return value
            size *= 2  # so that what was read in vain is not much more than the value

    def _more(self, size: int) -> bool:
        """Read more behind what is held; return whether there was any. Raises `ImageRejected`."""
        if len(self._text) - self._place > VALUE_MAX:
            raise ImageRejected(TOO_LARGE)
        if self._ended:
            return False
        data = self._file.read(size)
        self._ended = not data
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeError as error:
            raise ImageRejected(texts.NOT_UTF_8) from error
        self._passed += self._place
        self._text, self._place = self._text[self._place :] + text, 0
        return bool(text) or not self._ended


class Document:
    """A JSON document in a member; it is gone through again at each call."""

    def __init__(self, member: Member, encoding: str, hook: Hook | None = None) -> None:
        self._member, self._hook = member, hook
        self._encoding = _encoding(member, encoding)

    def is_list(self) -> bool:
        """Whether the outermost value is a list. Raises `ImageRejected` where it is a plain one."""
        with self._member.open() as file:
            return self._pieces(file).expect("[{") == "["

    def values(self) -> Iterator[Any]:
        """Yield the values of the outermost list. Raises `ImageRejected`."""
        with self._member.open() as file:
            pieces = self._pieces(file)
            yield from _values(pieces)
            pieces.end()

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and values of the outermost object. Raises `ImageRejected`."""
        with self._member.open() as file:
            pieces = self._pieces(file)
            for name in _names(pieces):
                yield name, pieces.value()

    def rows(self, *wanted: str) -> Iterator[tuple[str, Any]]:
        """Yield the values of the lists of these names in the outermost object, each with its name.

        None comes in place of what is no list. Raises `ImageRejected`.
        """
        with self._member.open() as file:
            pieces = self._pieces(file)
            for name in _names(pieces):
                is_list = pieces.peek() == "["
                for value in _values(pieces) if is_list else [pieces.value()]:
                    if name in wanted:
                        yield name, value if is_list else None

    def names(self) -> dict[str, None]:
        """Return the names in the outermost object, of very many the first.

        All of the document is read. Raises `ImageRejected`.
        """
        names: dict[str, None] = {}
        with self._member.open() as file:
            pieces = self._pieces(file)
            for name in _names(pieces):
                if len(names) < NAMES_MAX:
                    names[name] = None
                for _ in _values(pieces) if pieces.peek() == "[" else [pieces.value()]:
                    pass
            pieces.end()
        return names

    def _pieces(self, file: BinaryIO) -> Pieces:
        return Pieces(file, self._encoding, self._hook)


def _values(pieces: Pieces) -> Iterator[Any]:
    pieces.expect("[")
    if pieces.peek() == "]":
        pieces.expect("]")
        return
    while True:
        yield pieces.value()
        if pieces.expect(",]") == "]":
            return


def _names(pieces: Pieces) -> Iterator[str]:
    """Yield the names of an object; the value of each is read before the next."""
    pieces.expect("{")
    if pieces.peek() == "}":
        return
    while True:
        name = pieces.value() if pieces.peek() == '"' else pieces.expect('"')
        pieces.expect(":")
        yield name
        if pieces.expect(",}") == "}":
            return


def _encoding(member: Member, chosen: str) -> str:
    """Return in which encoding a file is: UTF-8, marked UTF-16, else the chosen one."""
    with member.open() as file:
        if file.read(2) in texts.UTF_16:
            return "utf-16"
    if not chosen:
        return "utf-8-sig"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with member.open() as file:
        try:
            while data := file.read(PIECE):
                decoder.decode(data)
        except UnicodeError:
            return chosen
    return "utf-8-sig"
