"""How far each source of statements is to be trusted, by how many of its statements proved right.

Each source has a share of right statements θ. It has a Beta distribution around its group's share,
the group's one around the share of all, and that one around what was expected before anything was
judged: θ ~ Beta(κ·μ, κ·(1 − μ)), a hierarchy of beta-binomial distributions as of A. Gelman et al.,
"Bayesian Data Analysis" (2013), 5.3. So a source of which little is known is trusted as its group
is, and one of a new group as all are. Shares lie on a grid, on which sums are exact; how much
sources differ (κ) is averaged over, by how well each κ explains the judgements.

A judgement is a log-likelihood ratio of right to wrong, and not a truth: likelihoods of θ are
θ'·e^r + 1 − θ', where θ' is θ with what else is known of the statement added to its log-odds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.special import betainc, expit, logit  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

POINTS = 48  # of the grid of shares
EDGE = 0.01  # no source is ever beyond doubt, or hope
EXPECTATION = 4.0  # statements that what was expected of all is worth
STRENGTHS = 1.0, 3.0, 10.0, 30.0  # κ: how many statements a group's share is worth
MAX_EVIDENCE = 5.0  # log-odds of one judgement
STEP = 0.05  # of log-odds, to which judgements are rounded: equal ones are counted
BLOCK = 20_000  # rows of a grid that are computed at a time


@dataclass(frozen=True)
class SourceTrust:
    """What is known of S sources in V groups, and of what each of N statements came from."""

    source: Floats  # (S,) probability that another statement of a source is right
    group: Floats  # (V,) of a new source of a group
    anything: float  # of a source of a new group
    others: Floats  # (N,) that a judged statement is right, by the judgements of all others


def infer(
    source: Index,
    evidence: Floats,
    *,
    group: Index,
    expected: float,
    offset: Floats | None = None,
    weight: Floats | None = None,
) -> SourceTrust:
    """Infer the shares of right statements from N judged ones.

    source: (N,) below S. evidence: (N,) log-likelihood ratios, right to wrong, of what people said.
    group: (S,) below V, of each source; its groups are 0 to V - 1. expected: the share before any
    judgement. offset: (N,) log-odds that each statement has beyond its source's share. weight: (N,)
    in [0, 1], how far a judgement counts.

    The result does not depend on the order of the statements. The cost is linear in statements
    that differ, and in sources.
    """
    offsets = np.zeros(len(source)) if offset is None else offset
    weights = np.ones(len(source)) if weight is None else weight
    sources, groups = len(group), int(group.max(initial=-1)) + 1
    rows, inverse, counts = _distinct(source, evidence, offsets, weights)
    of_row = rows[:, 0].astype(np.intp)
    log_likelihoods = _log_likelihoods(rows)  # (R, POINTS)
    of_source = _sums(of_row, log_likelihoods * counts[:, None], sources)
    found = [_Hierarchy(each, of_source, group, groups, expected) for each in STRENGTHS]
    log_evidence = np.array([each.log_evidence for each in found])
    share = _shares(np.exp(log_evidence - log_evidence.max()))  # of each strength
    unjudged = share @ [_unjudged(each, expected) for each in STRENGTHS]
    moved = logit(expected) - logit(unjudged)  # by as much as cells of the grid shift a mean

    def mixed(parts: list[Floats]) -> Floats:
        mean: Floats = expit(logit(share @ np.stack(parts)) + moved)
        return mean

    without_own = np.exp(-log_likelihoods)
    return SourceTrust(
        source=mixed([each.source @ _SHARES for each in found]),
        group=mixed([each.new_source @ _SHARES for each in found]),
        anything=float(mixed([each.new_group[None] @ _SHARES for each in found])[0]),
        others=mixed([each.others(of_row, without_own) for each in found])[inverse],
    )


def _distinct(
    source: Index, evidence: Floats, offset: Floats, weight: Floats
) -> tuple[Floats, Index, Floats]:
    """Return distinct (R, 4) rows of the columns, the row of each statement, and how many it has.

    Sources that were never judged have none.
    """
    bounded = evidence.clip(-MAX_EVIDENCE, MAX_EVIDENCE)
    rounded = [np.round(each / STEP) * STEP for each in (bounded, offset, weight)]
    table = np.stack([source.astype(np.float64), *rounded], 1).reshape(len(source), 4)
    rows, inverse, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    return rows, inverse.reshape(-1), counts.astype(np.float64)


def _log_likelihoods(rows: Floats) -> Floats:
    """Return (R, POINTS) the weighed log-likelihoods of distinct rows (R, 4) by shares."""
    result = np.empty((len(rows), POINTS))
    for start in range(0, len(rows), BLOCK):
        _, evidence, offset, weight = rows[start : start + BLOCK].T[:, :, None]
        log_odds = logit(_SHARES) + offset
        likelihood = np.logaddexp(log_odds + evidence, 0) - np.logaddexp(log_odds, 0)
        result[start : start + BLOCK] = weight * likelihood
    return result


def _sums(place: Index, rows: Floats, size: int) -> Floats:
    """Return (size, POINTS) the sums of rows by their places."""
    ones = csr_array((np.ones(len(place)), (place, np.arange(len(place)))), (size, len(place)))
    sums: Floats = ones @ rows
    return sums


class _Hierarchy:
    """Messages up and down the tree of sources, groups and all, for one strength κ."""

    def __init__(
        self, strength: float, of_source: Floats, group: Index, groups: int, expected: float
    ) -> None:
        spread = _beta(strength, _SHARES)  # (POINTS of the mean, POINTS)
        upward, scale = _normal(of_source)
        to_group = np.log(upward @ spread.T)  # (S, POINTS): what each source says of its group
        of_group = _sums(group, to_group, groups)
        upward, group_scale = _normal(of_group)
        to_all = np.log(upward @ spread.T)  # (V, POINTS)
        expectation = _beta(EXPECTATION, np.array([expected]))[0]
        of_all, all_scale = _normal(np.log(expectation) + to_all.sum(0))
        self.log_evidence = float(
            scale.sum() + group_scale.sum() + all_scale.sum() + np.log(of_all.sum())
        )
        self.new_group = of_all / of_all.sum() @ spread @ spread
        down, _ = _normal(np.log(of_all) - to_all)  # (V, POINTS): all but what the group said
        at_group = np.log(down @ spread) + of_group
        in_group, _ = _normal(at_group)
        self.new_source = _shares(in_group) @ spread
        but_own, _ = _normal(at_group[group] - to_group)
        posterior, _ = _normal(np.log(but_own @ spread) + of_source)
        self.source = _shares(posterior)

    def others(self, source: Index, without_own: Floats) -> Floats:
        """Return (R,) the mean share of each row's source without one statement of the row.

        without_own: (R, POINTS) by how much the statement's likelihood is taken back.
        """
        means = np.empty(len(source))
        for start in range(0, len(source), BLOCK):
            block = slice(start, start + BLOCK)
            means[block] = _shares(self.source[source[block]] * without_own[block]) @ _SHARES
        return means


def _normal(logs: Floats) -> tuple[Floats, Floats]:
    """Return exp of rows of logs by their largest value, and those."""
    largest = logs.max(-1, keepdims=True)
    return np.exp(logs - largest).clip(np.finfo(np.float64).tiny), largest[..., 0]


def _shares(rows: Floats) -> Floats:
    normalised: Floats = rows / rows.sum(-1, keepdims=True)
    return normalised


def _beta(strength: float, means: Floats) -> Floats:
    """Return (n, POINTS) the probabilities of the grid's cells under Beta(κ·μ, κ·(1 − μ))."""
    upper = betainc(strength * means[:, None], strength * (1 - means[:, None]), _BOUNDS)
    return _shares(np.diff(upper, axis=1).clip(np.finfo(np.float64).tiny))


def _unjudged(strength: float, expected: float) -> float:
    """Return the mean share before any judgement."""
    spread = _beta(strength, _SHARES)
    return float(_beta(EXPECTATION, np.array([expected]))[0] @ spread @ spread @ _SHARES)


def _grid() -> tuple[Floats, Floats]:
    """Return shares, equally far from each other in log-odds, and the bounds of their cells."""
    span = logit(1 - EDGE)
    log_odds = np.linspace(-span, span, POINTS)
    inner = expit((log_odds[1:] + log_odds[:-1]) / 2)
    return expit(log_odds), np.concatenate([[0.0], inner, [1.0]])


_SHARES, _BOUNDS = _grid()
