"""Which annotator a worker of another tool is: an id is one person within a crowd alone.

Mechanical Turk and Toloka give a worker one id in all projects. An installation of Label Studio or
CVAT counts its users from 1, and names in a table are anybody's: those are of one project and tool,
unless it is said that the crowd is the same.
"""

import re
from enum import StrEnum

from labeling.access import Capability, projects
from labeling.imports.answers.entries import AnswersError
from labeling.models import Import, Project

PREFIX = "imported:"
NAME = re.compile(r"[^\W_][\w .-]{0,59}")


class Tool(StrEnum):
    """Where answers were given."""

    TABLE = "table"
    MTURK = "mturk"
    TOLOKA = "toloka"
    LABEL_STUDIO = "label-studio"
    CVAT = "cvat"


GLOBAL = (Tool.MTURK, Tool.TOLOKA)  # a worker's id is the same in all projects


def checked(name: str) -> str:
    """Return the name of a crowd as it was chosen; empty: none was. Raises AnswersError."""
    name = " ".join(name.split())
    if name and not NAME.fullmatch(name):
        raise AnswersError(
            "A crowd's name has 60 letters, digits, spaces, dots and hyphens at most, and begins "
            "with a letter or digit."
        )
    return name.casefold()


def crowd(project: Project, tool: Tool, chosen: str = "") -> str:
    """Return the crowd within which an id is one person.

    chosen: its name, where somebody says that projects, or tools, have the same crowd.
    """
    if chosen or tool in GLOBAL:
        return chosen or str(tool)
    return f"{project.pk}/{tool}"  # no name that is chosen holds a slash


def pseudonym(crowd: str, worker: str) -> str:
    """Return the name of the annotator who a worker of a crowd is."""
    return f"{PREFIX}{crowd}:{worker}"


def in_words(crowd: str, *, workers: int) -> str:
    """Say within which crowd the ids of workers are people; empty where there are none."""
    if not workers:
        return ""
    if "/" in crowd:
        return (
            "Its worker ids are those of this project and tool alone: name the crowd where it has "
            "the same workers as another."
        )
    return f"Its worker ids are those of the crowd “{crowd}”, the same people in all projects."


def check_shared(name: str, project: Project, by: object) -> None:
    """Refuse a crowd of which a project speaks that somebody does not manage.

    Else they could change what is thought of its people. Raises AnswersError.
    """
    if not name or name in GLOBAL:
        return
    others = Import.objects.filter(kind=Import.Kind.ANSWERS, options__crowd=name)
    own = projects(by, Capability.MANAGE)  # type: ignore[arg-type]
    if others.exclude(project=project).exclude(project__in=own).exists():
        raise AnswersError(f"The crowd “{name}” is another project's: choose another name.")
