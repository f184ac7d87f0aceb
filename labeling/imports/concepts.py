"""Concepts named by a file or by folders."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from labeling.captions import has_controls
from labeling.decoding import ImageRejected
from labeling.imports import sidecars
from labeling.imports.members import SourceError
from labeling.imports.metadata import LINE_BREAK
from labeling.models import Concept, Project
from labeling.models.projects import name_key

FOLDERS_MAX = 100
FILE_MAX = 1_000
SIZE_MAX = 1024 * 1024  # bytes
NAME_LENGTH, PHRASE_LENGTH = 80, 100
# Names that sort pictures rather than saying what they show.
NO_CONCEPT = re.compile(
    r"\W*|(train(ing)?|test(ing)?|val|valid(ation)?|dev)[\W_]*\d*|\d[\d\W_]*"
    r"|images?|img|imgs|pictures?|photos?|data(set)?|jpe?gs?|pngs?",
    re.IGNORECASE,
)
REPEATS = re.compile(r"^\d+_(?=\D)")  # "10_cat": how often kohya's trainer shows the folder


def read(path: Path) -> dict[str, str]:
    """Read a concepts file: a concept a line, `bicycle` or `bicycle: a bicycle`.

    Return phrases by name. Empty lines and those that begin with # are passed over. Raises
    `SourceError`.
    """
    try:
        if path.stat().st_size > SIZE_MAX:
            raise SourceError(f"{path} is too large for a list of concepts.")
        text = sidecars.decode(path.read_bytes())
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


def _parse(line: str, where: str) -> tuple[str, str]:
    name, _, phrase = (part.strip() for part in line.partition(":"))
    if not name or has_controls(line.strip()):
        raise SourceError(f"{where} names no concept: write `bicycle` or `bicycle: a bicycle`.")
    phrase = phrase or with_article(name)
    if len(name) > NAME_LENGTH or len(phrase) > PHRASE_LENGTH:
        raise SourceError(f"{where} is longer than {NAME_LENGTH} characters.")
    return name, phrase


def with_article(name: str) -> str:
    """Return the name with its English article: "an apple"."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def name_of_folder(folder: str, *, source: str = "") -> str | None:
    """Return the concept that a folder's path names.

    None for a name that only sorts, like `train` or `0001`, and for `source`, the archive's own.
    """
    name = PurePosixPath(folder).name
    plain = " ".join(REPEATS.sub("", name).replace("_", " ").split())
    if not plain or NO_CONCEPT.fullmatch(plain) or name == source or has_controls(plain):
        return None
    return plain if len(plain) <= NAME_LENGTH else None


def create_missing(
    project: Project, shares: Mapping[str, float], phrases: Mapping[str, str]
) -> None:
    """Create the named concepts that the project lacks; a prevalence is its share of the images."""
    existing = set(by_key(project))
    missing = {name_key(name): name for name in [*phrases, *shares]}
    Concept.objects.bulk_create(
        [
            Concept(
                project=project,
                name=name,
                phrase=phrases.get(name) or with_article(name),
                prevalence=min(max(shares.get(name, 0.1), 0.01), 0.99),
            )
            for key, name in missing.items()
            if key not in existing
        ],
        ignore_conflicts=True,
    )


def by_key(project: Project) -> dict[str, Concept]:
    """Return the project's concepts by the keys of their names and aliases."""
    concepts = project.concepts.filter(merged_into=None)
    return {key: concept for concept in concepts for key in concept.keys}
