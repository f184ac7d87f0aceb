"""Nominate the pairs that a model doubts most, and those that are most likely to be true."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labeling import predictions, questions
from labeling.aggregation import online
from labeling.models import Pool, Question, Tile
from labeling.pools import levels

MIN_WEIGHT = 0.02  # of a model that nominates anything
LOOK_AHEAD = 4  # pairs that are looked at for each that is nominated
MAX_LOOK_AHEAD = 256

Reason = Question.Reason
Scores = npt.NDArray[np.float32]


class Nominations:
    """Nominations for one locked pool by the predictions of its concept."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.concept = pool, pool.concept
        self.project = pool.concept.project
        self.tiles = predictions.tile_ids(self.project)
        self.belief = self._beliefs()

    @property
    def predicted(self) -> bool:
        """Whether there are predictions by a model that deserves some weight."""
        return self.belief is not None

    def add(self, reason: Reason, count: int) -> int:
        """Store about so many questions, the most doubtful or likely ones; return how many.

        Each is of another picture, and of near-duplicates one alone is nominated at a time.
        """
        if self.belief is None or count <= 0:
            return 0
        scores = -np.abs(self.belief) if reason == Reason.DOUBTFUL else self.belief
        images = self._best(scores, -(-count // self.pool.grid**2))
        tiles = Tile.objects.filter(image__in=images, grid=self.pool.grid)
        pairs = [(tile, self.concept.pk) for tile in tiles.values_list("pk", flat=True)]
        return questions.ask_pairs(project=self.project, pairs=pairs, reason=reason)

    def _beliefs(self) -> Scores | None:
        """Return (T,) log-odds as the model would have them; -inf, NaN → not to be nominated."""
        predicted = predictions.load(self.concept, self.project)
        if predicted is None or self.concept.model_weight < MIN_WEIGHT:
            return None
        prevalence = np.float32(online.log_odds(self.concept.prevalence))
        weight = np.float32(self.concept.model_weight)
        return prevalence + weight * (np.asarray(predicted, np.float32) - prevalence)

    def _best(self, scores: Scores, pictures: int) -> list[int]:
        """Return the images of the tiles with the best scores that are not asked about yet."""
        stored = Question.objects.filter(concept=self.concept).order_by()
        ids = np.fromiter(stored.values_list("tile_id", flat=True).iterator(), np.int64)
        rows = predictions.rows_of(self.tiles, ids)
        scores = np.where(np.isnan(scores), -np.inf, scores)
        scores[rows[rows >= 0]] = -np.inf
        images: dict[int, int] = {}  # by family of near-duplicates
        for tiles in _from_the_best(scores, pictures * self.pool.grid**2):
            for image, family in self._pictures(self.tiles[tiles]):
                if len(images) < pictures:
                    images.setdefault(family, image)
            if len(images) >= pictures:
                break
        return list(images.values())

    def _pictures(self, tiles: predictions.Ids) -> Iterator[tuple[int, int]]:
        """Yield (image, family of near-duplicates) of those that may be asked about, in order."""
        pictures = levels.pictures(self.project, self.pool.grid)
        rows = Tile.objects.filter(pk__in=tiles.tolist(), grid=self.pool.grid, image__in=pictures)
        by_tile = {
            tile: (image, original or image)
            for tile, image, original in rows.values_list(
                "pk", "image_id", "image__near_duplicate_of_id"
            )
        }
        yield from (by_tile[tile] for tile in tiles.tolist() if tile in by_tile)


def _from_the_best(scores: Scores, count: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield rows by score, the best first, in stretches that grow; finite scores alone."""
    start, stop = 0, LOOK_AHEAD * count
    while start < min(stop, len(scores)):
        stop = min(stop, len(scores))
        best = np.argpartition(-scores, stop - 1)[:stop]
        best = best[np.argsort(-scores[best], kind="stable")]
        stretch = best[start:stop]
        yield stretch[np.isfinite(scores[stretch])]
        if not np.isfinite(scores[best[-1]]) or stop >= MAX_LOOK_AHEAD * count:
            return
        start, stop = stop, 8 * stop
