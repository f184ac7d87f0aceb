"""Bytes → text, and what a text of a picture may be: one rule for all layouts."""

import json
import re

from labeling import captions
from labeling.decoding import ImageRejected

CAPTION_LENGTH = 500
KEYWORD_LENGTH = 80
LICENSE_LENGTH = 200
LINE_BREAK = re.compile(r"\r\n|\n|\r")  # Unicode has others, which a text may hold
COMMA = re.compile("[,،、，]")  # of any script


def decode(data: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises `ImageRejected`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImageRejected("not UTF-8 text") from error
    if "\0" in text:
        raise ImageRejected("holds NUL bytes, so it is no text")
    return text


def parse(data: bytes) -> object:
    """Parse JSON. Raises `ImageRejected`."""
    try:
        return json.loads(decode(data))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ImageRejected):
            raise
        raise ImageRejected("not JSON") from error


def lines(text: str) -> list[str]:
    """Return the lines that hold anything, without the space around them."""
    return [line.strip() for line in LINE_BREAK.split(text) if line.strip()]


def cleaned(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def problem(text: str, kind: str, longest: int) -> str:
    """Return why a cleaned text cannot be taken; empty: it can."""
    if captions.has_controls(text):
        return f"its {kind} holds characters that cannot be shown"
    if len(text) > longest:
        return f"its {kind} is longer than {longest} characters"
    return "" if text else f"its {kind} is empty"
