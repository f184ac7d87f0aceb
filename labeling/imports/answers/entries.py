"""What a file of answers holds, entry by entry, before a picture or a concept is looked for."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from labeling.imports.members import SourceError


class Kind(StrEnum):
    """What an entry is."""

    ANSWER = "answer"
    GOLD = "gold"


class Given(NamedTuple):
    """An answer: what a worker said of a task.

    With a concept, the label is yes or no. Without, it names what the task shows; `group` is what
    was said together, where several labels may be chosen, and `exclusive`, whether all other labels
    of the file are a no.
    """

    where: str  # "line 3", "task 17, annotation 5"
    task: str
    worker: str
    label: str
    concept: str = ""
    group: str = ""
    exclusive: bool = True
    column: str = "label"  # that holds the label


class Truth(NamedTuple):
    """A truth: what is known of a task; with a concept, the label is yes or no.

    Without, it names what the task shows; `exclusive`: all other labels of the file are a no.
    """

    where: str
    task: str
    label: str
    concept: str = ""
    column: str = "truth"
    exclusive: bool = False


class Refused(NamedTuple):
    """An entry that is not taken, and why."""

    where: str
    column: str  # empty: the entry as a whole
    reason: str
    kind: Kind = Kind.ANSWER


Entries = Iterator[Given | Truth | Refused]


class AnswersError(SourceError):
    """The file cannot be used; the message names the file, and what to do."""


class AnswersConflict(AnswersError):
    """It is not the time for this step, or another has done it."""
