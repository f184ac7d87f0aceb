"""Concepts that a source names: by its keywords, and by its folders."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labeling import concepts
from labeling.concepts import ConceptError
from labeling.concepts.names import clean
from labeling.imports.concepts import FOLDERS_MAX, name_of_folder
from labeling.imports.source_index import SourceIndex
from labeling.models import Concept, Project
from labeling.models.projects import name_key

LISTED_MAX = 1_000  # candidates that are listed; of more, the most frequent
TICKED_MAX = 20  # keywords that are ticked by default, the most frequent
SPELLINGS_MAX = 5  # other spellings that are listed
NEARLY_ALL = 0.95  # of the pictures: what so many are named tells nothing apart


@dataclass(frozen=True)
class Candidate:
    """A concept that a source names; spellings of one key (`name_key`) are one."""

    name: str  # the most frequent spelling
    key: str
    pictures: int  # that are named so by a keyword, by their folder, or by both
    keywords: int  # pictures with such a keyword
    folders: int  # pictures in a folder of that name
    spellings: Sequence[str]  # others, the most frequent first
    concept: str | None  # the project's concept of that name or alias, where there is one
    ticked: bool  # by default
    switched_off: bool = False  # whether nobody is asked about that concept

    def as_json(self) -> dict[str, Any]:
        """Return it as `Import.candidates` holds it."""
        return {**asdict(self), "spellings": list(self.spellings)}


@dataclass(frozen=True)
class Candidates:
    """The candidates of a source, ticked ones first, then by their pictures."""

    listed: Sequence[Candidate]
    total: int

    @property
    def more(self) -> int:
        """How many are not listed."""
        return self.total - len(self.listed)


@dataclass
class Named:
    """In how many pictures a source names one thing."""

    spellings: Counter[str] = field(default_factory=Counter)
    keywords: int = 0
    folders: int = 0
    both: int = 0

    @property
    def pictures(self) -> int:
        return self.keywords + self.folders - self.both


def gather(index: SourceIndex, project: Project, *, source: str = "") -> Candidates:
    """Return which concepts a source's keywords and folders name, and in how many pictures.

    source: the archive's own name, which is no concept. Ticked are folders, what the project asks
    about already, and the most frequent keywords of more than one picture. What (nearly) all
    pictures are named tells nothing apart: it is not ticked, unless a folder is all there is.
    Concepts that are switched off never are.
    """
    named = count(index, source)
    existing = concepts.by_key(project)
    off = {key for key, concept in existing.items() if not concept.active}
    telling = _telling(named, index.images)
    folders = {key for key in telling if named[key].folders}
    keywords = {key for key in telling if named[key].keywords > 1}
    ticked = {
        *_largest(named, folders)[:FOLDERS_MAX],
        *_largest(named, keywords)[:TICKED_MAX],
        *(named.keys() & existing.keys()),
    } - off
    order = sorted(named, key=lambda key: (key not in ticked, -named[key].pictures, key))
    listed = []
    for key in order[:LISTED_MAX]:
        concept = existing.get(key)
        listed.append(_candidate(key, named[key], concept, ticked=key in ticked))
    return Candidates(listed, len(named))


def count(index: SourceIndex, source: str) -> dict[str, Named]:
    """Return how often each key is named, of those that can name a concept."""
    named: dict[str, Named] = defaultdict(Named)
    counts = index.keywords
    for spelling, pictures in counts.spellings.items():
        each = named[counts.keys[spelling]]
        each.spellings[spelling] += pictures
        each.keywords += pictures
    for key, pictures in counts.repeated.items():
        named[key].keywords -= pictures
    for folder, pictures in index.folders.items():
        if name := name_of_folder(folder, source=source):
            each = named[name_key(name)]
            each.spellings[name] += pictures
            each.folders += pictures
    for key, pictures in counts.in_folder.items():
        if named[key].folders:
            named[key].both = pictures
    return {key: each for key, each in named.items() if _is_name(each)}


def _is_name(named: Named) -> bool:
    """Whether a concept can have the name."""
    try:
        clean(_spellings(named)[0])
    except ConceptError:
        return False
    return True


def _telling(named: dict[str, Named], images: int) -> set[str]:
    """Return the keys that tell pictures apart; that of a folder which nothing else names, too."""
    if len(named) == 1:
        return {key for key, each in named.items() if each.folders or each.pictures < images}
    return {key for key, each in named.items() if each.pictures < NEARLY_ALL * images}


def _largest(named: dict[str, Named], keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: (-named[key].pictures, key))


def _candidate(key: str, named: Named, concept: Concept | None, *, ticked: bool) -> Candidate:
    name, *others = _spellings(named)
    return Candidate(
        name=name,
        key=key,
        pictures=named.pictures,
        keywords=named.keywords,
        folders=named.folders,
        spellings=others[:SPELLINGS_MAX],
        concept=concept.name if concept else None,
        ticked=ticked,
        switched_off=concept is not None and not concept.active,
    )


def _spellings(named: Named) -> list[str]:
    """Return the most frequent spelling first; of several as frequent the first by code points."""
    return sorted(named.spellings, key=lambda each: (-named.spellings[each], each))
