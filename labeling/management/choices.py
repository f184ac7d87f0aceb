"""What `import_images` says of the concepts that a source names, and how they are chosen."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labeling.imports import concepts, kinds
from labeling.imports.concepts import FOLDERS_MAX
from labeling.imports.jobs import CONCEPTS_MAX
from labeling.imports.members import SourceError
from labeling.models import Import

ALL = "all"
NAMED = 20  # concepts are named up to here
CHOOSE_TEXTS = "If that is wrong: --texts captions or keywords, or of some: --texts txt=keywords."
QUESTION = (
    "Ask about which of them? Names with commas between them, `all`, or Enter for {default}: "
)


def parse(wanted: str) -> Mapping[str, str]:
    """Return phrases by name: of a file, or of names with commas between them.

    Raises `SourceError`.
    """
    path = Path(wanted)
    if path.is_file() or path.is_absolute() or path.suffix == ".txt":
        return concepts.read(path)
    return concepts.parse(wanted.split(","))


def chosen(record: Import, wanted: str | None) -> Mapping[str, str]:
    """Return the concepts to ask about, with phrases by name; without any choice, those of folders.

    Raises `SourceError`.
    """
    if wanted == ALL:
        if record.candidates_count > CONCEPTS_MAX:
            raise SourceError(
                f"It names {record.candidates_count:,} concepts, too many to ask about all: "
                "choose some of them with --concepts."
            )
        return {each["name"]: "" for each in record.candidates}
    if wanted is not None:
        return parse(wanted)
    folders = [each["name"] for each in record.candidates if each["folders"]]
    if len(folders) > FOLDERS_MAX:
        raise SourceError(
            f"Its folders name {len(folders):,} concepts, too many to ask about all: "
            "choose some of them with --concepts, or in a file."
        )
    return dict.fromkeys(folders, "")


def ask(record: Import) -> str | None:
    """Ask on the terminal which concepts to ask about; None: nothing was typed."""
    folders = any(each["folders"] for each in record.candidates)
    default = "those of its folders" if folders else "none"
    return input(QUESTION.format(default=default)).strip() or None


def describe(record: Import) -> Iterator[str]:
    """Yield what a source names, by folders and by keywords, and in how many pictures."""
    for kind in ("folders", "keywords"):
        rows = [each for each in record.candidates if each[kind]]
        if rows:
            yield f"Its {kind} name {_listed(rows, kind)}."
    if record.candidates_count > len(record.candidates):
        yield f"It names {record.candidates_count:,} in all: the most frequent are listed."
    if record.captions:
        yield f"It holds {record.captions:,} captions."
    for decision in record.decisions:
        yield f"{kinds.in_words(decision)}."
    if any(not decision["chosen"] for decision in record.decisions):
        yield CHOOSE_TEXTS


def by_keywords(record: Import) -> list[dict[str, Any]]:
    """Return what keywords alone name, and the project does not ask about yet."""
    return [each for each in record.candidates if not each["folders"] and not each["concept"]]


def advice(rows: list[dict[str, Any]]) -> str:
    """Say that nobody is asked about keywords that were not chosen, and what to do."""
    ticked = [each["name"] for each in rows if each["ticked"]] or [rows[0]["name"]]
    names = ",".join(ticked[:NAMED])
    return (
        "Nobody is asked about its keywords, unless they are chosen: import it again with "
        f'--concepts "{names}", or --concepts all.'
    )


def _listed(rows: list[dict[str, Any]], kind: str) -> str:
    """Return "bird 32, owl 2 and 3 more", the most frequent first."""
    rows = sorted(rows, key=lambda each: -each[kind])
    words = ", ".join(_word(each, kind) for each in rows[:NAMED])
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return f"{len(rows):,} concepts: {words}{more}" if len(rows) > 1 else f"one concept: {words}"


def _word(row: dict[str, Any], kind: str) -> str:
    spellings = f" (also {', '.join(row['spellings'])})" if row["spellings"] else ""
    return f"{row['name']} {row[kind]:,}{spellings}"
