"""Clean the captions that people write, before others are asked about them."""

import re
import unicodedata

from django.utils.translation import gettext as _

SHORTEST, LONGEST = 3, 300
_MARKUP = re.compile(r"<\s*[a-z!/?][^>]*>?|&#?\w+;", re.IGNORECASE)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\S@\S+\.\w|\b[a-z0-9-]+\.(com|net|org|io|ru|cn|info|biz|xyz)\b",
    re.IGNORECASE,
)

_BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class CaptionRejected(ValueError):
    """The text cannot be a caption; the message says what is wrong and what to do."""


def clean(text: str) -> str:
    """Return the text in NFC with single spaces. Raises CaptionRejected."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if has_controls(text):
        raise CaptionRejected(_("The text holds control characters: write plain words."))
    if not SHORTEST <= len(text) <= LONGEST:
        raise CaptionRejected(
            _("Write %(shortest)s to %(longest)s characters, not %(count)s.")
            % {"shortest": SHORTEST, "longest": LONGEST, "count": len(text)}
        )
    if not any(character.isalpha() for character in text):
        raise CaptionRejected(_("Write what you see in words."))
    if _ADDRESS.search(text):
        raise CaptionRejected(_("The text holds a web or mail address: describe the picture only."))
    if _MARKUP.search(text):
        raise CaptionRejected(_("The text holds markup: write plain words."))
    return text


def has_controls(text: str) -> bool:
    """Whether a text holds what cannot be shown. Joiners, marks and soft hyphens can."""
    return any(map(_is_control, text))


def _is_control(character: str) -> bool:
    """Whether it is a control, a lone surrogate, or turns the direction of the text after it."""
    control = unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"}
    return control or unicodedata.bidirectional(character) in _BIDIRECTIONAL
