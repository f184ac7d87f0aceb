"""Nominate the pairs that a model doubts most, and those that are most likely to be true."""

from collections.abc import Collection, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labeling import beliefs, predictions
from labeling.aggregation import online
from labeling.beliefs import Beliefs, TileFacts
from labeling.models import Pool, Question, Tile
from labeling.pools import levels

MIN_WEIGHT = 0.02  # of a model that nominates anything
LOOK_AHEAD = 4  # pairs that are looked at for each that is nominated …
GROWTH = 8  # … and so many times as many where those do not do …
MAX_LOOK_AHEAD = 4096  # … but never more

Reason = Question.Reason
Scores = npt.NDArray[np.float32]


class Nominations:
    """Nominations for one locked pool by the predictions of its concept.

    Of near-duplicates, one alone is in the pool at a time.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool, self.concept = pool, pool.concept
        self.project = pool.concept.project
        self.taken: set[int] = set()  # tiles that are not to be nominated
        deserves = self.concept.model_weight >= MIN_WEIGHT
        self.predictions = predictions.load(self.concept, self.project) if deserves else None

    @property
    def predicted(self) -> bool:
        """Whether there are predictions by a model that deserves some weight."""
        return self.predictions is not None

    @cached_property
    def tiles(self) -> predictions.Ids:
        """The tiles with features (T,)."""
        return predictions.tile_ids(self.project)

    @cached_property
    def log_odds(self) -> Scores:
        """The log-odds (T,) of those tiles, without what imports state; NaN: none."""
        prevalence = np.float32(online.log_odds(self.concept.prevalence))
        weight = np.float32(self.concept.model_weight)
        predicted = np.asarray(self.predictions, np.float32)
        log_odds: Scores = prevalence + weight * (predicted - prevalence)
        return log_odds

    @cached_property
    def beliefs(self) -> Beliefs:
        """The priors of the concept's pairs."""
        return Beliefs(self.project, [self.concept])

    @cached_property
    def families(self) -> set[int]:
        """The families of near-duplicates that wait in the pool, or are nominated."""
        return _families(self.pool)

    def best(self, reason: Reason, count: int) -> list[int]:
        """Return the tiles of about so many pairs, the most doubtful or likely ones not stored yet.

        Each is of another picture; of a cut picture all tiles are returned. What is returned once
        is not returned again.
        """
        if not self.predicted or count <= 0:
            return []
        pictures = -(-count // self.pool.grid**2)
        scores = -np.abs(self.log_odds) if reason == Reason.DOUBTFUL else self.log_odds
        images: list[int] = []
        for rows in _from_the_best(scores, pictures * self.pool.grid**2):
            for image, family in self._candidates(self.tiles[rows], reason):
                if len(images) < pictures and family not in self.families:
                    self.families.add(family)
                    images.append(image)
            if len(images) >= pictures:
                break
        tiles = Tile.objects.filter(image__in=images, grid=self.pool.grid).order_by("pk")
        return list(tiles.values_list("pk", flat=True))

    def _candidates(self, tiles: predictions.Ids, reason: Reason) -> Iterator[tuple[int, int]]:
        """Yield (image, family of near-duplicates) of those that may be nominated, the best first.

        They are ranked by what is believed exactly, with what imports state.
        """
        pictures = levels.pictures(self.project, self.pool.grid)
        rows = Tile.objects.filter(pk__in=tiles.tolist(), grid=self.pool.grid, image__in=pictures)
        originals = dict(rows.values_list("pk", "image__near_duplicate_of_id"))
        facts = {
            fact.tile: fact for fact in beliefs.facts(originals.keys() - self._stored(originals))
        }
        in_order = [facts[tile] for tile in tiles.tolist() if tile in facts]
        for fact in self._ranked(in_order, reason):
            yield fact.image, originals[fact.tile] or fact.image

    def _stored(self, tiles: Collection[int]) -> set[int]:
        """Return those of the tiles whose pairs are stored, or to be stored."""
        stored = Question.objects.filter(concept=self.concept, tile__in=list(tiles)).order_by()
        return self.taken | set(stored.values_list("tile_id", flat=True))

    def _ranked(self, facts: list[TileFacts], reason: Reason) -> list[TileFacts]:
        """Return them by what is believed exactly; those alike keep their order."""
        probability = self.beliefs.priors(facts).probability[:, 0]
        scores = -np.abs(probability - 0.5) if reason == Reason.DOUBTFUL else probability
        return [facts[row] for row in np.argsort(-scores, kind="stable")]


def _families(pool: Pool) -> set[int]:
    """Return the families of near-duplicates of which a nominee waits to be asked about."""
    nominated = Question.objects.filter(
        concept=pool.concept_id, grid=pool.grid, kind="concept", state="open", answers_count=0
    )
    rows = nominated.exclude(source="model").filter(reason__in=[Reason.DOUBTFUL, Reason.LIKELY])
    pairs = rows.order_by().values_list("tile__image", "tile__image__near_duplicate_of")
    return {original or image for image, original in pairs}


def _from_the_best(scores: Scores, count: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield rows by score, the best first, in stretches that grow; finite scores alone."""
    scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    start, stop = 0, LOOK_AHEAD * count
    while start < min(stop, len(scores)):
        stop = min(stop, len(scores))
        best = np.argpartition(-scores, stop - 1)[:stop]
        best = best[np.argsort(-scores[best], kind="stable")]
        stretch = best[start:stop]
        yield stretch[np.isfinite(scores[stretch])]
        if not np.isfinite(scores[best[-1]]) or stop >= MAX_LOOK_AHEAD * count:
            return
        start, stop = stop, GROWTH * stop
