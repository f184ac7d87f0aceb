"""What a text is that its layout does not say: a caption, or keywords."""

import re
from collections.abc import Iterable, Iterator

from labeling.imports import texts
from labeling.imports.entries import Entry, Kind

ARTICLES = {"a", "an", "the"}
# Chinese and Japanese, which put no spaces between words: two characters count as a word.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]{2}")


def decide(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries of which each is a caption or a keyword, or what its layout said it is."""
    for entry in entries:
        if entry.kind is Kind.TEXT and isinstance(entry.text, str):
            yield from _decided(entry)
        else:
            yield entry


def _decided(entry: Entry) -> Iterator[Entry]:
    """Read keywords from one line of short parts with commas between them, else captions."""
    lines = texts.lines(entry.text)
    parts = [part.strip() for part in texts.COMMA.split(lines[0])] if len(lines) == 1 else []
    if parts and _are_keywords(parts):
        yield from (entry._replace(kind=Kind.KEYWORD, text=part) for part in parts if part)
    else:
        yield from (entry._replace(kind=Kind.CAPTION, text=line) for line in lines)


def _are_keywords(parts: list[str]) -> bool:
    """Tell keywords, "red, bicycle, old wall", from a sentence, "a bicycle, seen from behind"."""
    counts = [len(UNSPACED.sub("x ", part).split()) for part in parts]
    first_word = parts[0].lower().split()[:1]
    return (
        not (first_word and first_word[0] in ARTICLES)
        and not parts[-1].endswith(".")
        and max(counts) <= (3 if len(parts) > 2 else 2 if len(parts) == 2 else 1)
    )
