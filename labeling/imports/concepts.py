"""Concepts named by a file or by folders."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from django.db import transaction

from labeling import concepts
from labeling.captions import has_controls
from labeling.concepts.names import NAME_LENGTH, PHRASE_LENGTH
from labeling.decoding import ImageRejected
from labeling.imports import gold, texts
from labeling.imports.members import SourceError
from labeling.imports.texts import LINE_BREAK
from labeling.models import Concept, Import, Project
from labeling.models.projects import name_key

FOLDERS_MAX = 100
FILE_MAX = 1_000
SIZE_MAX = 1024 * 1024  # bytes
# Names that sort pictures rather than saying what they show.
NO_CONCEPT = re.compile(
    r"\W*|(train(ing)?|test(ing)?|val|valid(ation)?|dev|data)[\W_]*\d*([\W_]*of[\W_]*\d+)?"
    r"|\d[\d\W_]*(of[\W_]*\d+)?"
    r"|images?|img|imgs|pictures?|photos?|data(set)?|jpe?gs?|pngs?",
    re.IGNORECASE,
)
REPEATS = re.compile(r"^\d+_(?=\D)")  # "10_cat": how often kohya's trainer shows the folder


def read(path: Path) -> dict[str, str]:
    """Read a concepts file: a concept a line, `bicycle` or `bicycle: a bicycle`.

    Return phrases by name, empty where none is given. Empty lines and those that begin with # are
    passed over. Raises `SourceError`.
    """
    try:
        if path.stat().st_size > SIZE_MAX:
            raise SourceError(f"{path} is too large for a list of concepts.")
        text = texts.decode(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    except ImageRejected as error:
        raise SourceError(f"{path} is no list of concepts: {error}.") from error
    phrases: dict[str, str] = {}
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, phrase = _parse(line, f"{path}, line {number}")
            phrases[name] = phrase
    if not phrases:
        raise SourceError(f"{path} names no concept: write one a line.")
    if len(phrases) > FILE_MAX:
        raise SourceError(f"{path} names {len(phrases):,} concepts; {FILE_MAX:,} are the limit.")
    return phrases


def parse(names: Iterable[str]) -> dict[str, str]:
    """Return names as they are typed, each without a phrase.

    Raises `SourceError`.
    """
    phrases = dict(_parse(name, f"“{name}”") for name in names if name.strip())
    if not phrases:
        raise SourceError("No concept is named: write names with commas between them.")
    return phrases


def _parse(line: str, where: str) -> tuple[str, str]:
    name, _, phrase = (part.strip() for part in line.partition(":"))
    if not name or has_controls(line.strip()):
        raise SourceError(f"{where} names no concept: write `bicycle` or `bicycle: a bicycle`.")
    if len(name) > NAME_LENGTH or len(phrase) > PHRASE_LENGTH:
        raise SourceError(f"{where} is longer than {NAME_LENGTH} characters.")
    return name, phrase


def name_of_folder(folder: str, *, source: str = "") -> str | None:
    """Return the concept that a folder's path names.

    None for a name that only sorts, like `train` or `0001`, for `source`, the archive's own, and
    for a folder of gold, which is no class.
    """
    if gold.of_folder(folder) is not None:
        return None
    name = PurePosixPath(folder).name
    plain = " ".join(REPEATS.sub("", name).replace("_", " ").split())
    if not plain or NO_CONCEPT.fullmatch(plain) or name == source or has_controls(plain):
        return None
    return plain if len(plain) <= NAME_LENGTH else None


def chosen_keys(project: Project, names: Iterable[str]) -> set[str]:
    """Return by which keys these concepts are named: by their aliases too, where they exist."""
    existing = concepts.by_key(project)
    keys = {name_key(name) for name in names}
    return keys.union(*(existing[key].keys for key in keys & existing.keys()))


def ensure(
    project: Project,
    phrases: Mapping[str, str],
    *,
    named: Mapping[str, int] | None = None,
    pictures: int = 0,
    record: Import | None = None,
) -> list[Concept]:
    """Create the named concepts that the project lacks; return those that are new.

    named: by key, in how many of so many `pictures` that are imported. record: the import that
    makes them. What the keywords of earlier pictures state of new concepts is taken over. Raises
    `SourceError`.
    """
    try:
        with transaction.atomic():
            created = concepts.create_missing(project, phrases, named=named, pictures=pictures)
            if record is not None and created:
                record.made_concepts += [concept.pk for concept in created]
                Import.objects.filter(pk=record.pk).update(made_concepts=record.made_concepts)
    except concepts.ConceptError as error:
        raise SourceError(str(error)) from None
    concepts.take_over_all(project)
    return created
