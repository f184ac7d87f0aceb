"""Which columns of a table are the task, the worker and the label, by who writes tables so."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from labeling.aggregation.dialects import key
from labeling.imports.answers.entries import AnswersError
from labeling.imports.answers.options import Options

TASKS = (
    *("task", "picture", "image", "path", "file", "file_name", "filename", "image_path", "img"),
    *("image_name", "img_name", "picture_name", "file_path", "photo", "sha256", "image_url", "url"),
    *("item", "task_id"),
)
WORKERS = (
    *("worker", "annotator", "worker_id", "annotator_id", "user", "username", "user_id", "rater"),
    *("labeler", "labeller"),
)
LABELS = (
    *("label", "answer", "class", "category", "choice", "response", "result", "value", "vote"),
    *("sentiment", "choices"),
)
CONCEPTS = "concept", "question"
TRUTHS = "truth", "gold", "value", "label", "answer"
YES_OR_NO = {
    **dict.fromkeys(("yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
}
LABEL_STUDIO_OWN = {
    *("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "history"),
    *("agreement", "reviews", "comments", "unresolved_comment_count"),
}
_ROLES = {"a gold list": "truth", "a gold list of classes": "class"}
SAMPLE = 1_000  # rows by which columns are told apart


class Format(StrEnum):
    """Who writes a table so."""

    TABLE = "a table"
    GOLD = "a gold list"
    CLASSES = "a gold list of classes"
    MTURK = "Mechanical Turk's results"
    TOLOKA = "Toloka's results"
    LABEL_STUDIO = "Label Studio's table"


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they hold; empty: there is none such."""

    format: Format
    task: str
    worker: str = ""
    labels: Sequence[str] = ()
    concept: str = ""
    golds: Sequence[str] = ()
    status: str = ""
    prefix: str = ""  # of the labels' columns

    def in_words(self) -> str:
        """Say what was detected or chosen."""
        parts = [f"task = {self.task}"]
        parts += [f"worker = {self.worker}"] if self.worker else []
        parts += [f"{_ROLES.get(self.format, 'label')} = {', '.join(self.labels)}"]
        parts += [f"concept = {self.concept}"] if self.concept else []
        parts += [f"gold = {', '.join(self.golds)}"] if self.golds else []
        return f"Read as {self.format}: {'; '.join(parts)}."


def detect(header: Sequence[str], sample: Sequence[Sequence[str]], options: Options) -> Columns:
    """Return the columns of answers that were chosen, or else look like it. Raises AnswersError."""
    keys = set(map(key, header))
    if {"hitid", "workerid"} <= keys:
        found = _mturk(header, sample, options)
    elif "assignment:worker_id" in keys:
        found = _toloka(header, sample, options)
    elif {"annotation_id", "annotator"} <= keys:
        found = _label_studio(header, sample, options)
    else:
        found = Columns(
            Format.TABLE,
            task=_one(header, options.task, TASKS, "task"),
            worker=_worker(header, options),
            labels=[_one(header, options.label, LABELS, "label")],
            concept=_optional(header, options.concept, CONCEPTS),
        )
    return found


def detect_gold(header: Sequence[str], options: Options) -> Columns:
    """Return the columns of a gold list. Raises AnswersError.

    Without a concept its truths are classes, one a picture; or yes and no of the only concept.
    """
    task = _one(header, options.task, TASKS, "task")
    concept = _optional(header, options.concept, CONCEPTS)
    if concept or options.concept_name:
        concept = "" if options.concept_name else concept
        return Columns(
            Format.GOLD,
            task=task,
            labels=[_one(header, options.truth, TRUTHS, "truth")],
            concept=concept,
        )
    others = [cell for cell in header if cell != task]
    if not options.truth and len(others) == 1:
        return Columns(Format.CLASSES, task=task, labels=others)
    label = _one(header, options.truth, (*TRUTHS, *LABELS), "truth", among=others)
    return Columns(Format.CLASSES, task=task, labels=[label])


def _mturk(header: Sequence[str], sample: Sequence[Sequence[str]], options: Options) -> Columns:
    answers = [cell for cell in header if key(cell).startswith("answer.")]
    return Columns(
        Format.MTURK,
        task=_prefixed(header, options.task, "input.", TASKS, "task"),
        worker=_one(header, options.worker, ["workerid"], "worker"),
        labels=_labels(header, sample, answers, options, "answer."),
        concept=_optional(header, options.concept, [f"input.{name}" for name in CONCEPTS]),
        status=_optional(header, "", ["assignmentstatus"]),
        prefix="answer.",
    )


