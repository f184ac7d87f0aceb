"""What a source says of an image: captions, keywords, gold and a licence, within their limits."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labeling import captions
from labeling.imports import boxes, texts
from labeling.imports import provenance as provenances
from labeling.imports.entries import Box, Kind
from labeling.imports.provenance import UNSAID, Provenance

TEXTS_MAX = 100  # texts of a kind of one image; more is no description
BOXES_MAX = 1_000  # of one image
MORE_PROBLEMS = "and more of its texts were left out"

GOLD_COLUMN = "gold"


class Problem(NamedTuple):
    """Why a text was left out."""

    where: str
    reason: str


@dataclass
class Metadata:
    """The texts of one image; `problems` say why others were refused, of very many the first."""

    captions: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    provenance: Provenance = UNSAID  # of the picture: of its first text that says any
    # Of captions and keywords, by their place in the lists, where it is another one.
    of_captions: dict[int, Provenance] = field(default_factory=dict)
    of_keywords: dict[int, Provenance] = field(default_factory=dict)
    boxes: dict[Box, str] = field(default_factory=dict)  # with where each was read
    license: str = ""
    is_pair: bool = False  # whether it shows two halves of a pair
    gold: dict[str, bool] = field(default_factory=dict)  # truths by the names of concepts
    read: Counter[Kind] = field(default_factory=Counter)  # all texts, …
    refused: Counter[Kind] = field(default_factory=Counter)  # … and those that were left out
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: Kind, text: Any, where: str = "", provenance: Provenance = UNSAID) -> None:
        """Add a text, or refuse it with a reason. One that is there already counts as added."""
        self.read[kind] += 1
        captions, keywords = len(self.captions), len(self.keywords)
        if reason := self._add(kind, text, where):
            self.refuse(kind, reason, where)
            return
        kept = self._kept(provenance, where)
        self.provenance = self.provenance if self.provenance != UNSAID else kept
        if kept != self.provenance and len(self.captions) > captions:
            self.of_captions[captions] = kept
        if kept != self.provenance and len(self.keywords) > keywords:
            self.of_keywords[keywords] = kept

    def has_keyword(self, text: Any) -> bool:
        """Whether a text is one of its keywords."""
        return isinstance(text, str) and texts.cleaned(text) in self.keywords

    def set_url(self, url: str) -> None:
        """Note the address that the picture was fetched from."""
        self.provenance = self._kept(Provenance(url=url), url[:TEXTS_MAX])

    def provenance_of_caption(self, number: int) -> Provenance:
        """Return where the caption at that place in the list comes from."""
        return self.of_captions.get(number, self.provenance)

    def provenance_of_keyword(self, number: int) -> Provenance:
        """Return where the keyword at that place in the list comes from."""
        return self.of_keywords.get(number, self.provenance)

    def refuse(self, kind: Kind, reason: str, where: str = "") -> None:
        """Note why a text that was read is left out after all."""
        self.refused[kind] += 1
        self._note(reason, where)

    def _note(self, reason: str, where: str) -> None:
        if len(self.problems) < TEXTS_MAX:
            self.problems.append(Problem(where, reason))
        elif self.problems[-1].reason != MORE_PROBLEMS:
            self.problems.append(Problem("", MORE_PROBLEMS))

    def _kept(self, provenance: Provenance, where: str) -> Provenance:
        """Return what can be kept of where a text comes from; say why of what cannot."""
        if provenance == UNSAID or provenance == self.provenance:
            return provenance
        kept, problems = provenances.checked(provenance)
        for problem in problems:
            self._note(problem, where)
        return kept

    def _add(self, kind: Kind, text: Any, where: str) -> str:
        """Add a text; return why it cannot be taken, or nothing."""
        match kind:
            case Kind.CAPTION:
                return self._add_text(self.captions, text, "caption", texts.CAPTION_LENGTH)
            case Kind.KEYWORD:
                return self._add_text(self.keywords, text, "keyword", texts.KEYWORD_LENGTH)
            case Kind.GOLD:
                return self._add_gold(*text)
            case Kind.LICENSE:
                return self._add_license(text)
            case Kind.BOX:
                return self._add_box(text, where)
            case Kind.PAIR:
                self.is_pair = True
                return ""
            case Kind.TEXT:
                raise ValueError("What the text is was not decided.")

    def _add_text(self, some: list[str], text: Any, kind: str, longest: int) -> str:
        if not isinstance(text, str):
            return f"its {kind} is not a text"
        plain = texts.cleaned(text)
        if problem := texts.problem(plain, kind, longest):
            return problem
        if plain not in some and len(some) >= TEXTS_MAX:
            return f"it has more than {TEXTS_MAX} {kind}s"
        if plain not in some:
            some.append(plain)
        return ""

    def _add_gold(self, name: Any, truth: Any) -> str:
        plain = texts.cleaned(name) if isinstance(name, str) else ""
        if not plain or len(plain) > texts.KEYWORD_LENGTH or captions.has_controls(plain):
            return "its gold names nothing that a concept can be named"
        if not isinstance(truth, bool):
            return f"its gold of “{plain}” is neither true nor false"
        if self.gold.get(plain, truth) is not truth:
            return f"its gold of “{plain}” is both yes and no"
        if plain not in self.gold and len(self.gold) >= TEXTS_MAX:
            return f"it has more than {TEXTS_MAX} texts of gold"
        self.gold[plain] = truth
        return ""

    def _add_box(self, box: Box, where: str) -> str:
        """Add a box; what it shows, the picture as a whole shows too."""
        if problem := boxes.problem(box):
            return problem
        if problem := self._add_text(self.keywords, box.label, "label", texts.KEYWORD_LENGTH):
            return problem
        box = box._replace(label=texts.cleaned(box.label))
        if box not in self.boxes and len(self.boxes) >= BOXES_MAX:
            return f"it has more than {BOXES_MAX:,} boxes"
        self.boxes.setdefault(box, where)
        return ""

    def _add_license(self, text: Any) -> str:
        if not isinstance(text, str):
            return "its license is not a text"
        plain = texts.cleaned(text)
        if problem := texts.problem(plain, "license", texts.LICENSE_LENGTH):
            return problem
        if self.license and plain != self.license:
            return f"it has another license already: {self.license}"
        self.license = plain
        return ""
