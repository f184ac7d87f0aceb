"""A linear probe on features as one more annotator: its probabilities, cross-validated.

Ridge logistic regression on soft targets, all folds at once (G. Alain and Y. Bengio,
"Understanding intermediate layers using linear classifier probes", 2016). The probabilities of a
task are those of the fold's model that was not fitted to it. Folds are drawn by the bits of a row
of features, so that neither order nor names of tasks matter, and equal pictures share a fold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats, Ints

Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Prior precisions of a weight, per feature, tried in turn.
RIDGES = 10.0, 1.0, 0.3, 0.1, 0.03
SMOOTHING = 3.0  # pseudo-tasks in the class frequencies that are a probe's constant
CURVATURE = 0.1  # about p (1 - p); scales the optimiser's steps, not its result
STEPS = 40  # of L-BFGS
TOLERANCE = 1e-3  # nats per task
ROWS = 20_000  # hashed or predicted together


def cross_val_predict(
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    folds: int = 5,
    weight: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Floats:
    """Return out-of-fold class probabilities (T, K) by a linear probe on features (T, D).

    targets: (T, K) class probabilities to learn from. Rows that hold NaN are not learned from, and
        get the mean of the folds' models.
    weight: (T,) how much each target counts, from 0 on.

    The ridge is the one of `RIDGES` with the best out-of-fold likelihood. Rows of features that
    are not finite get NaN, and so does everything where no target is known. Raises ValueError on
    shapes that do not fit together, and on targets or weights that are none.
    """
    rows, probabilities, weights = _checked(features, targets, weight)
    predicted = np.full(probabilities.shape, np.nan)
    usable = np.isfinite(rows).all(1)
    known = usable & np.isfinite(probabilities).all(1) & (weights > 0)
    if not known.any():
        return predicted
    probe = Probe(rows[known], probabilities[known], weights[known], folds=folds, seed=seed)
    predicted[known] = probe.out_of_fold
    predicted[usable & ~known] = probe.predict_proba(rows[usable & ~known])
    return predicted


class Probe:
    """F ridge logistic regressions, each fitted to all rows but those of its fold.

    rows: (n, D) features, all finite.
    targets: (n, K) class probabilities that sum to one.
    weights: (n,) above 0.
    hints: the number of last columns that may weigh as much as all others together, as a zero-shot
        score may.
    out_of_fold: (n, K) probabilities of each row by the model that was not fitted to it.
    """

    def __init__(
        self,
        rows: Singles,
        targets: Floats,
        weights: Floats,
        *,
        hints: int = 0,
        folds: int = 5,
        seed: int = 0,
    ) -> None:
        if folds < 2:
            raise ValueError(f"a probe needs two folds or more, not {folds}")
        self._basis = Basis.of(rows, hints)
        self._rows = self._basis.transform(rows)
        self._fold = folds_of(rows, folds, seed)
        self._shape = folds, rows.shape[1] + 1, targets.shape[1]  # F, D + 1, K
        self._targets = targets.astype(np.float32)
        self._weights = weights.astype(np.float32)
        self._mask = self._weights[:, None] * (self._fold[:, None] != np.arange(folds))  # (n, F)
        share = (self._weights @ self._targets + SMOOTHING) / (weights.sum() + SMOOTHING)
        mass = self._mask.T @ self._targets + SMOOTHING * share  # (F, K)
        self._offset = np.log(mass / mass.sum(1, keepdims=True))  # (F, K)
        self._power = np.square(self._rows).sum(0)  # (D,)
        self._best = self._select_ridge()
        self.out_of_fold = self._predict_out_of_fold(self._best)
        del self._rows, self._mask

    def predict_proba(self, rows: npt.ArrayLike) -> Floats:
        """Return the mean of the folds' probabilities (m, K) for rows (m, D) not fitted to."""
        features = np.asarray(rows, np.float32)
        mean = np.empty((len(features), self._shape[2]))
        for start in range(0, len(features), ROWS):
            rotated = self._basis.transform(features[start : start + ROWS])
            mean[start : start + ROWS] = softmax(self._scores(self._best, rotated)).mean(1)
        return mean

    def linear_weights(self) -> Floats:
        """Return (D + 1, K) the mean weights of the folds on a plain row, and the constant.

        The softmax of their scores is nearly `predict_proba`, for where a model must be linear.
        """
        basis = self._basis
        weights = self._best.mean(0)  # (D + 1, K)
        plain = basis.scale[:, None] * (basis.axes @ weights[:-1])
        constant = self._offset.mean(0) + weights[-1] - basis.mean @ plain
        return np.concatenate([plain, constant[None]])

    def _select_ridge(self) -> Floats:
        """Return the weights (F, D + 1, K) of the ridge with the best out-of-fold likelihood."""
        best = weights = np.zeros(self._shape)
        least = np.inf
        for ridge in RIDGES:
            weights = self._fit(ridge * self._rows.shape[1], weights)
            loss = self._log_loss(weights)
            if loss > least:
                break
            best, least = weights, loss
        return best

    def _predict_out_of_fold(self, weights: Floats) -> Floats:
        """Return (n, K) each row's probabilities by the model of its own fold."""
        scores = self._scores(weights, self._rows)
        own = np.take_along_axis(scores, self._fold[:, None, None], 1)[:, 0]
        return softmax(own).astype(np.float64)

    def _scores(self, weights: Floats, rows: Singles) -> Singles:
        """Return the logits (n, F, K) of transformed rows (n, D)."""
        folds, size, k = self._shape
        single = weights.astype(np.float32)
        flat = single[:, :-1].transpose(1, 0, 2).reshape(size - 1, folds * k)
        scores: Singles = (rows @ flat).reshape(len(rows), folds, k)
        scores += self._offset + single[:, -1]
        return scores

    def _log_loss(self, weights: Floats) -> float:
        """Return the mean cross-entropy of the targets, out of fold, in nats."""
        chances = self._predict_out_of_fold(weights).clip(min=1e-12)
        losses = -(self._targets * np.log(chances)).sum(1)
        return float(np.average(losses, weights=self._weights))

    def _fit(self, ridge: float, start: Floats) -> Floats:
        """Fit by L-BFGS, in coordinates in which all directions curve about alike."""
        total = float(self._weights.sum())
        curvature = np.append(CURVATURE * self._power + ridge, CURVATURE * total + 1)
        # Imported where it is needed: every process would start a sixth of a second later.
        from scipy.optimize import minimize  # type: ignore[import-untyped]

        unit = np.sqrt(curvature)[:, None]  # (D + 1, 1)
        penalty = np.append(np.full(len(self._power), ridge), 1.0)[:, None]

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(self._shape) / unit
            value, gradient = self._loss(weights)
            value += 0.5 * float((penalty * weights**2).sum())
            return value / total, ((gradient + penalty * weights) / unit).ravel() / total

        options = {"maxiter": STEPS, "ftol": TOLERANCE / 10, "gtol": 1e-7}
        result = minimize(
            loss, (start * unit).ravel(), jac=True, method="L-BFGS-B", options=options
        )
        fitted: Floats = result.x.reshape(self._shape) / unit
        return fitted

    def _loss(self, weights: Floats) -> tuple[float, Floats]:
        """Return the loss over all folds, and its gradient."""
        folds, size, k = self._shape
        losses, error = self._losses(self._scores(weights, self._rows))
        value = float(np.einsum("nf,nf->", self._mask, losses, dtype=np.float64))
        error *= self._mask[..., None]
        gradient = np.empty(self._shape)
        flat = self._rows.T @ error.reshape(-1, folds * k)  # (D, F·K)
        gradient[:, :-1] = flat.reshape(size - 1, folds, k).transpose(1, 0, 2)
        gradient[:, -1] = error.sum(0, dtype=np.float64)
        return value, gradient

    def _losses(self, scores: Singles) -> tuple[Singles, Singles]:
        """Return the cross-entropy (n, F) of the targets by logits (n, F, K), and its gradient."""
        scores -= scores.max(2, keepdims=True)
        powers = np.exp(scores)
        norms = powers.sum(2, keepdims=True)
        losses = np.log(norms[..., 0]) - np.einsum("nfk,nk->nf", scores, self._targets)
        return losses, powers / norms - self._targets[:, None]


