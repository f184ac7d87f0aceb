"""How often the interval of a label accuracy holds it, and how wide it is: on real answers.

python tests/benchmarks/label_accuracy.py FOLDER [--pictures FOLDER] [--replays 1000]

FOLDER holds a folder a set, with answers.csv (task,worker,label) and truth.csv (task,label);
--pictures one with human_counts_test.csv (task,n0…n9,truth) and model_probabilities_test.csv
(p0…p9,task,truth). In each replay some tasks are drawn, whose truth is then known: at random; or
half of them the likelier, the less sure their label is. The others' labels are to be judged by
them, as they were before. A third table aggregates anew in each replay, with what was drawn as
gold, and judges its labels as if their gold were unknown: by `Aggregate.leave_one_out`, or by
cross-fitting.
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import crowds
import numpy as np
from crowds import Crowd, Floats, Ints

from labeling.aggregation import aggregate
from labeling.aggregation.calibration import Z
from labeling.aggregation.cross_fit import blind_posteriors
from labeling.aggregation.label_accuracy import LEAST, Judgements, LabelAccuracy, Labels, estimate

SIZES = 30, 100, 300  # judged labels
MOST = 0.5  # of a set that is judged
DOUBT_SHARE = 0.5  # of those drawn by confidence; the others are drawn at random
GOLD = 0.05  # of the tasks of a set, where it is aggregated anew
ANEW = 100  # replays at most, where it is aggregated anew
PER_ANNOTATOR = 200  # pictures that each annotator labels


@dataclass(frozen=True)
class Stated:
    """The labels of T tasks: how sure they are, and whether they are right."""

    name: str
    confidence: Floats
    right: Floats


@dataclass
class Tally:
    """Intervals over replays."""

    replays: int = 0
    held: int = 0
    width: float = 0.0

    def add(self, low: float, high: float, truth: float) -> None:
        self.replays += 1
        self.held += low <= truth <= high
        self.width += high - low


def main() -> int:
    parser = argparse.ArgumentParser(description="Intervals of label accuracy on real answers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--replays", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--sets", nargs="*", help="names of folders; all, if none is named")
    args = parser.parse_args()
    named = [
        each for each in crowds.folders(args.folder) if each.name in (args.sets or [each.name])
    ]
    read = [crowds.read(folder) for folder in named]
    sets = [_stated(crowd) for crowd in read]
    if args.pictures:
        sets += _of_pictures(args.pictures)
    if not sets:
        print(f"No folder in {args.folder} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    for active in (False, True) if args.sizes else ():
        print(f"\n**Drawn {'by confidence' if active else 'at random'}**\n")
        heads = [f"{size}: held | width" for size in args.sizes]
        print("| | right | bound | " + " | ".join(heads) + " |")
        print("|---|---:|---:|" + "---:|---:|" * len(heads))
        for stated in sets:
            cells = [_cell(stated, size, active, args.replays) for size in args.sizes]
            right, bound = stated.right.mean(), _bound(stated, active)
            line = f"| {stated.name} | {right:.3f} | {bound:.2f} | " + " | ".join(cells)
            print(line + " |", flush=True)
    print(f"\n**Aggregated anew with {GOLD:.0%} gold**\n")
    print("| | gold | classes: right | held | width | cross-fitted: right | held | width ", end="")
    print("| questions: right | held | width |")
    print("|---|---:|" + "---:|" * 9)
    for crowd in read:
        print(_anew(crowd, min(args.replays, ANEW)), flush=True)
    return 0


def _cell(stated: Stated, size: int, active: bool, replays: int) -> str:
    """Return the coverage, and the width in that of the binomial interval."""
    if size > MOST * len(stated.right):
        return "– | –"
    ours, plain = Tally(), Tally()
    dice = np.random.default_rng(size)
    accuracy = float(stated.right.mean())
    for _ in range(replays):
        drawn = _draw(stated.confidence, size, active, dice)
        found = judge(stated, drawn)
        assert found is not None
        truth = _share_right(stated, drawn)
        ours.add(found.low, found.high, truth)
        low, high = _binomial(accuracy, len(drawn), len(stated.right))
        plain.add(low, high, truth)
    return f"{ours.held / replays:.3f} | {ours.width / plain.width:.2f}"


def judge(stated: Stated, drawn: Ints) -> LabelAccuracy | None:
    """Estimate how often the labels are right that were not drawn."""
    others = np.ones(len(stated.right), bool)
    others[drawn] = False
    (rest,) = np.nonzero(others)

    def labels(rows: Ints) -> Labels:
        return Labels(stated.confidence[rows], np.zeros(len(rows), np.intp))

    judgements = Judgements(labels(drawn), stated.right[drawn] > 0)
    return estimate(labels(rest), judgements)


def _anew(crowd: Crowd, replays: int) -> str:
    """Return a line of the table of labels that were made with what judges them.

    As classes; and as the product asks, whether a task is of one class, which has a prior.
    """
    size = max(round(GOLD * len(crowd.known)), LEAST)
    cells = []
    for cross_fitted, as_questions in ((False, False), (True, False), (False, True)):
        ours, plain = Tally(), Tally()
        dice, right = np.random.default_rng(0), 0.0
        for replay in range(replays):
            drawn = dice.permutation(len(crowd.known))[:size]
            one = replay % len(crowd.classes) if as_questions else None
            stated = _as_if_unknown(crowd, drawn, one, cross_fitted=cross_fitted)
            found = judge(stated, drawn)
            assert found is not None
            truth = _share_right(stated, drawn)
            right += truth / replays
            ours.add(found.low, found.high, truth)
            plain.add(*_binomial(truth, size, len(stated.right)), truth)
        cells += [f"{right:.3f}", f"{ours.held / replays:.3f}", f"{ours.width / plain.width:.2f}"]
    return f"| {crowd.name} | {size} | {' | '.join(cells)} |"


def _as_if_unknown(crowd: Crowd, drawn: Ints, one: int | None, *, cross_fitted: bool) -> Stated:
    """Return the labels by gold of the tasks that were drawn, theirs as if it were unknown.

    one: the class that is asked for; None: all.
    """
    label, truth, k, prior = crowd.label, crowd.truth, len(crowd.classes), None
    if one is not None:
        label, truth, k = (label == one).astype(np.intp), (truth == one).astype(np.intp), 2
        prior = np.tile([1 - label.mean(), label.mean()], (crowd.task.max() + 1, 1))

    columns, classes = (crowd.task, crowd.worker, label), range(k)
    gold = dict(zip(crowd.known[drawn].tolist(), truth[drawn].tolist(), strict=True))
    found = aggregate(*columns, classes=classes, gold=gold, prior=prior)
    posterior = found.leave_one_out[crowd.known]
    if cross_fitted:
        posterior[drawn] = blind_posteriors(*columns, classes=classes, gold=gold)
    return Stated(crowd.name, posterior.max(1).clip(0, 1), _right(posterior, truth))


def _share_right(stated: Stated, drawn: Ints) -> float:
    """Return the share of right ones among the labels that were not drawn."""
    others = len(stated.right) - len(drawn)
    return float((stated.right.sum() - stated.right[drawn].sum()) / others)


def _draw(confidence: Floats, size: int, active: bool, dice: np.random.Generator) -> Ints:
    """Draw tasks at random; or half of them with a chance that grows with √(c (1 - c))."""
    order = dice.permutation(len(confidence))
    if not active:
        return order[:size]
    doubt = np.sqrt(confidence * (1 - confidence)).clip(1e-6)
    chance = size * (DOUBT_SHARE * doubt / doubt.sum() + (1 - DOUBT_SHARE) / len(doubt))
    sums = np.cumsum(chance[order].clip(max=1))
    places = np.searchsorted(sums, np.arange(dice.random(), sums[-1], 1.0))
    return np.unique(order[places.clip(max=len(order) - 1)])


def _binomial(accuracy: float, n: int, tasks: int) -> tuple[float, float]:
    """Return Wilson's interval by n labels at random, of which that share is right.

    It is of the other labels, which are no more than so many: as if by fewer.
    """
    left = tasks - n
    size = n * left / (n + left)
    centre = (accuracy * size + Z * Z / 2) / (size + Z * Z)
    half = Z / (size + Z * Z) * np.sqrt(size * accuracy * (1 - accuracy) + Z * Z / 4)
    return centre - half, centre + half


def _bound(stated: Stated, active: bool) -> float:
    """Return the width that would be left if it were known how often each confidence is right.

    By bins of some hundred tasks: √ mean of v over all, or mean of √v, where labels are drawn in
    proportion to that; in the standard deviation of all.
    """
    order = np.argsort(stated.confidence, kind="stable")
    bins = np.array_split(order, max(min(len(order) // 30, 100), 1))
    shares = np.array([len(each) for each in bins]) / len(order)
    means = np.array([stated.right[each].mean() for each in bins])
    variances, mean = means * (1 - means), stated.right.mean()
    left = (shares @ np.sqrt(variances)) ** 2 if active else shares @ variances
    return float(np.sqrt(left / (mean * (1 - mean))))


def _stated(crowd: Crowd) -> Stated:
    classes = range(len(crowd.classes))
    result = aggregate(crowd.task, crowd.worker, crowd.label, classes=classes)
    posterior, label = result.posterior[crowd.known], result.label[crowd.known]
    return Stated(crowd.name, posterior.max(1), (label == crowd.truth).astype(np.float64))


def _of_pictures(folder: Path) -> list[Stated]:
    """Photographs of ten classes: by a classifier alone, by people, and by both."""
    votes = _table(folder / "human_counts_test.csv", "n").astype(np.intp)
    model = _table(folder / "model_probabilities_test.csv", "p")
    truth = _table(folder / "human_counts_test.csv", "truth", classes=1)[:, 0].astype(np.intp)
    model = (model + 1e-4) / (model + 1e-4).sum(1, keepdims=True)
    found = [Stated("pictures, a classifier", model.max(1), _right(model, truth))]
    for answers in (1, 3):
        task, worker, label = _answers(votes, answers)
        for name, classifier in (("", None), (" and a classifier", model)):
            result = aggregate(
                task, worker, label, classes=range(votes.shape[1]), model_probabilities=classifier
            )
            posterior = result.posterior
            title = f"pictures, {answers} answer{'s' * (answers > 1)}{name}"
            found.append(Stated(title, posterior.max(1), _right(posterior, truth)))
    return found


def _right(posterior: Floats, truth: Ints) -> Floats:
    return (posterior.argmax(1) == truth).astype(np.float64)


def _answers(votes: Ints, each: int) -> tuple[Ints, Ints, Ints]:
    """Draw so many of the answers to each picture, by annotators of whom nothing is known."""
    dice = np.random.default_rng(0)
    rows = [dice.choice(np.repeat(np.arange(len(row)), row), each, False) for row in votes]
    task = np.repeat(np.arange(len(votes)), each)
    order = dice.permutation(len(votes)) // PER_ANNOTATOR
    worker = np.repeat(order, each) * each + np.tile(np.arange(each), len(votes))
    return task, worker, np.concatenate(rows)


def _table(path: Path, prefix: str, classes: int = 10) -> Floats:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"{prefix}{n}" for n in range(classes)] if classes > 1 else [prefix]
    return np.array([[float(row[name]) for name in names] for row in rows])


if __name__ == "__main__":
    sys.exit(main())
