"""What an import says of a picture: captions, keywords, licence; each within its limits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

CAPTION_LENGTH = 500
KEYWORD_LENGTH = 80
LINE_BREAK = re.compile(r"\r\n|\n|\r")  # Unicode has others, which texts may hold


@dataclass
class Words:
    """What is said of one picture; `problems` are the reasons for what was left out."""

    captions: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    license: str = ""
    problems: list[str] = field(default_factory=list)

    def caption(self, text: Any) -> None:
        self._add(self.captions, text, "caption", CAPTION_LENGTH)

    def keyword(self, text: Any) -> None:
        self._add(self.keywords, text, "keyword", KEYWORD_LENGTH)

    def merge(self, other: "Words") -> None:
        self.captions += [text for text in other.captions if text not in self.captions]
        self.keywords += [text for text in other.keywords if text not in self.keywords]
        self.license = self.license or other.license
        self.problems += other.problems

    def _add(self, there: list[str], text: Any, kind: str, longest: int) -> None:
        if not isinstance(text, str):
            self.problems.append(f"its {kind} is not a text")
            return
        plain = " ".join(text.split())
        if "\0" in plain or not plain.isprintable():
            self.problems.append(f"its {kind} holds characters that cannot be shown")
        elif len(plain) > longest:
            self.problems.append(f"its {kind} is longer than {longest} characters")
        elif plain and plain not in there:
            there.append(plain)


def of_row(row: dict[str, Any]) -> Words:
    """From a row as Hugging Face, img2dataset and others write it.

    text, caption, captions: texts, or {"text": …}; tags, keywords: texts, or one with commas.
    """
    words = Words()
    for key in ("text", "caption", "captions"):
        for caption in _each(row.get(key)):
            words.caption(caption.get("text") if isinstance(caption, dict) else caption)
    for key in ("tags", "keywords"):
        for keyword in _each(row.get(key)):
            parts = keyword.split(",") if isinstance(keyword, str) else [keyword]
            for part in parts:
                words.keyword(part)
    if isinstance(row.get("license"), str):
        words.license = row["license"]
    return words


def _each(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