@dataclass(frozen=True)
class Basis:
    """An affine map of features: halfway to equal spread, then onto their principal axes.

    Scales are informative, but units must not decide; uncorrelated coordinates fit faster.
    """

    mean: Singles  # (D,)
    scale: Singles  # (D,)
    axes: Singles  # (D, D)

    @classmethod
    def of(cls, rows: Singles, hints: int) -> "Basis":
        mean = rows.mean(0, dtype=np.float64)
        square = np.einsum("nd,nd->d", rows, rows, dtype=np.float64) / len(rows)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        varies = spread > 1e-4 * np.sqrt(square)
        plain = len(spread) - hints  # columns that are no hints
        usual = np.sqrt(np.mean(np.square(spread[:plain])) + 1e-30)
        divisor = np.sqrt(spread * usual)
        divisor[plain:] = spread[plain:] / np.sqrt(len(spread))
        scale = np.divide(1, divisor, where=varies, out=np.zeros_like(divisor)).astype(np.float32)
        scaled = (rows - mean.astype(np.float32)) * scale
        _, axes = np.linalg.eigh((scaled.T @ scaled).astype(np.float64))
        return cls(mean.astype(np.float32), scale, axes.astype(np.float32))

    def transform(self, rows: Singles) -> Singles:
        standard: Singles = (rows - self.mean) * self.scale
        return standard @ self.axes


def _checked(
    features: npt.ArrayLike, targets: npt.ArrayLike, weight: npt.ArrayLike | None
) -> tuple[Singles, Floats, Floats]:
    rows, probabilities = np.asarray(features, np.float32), np.array(targets, np.float64)
    if (
        rows.ndim != 2
        or probabilities.ndim != 2
        or len(rows) != len(probabilities)
        or not rows.shape[1]
    ):
        raise ValueError(
            f"features {rows.shape} and targets {probabilities.shape} must be a row a task"
        )
    weights = np.ones(len(rows)) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != (len(rows),) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("weight must hold one number a task, none of them below zero")
    total = probabilities.sum(1, keepdims=True)
    if (probabilities < 0).any() or np.isinf(total).any() or (total == 0).any():
        raise ValueError("targets must hold probabilities, with more than zero in each row")
    return rows, probabilities / total, weights


def folds_of(rows: Singles, folds: int, seed: int) -> Ints:
    """Return (T,) a number below `folds` from the bits of each row."""
    return ((hashes(rows, seed) >> np.uint64(40)) % np.uint64(folds)).astype(np.intp)


def hashes(rows: Singles, seed: int) -> npt.NDArray[np.uint64]:
    """Return (T,) a number from the bits of each row."""
    keys = np.random.default_rng(seed).integers(1, 2**63, rows.shape[1], dtype=np.uint64) | 1
    bits = np.ascontiguousarray(rows).view(np.uint32)
    sums = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), ROWS):
        sums[start : start + ROWS] = bits[start : start + ROWS].astype(np.uint64) @ keys
    mixed: npt.NDArray[np.uint64] = (sums ^ (sums >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return mixed


def softmax(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return shares of the powers along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: npt.NDArray[Any] = powers / powers.sum(-1, keepdims=True)
    return shares
