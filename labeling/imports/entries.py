"""What a source says of its pictures, text by text, before any text is joined to a picture.

A layout yields an entry for each text that it reads, or a refusal where it cannot: it never drops
one, joins one, or decides which picture is meant.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from labeling.imports.members import Member, Rejection
from labeling.imports.options import Options
from labeling.imports.provenance import UNSAID, Provenance


class Kind(StrEnum):
    """What a text is."""

    CAPTION = "caption"
    KEYWORD = "keyword"
    GOLD = "gold"  # the truth of a concept: (name, True or False)
    LICENSE = "license"
    PAIR = "pair"  # that the picture shows two halves of a pair
    BOX = "box"  # a rectangle of the picture and what it shows (`Box`)
    TEXT = "text"  # a caption or keywords: decided for the source as a whole (`kinds`)


class By(StrEnum):
    """How a picture is named."""

    PATH = "path"  # by its path in the source
    BELOW = "below"  # by its path, or by its file name alone in that folder and those below
    END = "end"  # by its path from some folder on, or by its file name alone
    STEM = "stem"  # by its path without a suffix
    NAME = "name"  # by its file name without a suffix, in whichever folder is nearest


class Reference(NamedTuple):
    """How a source names a picture, by a path in its normal form."""

    path: str
    by: By = By.PATH
    instead: str = ""  # another name of it, which counts where the first is of none
    folder: str = ""  # of the file that names it by the end of its path: from there on comes first


FRACTIONS = (1.0, 1.0)  # the size by which a box is measured in shares of the picture's sides


class Box(NamedTuple):
    """A rectangle of a picture, and the name of what it shows."""

    label: Any  # as it was read: it may be no text at all, or a `ClassNumber`
    left: float
    top: float
    width: float
    height: float
    size: tuple[float, float] | None = None  # of the picture by which it is measured; None: its own


class ClassNumber(NamedTuple):
    """A class that is named by its number in a list beside the labels (`ClassNames`)."""

    number: int
    path: str  # of the file with the label


class Entry(NamedTuple):
    """A text of a picture."""

    reference: Reference
    kind: Kind
    text: Any  # as it was read: it may be no text at all
    where: str  # the file, and the line, row or id in it
    provenance: Provenance = UNSAID  # of the text, as far as the source says it
    group: str = ""  # of those of which it is decided together what they are: a suffix, a column
    is_marked: bool = False  # it is set off from tags: no list of them, where its looks decide


class Refusal(NamedTuple):
    """A text that is attached to no picture, and why."""

    where: str
    kind: Kind
    reason: str


class ClassNames(NamedTuple):
    """The names of numbered classes, for the labels in its folder and below."""

    path: str
    names: dict[int, str]
    is_remark: bool = False  # of a file that has more to say: it may be that nothing needs them


class Remark(NamedTuple):
    """What is said of a file that is read: what of it is not, which is no text."""

    where: str
    text: str


class Columns(NamedTuple):
    """The names of a table's columns, of which people choose."""

    names: tuple[str, ...]


# A rejection is of the file, or of a row.
Reading = Entry | Refusal | Rejection | ClassNames | Columns | Remark
Readings = Iterator[Reading]
Reader = Callable[[Member, Options], Readings]


@dataclass(frozen=True)
class Layout:
    """A way to write texts: which files are so written, and how they are read.

    read: yields what a member says, read by the import's options; raises `ImageRejected` where it
    is not so written after all.
    """

    name: str  # as the report calls it
    read: Reader
    suffixes: Sequence[str] = ()
    names: Sequence[str] = ()  # of whole files, in lower case

    def claims(self, path: str) -> bool:
        """Whether a member is written so, by its name."""
        name = path.rpartition("/")[2].lower()
        return name in self.names or name.endswith(tuple(self.suffixes))
