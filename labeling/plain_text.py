"""Plain text as people write it, as HTML: paragraphs, lists, nothing else."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_BULLET = re.compile(r"[-*•]\s+")
_NUMBER = re.compile(r"\d{1,3}[.)]\s+")


def to_html(text: str) -> SafeString:
    """Return text as paragraphs and lists; whatever it holds is escaped.

    An empty line ends a paragraph. Lines that begin with "-", "*" or "•" are a list, those that
    begin with "1." or "1)" a numbered one.
    """
    return format_html_join("\n", "{}", ((block,) for block in _blocks(text)))


def _blocks(text: str) -> Iterator[SafeString]:
    lines = [line.strip() for line in text.splitlines()]
    for tag, group in groupby(lines, key=_tag):
        if tag == "p":
            yield format_html("<p>{}</p>", _joined(group))
        elif tag:
            marker = _BULLET if tag == "ul" else _NUMBER
            items = ((marker.sub("", line, count=1),) for line in group)
            inner = format_html_join("", "<li>{}</li>", items)
            yield format_html("<{0}>{1}</{0}>", tag, inner)


def _tag(line: str) -> str:
    """Return the element that a line belongs to; empty for an empty line."""
    if not line:
        return ""
    if _BULLET.match(line):
        return "ul"
    return "ol" if _NUMBER.match(line) else "p"


def _joined(lines: Iterable[str]) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines))
