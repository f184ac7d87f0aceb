"""Batch truth inference for yes-or-no questions, without the answers of drifted annotators.

Two passes of `dawid_skene.aggregate`: the first tells how probably each answer is right, `drift`
finds change points in these, `turned` how far back what is bad reaches, and the second leaves it
out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling.aggregation import drift, earnest, online_tempering, turned
from labeling.aggregation.dawid_skene import Aggregate, aggregate
from labeling.aggregation.online import (
    ANSWER_CORRELATION,
    EDGE,
    PRIOR_RIGHT,
    PRIOR_WRONG,
    Tempering,
)

HALF = 0.5  # mean weight of an annotator's answers up to which what is inferred of them is unused

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Verdicts = npt.NDArray[np.int8]


@dataclass(frozen=True)
class BinaryAggregate:
    """What is inferred of Q questions and W annotators from N answers."""

    probability: Floats  # (Q,) of "yes"; the prior where there is no answer
    leave_one_out: Floats  # (Q,) the same as if a question's own gold were unknown
    sensitivity: Floats  # (W,) over the answers that are not suspect; NaN without any
    specificity: Floats  # (W,)
    suspect: Bools  # (N,) answers that count for nothing
    weight: Floats  # (N,) of the answers: as given, less where several suspects agree
    change_points: dict[int, int]  # annotator newly found to drift → the first suspect answer
    earlier: dict[int, int]  # annotator known to be suspect → the first bad answer before that


def infer(
    question: Index,
    annotator: Index,
    value: Bools,
    *,
    prior: Floats,
    verdict: Verdicts,
    gold: Bools,
    suspect: Bools,
    annotators: int,
    weight: Floats | None = None,
    check: Bools | None = None,
) -> BinaryAggregate:
    """Infer the truth of Q questions from N answers, in order of time.

    question: (N,) below Q.
    annotator: (N,) below `annotators`.
    value: (N,) yes or no.
    prior: (Q,) probabilities of "yes".
    verdict: (Q,) 1 yes, 0 no, -1 unknown.
    gold: (Q,) whether the verdict was there before any answer; others may be there because of the
        answers, and calibrate nothing.
    suspect: (N,) answers that are known to be suspect; later answers of an annotator, if any, are
        tested for another change point.
    weight: (N,) of the answers, above 0 and at most 1; without it all weigh 1.
    check: (N,) whether each was asked for because the truth was known, or nearly; without it those
        to questions with a verdict were.

    Suspect answers are left out, although a consistent liar could be read the other way round:
    whoever lied about some questions only would be believed about the others.
    """
    given = np.ones(len(question)) if weight is None else weight
    check = (verdict[question] >= 0) | (False if check is None else check)
    index = np.arange(len(question))

    def weighed(kept: Bools) -> Floats:
        is_bad = _newest(annotator, ~kept, annotators) > _newest(annotator, kept, annotators)
        return given * turned.discount(question, value, kept & is_bad[annotator])

    def inferred(kept: Bools, weight: Floats) -> Aggregate | None:
        columns = question[kept], annotator[kept], value[kept], weight[kept]
        return _aggregate(*columns, prior, verdict, gold) if kept.any() else None

    kept = ~suspect
    weights = weighed(kept)
    result = inferred(kept, weights)
    change_points: dict[int, int] = {}
    earlier: dict[int, int] = {}
    if result is not None:
        right = np.full(len(question), 0.5)
        columns = question[kept], annotator[kept], value[kept], weights[kept]
        right[kept] = _right(*columns, verdict, result)
        until = _newest(annotator, suspect, annotators)  # (W,) when somebody turned bad, or -1
        newly = _change_points(annotator, right, until)
        until[list(newly)] = list(newly.values())
        before = kept & ~check & (index < until[annotator])
        others = _others(question, annotator, value, weights * kept, prior, until < 0, result)
        bad = _first_bad(annotator, value, others, before, result, annotators)
        first, last = until.copy(), until.copy()
        first[list(bad)] = list(bad.values())
        last[list(newly)] = len(question)
        change_points = {who: int(first[who]) for who in newly}
        earlier = {who: found for who, found in bad.items() if who not in newly}
        left_out = kept & (first[annotator] <= index) & (index < last[annotator])
        if left_out.any():
            kept &= ~left_out
            weights = weighed(kept)
            result = inferred(kept, weights)
    probability, leave_one_out = prior.copy(), prior.copy()
    accuracies = np.full((annotators, 2), np.nan)  # specificity, sensitivity
    if result is not None:
        probability[result.tasks] = result.posterior[:, 1]
        leave_one_out[result.tasks] = result.leave_one_out[:, 1]
        accuracies[result.workers] = np.diagonal(result.confusion, axis1=1, axis2=2)
    return BinaryAggregate(
        probability=np.where(verdict >= 0, verdict, probability),
        leave_one_out=leave_one_out,
        sensitivity=accuracies[:, 1],
        specificity=accuracies[:, 0],
        suspect=~kept,
        weight=weights,
        change_points=change_points,
        earlier=earlier,
    )


def confusion_counts(
    aggregate: BinaryAggregate, question: Index, annotator: Index, value: Bools
) -> Floats:
    """Return (W, 4) expected counts of each annotator, as columns of `online.ConfusionCounts`.

    question, annotator, value: (N,) of the answers inferred from. With the prior of `online` the
    counts give the inferred sensitivity and specificity, as nearly as the answers allow.

    The less an annotator's answers weighed, the less they moved those, which are the crowd's then.
    Nobody earns trust by that: as far as the mean weight is below 1, counts are those of the
    answers themselves, by the posterior, of which an uncertain one tells little.
    """
    yes = aggregate.probability[question]
    size = len(aggregate.sensitivity)
    used = ~aggregate.suspect
    answers = np.bincount(annotator, used, size).clip(1)
    mean = np.bincount(annotator, used * aggregate.weight, size) / answers
    share = ((mean - HALF) / (1 - HALF)).clip(0, 1)  # (W,) of the inferred rates
    certainty = np.abs(2 * yes - 1)
    counts = []
    sides = (aggregate.sensitivity, yes, value), (aggregate.specificity, 1 - yes, ~value)
    for rate, truth, right in sides:
        total = np.bincount(annotator, used * truth, size)
        hits = rate * (total + PRIOR_RIGHT + PRIOR_WRONG) - PRIOR_RIGHT
        hits = np.nan_to_num(hits).clip(0, total)
        certain = used * certainty * truth
        certain_total = np.bincount(annotator, certain, size)
        certain_hits = np.bincount(annotator, certain * right, size)
        hits = share * hits + (1 - share) * certain_hits
        counts += [hits, share * total + (1 - share) * certain_total - hits]
    return np.stack(counts, 1).clip(0)


def _aggregate(
    question: Index,
    worker: Index,
    value: Bools,
    weight: Floats,
    prior: Floats,
    verdict: Verdicts,
    gold: Bools,
) -> Aggregate:
    """Return the result of the batch method for the answered questions."""
    places = np.unique(question)
    yes = prior[places].clip(EDGE, 1 - EDGE)

    def known(which: Bools) -> dict[int, int]:
        rows = places[(verdict[places] >= 0) & which[places]]
        return dict(zip(rows.tolist(), verdict[rows].tolist(), strict=True))

    return aggregate(
        question,
        worker,
        value.astype(np.int8),
        classes=[0, 1],
        gold=known(gold),
        decided=known(~gold),
        prior=np.stack([1 - yes, yes], 1),
        weight=None if (weight == 1).all() else weight,
    )


def _newest(annotator: Index, which: Bools, annotators: int) -> Index:
    """Return (W,) the index of each annotator's newest answer of these, -1 where there is none."""
    newest = np.full(annotators, -1)
    chosen = np.flatnonzero(which)
    np.maximum.at(newest, annotator[chosen], chosen)
    return newest


