"""A second look at features: least squares on likenesses to some of the rows, out of fold.

Ridge regression in the span of a Gaussian kernel at some rows (A. Smola and B. Schölkopf, "Sparse
greedy matrix approximation for machine learning", ICML 2000). It sees curved borders, which a
linear probe does not, and errs otherwise.
"""

import numpy as np

from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.probe import ROWS, Basis, Singles, hashes

CENTRES = 1500  # rows at most to which others are compared, and …
CELLS = 10**8  # … likenesses that are held
RIDGES = 0.3, 1.0, 3.0, 10.0, 30.0  # tried in turn
NEGLIGIBLE = 1e-5  # variance of an axis of the kernel, against that of the first


class KernelProbe:
    """Ridge regressions, each fitted to all rows but those of its fold; factorised once.

    rows: (n, D) features, all finite, two at least. fold: (n,) below `folds`.
    """

    def __init__(self, rows: Singles, fold: Ints, *, folds: int, seed: int) -> None:
        spread = _spread(rows)
        count = max(1, min(CENTRES, len(rows) // 2, CELLS // len(rows)))
        chosen = np.argsort(hashes(rows, seed + 1), kind="stable")[:count]
        centres = spread[chosen]
        axes = _axes(_likeness(centres, centres))
        parts = (slice(start, start + ROWS) for start in range(0, len(rows), ROWS))
        alike = [_likeness(spread[part], centres) @ axes for part in parts]
        self._alike = np.concatenate(alike)  # (n, m)
        self._members = [np.flatnonzero(fold == each) for each in range(folds)]
        own = [self._alike[rows].T @ self._alike[rows] for rows in self._members]
        total = np.sum(own, axis=0, dtype=np.float64)
        self._without = [total - each for each in own]  # (F, m, m)
        self._ridge = 0.0

    def out_of_fold(self, targets: Floats) -> Floats:
        """Return scores (n, K) for targets (n, K), less their mean, by the best of the ridges.

        The ridge is chosen with the first targets.
        """
        wanted = (targets - targets.mean(0)).astype(np.float32)
        if self._ridge:
            return self._scores(wanted, self._ridge)
        best, least = np.zeros(wanted.shape), np.inf
        for ridge in RIDGES:
            scores = self._scores(wanted, ridge)
            loss = float(np.square(scores - wanted).mean())
            if loss > least:
                break
            best, least, self._ridge = scores, loss, ridge
        return best

    def _scores(self, targets: Singles, ridge: float) -> Floats:
        from scipy.linalg import solve  # type: ignore[import-untyped]

        own = [self._alike[rows].T @ targets[rows] for rows in self._members]
        total = np.sum(own, axis=0, dtype=np.float64)
        scores = np.zeros(targets.shape)
        for rows, without, each in zip(self._members, self._without, own, strict=True):
            slopes = solve(without + ridge * np.eye(len(without)), total - each, assume_a="pos")
            scores[rows] = self._alike[rows] @ slopes.astype(np.float32)
        return scores


def _spread(rows: Singles) -> Singles:
    """Return the rows, centred, halfway to equal spread, with a mean square of one in all."""
    plain = Basis.of(rows, 0)
    standard: Singles = (rows - plain.mean) * plain.scale
    size = np.sqrt(np.mean(np.square(standard).sum(1), dtype=np.float64))
    return standard / np.float32(size) if size else standard


def _axes(alike: Singles) -> Singles:
    """Return (c, m) what makes of likenesses to c centres m features of equal prior variance."""
    powers, axes = np.linalg.eigh(alike.astype(np.float64))
    kept = powers > NEGLIGIBLE * powers[-1]
    scaled: Singles = (axes[:, kept] / np.sqrt(powers[kept])).astype(np.float32)
    return scaled


def _likeness(rows: Singles, centres: Singles) -> Singles:
    """Return exp(-d²/2) (n, m) of distances d; two rows are √2 apart on average."""
    squares = np.square(rows).sum(1)[:, None] + np.square(centres).sum(1)
    alike: Singles = np.exp(rows @ centres.T - squares / 2)
    return alike
