"""How a file of answers or of gold is read, as `Import.options` holds it."""

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from labeling.imports.answers import crowds
from labeling.imports.answers.entries import AnswersError

ROLES = "task", "worker", "label", "concept", "truth"
LENGTH = 200  # characters of each


@dataclass(frozen=True)
class Options:
    """What was chosen; empty is what is detected.

    task, worker, label, concept, truth: the names of the columns (or fields) that hold it.
    worker_name: of whoever gave all answers of a file that names nobody. concept_name: the concept
    that the answers are about where they are yes and no alone. encoding: of texts that are not
    UTF-8, as Python calls it. crowd: within which a worker's id is one person, where it is not that
    of the project and tool (`labeling.imports.answers.crowds`). strict: refuse all where one entry
    is refused.
    """

    task: str = ""
    worker: str = ""
    label: str = ""
    concept: str = ""
    truth: str = ""
    worker_name: str = ""
    concept_name: str = ""
    encoding: str = ""
    crowd: str = ""
    strict: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Options":
        """Check what was chosen. Raises AnswersError."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise AnswersError(f"There is no option {unknown[0]}.")
        texts = {name: values[name] for name in values.keys() - {"strict"}}
        for name, text in texts.items():
            if not isinstance(text, str) or len(text) > LENGTH:
                raise AnswersError(f"{name} is a text of {LENGTH} characters at most.")
        stripped = {name: text.strip() for name, text in texts.items()}
        stripped["encoding"] = _encoding(stripped.get("encoding", ""))
        stripped["crowd"] = crowds.checked(stripped.get("crowd", ""))
        return cls(**stripped, strict=bool(values.get("strict", False)))

    def as_json(self) -> dict[str, Any]:
        """Return what was chosen, as `of` reads it."""
        return {name: value for name, value in asdict(self).items() if value}


def parse_columns(text: str) -> dict[str, str]:
    """Read `task=image,worker=who` of a command. Raises AnswersError."""
    parsed = [part.partition("=")[::2] for part in text.split(",") if part.strip()]
    columns = {role.strip(): name.strip() for role, name in parsed}
    if unknown := sorted(columns.keys() - set(ROLES)):
        raise AnswersError(f"Columns are chosen for {', '.join(ROLES)}, not for {unknown[0]!r}.")
    return columns


def _encoding(name: str) -> str:
    if not name:
        return ""
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)
    except (LookupError, ValueError) as error:
        raise AnswersError(
            "There is no such encoding: try cp1252, latin-1, cp932 or gb18030."
        ) from error
    return codec.name
