"""A text beside its picture, of the same name: `bicycle.jpg`, `bicycle.txt`.

A `.txt` or `.caption` holds a caption a line, or on a single line keywords with commas between
them. A WebDataset has besides them a `.json` with the same fields as a row of Hugging Face's
metadata, and a `.cls` with a class.
"""

import json

from labeling.images.decoding import ImageRejected
from labeling.imports.texts import LINE_BREAK, Words, of_row

TEXTS = {".txt", ".caption"}
SUFFIXES = {*TEXTS, ".json", ".cls"}
SIZE_MAX = 64 * 1024  # bytes
ARTICLES = {"a", "an", "the"}


def read(data: bytes, suffix: str) -> Words:
    """What a sidecar says. Raises `ImageRejected`."""
    if suffix in TEXTS:
        return of_text(decode(data))
    if suffix == ".cls":
        return of_class(decode(data))
    row = parse(data)
    if not isinstance(row, dict):
        raise ImageRejected("no JSON object")
    return of_row(row)


def decode(data: bytes) -> str:
    """UTF-8, with or without its mark. Raises `ImageRejected`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImageRejected("not UTF-8 text") from error
    if "\0" in text:
        raise ImageRejected("holds NUL bytes, so it is no text")
    return text


def parse(data: bytes) -> object:
    """JSON. Raises `ImageRejected`."""
    try:
        return json.loads(decode(data))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ImageRejected):
            raise
        raise ImageRejected("not JSON") from error


def of_text(text: str) -> Words:
    """Keywords if it is one line of short parts with commas between them, else captions."""
    words = Words()
    lines = [line.strip() for line in LINE_BREAK.split(text) if line.strip()]
    parts = [part.strip() for part in lines[0].split(",")] if len(lines) == 1 else []
    if parts and _keywords(parts):
        for part in parts:
            words.keyword(part)
    else:
        for line in lines:
            words.caption(line)
    return words


def of_class(text: str) -> Words:
    """The name of a class; a mere number says nothing without its list."""
    words = Words()
    if not text.strip().isdigit():
        words.keyword(text)
    return words


def _keywords(parts: list[str]) -> bool:
    """ "red, bicycle, old wall" is a list; "a bicycle, seen from behind" is a sentence."""
    counts = [len(part.split()) for part in parts]
    begins_as_sentence = parts[0].lower().split()[:1] and parts[0].lower().split()[0] in ARTICLES
    return (
        not begins_as_sentence
        and not parts[-1].endswith(".")
        and max(counts) <= (3 if len(parts) > 2 else 2 if len(parts) == 2 else 1)
    )
