"""How often inferred labels are right, judged by their own gold: by cross-fitting.

Gold teaches the crowd, so its own labels are better than others. `Aggregate.leave_one_out` takes a
task's share out of its annotators' tables, at no cost; what other tasks learned from its gold
stays. Here gold is dealt into folds, and everything is inferred anew without each of them: what is
then said of its tasks knows nothing of their truth (V. Chernozhukov et al., "Double/debiased
machine learning", The Econometrics Journal 21, 2018).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats
from labeling.aggregation.dawid_skene import Aggregate
from labeling.aggregation.label_accuracy import Judgements, LabelAccuracy, Labels, estimate

FOLDS = 10  # at most; each is a whole inference

Bools = npt.NDArray[np.bool_]
Gold = Mapping[Any, Any]  # task id → class id


def label_accuracies(
    result: Aggregate, infer: Callable[[Gold], Aggregate], gold: Gold
) -> tuple[LabelAccuracy | None, list[LabelAccuracy | None]]:
    """Return how often the labels of tasks without gold are right: of all, and by class (K,).

    result: what is inferred by all of the gold.
    infer: returns what is inferred by some of it, of the same answers and classes. It is called up
        to FOLDS times.
    gold: drawn at random; that of tasks without answers is left out. None where too few of the
        labels have gold.
    """
    names = result.tasks.tolist()
    known = {name: gold[name] for name in names if name in gold}
    is_known = np.array([name in known for name in names])
    found = blind_posteriors(infer, known)
    codes = {name: code for code, name in enumerate(result.classes.tolist())}
    truth = np.array([codes[label] for label in known.values()])
    label = np.array([codes[name] for name in result.label[~is_known].tolist()], np.intp)
    confidence, judged = result.confidence[~is_known], found.argmax(1)

    def of(these: Bools, those: Bools) -> LabelAccuracy | None:
        labels, shown = (
            Labels(each, np.zeros(len(each), np.intp))
            for each in (confidence[these], found.max(1)[those])
        )
        return estimate(labels, Judgements(shown, (judged == truth)[those]))

    by_class = [of(label == k, judged == k) for k in codes.values()]
    return of(label >= 0, judged >= 0), by_class


def blind_posteriors(infer: Callable[[Gold], Aggregate], gold: Gold) -> Floats:
    """Return (G, K) what is inferred of tasks with gold, in its order, without that of their fold.

    infer: as of `label_accuracies`. Raises ValueError without gold.
    """
    names = list(gold)
    if not names:
        raise ValueError("there is no gold")
    fold = np.random.default_rng(0).permutation(len(names)) % FOLDS
    rows: list[Floats] = [np.zeros(0)] * len(names)
    for number in range(min(FOLDS, len(names))):
        known = {name: gold[name] for name, of in zip(names, fold, strict=True) if of != number}
        result = infer(known)
        places = dict(zip(result.tasks.tolist(), result.posterior, strict=True))
        for row in np.flatnonzero(fold == number).tolist():
            rows[row] = places[names[row]]
    return np.stack(rows)
