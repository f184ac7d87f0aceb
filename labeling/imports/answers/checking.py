"""Entries → votes: which picture and concept each is about, and which contradict each other."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling import concepts
from labeling.aggregation import spellings
from labeling.aggregation.tables import shown
from labeling.captions import has_controls
from labeling.imports.answers.columns import YES_OR_NO
from labeling.imports.answers.entries import AnswersError, Given, Kind, Refused, Truth
from labeling.imports.answers.options import Options
from labeling.imports.answers.pictures import Tasks
from labeling.models import Project
from labeling.models.projects import name_key

WORKER_LENGTH = 60
MOST_TRUTHS = 200_000  # of classes, each with a no to all others

Pair = tuple[int, int]  # (image id, concept id)


class Vote(NamedTuple):
    """An answer whose picture and concept are known."""

    entry: Given
    pair: Pair
    value: bool


@dataclass
class Checked:
    """What is in a file: votes by worker, truths, and what is refused. Nothing is stored yet.

    repeated: answers and truths that the file gives once more. exclusive: the concepts of which an
    exclusive label is one, so that it is a no to the others.
    """

    votes: dict[str, list[Vote]] = field(default_factory=lambda: defaultdict(list))
    truths: dict[Pair, tuple[Truth, bool]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    repeated: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    read: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    exclusive: set[int] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """How many pictures the votes and truths are about."""
        voted = {vote.pair[0] for votes in self.votes.values() for vote in votes}
        return len(voted | {image for image, _ in self.truths})


def check(
    entries: Iterable[Given | Truth | Refused], *, project: Project, options: Options
) -> Checked:
    """Look for the picture and the concept of each entry. Raises AnswersError.

    An entry is refused where there is none, or several; where its label is neither yes nor no of a
    concept; and where it contradicts an earlier one of the file.
    """
    listed = list(entries)
    checking = _Checking(project, listed, options)
    for entry in listed:
        checking.add(entry)
    checking.complete()
    return checking.checked


class _Checking:
    def __init__(
        self, project: Project, entries: list[Given | Truth | Refused], options: Options
    ) -> None:
        stated = [entry for entry in entries if not isinstance(entry, Refused)]
        self.project, self.checked = project, Checked()
        self.tasks = Tasks(project, {entry.task for entry in stated})
        self.by_key = {key: row.pk for key, row in concepts.by_key(project).items()}
        self.alone = self._concept_of_all(stated, options)
        self.checked.remarks += _spellings(stated)
        self.values: dict[tuple[str, Pair], Given] = {}
        self.groups: dict[tuple[str, int], Given] = {}
        self.classes: dict[int, tuple[Truth, int]] = {}  # by image; and the concept
        self.found: dict[str, tuple[int | None, str]] = {}

    def _concept_of_all(self, entries: list[Given | Truth], options: Options) -> int | None:
        """Return the concept that all answers are about where they are yes and no alone."""
        if options.concept_name and name_key(options.concept_name) not in self.by_key:
            name = shown(options.concept_name)
            raise AnswersError(f"{name!r} is no concept of {self.project.slug}.")
        labels = {entry.label.casefold() for entry in entries if not entry.concept}
        if not labels or not labels <= YES_OR_NO.keys() or labels & self.by_key.keys():
            return None
        if len(set(self.by_key.values())) != 1:
            raise AnswersError(
                "Its labels are yes and no, and nothing says of which concept: name it with "
                "--concept NAME, or give a column concept."
            )
        (only,) = set(self.by_key.values())
        self.checked.remarks.append("Its labels are yes and no: of the project's only concept.")
        return only

    def add(self, entry: Given | Truth | Refused) -> None:
        """Add an entry to the votes or the truths, or refuse it."""
        if isinstance(entry, Refused):
            self.checked.read[entry.kind] += 1
            self.checked.refused.append(entry)
            return
        kind = Kind.ANSWER if isinstance(entry, Given) else Kind.GOLD
        self.checked.read[kind] += 1
        problem = self._problem(entry)
        if problem is None:
            pair, value = self._pair(entry)
            problem = (
                self._vote(entry, pair, value)
                if isinstance(entry, Given)
                else self._truth(entry, pair, value)
            )
        if problem is not None:
            self.checked.refused.append(Refused(entry.where, *problem, kind))

    def _problem(self, entry: Given | Truth) -> tuple[str, str] | None:
        """Return (column, reason) where an entry cannot be taken by itself."""
        worker = entry.worker if isinstance(entry, Given) else ""
        for column, text in (("task", entry.task), ("worker", worker), (entry.column, entry.label)):
            if has_controls(text):
                return column, "the cell holds control characters"
        if len(worker) > WORKER_LENGTH:
            return "worker", f"the name is longer than {WORKER_LENGTH} characters"
        if entry.task not in self.found:
            self.found[entry.task] = self.tasks.find(entry.task)
        image, reason = self.found[entry.task]
        if image is None:
            return "task", reason
        is_yes_or_no = entry.label.casefold() in YES_OR_NO
        if self.alone is not None and not entry.concept:
            return None
        name = entry.concept or entry.label
        if name_key(name) not in self.by_key:
            column = "concept" if entry.concept else entry.column
            return column, f"{shown(name)!r} is no concept of {self.project.slug}"
        if entry.concept and not is_yes_or_no:
            return entry.column, f"{shown(entry.label)!r} is neither yes nor no"
        return None

    def _pair(self, entry: Given | Truth) -> tuple[Pair, bool]:
        image, _ = self.found[entry.task]
        assert image is not None
        if self.alone is not None and not entry.concept:
            return (image, self.alone), YES_OR_NO[entry.label.casefold()]
        concept = self.by_key[name_key(entry.concept or entry.label)]
        return (image, concept), not entry.concept or YES_OR_NO[entry.label.casefold()]

    def _is_choice(self, entry: Given) -> bool:
        """Whether a label is a no to the other labels."""
        return entry.exclusive and not entry.concept and self.alone is None

    def _vote(self, entry: Given, pair: Pair, value: bool) -> tuple[str, str] | None:
        earlier = self.values.get((entry.worker, pair))
        if earlier is not None:
            if self._pair(earlier)[1] == value:
                self.checked.repeated[Kind.ANSWER] += 1
                return None
            return entry.column, f"{shown(entry.worker)} says the opposite in {earlier.where}"
        if self._is_choice(entry):
            first = self.groups.setdefault((entry.worker, pair[0]), entry)
            if first.group != entry.group:
                return entry.column, (
                    f"{shown(entry.worker)} says {shown(first.label)!r} of it in {first.where}; "
                    "where several labels are true, give yes and no with a column concept"
                )
            self.checked.exclusive.add(pair[1])
        self.values[entry.worker, pair] = entry
        self.checked.votes[entry.worker].append(Vote(entry, pair, value))
        return None

    def complete(self) -> None:
        """Add that a picture of one class is of none of the others. Raises AnswersError."""
        every = sorted({concept for _, concept in self.classes.values()})
        if len(every) < 2:
            return
        size = len(self.classes) * len(every)
        if size > MOST_TRUTHS:
            raise AnswersError(
                f"{len(self.classes):,} pictures of {len(every):,} classes are "
                f"{size:,} truths, more than {MOST_TRUTHS:,}: give fewer pictures at a time, or "
                "yes and no with a column concept."
            )
        for image, (entry, own) in self.classes.items():
            for concept in every:
                if concept != own and (image, concept) not in self.checked.truths:
                    self.checked.truths[image, concept] = entry, False
                    self.checked.read[Kind.GOLD] += 1
        self.checked.remarks.append(
            f"Each picture is of one of its {len(every):,} classes: a truth of that one, "
            "yes, and one of each other, no."
        )

    def _truth(self, entry: Truth, pair: Pair, value: bool) -> tuple[str, str] | None:
        if entry.exclusive and self.alone is None:
            first, own = self.classes.setdefault(pair[0], (entry, pair[1]))
            if own != pair[1]:
                return entry.column, (
                    f"it is {shown(first.label)!r} in {first.where}; where several classes are "
                    "true, give yes and no with a column concept"
                )
        earlier = self.checked.truths.get(pair)
        if earlier is None:
            self.checked.truths[pair] = entry, value
        elif earlier[1] == value:
            self.checked.repeated[Kind.GOLD] += 1
        else:
            return entry.column, f"it is both yes and no: see {earlier[0].where}"
        return None


def implied(vote: Vote, chosen: Collection[Pair], exclusive: Collection[int]) -> list[Pair]:
    """Return the pairs to which a vote for an exclusive label says no.

    chosen: the pairs of which its worker says anything.
    """
    if vote.entry.concept or not vote.entry.exclusive or not vote.value:
        return []
    image, own = vote.pair
    if own not in exclusive:
        return []
    return [(image, other) for other in exclusive if (image, other) not in chosen]


def _spellings(entries: Iterable[Given | Truth]) -> list[str]:
    """Say which labels are spelled in several ways."""
    by_key: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        by_key[name_key(entry.label)].add(entry.label)
    return [
        f"{shown(spellings.in_words(group), 200)} are one label."
        for group in map(sorted, _several(by_key))
    ]


def _several(by_key: Mapping[str, set[str]]) -> list[set[str]]:
    return [names for _, names in sorted(by_key.items()) if len(names) > 1]
