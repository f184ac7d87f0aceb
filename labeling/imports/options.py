"""How a source is read where it does not say so itself, as `Import.options` holds it."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labeling.decoding.depth import BITS_RANGE
from labeling.imports.members import SourceError

ALL = ""  # the group of all texts that are not named by themselves
NAME_LENGTH = 100  # characters of the name of a group or a column
CHOICES_MAX = 100


class Texts(StrEnum):
    """What the undecided texts of a group are."""

    AUTO = "auto"  # what they look like: `kinds`
    CAPTIONS = "captions"
    KEYWORDS = "keywords"
    MIXED = "mixed"  # each by itself what it looks like


class Column(StrEnum):
    """What a column of a table may be chosen for."""

    PICTURE = "picture"
    CAPTION = "caption"
    KEYWORDS = "keywords"
    LABEL = "label"
    LICENSE = "license"


class Masks(StrEnum):
    """What becomes of pictures that are masks of others by their names: `masks`."""

    REFUSED = "refused"
    PICTURES = "pictures"


class OptionError(SourceError):
    """An option is wrong; the message says what may be chosen."""


@dataclass(frozen=True)
class Options:
    """How a source is read.

    texts: what the texts of each group are; that of `ALL` of all others. columns: the names of the
    columns that hold what is asked for. encoding: of names and of texts that are not UTF-8, as
    Python calls it; empty: such are refused. masks: whether masks are taken as pictures. bits: how
    many are used of pictures of 16 bits whose files do not say so; 0: all. pairs:
    whether its pictures are halves of pairs (`labeling.imports.pairs`). first_halves: the folder of
    the first ones; empty: as the folders' names say.
    """

    encoding: str = ""
    texts: Mapping[str, Texts] = field(default_factory=dict)
    columns: Mapping[Column, str] = field(default_factory=dict)
    masks: Masks = Masks.REFUSED
    bits: int = 0
    pairs: bool = False
    first_halves: str = ""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Options":
        """Check what was chosen. Raises `OptionError`."""
        if unknown := sorted(values.keys() - set(cls.__dataclass_fields__)):
            raise OptionError(f"There is no option {unknown[0]}.")
        return cls(
            encoding=_encoding(values.get("encoding", "")),
            texts={name: _texts(text) for name, text in _pairs(values.get("texts", {}))},
            columns={_column(name): text for name, text in _pairs(values.get("columns", {}))},
            masks=_masks(values.get("masks", Masks.REFUSED)),
            bits=_bits(values.get("bits", 0)),
            pairs=bool(values.get("pairs", False)),
            first_halves=str(values.get("first_halves") or ""),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what was chosen, as `of` reads it."""
        masks = "" if self.masks is Masks.REFUSED else str(self.masks)
        chosen = {
            "encoding": self.encoding,
            "texts": {group: str(texts) for group, texts in self.texts.items()},
            "columns": {str(role): column for role, column in self.columns.items()},
            "masks": masks,
            "bits": self.bits,
            "pairs": self.pairs,
            "first_halves": self.first_halves,
        }
        return {name: value for name, value in chosen.items() if value}


DEFAULTS = Options()


def parse_texts(text: str) -> dict[str, str]:
    """Read `keywords`, or `txt=keywords,caption=captions`, of a command. Raises `OptionError`."""
    pairs = [part.strip() for part in text.split(",") if part.strip()]
    parsed = [part.rpartition("=")[::2] for part in pairs]
    return {group.strip(): str(_texts(kind.strip())) for group, kind in parsed}


def parse_columns(text: str) -> dict[str, str]:
    """Read `caption=prompt,picture=path` of a command. Raises `OptionError`."""
    parsed = [part.partition("=")[::2] for part in text.split(",") if part.strip()]
    return {str(_column(role.strip())): column.strip() for role, column in parsed}


def _encoding(name: Any) -> str:
    if not name:
        return ""
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)
    except (LookupError, TypeError, ValueError) as error:
        raise OptionError(
            "There is no such encoding: try cp932, gb18030, cp1252 or latin-1."
        ) from error
    return codec.name


def _texts(value: Any) -> Texts:
    try:
        return Texts(value)
    except ValueError as error:
        raise OptionError(
            "Texts are captions, keywords, mixed (each by itself) or auto (as they look)."
        ) from error


def _column(name: Any) -> Column:
    try:
        return Column(name)
    except ValueError as error:
        raise OptionError(f"Columns are chosen for {', '.join(Column)}.") from error


def _masks(value: Any) -> Masks:
    try:
        return Masks(value)
    except ValueError as error:
        raise OptionError("Masks are refused, or taken as pictures.") from error


def _bits(value: Any) -> int:
    text = str(value or 0)
    bits = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
    if bits and bits not in BITS_RANGE:
        raise OptionError("Of the 16 bits of a picture, 9 to 15 may be said to be used.")
    return bits


def _pairs(values: Any) -> list[tuple[str, Any]]:
    """Return what was chosen by name."""
    if not isinstance(values, Mapping) or len(values) > CHOICES_MAX:
        raise OptionError(f"Choose by name, {CHOICES_MAX} at most.")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise OptionError("Names and choices are texts.")
        if max(len(name), len(value)) > NAME_LENGTH:
            raise OptionError(f"Names have at most {NAME_LENGTH} characters.")
    return list(values.items())
