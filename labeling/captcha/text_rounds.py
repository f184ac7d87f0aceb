"""Rounds of the text door: several questions in sentences alone."""

from collections.abc import Collection, Sequence
from typing import Any

from labeling.captcha.passing import Evidence
from labeling.models import Attempt, Project


def is_ready(project: Project) -> bool:
    """Return whether a project has enough captions; none is asked about yet."""
    return False


def compose(project: Project, exclude: Collection[int] = ()) -> Any:
    """Return what both rounds ask; None where there is too little."""


def items(attempt: Attempt, number: int) -> list[dict[str, object]]:
    """Return the questions of a round."""
    return []


def parse(attempt: Attempt, number: int, choices: Sequence[int] | None) -> list[bool]:
    """Return whether each caption that is asked about was chosen."""
    return []


def evidence(attempt: Attempt) -> Evidence:
    """Return the evidence of all rounds so far."""
    return Evidence()
