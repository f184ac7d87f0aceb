"""Answers of yes and no added up, without those whose annotators had turned bad."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.aggregation import drift, online_tempering
from labeling.aggregation.dawid_skene import Aggregate, aggregate
from labeling.aggregation.online import ANSWER_CORRELATION, Tempering

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class BinaryAggregate:
    """Of Q questions, W annotators and N answers."""

    probability: Floats  # (Q,) of "yes"; the prior where there is no answer
    leave_one_out: Floats  # (Q,) the same as if a question's own gold were unknown
    sensitivity: Floats  # (W,) of their answers that are not suspect; NaN where there are none
    specificity: Floats  # (W,)
    suspect: Bools  # (N,) answers that weigh nothing: from a turn on
    turned: dict[int, int]  # annotator who was found to have turned → the first such answer


def infer(
    question: Index,
    annotator: Index,
    value: Bools,
    *,
    prior: Floats,
    verdict: npt.NDArray[np.int8],
    gold: Bools,
    suspect: Bools,
    annotators: int,
) -> BinaryAggregate:
    """Infer the truth of Q questions from N answers, in order of time.

    question: (N,) below Q. annotator: (N,) below `annotators`. value: (N,) yes or no.
    prior: (Q,) probabilities of "yes". verdict: (Q,) 1 yes, 0 no, -1 unknown. gold: (Q,) whether
        it was known before anybody answered; other verdicts may be there because of the answers.
    suspect: (N,) answers that are known to be suspect; of their annotators nobody turns again.

    To leave suspect answers out costs what an honest liar tells, who can be read the other way
    round; but whoever lies about some questions only would be believed about the others.
    """

    def inferred(kept: Bools) -> Aggregate | None:
        columns = question[kept], annotator[kept], value[kept]
        return _aggregate(*columns, prior, verdict, gold) if kept.any() else None

    kept = ~suspect
    result = inferred(kept)
    turned = {}
    if result is not None:
        right = np.full(len(question), 0.5)
        right[kept] = _right(question[kept], annotator[kept], value[kept], verdict, result)
        turned = _turned(annotator, right, suspect, annotators)
    if turned:
        first = np.full(annotators, len(question))
        first[list(turned)] = list(turned.values())
        kept &= np.arange(len(question)) < first[annotator]
        result = inferred(kept)
    probability, leave_one_out = prior.copy(), prior.copy()
    coins = np.full((annotators, 2), np.nan)
    if result is not None:
        probability[result.tasks] = result.posterior[:, 1]
        leave_one_out[result.tasks] = result.leave_one_out[:, 1]
        coins[result.workers] = np.diagonal(result.confusion, axis1=1, axis2=2)
    probability = np.where(verdict >= 0, verdict, probability)
    return BinaryAggregate(probability, leave_one_out, coins[:, 1], coins[:, 0], ~kept, turned)


def _aggregate(
    question: Index,
    worker: Index,
    value: Bools,
    prior: Floats,
    verdict: npt.NDArray[np.int8],
    gold: Bools,
) -> Aggregate:
    """The batch method's result of all answers."""
    places = np.unique(question)
    chances = prior[places].clip(1e-6, 1 - 1e-6)

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
        prior=np.stack([1 - chances, chances], 1),
    )


def _turned(annotator: Index, right: Floats, suspect: Bools, annotators: int) -> dict[int, int]:
    """Annotators whose answers turned bad, and the first bad one, by place."""
    ever = np.bincount(annotator, suspect, annotators) > 0
    (looked,) = np.nonzero(~ever[annotator])
    found = drift.change_points(annotator[looked], right[looked], workers=annotators)
    (places,) = np.nonzero(found >= 0)
    order = looked[np.argsort(annotator[looked], kind="stable")]
    starts = np.searchsorted(annotator[order], places)
    first = order[starts + found[places]]
    return dict(zip(places.tolist(), first.tolist(), strict=True))


def _right(
    question: Index,
    worker: Index,
    value: Bools,
    verdict: npt.NDArray[np.int8],
    result: Aggregate,
) -> Floats:
    """(N,) the probability that each answer was right, by what the others said."""
    yes = result.posterior[np.searchsorted(result.tasks, question), 1].clip(1e-6, 1 - 1e-6)
    coins = result.confusion[np.searchsorted(result.workers, worker)]
    own = online_tempering.evidence(coins[:, 1, 1], coins[:, 0, 0], value)
    count = np.bincount(question)[question]
    share = Tempering().strength / (1 + ANSWER_CORRELATION * (count - 1))
    others = 1 / (1 + np.exp(share * own - np.log(yes / (1 - yes))))
    right: Floats = np.where(value, others, 1 - others)
    right[count == 1] = 0.5  # nobody else said anything
    known = verdict[question]
    return np.where(known >= 0, (known == 1) == value, right)
