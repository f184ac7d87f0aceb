"""What a source says of an image: captions, keywords and license, each within its limits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from labeling import captions

CAPTION_LENGTH = 500
KEYWORD_LENGTH = 80
TEXTS_MAX = 100  # captions, and keywords, of one image; more is no description
MORE_PROBLEMS = "and more of its texts were left out"
LINE_BREAK = re.compile(r"\r\n|\n|\r")  # Unicode has others, which a text may hold


CAPTION_COLUMNS = "text", "caption", "captions"
KEYWORD_COLUMNS = "tags", "keywords"
GOLD_COLUMN = "gold"
TEXT_COLUMNS = {*CAPTION_COLUMNS, *KEYWORD_COLUMNS, GOLD_COLUMN}


@dataclass
class Metadata:
    """The texts and licence of one image; `problems` say why others were left out."""

    captions: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    license: str = ""
    gold: dict[str, bool] = field(default_factory=dict)  # truths by the names of concepts
    gold_read: int = 0  # texts of gold, those with problems among them
    problems: list[str] = field(default_factory=list)

    def add_caption(self, text: Any) -> None:
        """Add a caption, unless it is there already, or note why it cannot be taken."""
        self._add(self.captions, text, "caption", CAPTION_LENGTH)

    def add_keyword(self, text: Any) -> None:
        """Add a keyword, unless it is there already, or note why it cannot be taken."""
        self._add(self.keywords, text, "keyword", KEYWORD_LENGTH)

    def add_gold(self, name: Any, truth: Any) -> None:
        """Add whether it shows something as gold, or note why that cannot be taken."""
        self.gold_read += 1
        plain = " ".join(name.split()) if isinstance(name, str) else ""
        if not plain or len(plain) > KEYWORD_LENGTH or captions.has_controls(plain):
            self._note("its gold names nothing that a concept can be named")
        elif not isinstance(truth, bool):
            self._note(f"its gold of “{plain}” is neither true nor false")
        elif self.gold.get(plain, truth) is not truth:
            self._note(f"its gold of “{plain}” is both yes and no")
        elif plain in self.gold:
            self.gold_read -= 1  # said twice
        elif len(self.gold) >= TEXTS_MAX:
            self._note(f"it has more than {TEXTS_MAX} texts of gold")
        else:
            self.gold[plain] = truth

    def merge(self, other: "Metadata") -> None:
        """Add what another part of the source says of the same image, within the same limits."""
        for text in other.captions:
            self._append(self.captions, text, "caption")
        for text in other.keywords:
            self._append(self.keywords, text, "keyword")
        self.license = self.license or other.license
        self.gold_read += other.gold_read
        for name, truth in other.gold.items():
            self.gold_read -= self.gold.get(name) is truth  # said twice
            if name not in self.gold and len(self.gold) >= TEXTS_MAX:
                self._note(f"it has more than {TEXTS_MAX} texts of gold")
            elif self.gold.setdefault(name, truth) is not truth:
                self._note(f"its gold of “{name}” is both yes and no")
        for problem in other.problems:
            self._note(problem)

    def _add(self, texts: list[str], text: Any, kind: str, longest: int) -> None:
        if not isinstance(text, str):
            self._note(f"its {kind} is not a text")
            return
        plain = " ".join(text.split())
        if captions.has_controls(plain):
            self._note(f"its {kind} holds characters that cannot be shown")
        elif len(plain) > longest:
            self._note(f"its {kind} is longer than {longest} characters")
        elif plain:
            self._append(texts, plain, kind)

    def _append(self, texts: list[str], text: str, kind: str) -> None:
        if text in texts:
            return
        if len(texts) < TEXTS_MAX:
            texts.append(text)
        elif (problem := f"it has more than {TEXTS_MAX} {kind}s") not in self.problems:
            self._note(problem)

    def _note(self, problem: str) -> None:
        """Note why a text was left out; of very many the first, and that there are more."""
        if len(self.problems) < TEXTS_MAX:
            self.problems.append(problem)
        elif self.problems[-1] != MORE_PROBLEMS:
            self.problems.append(MORE_PROBLEMS)


def from_row(row: dict[str, Any]) -> Metadata:
    """Return the metadata of a row as Hugging Face, img2dataset and others write it.

    text, caption, captions: texts, or {"text": …}; tags, keywords: texts, or one with commas;
    gold: {"bird": true, "owl": false}, or ["bird", "-owl"].
    """
    metadata = Metadata()
    for key in CAPTION_COLUMNS:
        for caption in _values(row.get(key)):
            metadata.add_caption(caption.get("text") if isinstance(caption, dict) else caption)
    for key in KEYWORD_COLUMNS:
        for keyword in _values(row.get(key)):
            parts = keyword.split(",") if isinstance(keyword, str) else [keyword]
            for part in parts:
                metadata.add_keyword(part)
    for name, truth in _gold(row.get(GOLD_COLUMN)):
        metadata.add_gold(name, truth)
    if isinstance(row.get("license"), str):
        metadata.license = row["license"]
    return metadata


def _gold(value: Any) -> Iterable[tuple[Any, Any]]:
    """Yield (name, truth) of a field: {"bird": true, "owl": false}, or ["bird", "-owl"]."""
    if isinstance(value, dict):
        yield from value.items()
        return
    for name in _values(value):
        is_no = isinstance(name, str) and name.startswith("-")
        yield (name[1:] if is_no else name), not is_no


def _values(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