def _change_points(annotator: Index, right: Floats, newest_suspect: Index) -> dict[int, int]:
    """Return by annotator the first bad answer after the last one known to be suspect."""
    annotators = len(newest_suspect)
    searched = np.flatnonzero(np.arange(len(annotator)) > newest_suspect[annotator])
    index = drift.change_points(annotator[searched], right[searched], workers=annotators)
    changed = np.flatnonzero(index >= 0)
    order = searched[np.argsort(annotator[searched], kind="stable")]
    starts = np.searchsorted(annotator[order], changed)
    first = order[starts + index[changed]]
    return dict(zip(changed.tolist(), first.tolist(), strict=True))


def _first_bad(
    annotator: Index, value: Bools, yes: Floats, before: Bools, result: Aggregate, annotators: int
) -> dict[int, int]:
    """Return by annotator who turned bad the first bad answer before that, where there is one.

    yes: (N,) what those say of each answer's question who never turned. before: (N,) which answers
    are asked about: before somebody turned, to questions whose truth was not known.
    """
    accuracy = np.full(annotators, earnest.EARNEST_ACCURACY[0])
    accuracy[result.workers] = np.diagonal(result.confusion, axis1=1, axis2=2).mean(1)
    (rows,) = np.nonzero(before)
    found = turned.first_bad(
        annotator[rows],
        value[rows],
        yes[rows],
        accuracy.clip(*earnest.EARNEST_ACCURACY),
        annotators=annotators,
    )
    return {who: int(rows[index]) for who, index in found.items()}


def _others(
    question: Index,
    annotator: Index,
    value: Bools,
    weight: Floats,
    prior: Floats,
    never_turned: Bools,
    result: Aggregate,
) -> Floats:
    """Return (N,) the probability of yes of each answer's question by those who never turned."""
    place = np.searchsorted(result.workers, annotator).clip(max=len(result.workers) - 1)
    counts = (result.workers[place] == annotator) & never_turned[annotator]
    confusion = result.confusion[place]
    said = online_tempering.evidence(confusion[:, 1, 1], confusion[:, 0, 0], value)
    said = np.where(counts, weight * said, 0.0)
    answers = np.bincount(question, counts * weight, len(prior))
    share = Tempering().strength / (1 + ANSWER_CORRELATION * (answers - 1).clip(0))
    odds = share * np.bincount(question, said, len(prior)) + logit(prior.clip(EDGE, 1 - EDGE))
    yes: Floats = expit(odds)[question]
    return yes


def _right(
    question: Index,
    worker: Index,
    value: Bools,
    weight: Floats,
    verdict: Verdicts,
    result: Aggregate,
) -> Floats:
    """Return (N,) the probability that each answer is right, by what the others say."""
    yes = result.posterior[np.searchsorted(result.tasks, question), 1].clip(EDGE, 1 - EDGE)
    confusion = result.confusion[np.searchsorted(result.workers, worker)]
    own = weight * online_tempering.evidence(confusion[:, 1, 1], confusion[:, 0, 0], value)
    count = np.bincount(question)[question]
    share = Tempering().strength / (1 + ANSWER_CORRELATION * (count - 1))
    others = 1 / (1 + np.exp(share * own - np.log(yes / (1 - yes))))
    right: Floats = np.where(value, others, 1 - others)
    right[count == 1] = 0.5  # nobody else answered
    known = verdict[question]
    return np.where(known >= 0, (known == 1) == value, right)
