"""Language tags (BCP 47): which are well-formed, which suits a reader, and how it is written."""

import re
from collections.abc import Iterable, Sequence

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

LENGTH = 20  # characters of a tag at most

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<variants>(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*)",
    re.IGNORECASE,
)
_RIGHT_TO_LEFT = frozenset(
    ("ar", "arc", "ckb", "dv", "fa", "he", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi")
)
_RIGHT_TO_LEFT_SCRIPTS = frozenset(("adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"))


class LanguageError(ValueError):
    """It is no language tag; the message says what one looks like."""


def clean(tag: str) -> str:
    """Return a tag as it is usually written: "pt-BR", "zh-Hant". Raises LanguageError."""
    match = _TAG.fullmatch(tag.strip().replace("_", "-"))
    if match is None or len(match[0]) > LENGTH:
        raise LanguageError(f"“{tag[:LENGTH]}” is no language tag: write one like de, pt-BR or ar.")
    parts = [match["language"].lower()]
    parts += [match["script"].title()] if match["script"] else []
    parts += [match["region"].upper()] if match["region"] else []
    return "-".join(parts) + match["variants"].lower()


def accepted(header: str) -> tuple[str, ...]:
    """Return the tags of an Accept-Language header in lower case, the most wanted first."""
    return tuple(tag for tag, quality in parse_accept_lang_header(header) if quality > 0)


def wanted(request: HttpRequest) -> tuple[str, ...]:
    """Return the tags that a visitor wants: the site's language that they chose, then accepted."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    known = (chosen,) if chosen in dict(settings.LANGUAGES) else ()
    return known + accepted(request.headers.get("Accept-Language", ""))


def choose(wanted: Sequence[str], offered: Iterable[str], *, default: str) -> str:
    """Return the offered tag that suits a reader best; the default where none does.

    For each wanted tag in turn: the same tag, else a shorter one (RFC 4647, 3.4, "lookup"), else
    another of the same language. offered: without the default, which is offered as well.
    """
    by_tag = {tag.lower(): tag for tag in [*offered, default]}
    for tag in wanted:
        range_ = tag.lower()
        while range_:
            if range_ in by_tag:
                return by_tag[range_]
            range_ = range_.rpartition("-")[0]
        language = primary(tag)
        for lowered, each in by_tag.items():
            if primary(lowered) == language:
                return each
    return default


def primary(tag: str) -> str:
    """Return the language itself, without script and region: "pt" of "pt-BR"."""
    return tag.partition("-")[0].lower()


def direction(tag: str) -> str:
    """Return "rtl" for what is written from right to left, else "ltr"."""
    parts = tag.lower().split("-")
    scripts = [part for part in parts[1:] if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in _RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if parts[0] in _RIGHT_TO_LEFT else "ltr"
