"""People's recorded answers, given out again one at a time, to whoever asks for them.

A question is an item × a concept, "does it show a cat?"; where there are two classes it is the
item, "is it of the second class?". A recorded label answers yes where it names the concept.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from crowds import Crowd, Ints

Bools = npt.NDArray[np.bool_]
Generator = np.random.Generator


class Answers:
    """What was answered so far, in order, whoever asked."""

    def __init__(self, questions: int) -> None:
        self.asked: list[int] = []
        self.by: list[int] = []
        self.values: list[bool] = []
        self.count = np.zeros(questions, np.intp)
        self.yes = np.zeros(questions, np.intp)

    def add(self, question: int, annotator: int, yes: bool) -> None:
        self.asked.append(question)
        self.by.append(annotator)
        self.values.append(yes)
        self.count[question] += 1
        self.yes[question] += yes

    def columns(self) -> tuple[Ints, Ints, Ints]:
        return np.array(self.asked, np.intp), np.array(self.by), np.array(self.values, np.intp)

    def __len__(self) -> int:
        return len(self.asked)


class Recorded:
    """A crowd's own answers: its annotators come in random order and answer what they once did."""

    def __init__(self, crowd: Crowd, draw: Generator) -> None:
        self.concepts = 1 if len(crowd.classes) == 2 else len(crowd.classes)
        self.truth = crowd.truth
        row = np.full(crowd.task.max() + 1, -1)
        row[crowd.known] = np.arange(len(crowd.known))
        kept = row[crowd.task] >= 0
        self.item, self.worker, self.label = (
            row[crowd.task[kept]],
            crowd.worker[kept],
            crowd.label[kept],
        )
        self.items, self.annotators = len(crowd.known), int(crowd.worker.max()) + 1
        self.draw = draw
        self.left: list[dict[int, bool]] = [{} for _ in range(self.annotators)]
        for item, worker, label in zip(self.item, self.worker, self.label, strict=True):
            for concept in range(self.concepts):
                wanted = 1 if self.concepts == 1 else concept
                self.left[worker][item * self.concepts + concept] = bool(label == wanted)
        self.new_images = draw.permutation(np.repeat(self.worker, self.concepts)).tolist()

    def annotator(self) -> int | None:
        """Who comes next; the more answers one once gave, the more often."""
        return self.new_images.pop() if self.new_images else None

    def available(self, annotator: int) -> Ints:
        return np.fromiter(self.left[annotator], np.intp)

    def answer(self, annotator: int, question: int) -> bool:
        return self.left[annotator].pop(question)

    def at_random(self, most: int) -> Iterator[tuple[int, int, bool]]:
        """Yield (question, annotator, yes) in random order, up to `most` per question."""
        everything = [(q, a, yes) for a, votes in enumerate(self.left) for q, yes in votes.items()]
        count = np.zeros(self.items * self.concepts, np.intp)
        for place in self.draw.permutation(len(everything)):
            question, annotator, yes = everything[place]
            if count[question] < most:
                count[question] += 1
                yield question, annotator, yes


class Counted:
    """Photographs of which it is known how many people gave each label, but not who.

    Each question draws from its photograph's labels without replacement. Whoever gave a label, it
    is said by one of a hundred annotators at random, and by nobody twice to a question.
    """

    def __init__(
        self,
        counts: Ints,
        truth: Ints | Bools,
        draw: Generator,
        annotators: int = 100,
        totals: Ints | None = None,
    ) -> None:
        self.items, self.concepts = counts.shape
        self.truth, self.draw, self.annotators = truth, draw, annotators
        people = np.repeat(counts.sum(1), self.concepts) if totals is None else totals.reshape(-1)
        self.left = people.copy()
        self.yes = counts.reshape(-1).copy()
        self.done: list[set[int]] = [set() for _ in range(annotators)]

    def annotator(self) -> int | None:
        return int(self.draw.integers(self.annotators))

    def available(self, annotator: int) -> Bools:
        free = self.left > 0
        free[list(self.done[annotator])] = False
        return free

    def answer(self, annotator: int, question: int) -> bool:
        yes = bool(self.draw.random() * self.left[question] < self.yes[question])
        self.left[question] -= 1
        self.yes[question] -= yes
        self.done[annotator].add(question)
        return yes

    def at_random(self, most: int) -> Iterator[tuple[int, int, bool]]:
        for question in self.draw.permutation(np.repeat(np.arange(self.left.size), most)).tolist():
            annotator = int(self.draw.integers(self.annotators))
            while question in self.done[annotator]:
                annotator = int(self.draw.integers(self.annotators))
            yield question, annotator, self.answer(annotator, question)


Supply = Recorded | Counted
