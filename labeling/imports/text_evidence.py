"""Evidence of what the texts of a group are: keywords with separators between them, or captions.

Words are never counted: many languages put no spaces between them. What tells keywords is that
the parts between separators recur in other texts, and that they are short.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from labeling.imports import texts

SAMPLE = 20_000  # texts of a group that are looked at
SHORT, VERY_SHORT = 24.0, 12.0  # widths of a part, in letters of an alphabet
UNDERSCORED = 0.2  # of the parts between spaces: so many with an underscore are no prose
NEARLY_ALL = 0.8  # of the parts of a list are short
MANY_TEXTS, MANY_PARTS = 8, 30  # from which on it counts whether parts recur

SENTENCE_END = tuple(".!?。！？؟।…．")
OPENINGS = re.compile(  # articles, of languages that have them, and "and"
    r"(?:an?|the|and|une?|le|la|les|des|eine?[nmrs]?|der|die|das|und|una|unos|unas|el|los|las|uno"
    r"|gli|il|um|uma|een|het)\s",
    re.IGNORECASE,
)
WITHIN = re.compile(r"\s(?:an?|the|une?|una|eine?[nmrs]?)\s", re.IGNORECASE)  # "photo of a dog"
WIDTHS = (  # scripts that say more by a letter than an alphabet does
    (re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"), 4.0),  # Chinese
    (re.compile("[\u3040-\u30ff]"), 2.0),  # Japanese
    (re.compile("[\uac00-\ud7af]"), 1.5),  # Korean
    (re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"), 1.0),  # Thai, Lao, Burmese, Khmer
)


class Separator(StrEnum):
    """What stands between keywords."""

    COMMAS = "commas"
    SEMICOLONS = "semicolons"
    BARS = "bars"
    LINES = "line breaks"
    SPACES = "spaces"


WILDCARD = re.compile(r"\{[^{}]*\}")  # "{a|the} dog" is no list
LETTERS = {Separator.COMMAS: ",،、，", Separator.SEMICOLONS: ";；", Separator.BARS: "|"}
PATTERNS = {
    Separator.COMMAS: re.compile(rf"{texts.COMMA.pattern}|{texts.LINE_BREAK.pattern}"),
    Separator.SEMICOLONS: re.compile(rf"[;；]|{texts.LINE_BREAK.pattern}"),
    Separator.BARS: re.compile(rf"[|]|{texts.LINE_BREAK.pattern}"),
    Separator.LINES: texts.LINE_BREAK,
    Separator.SPACES: re.compile(r"\s+"),
}


@dataclass(frozen=True)
class Evidence:
    """What the texts of a group look like; shares are from 0 to 1."""

    texts: int
    different: int  # texts
    separator: Separator
    parts: int  # of the different texts
    listed: float  # texts of two parts or more
    recurring: float  # parts that other texts have, too
    short: float  # parts
    sentences: float  # texts with an article, a full stop or a quotation across parts
    lists: float  # different texts that look like a list by themselves
    files: float  # all texts that do, however often each is there
    repeated: float  # texts that are there more than once


def step(count: int) -> int:
    """Return how many steps apart the texts of a sample are, of so many."""
    return -(-count // SAMPLE) or 1


def gather(some: Sequence[str], *, count: int) -> Evidence:
    """Gather the evidence of a sample of so many texts."""
    sample = [text.strip() for text in some if text.strip()]
    times = Counter(sample)
    separator = _separator(list(times))
    parted = [split(text, separator) for text in times]
    in_texts = Counter(part for parts in parted for part in {each.casefold() for each in parts})
    parts = [part for several in parted for part in several]
    lists = {
        text: _is_list(parts) and not _is_sentence(text, parts)
        for text, parts in zip(times, parted, strict=True)
    }
    return Evidence(
        texts=count,
        different=len(times),
        separator=separator,
        parts=len(parts),
        listed=_share(len(several) > 1 for several in parted),
        recurring=_share(in_texts[part.casefold()] > 1 for part in parts),
        short=_share(width(part) <= SHORT for part in parts),
        sentences=_share(map(_is_sentence, times, parted)),
        lists=_share(lists.values()),
        files=_share(lists[text] for text in sample),
        repeated=_share(times[text] > 1 for text in sample),
    )


def split(text: str, separator: Separator) -> list[str]:
    """Return the parts of a text that hold anything."""
    return [part.strip() for part in PATTERNS[separator].split(text) if part.strip()]


def width(text: str) -> float:
    """Return how much a text says, in letters of an alphabet."""
    return len(text) + sum(more * len(script.findall(text)) for script, more in WIDTHS)


def _separator(some: Sequence[str]) -> Separator:
    """Return what stands between the parts of most texts, else commas."""
    for separator, letters in LETTERS.items():
        pattern = re.compile(f"[{letters}]")
        plain = (WILDCARD.sub("", text) for text in some)
        if _share(bool(pattern.search(text)) for text in plain) >= 0.5:
            return separator
    if _share("\n" in text or "\r" in text for text in some) >= 0.5:
        return Separator.LINES
    words = [word for text in some for word in text.split()]
    if len(words) > 2 * len(some) and _share(map(_has_underscore, words)) >= UNDERSCORED:
        return Separator.SPACES
    return Separator.COMMAS


def _has_underscore(word: str) -> bool:
    return re.search(r"[^\W_]_[^\W_]", word) is not None


def _is_sentence(text: str, parts: Sequence[str]) -> bool:
    if text.endswith(SENTENCE_END) or WITHIN.search(text):
        return True
    if any(OPENINGS.match(part) for part in parts):
        return True
    return any(part.count('"') % 2 for part in parts)


def _is_list(parts: Sequence[str]) -> bool:
    """Whether it looks like a list without any other text to compare it with.

    One short word is a list, too, of one keyword.
    """
    if len(parts) > 2:
        return _share(width(part) <= SHORT for part in parts) >= NEARLY_ALL
    is_word = len(parts) > 1 or not any(letter.isspace() for part in parts for letter in part)
    return is_word and all(width(part) <= VERY_SHORT for part in parts)


def _share(values: Iterable[bool]) -> float:
    several = list(values)
    return sum(several) / len(several) if several else 0.0
