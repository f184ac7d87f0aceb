"""Grids: nine tiles about one concept, some of them known."""

import random
from collections.abc import Iterator, Sequence
from statistics import fmean

from labeling.models import Tile
from labeling.selection import candidates, concepts, known
from labeling.selection.candidates import Candidate
from labeling.selection.picks import GRID_TILES, Grid, Kind, Reason, Selection, pick
from labeling.selection.reader import LIKELY, Reader, known_windows


def selections(reader: Reader) -> Iterator[Selection]:
    """Yield nine tiles about one concept: some known or at random, the rest most wanted."""
    for askable in concepts.by_priority(reader.project, 1):
        concept, grid = askable.concept, askable.grid
        at_random = candidates.at_random(concept, grid, Reason.RANDOM)
        pool = reader.read_enough(
            askable,
            grid,
            GRID_TILES - known.MEAN_KNOWN,
            *known_windows(concept, reader.showings),  # of wholes, beside boxes too
            *([] if grid == Tile.BOX else [at_random]),
            candidates.likely(concept, grid, LIKELY),
            candidates.most_wanted(concept, grid, Reason.WANTED),
        )
        if any(c.role in {Reason.RANDOM, Reason.WANTED} for c in pool):
            yield _compose_grid(reader, concept, pool)


def _compose_grid(reader: Reader, concept: int, pool: Sequence[Candidate]) -> Selection:
    """Return a grid of known tiles, a random share, and likely yes and no by halves."""
    grid = Grid()
    at_random = [c for c in pool if c.role == Reason.RANDOM]
    open_ones = [c for c in pool if c.role in {LIKELY, Reason.WANTED}]
    ranked = reader.ranked(list({c.question: c for c in open_ones}.values()))
    likely = [c for c in ranked if c.probability >= 0.5]
    unlikely = [c for c in ranked if c.probability < 0.5]
    truths = _true_share(likely, unlikely)
    stock = known.stock(concept, reader.project, reader.showings)
    places = known.count(GRID_TILES, stock.share)
    known_ones = known.choose(pool, places, at=reader.showings, true_share=truths, of=stock)
    grid.add(known_ones, known.REASONS, len(known_ones))
    places = grid.left
    drawn = sum(random.random() < reader.project.random_share for _ in range(places))
    grid.add(at_random, Reason.RANDOM, drawn)
    grid.add(likely, Reason.WANTED, min(places // 2, grid.left))
    grid.add(unlikely + likely, Reason.WANTED, grid.left)
    grid.add(at_random, Reason.RANDOM, grid.left)
    picks = list(grid.picks.values())
    random.shuffle(picks)
    others = [pick(c, Reason.WANTED) for c in ranked]
    others += [pick(c, Reason.RANDOM) for c in at_random]
    unused = {p.question: p for p in reversed(others) if p.question not in grid.picks}
    return Selection(Kind.GRID, concept, picks, list(reversed(unused.values())))


def _true_share(likely: Sequence[Candidate], unlikely: Sequence[Candidate]) -> float:
    """Return the expected share of true ones among the open tiles of a grid of such candidates."""
    places = GRID_TILES - known.MEAN_KNOWN
    shown = min(len(likely), max(places // 2, places - len(unlikely)))
    some = [*likely[:shown], *unlikely[: places - shown]]
    return fmean(candidate.probability for candidate in some) if some else 0.5
