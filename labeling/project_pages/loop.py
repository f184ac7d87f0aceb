"""The loop as its owner sees it: steps, each with its number, its trend and its next actions.

Apps register their steps (`register`), so that labelling need not know training.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

from labeling.access import Capability
from labeling.models import Project


class Urgency(IntEnum):
    """How much the loop waits for an action."""

    OPTIONAL = 0  # possible at any time
    WAITING = 1  # work that waits, while the loop goes on
    NEEDED = 2  # the loop does not go on without it


@dataclass(frozen=True)
class Action:
    """Something to do next, as a link: "Mark 20 gold"."""

    text: str
    url: str
    capability: Capability
    urgency: Urgency = Urgency.OPTIONAL
    reason: str = ""  # a sentence: what it is good for


@dataclass(frozen=True)
class Step:
    """A step of the loop: "Pictures", 1,203, "+44 this week"."""

    name: str
    title: str
    number: int
    unit: str
    url: str
    trend: str = ""
    days: Sequence[int] = ()  # what came each day, the oldest first: the sparkline
    state: str = ""  # a sentence: what it waits for, or how it is
    actions: tuple[Action, ...] = ()


_steps: dict[int, Callable[[Project], Step]] = {}


def register(order: int, step: Callable[[Project], Step]) -> None:
    """Add a step at a place of the loop.

    10 is pictures, 20 questions, 30 labels, 40 the model, 50 its drawings.
    """
    _steps[order] = step


def steps(project: Project) -> list[Step]:
    """Return a project's steps in the order of the loop."""
    return [_steps[order](project) for order in sorted(_steps)]


def next_action(steps: Collection[Step], capabilities: Collection[Capability]) -> Action | None:
    """Return the action that matters most, of those that somebody may do; None: nothing waits.

    It is the most urgent one, and of several the first in the order of the loop.
    """
    actions = [
        action
        for step in steps
        for action in step.actions
        if action.capability in capabilities and action.urgency > Urgency.OPTIONAL
    ]
    return max(actions, key=lambda action: action.urgency, default=None)
