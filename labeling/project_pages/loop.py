"""The loop as its owner sees it: steps, each with its number, its trend and its next action.

Apps register their steps (`register`), so that labelling need not know training.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labeling.access import Capability
from labeling.models import Project


@dataclass(frozen=True)
class Action:
    """Something to do next, as a link: "Mark 20 gold"."""

    text: str
    url: str
    capability: Capability
    urgent: bool = False  # the loop does not go on without it


@dataclass(frozen=True)
class Step:
    """A step of the loop: "Pictures", 1,203, "+44 this week"."""

    name: str
    title: str
    number: int
    unit: str
    url: str
    trend: str = ""
    state: str = ""  # a sentence: what it waits for, or how it is
    actions: tuple[Action, ...] = ()


_steps: dict[int, Callable[[Project], Step]] = {}


def register(order: int, step: Callable[[Project], Step]) -> None:
    """Add a step at a place of the loop.

    10 is pictures, 20 questions, 30 labels, 40 the model, 50 its drawings.
    """
    _steps[order] = step


def steps(project: Project) -> Iterable[Step]:
    """Return a project's steps in the order of the loop."""
    return [_steps[order](project) for order in sorted(_steps)]
