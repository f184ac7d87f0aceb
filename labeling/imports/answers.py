"""What a crowd said elsewhere: a CSV with the columns task, worker and label.

A task is a picture: the path that it was imported from, its file name, or its SHA-256. With a
column `concept`, the label is yes or no; without, the label names the concept that the picture
shows, and is a yes to it and a no to the file's other labels.
"""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.db import transaction

from labeling import answers, questions
from labeling.aggregation import tables
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
    number: int  # from 0
    task: str
    worker: str
    label: str
    concept: str = ""


def load(*, path: Path, project: Project) -> Imported:
    """Import all answers, or none. Raises Malformed."""
    try:
        table = tables.read(path, COLUMNS, optional=("concept",))
    except tables.TableError as error:
        raise Malformed(str(error)) from None
    rows = _rows(table)
    said = _said(table, rows, _images(table, rows, project), _concepts(table, rows, project))
    with transaction.atomic():
        new = _record(said)
    return Imported(
        new=new,
        answers=sum(map(len, said.values())),
        workers=len(said),
        images=len({image for theirs in said.values() for image, _ in theirs}),
    )


def _rows(table: tables.Table) -> list[Row]:
    cells = {}
    for name, column in table.columns.items():
        ids = column.ids.to_pylist()
        for place, value in enumerate(ids):
            problem = ""
            if any(unicodedata.category(character) == "Cc" for character in value):
                problem = "the cell holds control characters"
            elif name == "worker" and len(value) > LONGEST_WORKER:
                problem = f"the name is longer than {LONGEST_WORKER} characters"
            if problem:
                raise _malformed(table, int((column.codes == place).argmax()), name, problem)
        cells[name] = [ids[place] for place in column.codes.tolist()]
    return [Row(number, *row) for number, row in enumerate(zip(*cells.values(), strict=True))]


def _malformed(table: tables.Table, number: int, column: str, problem: str) -> Malformed:
    (line,) = table.lines([number])
    return Malformed(f"{table.path}, line {line}, column {column}: {problem}.")


def _images(table: tables.Table, rows: list[Row], project: Project) -> dict[str, int]:
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
            problem = f"{tables.shown(row.task)!r} {why} of {project.slug}"
            raise _malformed(table, row.number, "task", problem)
    return tasks


def _concepts(table: tables.Table, rows: list[Row], project: Project) -> dict[str, int]:
    known: dict[str, int] = dict(project.concepts.values_list("name", "pk"))
    for row in rows:
        column = "concept" if row.concept else "label"
        name = row.concept or row.label
        if name not in known:
            problem = f"{tables.shown(name)!r} is no concept of {project.slug}"
            raise _malformed(table, row.number, column, problem)
        if row.concept and row.label.lower() not in WORDS:
            problem = f"{tables.shown(row.label)!r} is neither yes nor no"
            raise _malformed(table, row.number, "label", problem)
    return known


def _said(
    table: tables.Table, rows: list[Row], images: dict[str, int], concepts: dict[str, int]
) -> dict[str, Said]:
    """What each worker said."""
    said: dict[str, Said] = defaultdict(dict)
    names = {concepts[row.label] for row in rows if not row.concept}
    for row in rows:
        theirs, image = said[row.worker], images[row.task]
        if row.concept:
            key, value = (image, concepts[row.concept]), WORDS[row.label.lower()]
            if theirs.setdefault(key, value) != value:
                problem = f"{row.worker} said the opposite before"
                raise _malformed(table, row.number, "label", problem)
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