def _toloka(header: Sequence[str], sample: Sequence[Sequence[str]], options: Options) -> Columns:
    outputs = [cell for cell in header if key(cell).startswith("output:")]
    labels = _labels(header, sample, outputs, options, "output:")
    golden = {f"golden:{key(label).removeprefix('output:')}" for label in labels}
    return Columns(
        Format.TOLOKA,
        task=_prefixed(header, options.task, "input:", TASKS, "task"),
        worker=_one(header, options.worker, ["assignment:worker_id"], "worker"),
        labels=labels,
        concept=_optional(header, options.concept, [f"input:{name}" for name in CONCEPTS]),
        golds=[cell for cell in header if key(cell) in golden],
        status=_optional(header, "", ["assignment:status"]),
        prefix="output:",
    )


def _label_studio(
    header: Sequence[str], sample: Sequence[Sequence[str]], options: Options
) -> Columns:
    others = [cell for cell in header if key(cell) not in LABEL_STUDIO_OWN]
    task = _one(header, options.task, TASKS, "task")
    answers = [cell for cell in others if cell != task]
    return Columns(
        Format.LABEL_STUDIO,
        task=task,
        worker=_one(header, options.worker, ["annotator"], "worker"),
        labels=_labels(header, sample, answers, options, ""),
    )


def _labels(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    answers: Sequence[str],
    options: Options,
    prefix: str,
) -> Sequence[str]:
    """Return the columns of labels: the chosen one, the only one, several of yes and no alone."""
    if options.label:
        return [_one(header, options.label, (), "label")]
    filled = [name for name in answers if any(_cells(header, sample, name))] or list(answers)
    truths = [name for name in filled if _are_truths(_cells(header, sample, name))]
    if len(filled) == 1 or truths == filled != []:
        return filled
    known = [name for name in filled if key(name).removeprefix(prefix) in (*LABELS, "taskanswers")]
    if len(known) == 1:
        return known
    if truths and not known:
        return truths
    raise AnswersError(_which("label", filled))


def _cells(header: Sequence[str], sample: Sequence[Sequence[str]], name: str) -> set[str]:
    place = header.index(name)
    return {row[place].strip() for row in sample if len(row) > place} - {""}


def _are_truths(cells: Iterable[str]) -> bool:
    values = {cell.casefold() for cell in cells}
    return bool(values) and values <= YES_OR_NO.keys()


def _worker(header: Sequence[str], options: Options) -> str:
    if options.worker_name and not options.worker:
        return ""
    return _one(header, options.worker, WORKERS, "worker")


def _prefixed(
    header: Sequence[str], chosen: str, prefix: str, names: Sequence[str], role: str
) -> str:
    """Return a column of an input: the chosen one, the only one, or the one of a known name."""
    inputs = [cell for cell in header if key(cell).startswith(prefix)]
    if not chosen and len(inputs) == 1:
        return inputs[0]
    return _one(header, chosen, [f"{prefix}{name}" for name in names], role, among=inputs)


def _one(
    header: Sequence[str],
    chosen: str,
    names: Sequence[str],
    role: str,
    *,
    among: Sequence[str] | None = None,
) -> str:
    """Return the name of a column as the header spells it. Raises AnswersError."""
    found = _optional(header, chosen, names)
    if not found:
        raise AnswersError(_which(role, header if among is None else among))
    return found


def _optional(header: Sequence[str], chosen: str, names: Sequence[str]) -> str:
    """Return the chosen column, or the first of these names that is there; empty: none is."""
    for name in [chosen] if chosen else names:
        exact = [cell for cell in header if cell.strip() == name]
        alike = exact or [cell for cell in header if _plain(cell) == _plain(name)]
        if len(alike) > 1:
            raise AnswersError(f"the column {name} appears twice")
        if alike:
            return alike[0]
    if chosen:
        raise AnswersError(f"there is no column {chosen} (there are: {_named(header)})")
    return ""


def _plain(name: str) -> str:
    """Return what names of columns are compared by: “Image Name” is image_name."""
    return re.sub(r"[\s_-]+", "_", key(name))


def _which(role: str, header: Sequence[str]) -> str:
    return (
        f"which column holds the {role}? Choose one, as in {role}=NAME "
        f"(there are: {_named(header)})"
    )


def _named(header: Sequence[str]) -> str:
    return ", ".join(cell.strip() for cell in header[:30]) or "none"
