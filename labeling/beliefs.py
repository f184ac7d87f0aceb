"""What is believed of a tile and a concept before anybody was asked: the prior of every pair.

The base is what an import states, else the concept's prevalence. The model's prediction shifts its
log-odds by what it says beyond the prevalence, times the concept's model weight, and so does what
people say of concepts that rule it out on the same picture (`labeling.exclusions`). A stored
question begins at this prior, and a pair that is not stored is believed at it: so what is believed
does not depend on which pairs are stored.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling import exclusions, predictions
from labeling.aggregation.online import EDGE
from labeling.exclusions import Exclusion
from labeling.models import BoxStatement, ClassSet, Concept, Project, Tile
from labeling.models.projects import CERTAINTY, movable

LEAST = 1 - CERTAINTY  # probability that an import states
MAX_SHIFT = 3.0  # log-odds: before its weight, a prediction counts at most as one answer may

Floats = npt.NDArray[np.float64]

_COLUMNS = (
    *("pk", "grid", "image_id", "image__generated", "image__stated_keys"),
    *("image__class_set_id", "image__import_confidence"),
)


class TileFacts(NamedTuple):
    """A tile, and what imports state of it: the image's keys of a whole, its labels of a box."""

    tile: int
    grid: int
    image: int
    generated: bool
    stated_keys: Sequence[str]
    class_set: int | None
    import_confidence: float


@dataclass(frozen=True)
class Priors:
    """The priors of n tiles × C concepts: arrays (n, C)."""

    stated: Floats  # probability by an import; NaN: none
    predicted: Floats  # the model's probability; NaN: none
    shift: Floats  # log-odds that the prediction adds; 0 without one
    exclusion: Exclusion  # what people say of other concepts of the tiles
    probability: Floats


def facts(tiles: Iterable[int]) -> list[TileFacts]:
    """Return the facts about tiles by their ids, in the order of the ids."""
    rows = Tile.objects.filter(pk__in=list(tiles)).order_by("pk")
    of_tiles = [TileFacts(*row) for row in rows.values_list(*_COLUMNS)]
    boxes = {each.tile for each in of_tiles if each.grid == Tile.BOX}
    return _with_labels(of_tiles, boxes) if boxes else of_tiles


def _with_labels(tiles: Sequence[TileFacts], boxes: set[int]) -> list[TileFacts]:
    """Return the facts, of boxes with their own labels in place of what their images show."""
    keys: dict[int, list[str]] = defaultdict(list)
    for tile, key in BoxStatement.objects.filter(tile__in=boxes).values_list("tile", "key"):
        keys[tile].append(key)
    return [
        each._replace(stated_keys=keys[each.tile], class_set=None) if each.tile in boxes else each
        for each in tiles
    ]


class Statements:
    """What imports state of a project's pairs, by its concepts and class sets as they are now."""

    def __init__(self, project: Project, concepts: Sequence[Concept]) -> None:
        self._concepts = len(concepts)
        columns = {concept.pk: column for column, concept in enumerate(concepts)}
        self._by_key = {key: n for n, concept in enumerate(concepts) for key in concept.keys}
        self._class_sets = {
            pk: (len(ids), [columns[each] for each in ids if each in columns])
            for pk, ids in ClassSet.objects.filter(project=project).values_list("pk", "concepts")
        }

    def of(self, tiles: Sequence[TileFacts]) -> Floats:
        """Return (n, C) what is stated of n tiles and C concepts, NaN: nothing.

        Imports speak of whole images that came from outside, and of the boxes on them.
        """
        stated = np.full((len(tiles), self._concepts), np.nan)
        for row, tile in enumerate(tiles):
            if tile.grid not in {1, Tile.BOX} or tile.generated:
                continue
            confidence = movable(tile.import_confidence)
            if tile.class_set in self._class_sets:
                size, columns = self._class_sets[tile.class_set]
                stated[row, columns] = of_other_classes(confidence, classes=size)
            for key in tile.stated_keys:
                if key in self._by_key:
                    stated[row, self._by_key[key]] = confidence
        return stated


class Beliefs:
    """The priors of a project's pairs, by its concepts and their predictions as they are now."""

    def __init__(self, project: Project, concepts: Sequence[Concept]) -> None:
        self.concepts = concepts
        self._groups = exclusions.groups_of(project, concepts)
        everything = [*concepts, *self._groups.partners]  # what rules those out comes last
        self._statements = Statements(project, everything)
        self._tile_ids = predictions.tile_ids(project)
        self._predictions = [predictions.load(concept, project) for concept in everything]
        self._prevalence = np.array([concept.prevalence for concept in everything])
        self._weight = np.array([concept.model_weight for concept in everything])

    def priors(self, tiles: Sequence[TileFacts]) -> Priors:
        """Return the priors (n, C) of n tiles and all concepts."""
        stated = self._statements.of(tiles)
        predicted = self._predicted(tiles)
        base = np.where(np.isnan(stated), self._prevalence, stated)
        change = shift(predicted, self._prevalence, self._weight)
        whole = [tile.tile for tile in tiles if tile.grid == 1 and not tile.generated]
        exclusion = self._groups.exclusion(
            [tile.tile for tile in tiles], whole, shifted(base, change)
        )
        own = slice(0, len(self.concepts))
        stated, predicted, change = stated[:, own], expit(predicted[:, own]), change[:, own]
        probability = shifted(base[:, own], change + exclusion.shift)
        return Priors(stated, predicted, change, exclusion, probability)

    def _predicted(self, tiles: Sequence[TileFacts]) -> Floats:
        """Return (n, C) the predicted log-odds, NaN without a prediction."""
        rows = predictions.rows_of(self._tile_ids, np.array([t.tile for t in tiles], np.int64))
        predicted = np.full((len(tiles), len(self._predictions)), np.nan)
        present = np.flatnonzero(rows >= 0)
        for column, array in enumerate(self._predictions):
            if array is not None and len(present):
                predicted[present, column] = array[rows[present]]
        return predicted


def of_other_classes(confidence: float, *, classes: int) -> float:
    """Return the probability that a picture of one of so many classes is of another one."""
    return max((1 - confidence) / max(classes - 1, 1), LEAST)


def of_other_classes_sql(*, confidence: str, classes: str) -> str:
    """Return SQL of the same, of an import's confidence as it is stored; both are SQL, too."""
    bounded = f"least(greatest({confidence}, {LEAST}), {CERTAINTY})"
    return f"greatest((1 - {bounded}) / greatest({classes} - 1, 1), {LEAST})"


def shift(predicted: Floats, prevalence: Floats, weight: Floats) -> Floats:
    """Return what predicted log-odds add to those of the prior; 0 where nothing is predicted.

    It is clipped, so that it never settles a question without as many answers as the project asks
    for.
    """
    beyond = np.nan_to_num(predicted - log_odds(prevalence), nan=0.0)
    change: Floats = weight * beyond.clip(-MAX_SHIFT, MAX_SHIFT)
    return change


def shifted(probability: Floats, change: Floats) -> Floats:
    """Return probabilities, shifted by so many log-odds."""
    moved: Floats = np.where(change == 0, probability, expit(log_odds(probability) + change))
    return moved


def log_odds(probability: Floats) -> Floats:
    """Return the log-odds of probabilities, clipped to [EDGE, 1 - EDGE]."""
    odds: Floats = logit(np.clip(probability, EDGE, 1 - EDGE))
    return odds
