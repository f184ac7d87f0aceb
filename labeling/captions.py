"""What may be said of a picture: one rule for what people write and what sources hold.

Captions that people write are held to more: to a length, and to plain words.
"""

import re
import unicodedata

from django.utils.translation import gettext as _

SHORTEST, LONGEST = 3, 300
_MARKUP = re.compile(r"<\s*[a-z!/?][^>]*>?|&#?\w+;", re.IGNORECASE)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\S@\S+\.\w|\b[a-z0-9-]+\.(com|net|org|io|ru|cn|info|biz|xyz)\b",
    re.IGNORECASE,
)

_SPACE = re.compile("[ \t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_UNSEEN = {"Cf", "Mn", "Zs", "Zl", "Zp", "Cc"}
_BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class CaptionRejected(ValueError):
    """The text cannot be a caption; the message says what is wrong and what to do."""


def clean(text: str) -> str:
    """Return the text in NFC with single spaces. Raises CaptionRejected."""
    text = spaced(text)
    if has_controls(text):
        raise CaptionRejected(_("The text holds control characters: write plain words."))
    if not SHORTEST <= len(text) <= LONGEST:
        raise CaptionRejected(
            _("Write %(shortest)s to %(longest)s characters, not %(count)s.")
            % {"shortest": SHORTEST, "longest": LONGEST, "count": len(text)}
        )
    if not has_words(text):
        raise CaptionRejected(_("Write what you see in words."))
    if _ADDRESS.search(text):
        raise CaptionRejected(_("The text holds a web or mail address: describe the picture only."))
    if _MARKUP.search(text):
        raise CaptionRejected(_("The text holds markup: write plain words."))
    return text


def spaced(text: str) -> str:
    """Return a text in NFC with single spaces, as a page shows it.

    Ends of lines of any kind are spaces; no-break and ideographic spaces stay within the text.
    """
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


def has_words(text: str) -> bool:
    """Whether a text holds a letter of any script."""
    return any(character.isalpha() for character in text)


def is_blank(text: str) -> bool:
    """Whether nothing of a text is seen: it is empty, or of joiners, marks and spaces alone."""
    return all(unicodedata.category(each) in _UNSEEN for each in text)


def has_controls(text: str) -> bool:
    """Whether a text holds what cannot be shown. Joiners, marks and soft hyphens can."""
    return any(map(_is_control, text))


def _is_control(character: str) -> bool:
    """Whether it is a control, a lone surrogate, or turns the direction of the text after it.

    What this Python's Unicode does not know yet, as a new emoji, is none.
    """
    category = unicodedata.category(character)
    if category == "Cn":
        return _is_noncharacter(ord(character))
    return category in {"Cc", "Cs", "Co"} or unicodedata.bidirectional(character) in _BIDIRECTIONAL


def _is_noncharacter(code: int) -> bool:
    """Whether Unicode will never assign it."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
