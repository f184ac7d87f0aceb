"""Bytes → text, and what a text of a picture may be: one rule for all layouts."""

import codecs
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from labeling import captions
from labeling.decoding import ImageRejected

Hook = Callable[[dict[str, Any]], dict[str, Any]]
CAPTION_LENGTH = 500
KEYWORD_LENGTH = 80
LICENSE_LENGTH = 200
UTF_8_MARK = codecs.BOM_UTF8
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NOT_UTF_8 = "not UTF-8 text: save it so, or choose its encoding"
NOT_IN = "neither UTF-8 nor {} text"
LINE_BREAK = re.compile(r"\r\n|\n|\r")  # Unicode has others, which a text may hold
COMMA = re.compile("[,،、，]")  # of any script


def decode(data: bytes, encoding: str = "") -> str:
    """Decode UTF-8, UTF-16 with a byte order mark, else the encoding of the import's options.

    Raises `ImageRejected`.
    """
    text = _decoded(data, "utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    if text is None and encoding:
        text = _decoded(data, encoding)
    if text is None:
        raise ImageRejected(NOT_IN.format(encoding) if encoding else NOT_UTF_8)
    if "\0" in text:
        raise ImageRejected("holds NUL bytes, so it is no text")
    return text


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None


def parsed(text: str, hook: Hook | None = None) -> object:
    """Parse JSON; hook: what to do with each object as soon as it is read.

    Raises `ImageRejected`, also where an object has two values of one name: one would be lost.
    """

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            raise ImageRejected(f"names “{_twice(pairs)}” twice in one object")
        return hook(row) if hook else row

    try:
        return json.loads(text, object_pairs_hook=object_of)
    except ImageRejected:
        raise
    except (ValueError, RecursionError) as error:
        raise ImageRejected("not JSON") from error


def _twice(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return the first name that stands twice."""
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            return shown(name)[:KEYWORD_LENGTH]
        names.add(name)
    raise ValueError("No name stands twice.")


def shown(text: str) -> str:
    """Return a text that can be stored and printed: controls are written out."""
    if text.isascii() and text.isprintable():
        return text
    plain = "".join(f"\\x{ord(each):02x}" if captions.has_controls(each) else each for each in text)
    return plain.encode("utf-8", "backslashreplace").decode()


def lines(text: str) -> list[str]:
    """Return the lines that hold anything, without the space around them."""
    return [line.strip() for line in LINE_BREAK.split(text) if line.strip()]


def cleaned(text: str) -> str:
    """Return a text as a page shows it: in NFC, with single spaces."""
    return captions.spaced(text)


def problem(text: str, kind: str, longest: int) -> str:
    """Return why a cleaned text cannot be taken; empty: it can."""
    if captions.is_blank(text):
        return f"its {kind} is empty"
    if captions.has_controls(text):
        return f"its {kind} holds characters that cannot be shown"
    if len(text) > longest:
        return f"its {kind} is longer than {longest} characters"
    if kind == "caption" and not captions.has_words(text):
        return "its caption holds no words"
    return ""
