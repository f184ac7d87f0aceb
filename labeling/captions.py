"""What somebody wrote, made fit to be asked of others."""

import re
import unicodedata

SHORTEST, LONGEST = 3, 300
_MARKUP = re.compile(r"<\s*[a-z!/?][^>]*>?|&#?\w+;", re.IGNORECASE)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\S@\S+\.\w|\b[a-z0-9-]+\.(com|net|org|io|ru|cn|info|biz|xyz)\b",
    re.IGNORECASE,
)

_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class Unfit(ValueError):
    """Says what is wrong with a text and what to do."""


def clean(text: str) -> str:
    """The text in NFC with single spaces. Raises Unfit where it cannot be a caption."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if any(map(_unprintable, text)):
        raise Unfit("The text holds control characters: write plain words.")
    if not SHORTEST <= len(text) <= LONGEST:
        raise Unfit(f"Write {SHORTEST} to {LONGEST} characters, not {len(text)}.")
    if not any(character.isalpha() for character in text):
        raise Unfit("Write what you see in words.")
    if _ADDRESS.search(text):
        raise Unfit("The text holds a web or mail address: describe the picture only.")
    if _MARKUP.search(text):
        raise Unfit("The text holds markup: write plain words.")
    return text


def _unprintable(character: str) -> bool:
    """Controls, lone surrogates, and what turns the direction of the text that follows."""
    control = unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}
    return control or unicodedata.bidirectional(character) in _TURNS
