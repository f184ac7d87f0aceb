"""What a crowd said elsewhere: a CSV with the columns task, worker and label.

A task is a picture: the path that it was imported from, its file name, or its SHA-256. With a
column `concept`, the label is yes or no; without, the label names the concept that the picture
shows, and is a yes to it and a no to the file's other labels.
"""

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.db import transaction

from labeling import answers, questions
from labeling.models import Annotator, Answer, Concept, Project, Question, Tile

COLUMNS = ("task", "worker", "label")
WORDS = {
    **dict.fromkeys(("yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
}
PREFIX = "imported:"
LONGEST_WORKER = 60

Said = dict[tuple[int, int], bool]  # (image id, concept id) → yes or no


class Malformed(ValueError):
    """The file cannot be read as answers; names the line and the column."""


@dataclass(frozen=True)
class Imported:
    """How many answers were new, of how many, by how many people, about how many pictures."""

    new: int
    answers: int
    workers: int
    images: int


@dataclass(frozen=True)
class Row:
    line: int
    task: str
    worker: str
    label: str
    concept: str


def load(*, path: Path, project: Project) -> Imported:
    """Import all answers, or none. Raises Malformed."""
    rows = list(_rows(path))
    if not rows:
        raise Malformed(f"{path} holds no answers: it has no line below its header.")
    said = _said(rows, _images(rows, project), _concepts(rows, project))
    with transaction.atomic():
        new = _record(said)
    return Imported(
        new=new,
        answers=sum(map(len, said.values())),
        workers=len(said),
        images=len({image for theirs in said.values() for image, _ in theirs}),
    )


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise Malformed(
                    f"{path} has no column {missing[0]}: its first line must name "
                    f"{', '.join(COLUMNS)}."
                )
            for cells in reader:
                yield _row(path, reader.line_num, cells)
    except UnicodeDecodeError:
        raise Malformed(f"{path} is not UTF-8 text: save it as a CSV in UTF-8.") from None
    except csv.Error as error:
        raise Malformed(f"{path} is not a CSV: {error}.") from None
    except OSError as error:
        raise Malformed(f"{path} cannot be read: {error.strerror}.") from None


def _row(path: Path, line: int, cells: dict[str | None, str | list[str] | None]) -> Row:
    if None in cells:
        raise Malformed(f"{path}, line {line} has more cells than its header.")
    values = {}
    for name in (*COLUMNS, *(["concept"] if "concept" in cells else [])):
        value = str(cells[name] or "").strip()
        if not value:
            raise Malformed(f"{path}, line {line}, column {name} is empty.")
        if any(unicodedata.category(character) == "Cc" for character in value):
            raise Malformed(f"{path}, line {line}, column {name} holds control characters.")
        values[str(name)] = value
    if len(values["worker"]) > LONGEST_WORKER:
        raise Malformed(
            f"{path}, line {line}, column worker is longer than {LONGEST_WORKER} characters."
        )
    return Row(line, values["task"], values["worker"], values["label"], values.get("concept", ""))


def _images(rows: list[Row], project: Project) -> dict[str, int]:
    """Image id by task: by path first, then by hash, then by a file name that is unique."""
    images = project.images.values_list("pk", "source", "sha256", "source_sha256")
    found: dict[str, int] = {}
    names: dict[str, set[int]] = defaultdict(set)
    for pk, source, sha256, source_sha256 in images.iterator():
        found |= {sha256: pk, source_sha256: pk, source: pk}
        names[PurePosixPath(source).name].add(pk)
    tasks: dict[str, int] = {}
    for row in rows:
        same = names.get(row.task, set())
        if row.task in found:
            tasks[row.task] = found[row.task]
        elif len(same) == 1:
            tasks[row.task] = next(iter(same))
        else:
            why = f"fits {len(same)} pictures: give its path" if same else "is no picture"
            raise Malformed(f"Line {row.line}, column task: {row.task!r} {why} of {project.slug}.")
    return tasks


def _concepts(rows: list[Row], project: Project) -> dict[str, int]:
    known: dict[str, int] = dict(project.concepts.values_list("name", "pk"))
    for row in rows:
        column = "concept" if row.concept else "label"
        name = row.concept or row.label
        if name not in known:
            raise Malformed(
                f"Line {row.line}, column {column}: {name!r} is no concept of {project.slug}."
            )
        if row.concept and row.label.lower() not in WORDS:
            raise Malformed(f"Line {row.line}, column label: {row.label!r} is neither yes nor no.")
    return known


def _said(rows: list[Row], images: dict[str, int], concepts: dict[str, int]) -> dict[str, Said]:
    """What each worker said."""
    said: dict[str, Said] = defaultdict(dict)
    names = {concepts[row.label] for row in rows if not row.concept}
    for row in rows:
        theirs, image = said[row.worker], images[row.task]
        if row.concept:
            key, value = (image, concepts[row.concept]), WORDS[row.label.lower()]
            if theirs.setdefault(key, value) != value:
                raise Malformed(
                    f"Line {row.line}, column label: {row.worker} said the opposite before."
                )
        else:
            for concept in names:
                theirs.setdefault((image, concept), False)
            theirs[image, concepts[row.label]] = True
    return said


def _record(said: dict[str, Said]) -> int:
    asked = _ask({key for theirs in said.values() for key in theirs})
    new = 0
    for worker, theirs in sorted(said.items()):
        annotator, _ = Annotator.objects.get_or_create(pseudonym=PREFIX + worker)
        values = {asked[key]: value for key, value in theirs.items()}
        reasons = dict.fromkeys(values, Answer.Reason.IMPORTED)
        new += answers.record(annotator=annotator, values=values, reasons=reasons).recorded
    return new


def _ask(keys: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Question id by (image, concept), asked where nobody asked before."""
    images: dict[int, set[int]] = defaultdict(set)
    for image, number in keys:
        images[number].add(image)
    asked = {}
    for concept in Concept.objects.filter(pk__in=images):
        wholes = list(Tile.objects.filter(image__in=images[concept.pk], grid=1))
        questions.ask_concepts(tiles=wholes, concepts=[concept])
        rows = Question.objects.filter(concept=concept, tile__in=wholes, kind="concept")
        for pk, image in rows.values_list("pk", "tile__image_id"):
            asked[image, concept.pk] = pk
    return asked
