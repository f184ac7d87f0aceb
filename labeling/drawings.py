"""What models have drawn, for people who answered questions: pictures with their words.

Labelling knows no models: the app that trains registers where they come from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.models import Annotator, Project

SMALL = 64  # pixels of a picture's side


@dataclass(frozen=True)
class Drawing:
    """A picture that a project's present model drew of some words; an earlier one's beside it."""

    words: str
    url: str
    width: int = 0  # pixels of its side; 0: not known
    earlier_url: str = ""  # of the same words by an earlier model; empty: there is none
    language: str = ""  # tag of the words

    @property
    def is_small(self) -> bool:
        """Whether it is so small that it is shown larger than it is."""
        return 0 < self.width <= SMALL


class Source(Protocol):
    """Where drawings come from."""

    def newest(self, project: Project) -> Sequence[Drawing]:
        """Return what a public project's present model draws, beside the one before it."""

    def after_answers(self, annotator: Annotator, project: Project) -> Sequence[Drawing]:
        """Return what it drew of concepts that somebody answered about before it learned."""


_sources: list[Source] = []


def register(source: Source) -> None:
    """Add a source of drawings."""
    _sources.append(source)


def newest(project: Project) -> list[Drawing]:
    """Return what a public project's present model draws."""
    return _from_all(lambda source: source.newest(project))


def after_answers(annotator: Annotator, project: Project) -> list[Drawing]:
    """Return what a project's present model drew of what somebody answered about before."""
    return _from_all(lambda source: source.after_answers(annotator, project))


def _from_all(ask: Callable[[Source], Sequence[Drawing]]) -> list[Drawing]:
    return [drawing for source in _sources for drawing in ask(source)]
