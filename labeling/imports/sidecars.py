"""A text beside its image, of the same name: `bicycle.jpg`, `bicycle.txt`.

A `.txt` or `.caption` holds a caption a line, or on a single line keywords with commas between
them. A WebDataset has besides them a `.json` with the same fields as a row of Hugging Face's
metadata, and a `.cls` with a class.
"""

import json
import re

from labeling.decoding import ImageRejected
from labeling.imports.metadata import LINE_BREAK, Metadata, from_row

TEXTS = {".txt", ".caption"}
SUFFIXES = {*TEXTS, ".json", ".cls"}
SIZE_MAX = 64 * 1024  # bytes
ARTICLES = {"a", "an", "the"}
COMMA = re.compile("[,،、，]")  # of any script
# Chinese and Japanese, which put no spaces between words: two characters count as a word.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]{2}")


def read(data: bytes, suffix: str) -> Metadata:
    """Return what a sidecar says. Raises `ImageRejected`."""
    if suffix in TEXTS:
        return from_text(decode(data))
    if suffix == ".cls":
        return from_class(decode(data))
    row = parse(data)
    if not isinstance(row, dict):
        raise ImageRejected("no JSON object")
    return from_row(row)


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


def from_text(text: str) -> Metadata:
    """Read keywords from one line of short parts with commas between them, else captions."""
    metadata = Metadata()
    lines = [line.strip() for line in LINE_BREAK.split(text) if line.strip()]
    parts = [part.strip() for part in COMMA.split(lines[0])] if len(lines) == 1 else []
    if parts and _are_keywords(parts):
        for part in parts:
            metadata.add_keyword(part)
    else:
        for line in lines:
            metadata.add_caption(line)
    return metadata


def from_class(text: str) -> Metadata:
    """Read the name of a class; a mere number says nothing without its list."""
    metadata = Metadata()
    if not text.strip().isdigit():
        metadata.add_keyword(text)
    return metadata


def _are_keywords(parts: list[str]) -> bool:
    """Tell keywords, "red, bicycle, old wall", from a sentence, "a bicycle, seen from behind"."""
    counts = [len(UNSPACED.sub("x ", part).split()) for part in parts]
    first_word = parts[0].lower().split()[:1]
    return (
        not (first_word and first_word[0] in ARTICLES)
        and not parts[-1].endswith(".")
        and max(counts) <= (3 if len(parts) > 2 else 2 if len(parts) == 2 else 1)
    )
