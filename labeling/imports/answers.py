"""Import what a crowd answered elsewhere: a CSV with the columns task, worker and label.

A task is an image: the path of the file that it was imported from or of a copy, its file name, or
its SHA-256. With a column `concept`, the label is yes or no; without, the label names the concept
that the image shows, and is a yes to it and a no to the file's other labels.
"""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labeling import answers, concepts, questions
from labeling.aggregation import tables
from labeling.answers import Outcome
from labeling.batches import batched
from labeling.models import Annotator, Answer, Concept, Project, Question, Tile
from labeling.models.projects import name_key

COLUMNS = ("task", "worker", "label")
YES_OR_NO = {
    **dict.fromkeys(("yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
}
PREFIX = "imported:"
WORKER_LENGTH = 60
BATCH = 1_000  # answers in a transaction

Votes = dict[tuple[int, int], bool]  # (image id, concept id) → yes or no


class AnswersError(ValueError):
    """The file cannot be read as answers; the message names the line and the column."""


@dataclass(frozen=True)
class Imported:
    """What became of the answers in a file: answers = new + known + gone."""

    answers: int
    new: int
    known: int  # recorded before: a worker answers a question once
    gone: int  # about questions that were deleted during the import
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
    """Import a file's answers. Raises AnswersError before anything is stored.

    Answers are committed worker by worker, BATCH at a time, so that people who answer do not wait
    for the whole file. An import that was interrupted is finished by running it again.
    """
    try:
        table = tables.read(path, COLUMNS, optional=("concept",))
    except tables.TableError as error:
        raise AnswersError(str(error)) from None
    rows = _rows(table)
    images = _images(table, rows, project)
    votes = _votes(table, rows, images, _concepts(table, rows, project))
    outcomes = _record(votes)
    total = sum(map(len, votes.values()))
    new = sum(outcome.recorded for outcome in outcomes)
    known = sum(outcome.already_recorded for outcome in outcomes)
    return Imported(
        answers=total,
        new=new,
        known=known,
        gone=total - new - known,
        workers=len(votes),
        images=len({image for by_worker in votes.values() for image, _ in by_worker}),
    )


def _rows(table: tables.Table) -> list[Row]:
    """Return the table's rows. Raises AnswersError where a cell cannot be stored."""
    cells = {}
    for name, column in table.columns.items():
        values = column.ids.to_pylist()
        for code, value in enumerate(values):
            problem = ""
            if any(unicodedata.category(character) == "Cc" for character in value):
                problem = "the cell holds control characters"
            elif name == "worker" and len(value) > WORKER_LENGTH:
                problem = f"the name is longer than {WORKER_LENGTH} characters"
            if problem:
                raise _error(table, int((column.codes == code).argmax()), name, problem)
        cells[name] = [values[code] for code in column.codes.tolist()]
    return [Row(number, *row) for number, row in enumerate(zip(*cells.values(), strict=True))]


def _error(table: tables.Table, number: int, column: str, problem: str) -> AnswersError:
    (line,) = table.lines([number])
    return AnswersError(f"{table.path}, line {line}, column {column}: {problem}.")


def _images(table: tables.Table, rows: list[Row], project: Project) -> dict[str, int]:
    """Return the image id of each task: by path, else by hash, else by a unique file name."""
    by_path_or_hash: dict[str, int] = {}
    by_copy: dict[str, int] = {}
    by_name: dict[str, set[int]] = defaultdict(set)
    images = project.images.values_list(
        "pk", "source", "further_sources", "sha256", "source_sha256"
    )
    for pk, source, further_sources, sha256, source_sha256 in images.iterator():
        by_path_or_hash |= {sha256: pk, source_sha256: pk, source: pk}
        by_copy |= dict.fromkeys(further_sources, pk)
        for path in (source, *further_sources):
            by_name[PurePosixPath(path).name].add(pk)
    by_path_or_hash = by_copy | by_path_or_hash  # an image's own path before that of a copy
    by_task: dict[str, int] = {}
    for row in rows:
        same_name = by_name.get(row.task, set())
        if row.task in by_path_or_hash:
            by_task[row.task] = by_path_or_hash[row.task]
        elif len(same_name) == 1:
            by_task[row.task] = next(iter(same_name))
        else:
            count = len(same_name)
            reason = f"fits {count} pictures: give its path" if count else "is no picture"
            problem = f"{tables.shown(row.task)!r} {reason} of {project.slug}"
            raise _error(table, row.number, "task", problem)
    return by_task


def _concepts(table: tables.Table, rows: list[Row], project: Project) -> dict[str, int]:
    """Return the concept id of each name or alias in the file, however it is spelled."""
    by_key = {key: concept.pk for key, concept in concepts.by_key(project).items()}
    by_name: dict[str, int] = {}
    for row in rows:
        column = "concept" if row.concept else "label"
        name = row.concept or row.label
        if name_key(name) not in by_key:
            problem = f"{tables.shown(name)!r} is no concept of {project.slug}"
            raise _error(table, row.number, column, problem)
        if row.concept and row.label.lower() not in YES_OR_NO:
            problem = f"{tables.shown(row.label)!r} is neither yes nor no"
            raise _error(table, row.number, "label", problem)
        by_name[name] = by_key[name_key(name)]
    return by_name


def _votes(
    table: tables.Table, rows: list[Row], images: dict[str, int], by_name: dict[str, int]
) -> dict[str, Votes]:
    """Return the votes of each worker."""
    votes: dict[str, Votes] = defaultdict(dict)
    labels = {by_name[row.label] for row in rows if not row.concept}
    for row in rows:
        by_worker, image = votes[row.worker], images[row.task]
        if row.concept:
            key, vote = (image, by_name[row.concept]), YES_OR_NO[row.label.lower()]
            if by_worker.setdefault(key, vote) != vote:
                problem = f"{row.worker} answered the opposite before"
                raise _error(table, row.number, "label", problem)
        else:
            for concept in labels:
                by_worker.setdefault((image, concept), False)
            by_worker[image, by_name[row.label]] = True
    return votes


def _record(votes: dict[str, Votes]) -> list[Outcome]:
    """Record the answers of all workers, each batch in a transaction of its own."""
    question_ids = _ask({key for by_worker in votes.values() for key in by_worker})
    outcomes = []
    for worker, by_worker in sorted(votes.items()):
        annotator, _ = Annotator.objects.get_or_create(pseudonym=PREFIX + worker)
        values = {question_ids[key]: by_worker[key] for key in by_worker if key in question_ids}
        for batch in batched(sorted(values), BATCH):
            outcomes.append(
                answers.record(
                    annotator=annotator,
                    values={question: values[question] for question in batch},
                    reasons=dict.fromkeys(batch, Answer.Reason.IMPORTED),
                )
            )
    return outcomes


def _ask(keys: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the question id of each (image, concept); ask where nobody asked before."""
    images: dict[int, set[int]] = defaultdict(set)
    for image, concept_id in keys:
        images[concept_id].add(image)
    question_ids = {}
    for concept in Concept.objects.filter(pk__in=images):
        wholes = list(Tile.objects.filter(image__in=images[concept.pk], grid=1))
        questions.ask_concepts(tiles=wholes, concepts=[concept])
        rows = Question.objects.filter(concept=concept, tile__in=wholes, kind="concept")
        for pk, image in rows.values_list("pk", "tile__image_id"):
            question_ids[image, concept.pk] = pk
    return question_ids
