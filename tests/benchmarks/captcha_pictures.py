"""Questions about CIFAR-10's test pictures, what people and models say to them, and how many pass.

What the benchmarks of the CAPTCHA share. The folder is described in `captcha_who_passes`.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from labeling.captcha import passing
from labeling.captcha.passing import Outcome

CLASSES = 10
AGREED = 0.7  # of people, with whom a picture may be gold
UNMIXED = 0.005  # chance of a class that nobody takes a picture for, beside those that people do

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Generator = np.random.Generator


@dataclass(frozen=True)
class Pictures:
    """P pictures, and for each class: what share of people say so, and a model's probability."""

    shown: Index  # (P,) the class
    people: Floats  # (P, 10)
    model: Floats  # (P, 10)

    def only(self, rows: Index) -> "Pictures":
        return Pictures(self.shown[rows], self.people[rows], self.model[rows])


@dataclass(frozen=True)
class Tiles:
    """The known tiles of a round."""

    picture: Index
    concept: int
    truth: Bools


# What somebody answers to the known tiles of a round; the truth is for those who know some of it.
Answer = Callable[[Tiles], Bools]


def load(folder: Path) -> Pictures:
    """Return the pictures, in their original order."""
    counts = _read(folder / "cifar10" / "human_counts_test.csv")
    model = _read(folder / "cifar10" / "model_probabilities_test.csv")
    people = counts[:, 1:-1] / counts[:, 1:-1].sum(1, keepdims=True)
    return Pictures(counts[:, -1].astype(np.intp), people, model[:, :CLASSES])


def _read(path: Path) -> Floats:
    with path.open(newline="") as file:
        return np.array(list(csv.reader(file))[1:], float)


class Deck:
    """Known tiles of each concept, drawn at random.

    agreed: only pictures about which people agree, as gold is chosen. mixed_up: false ones as often
    as people take them for true. against_model: the share of those that the model gets wrong.
    """

    def __init__(
        self,
        pictures: Pictures,
        draw: Generator,
        *,
        agreed: bool = True,
        mixed_up: bool = False,
        against_model: float = 0.0,
    ) -> None:
        self._draw, self._against = draw, against_model
        self.pictures = pictures
        self._cards: dict[tuple[int, bool, bool], tuple[Index, Floats]] = {}
        for concept in range(CLASSES):
            says, wrong = pictures.people[:, concept], pictures.model[:, concept] >= 0.5
            for truth in (True, False):
                fits = (pictures.shown == concept) == truth
                if agreed:
                    fits &= (says if truth else 1 - says) >= AGREED
                weight = says + UNMIXED if mixed_up and not truth else np.ones(len(says))
                for against in (True, False):
                    missed = wrong != truth
                    (rows,) = np.nonzero(fits & missed if against else fits)
                    self._cards[concept, truth, against] = rows, weight[rows]

    def tiles(self, concept: int, count: int, true: int) -> Tiles:
        """Draw the known tiles of a round."""
        truth = self._draw.permutation(np.arange(count) < true)
        picture = np.empty(count, np.intp)
        for value in (True, False):
            places = np.flatnonzero(truth == value)
            against = self._draw.random(len(places)) < self._against
            for missed in (True, False):
                rows, weight = self._cards[concept, value, missed]
                if not len(rows):
                    rows, weight = self._cards[concept, value, False]
                some = places[against == missed]
                picture[some] = self._draw.choice(rows, len(some), p=weight / weight.sum())
        return Tiles(picture, concept, truth)

    def people(self, tiles: Tiles) -> Bools:
        """Answer as people do."""
        chance = self.pictures.people[tiles.picture, tiles.concept]
        return self._draw.random(len(chance)) < chance

    def predicted(self, tiles: Tiles) -> Floats:
        return self.pictures.model[tiles.picture, tiles.concept]


@dataclass(frozen=True)
class End:
    """How an attempt ended."""

    passed: bool
    rounds: int


def attempt(deck: Deck, answer: Answer, threshold: float, random: Random) -> End:
    """Let somebody answer one round or two, and judge them."""
    first: int | None = None
    values: list[bool] = []
    known: list[float] = []
    predicted: list[float] = []
    for last_round in (False, True):
        tiles = deck.tiles(random.randrange(CLASSES), *passing.draw_known(random))
        values += answer(tiles).tolist()
        known += tiles.truth.astype(float).tolist()
        predicted += deck.predicted(tiles).tolist()
        first = first or len(values)
        evidence = passing.grid_evidence(values, known, predicted, first_round=first)
        outcome = passing.decide(evidence, threshold=threshold, last_round=last_round)
        if outcome != Outcome.ANOTHER:
            break
    return End(outcome == Outcome.PASSED, 1 + last_round)


def attempts(
    deck: Deck, answer: Answer, threshold: float, count: int, seed: int = 0
) -> Iterator[End]:
    random = Random(seed)
    return (attempt(deck, answer, threshold, random) for _ in range(count))
