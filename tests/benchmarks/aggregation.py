"""Truth inference beside others' methods on sets of real answers, as Markdown tables.

python tests/benchmarks/aggregation.py FOLDER [--slow] [--limit SECONDS] [--only METHOD ...]

FOLDER holds a folder a set, with answers.csv (task,worker,label) and truth.csv (task,label). Each
method gets a process of its own for each set, which is ended at the limit. Others' libraries are no
part of the environment; peers.py says how to install them. Without --slow, those of their methods
are left out that need minutes.

python tests/benchmarks/aggregation.py FOLDER --without [PART ...]

What each part of the model earns: the means over the sets where it is left out, of all parts if
none is named, with the standard error of the likelihood's difference over the draw of tasks.
"""

import argparse
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path

import crowds
import numpy as np
import parts
import peers
from crowds import Crowd, Floats, Ints
from prototypes import ptbcc

from labeling.aggregation import aggregate

GOLD = 0.05
SEEDS = 5
Scores = dict[str, float]  # accuracy, NLL, ECE, seconds; NaN where there are no probabilities


def main() -> int:
    args = _arguments()
    sets = crowds.folders(args.folder)
    if not sets:
        print(f"No folder in {args.folder} holds answers.csv and truth.csv.", file=sys.stderr)
        return 2
    if args.without is not None:
        parts.table(sets, args.without or parts.PARTS, share=GOLD, seeds=SEEDS)
        return 0
    methods = _methods(args)
    results = {
        method: [_in_time(method, folder, args.limit) for folder in sets] for method in methods
    }
    names = [folder.name for folder in sets]
    for what, title, digits in (
        ("accuracy", "Accuracy; among n classes that are equally probable each counts 1/n", 3),
        ("nll", f"Mean negative log-likelihood, nats; probabilities clipped at {crowds.LEAST}", 3),
        ("ece", f"Expected calibration error, {crowds.BINS} bins", 3),
        ("seconds", "Seconds", 2),
    ):
        _print(
            title, names, {m: [s.get(what, np.nan) for s in r] for m, r in results.items()}, digits
        )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Truth inference beside others' methods.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=float, default=150.0, help="seconds a method and set")
    parser.add_argument("--slow", action="store_true", help="run methods that need minutes, too")
    parser.add_argument("--only", nargs="*", help="run these methods alone")
    parser.add_argument(
        "--without", nargs="*", choices=parts.PARTS, metavar="PART", help=", ".join(parts.PARTS)
    )
    return parser.parse_args()


def _methods(args: argparse.Namespace) -> list[str]:
    if absent := peers.missing():
        print(f"Without {', '.join(absent)}: peers.py says how to install them.", file=sys.stderr)
    if args.only is not None:
        return [method for method in (*OURS, *peers.methods()) if method in args.only]
    return [*OURS, *(each for each in peers.methods() if args.slow or each not in peers.SLOW)]


def _in_time(method: str, folder: Path, limit: float) -> Scores:
    """Return the method's scores on the set; none if it did not finish."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(method, folder, theirs))
    process.start()
    theirs.close()
    try:
        scores: Scores = ours.recv() if ours.poll(limit) else {}
    except EOFError:
        scores = {}  # it failed, and said so on stderr
    process.kill()
    process.join()
    print(f"{folder.name} {method}: {scores or 'not finished'}", file=sys.stderr)
    return scores


def _child(method: str, folder: Path, out: Connection) -> None:
    warnings.simplefilter("ignore")  # theirs, of what pandas will do some day
    crowd = crowds.read(folder)
    with redirect_stdout(sys.stderr):  # where theirs print
        scores = OURS[method](crowd) if method in OURS else _their(method, crowd)
    out.send(scores)


def _scores(posterior: Floats, truth: Ints, seconds: float) -> Scores:
    return {
        "accuracy": float(crowds.right(posterior, truth).mean()),
        "nll": crowds.surprise(posterior, truth),
        "ece": crowds.calibration_error(posterior, truth),
        "seconds": seconds,
    }


def _our(crowd: Crowd) -> Scores:
    started = time.perf_counter()
    found = aggregate(crowd.task, crowd.worker, crowd.label, classes=range(len(crowd.classes)))
    seconds = time.perf_counter() - started
    return _scores(found.posterior[crowd.known], crowd.truth, seconds)


def _our_with_gold(crowd: Crowd) -> Scores:
    """Mean of several draws of the gold; only what is not gold is scored."""
    runs = [_one_with_gold(crowd, seed) for seed in range(SEEDS)]
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def _one_with_gold(crowd: Crowd, seed: int) -> Scores:
    count = len(crowd.known)
    order = np.random.default_rng(seed).permutation(count)
    chosen, rest = np.split(order, [max(1, round(GOLD * count))])
    gold = dict(zip(crowd.known[chosen].tolist(), crowd.truth[chosen].tolist(), strict=True))
    started = time.perf_counter()
    found = aggregate(
        crowd.task, crowd.worker, crowd.label, classes=range(len(crowd.classes)), gold=gold
    )
    seconds = time.perf_counter() - started
    return _scores(found.posterior[crowd.known[rest]], crowd.truth[rest], seconds)


def _majority_smoothed(crowd: Crowd) -> Scores:
    started = time.perf_counter()
    votes = np.zeros((crowd.task.max() + 1, len(crowd.classes)))
    np.add.at(votes, (crowd.task, crowd.label), 1.0)
    votes += 0.5
    shares = votes / votes.sum(1, keepdims=True)
    return _scores(shares[crowd.known], crowd.truth, time.perf_counter() - started)


def _ptbcc(crowd: Crowd) -> Scores:
    started = time.perf_counter()
    found = ptbcc(crowd)
    return _scores(found[crowd.known], crowd.truth, time.perf_counter() - started)


def _frequencies(crowd: Crowd) -> Scores:
    """Predict the class frequencies, without the answers."""
    share = np.bincount(crowd.truth, minlength=len(crowd.classes)) / len(crowd.truth)
    return _scores(np.tile(share, (len(crowd.truth), 1)), crowd.truth, np.nan)


OURS: dict[str, Callable[[Crowd], Scores]] = {
    "class frequencies of the truth": _frequencies,
    "vote shares, half a vote more a class": _majority_smoothed,
    "ours": _our,
    "ours, 5 % gold": _our_with_gold,
    "prototypes alone": _ptbcc,
}


def _their(method: str, crowd: Crowd) -> Scores:
    found, seconds = peers.methods()[method](crowd)
    known = found[crowd.known]
    if known.ndim == 1:
        return {"accuracy": float((known == crowd.truth).mean()), "seconds": seconds}
    return _scores(known, crowd.truth, seconds)


def _print(title: str, names: list[str], rows: dict[str, list[float]], digits: int) -> None:
    if all(np.isnan(figures).all() for figures in rows.values()):
        return
    print(f"**{title}**\n")
    print("| | " + " | ".join([*names, "mean"]) + " |")
    print("|---|" + "---:|" * (len(names) + 1))
    for method, figures in rows.items():
        if not np.isnan(figures).all():
            cells = [
                "–" if np.isnan(figure) else f"{figure:.{digits}f}"
                for figure in [*figures, float(np.mean(figures))]
            ]
            print(f"| {method} | " + " | ".join(cells) + " |")
    print()


if __name__ == "__main__":
    sys.exit(main())
