"""Answers in Label Studio's JSON, and in its JSON-MIN: annotations by who completed them."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from labeling.imports.answers.columns import LABEL_STUDIO_OWN, TASKS
from labeling.imports.answers.crowds import Tool
from labeling.imports.answers.entries import AnswersError, Entries, Given, Refused, Truth
from labeling.imports.answers.options import Options
from labeling.imports.answers.tables import TableReader

CHOICES = "choices"
SKIPPED = "the annotator skipped it"
REGIONS = "labels"  # with which the types of regions end: rectanglelabels, brushlabels


class LabelStudioReader:
    """Reads tasks with their annotations. Raises AnswersError where it holds none."""

    tool = Tool.LABEL_STUDIO

    def __init__(self, tasks: Any, options: Options) -> None:
        self.tasks = tasks if isinstance(tasks, list) else [tasks]
        self.options = options
        if not all(isinstance(task, dict) for task in self.tasks) or not self.tasks:
            raise AnswersError("it is no list of Label Studio's tasks")
        self.field = options.task or _task_field(self.tasks)

    def remark(self) -> str:
        """Say how the file is read."""
        return (
            f"Read as Label Studio's JSON: task = data.{self.field}; worker = completed_by; "
            "label = choices, and labels of regions."
        )

    def names(self) -> list[str]:
        """Return the fields of the data among which may be chosen."""
        return _fields(self.tasks)

    def entries(self) -> Entries:
        """Yield an entry for each choice and each labelled region of each annotation."""
        for number, task in enumerate(self.tasks, 1):
            where = f"task {task.get('id', number)}"
            data = task.get("data")
            named = data.get(self.field) if isinstance(data, dict) else None
            annotations = task.get("annotations", task.get("completions"))
            for annotation in annotations if isinstance(annotations, list) else []:
                place = f"{where}, annotation {_id(annotation)}"
                if not isinstance(named, str) or not named.strip():
                    yield Refused(place, f"data.{self.field}", "the task names no picture")
                else:
                    yield from self._annotation(place, named, annotation)

    def _annotation(self, where: str, task: str, annotation: Any) -> Entries:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            yield Refused(where, "result", "it has no result")
            return
        worker = _worker(annotation.get("completed_by")) or self.options.worker_name
        if annotation.get("was_cancelled"):
            yield Refused(where, "", SKIPPED)
            return
        empty = True
        for label, kind, name in _labels(annotation["result"]):
            empty = False
            if label is None:
                yield Refused(where, name, f"{kind} is no label of a picture")
            elif annotation.get("ground_truth"):
                yield Truth(where, task, label, self.options.concept_name, name)
            elif not worker:
                yield Refused(where, "completed_by", "it does not say who gave it: name them")
            else:
                exclusive = kind == CHOICES
                concept = self.options.concept_name
                yield Given(where, task, worker, label, concept, where, exclusive, name)
        if empty:
            yield Refused(where, "result", "there is no answer")


def reader(document: Any, options: Options) -> LabelStudioReader | TableReader:
    """Return the reader of a document: of tasks with annotations, or of flat rows (JSON-MIN)."""
    rows = document if isinstance(document, list) else [document]
    nested = any(isinstance(row, dict) and ("annotations" in row or "data" in row) for row in rows)
    if nested or not rows or not all(isinstance(row, dict) for row in rows):
        return LabelStudioReader(document, options)
    return TableReader(_as_table(rows), options)


def _as_table(rows: list[dict[str, Any]]) -> bytes:
    """Return flat rows as a table: what is no text in JSON."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in header])
    return file.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _task_field(tasks: list[dict[str, Any]]) -> str:
    """Return the field of `data` that names the picture. Raises AnswersError."""
    datas = [task["data"] for task in tasks if isinstance(task.get("data"), dict)]
    names = _fields(tasks)
    texts = [name for name in names if any(isinstance(data.get(name), str) for data in datas)]
    known = [name for name in TASKS if name in texts]
    left = known[:1] or [name for name in texts if name not in LABEL_STUDIO_OWN]
    if len(left) != 1:
        raise AnswersError(
            "which field of the data holds the task? Choose one, as in task=NAME "
            f"(there are: {', '.join(names[:30]) or 'none'})"
        )
    return left[0]


def _fields(tasks: list[dict[str, Any]]) -> list[str]:
    datas = [task["data"] for task in tasks if isinstance(task.get("data"), dict)]
    return list(dict.fromkeys(str(name) for data in datas for name in data))


def _labels(result: list[Any]) -> Iterator[tuple[str | None, str, str]]:
    """Yield (label, kind, name of the control); no label where the kind has none."""
    for region in result:
        kind = region.get("type") if isinstance(region, dict) else None
        value = region.get("value") if isinstance(region, dict) else None
        name = str(region.get("from_name", "result")) if isinstance(region, dict) else "result"
        chosen = value.get(kind) if isinstance(value, Mapping) and isinstance(kind, str) else None
        is_label = isinstance(kind, str) and (kind == CHOICES or kind.endswith(REGIONS))
        if not is_label or not isinstance(chosen, list):
            yield None, str(kind), name
            continue
        for label in chosen:
            yield (label if isinstance(label, str) and label.strip() else None), str(kind), name


def _worker(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("id", completed_by.get("email"))
    if isinstance(completed_by, bool) or completed_by is None:
        return ""
    return str(completed_by).strip()


def _id(annotation: Any) -> str:
    return str(annotation.get("id", "?")) if isinstance(annotation, dict) else "?"
