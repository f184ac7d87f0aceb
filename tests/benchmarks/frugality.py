"""Answers an item that a given accuracy of labels costs, with answers that people once gave.

python tests/benchmarks/frugality.py FOLDER [--photographs N] [--seeds N] [--picture FILE.svg]
    [--seen FOLDER] [--only CIFAR-10H]

FOLDER holds cifar10/ (human_counts_test.csv: task,n0 … n9,truth; model_probabilities_test.csv:
p0 … p9,task,truth) and crowd/ with a folder a set; those with many answers a task are used. With
--seen, which names what first_predictions.py wrote, the frozen encoder is tried as well.

Everything is asked as the product asks: "does it show a cat?", yes or no, of each photograph and
each of the ten classes, which are known to be seen in a tenth of the photographs. Saying no to
everything would be right nine times of ten, so what counts is whether the class believed most of a
photograph is its true one. Majority of five is five answers to each of the ten questions.

In a second world the same people answer about the same concepts, but these are independent: what a
photograph shows of each concept is taken from another one, drawn by lot. What counts there is F1,
the harmonic mean of precision and recall.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import crowds
import drawing
import numpy as np
import simulation
import supplies
from crowds import Floats
from drawing import Axis, Panel
from product import features, need
from simulation import Curve, Product, Rules, Sight
from supplies import Supply

from labeling.aggregation import earnest

MANY = 8  # answers a task that a crowd must have, to have a choice
MAJORITY = "random order, majority of five"
GOALS = 0.95, 0.98
SURE = 0.002  # a model's probabilities are kept so far from 0 and 1
RULES = {
    "": Rules(),
    ", settled at .99": Rules(settle_at=0.99),
    ", all begun questions first": Rules(finish=1.0),
    ", no begun questions first": Rules(finish=0.0),
    ", people of whom no gold tells anything": Rules(earnest=earnest.ANYBODY),
}
UNDRAWN = [other for other in RULES if other]  # in the tables only
EXCLUSIVE = ", exclusions learned"
KNOWN = ", gold counted"
VARIANTS = Rules(exclusive=True), Rules(gold=1), Rules(exclusive=True, gold=1)  # 1: as needed
RECOMPUTED, OFTEN = 8, 40  # times, while there are as many answers as questions
Methods = dict[str, Curve]
errors: dict[tuple[str, str], float] = {}  # of calibration, by world and method


def main() -> int:
    args = _arguments()
    results: dict[str, Methods] = {}
    questions: dict[str, int] = {}
    for name, supply, models in _worlds(args.folder, args.photographs, args.seen):
        if args.only and name != args.only:
            continue
        seeds = args.seeds if isinstance(supply(0), supplies.Recorded) else 1
        runs = [_measure(name, supply, models, seed) for seed in range(seeds)]
        results[name] = {method: _mean([run[method] for run in runs]) for method in runs[0]}
        questions[name] = supply(0).concepts
        _print(name, results[name], questions[name])
    if not results:
        print(f"{args.folder} holds neither cifar10/ nor crowd/.", file=sys.stderr)
        return 2
    if args.picture:
        panels = [_panel(n, curves, questions[n]) for n, curves in results.items()]
        drawing.save(args.picture, panels, 3, "Label accuracy by answers an item")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a given accuracy of labels costs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photographs", type=int, default=4_000, help="of CIFAR-10's test set")
    parser.add_argument("--seeds", type=int, default=5, help="random orders of each crowd")
    parser.add_argument("--seen", type=Path, help="what first_predictions.py wrote")
    parser.add_argument("--only", help="a world by its name")
    parser.add_argument("--picture", type=Path, help="where to draw the curves, as SVG")
    return parser.parse_args()


Models = dict[str, Floats | Sight | None]  # what is believed before any answer, by name
World = tuple[str, Callable[[int], Supply], Models]


def _worlds(folder: Path, photographs: int, seen: Path | None) -> list[World]:
    """Name, the supply of answers by seed, and what may be believed before any answer."""
    worlds: list[World] = []
    if (folder / "cifar10").is_dir():
        counts, truth, model = _cifar(folder / "cifar10", photographs)
        models: Models = {"without a model": None}
        if seen is not None:
            models["with the frozen encoder"] = _sight(seen, len(counts))
        free: Models = {"without a model": None}
        trained: Models = {"with a model": model.reshape(-1).clip(SURE, 1 - SURE)}
        worlds.append(("CIFAR-10H", lambda seed: _counted(counts, truth, seed), models | trained))
        worlds.append(("CIFAR-10H, independent", lambda seed: _mixed(counts, truth, seed), free))
    for path in crowds.folders(folder / "crowd"):
        crowd = crowds.read(path)
        if len(crowd.task) >= MANY * (crowd.task.max() + 1):
            worlds.append((crowd.name, _recorded(crowd), {"without a model": None}))
    return worlds


def _sight(folder: Path, photographs: int) -> Sight:
    """Read what the encoder sees of the photographs, and what it makes of them."""
    seen = features.read(folder / "features.safetensors")
    if len(seen.tiles) != photographs:
        raise SystemExit(f"{folder} was made with --photographs {len(seen.tiles)}.")
    return Sight(seen, np.load(folder / "log_odds.npy").T.astype(np.float64))


def _mixed(counts: crowds.Ints, truth: crowds.Ints, seed: int) -> Supply:
    """Return the world of independent concepts."""
    draw = np.random.default_rng(seed)
    photographs = draw.integers(len(counts), size=counts.shape)
    concept = np.arange(counts.shape[1])
    return supplies.Counted(
        counts[photographs, concept],
        truth[photographs] == concept,
        draw,
        totals=counts.sum(1)[photographs],
    )


def _counted(counts: crowds.Ints, truth: crowds.Ints, seed: int) -> Supply:
    return supplies.Counted(counts, truth, np.random.default_rng(seed))


def _recorded(crowd: crowds.Crowd) -> Callable[[int], Supply]:
    return lambda seed: supplies.Recorded(crowd, np.random.default_rng(seed))


def _cifar(folder: Path, photographs: int) -> tuple[crowds.Ints, crowds.Ints, Floats]:
    """Read counts (n, 10), classes (n,) and a classifier's probabilities (n, 10) of some."""
    humans = np.loadtxt(folder / "human_counts_test.csv", np.intp, delimiter=",", skiprows=1)
    path = folder / "model_probabilities_test.csv"
    model = np.loadtxt(path, delimiter=",", skiprows=1)
    if (humans[:, 0] != model[:, 10]).any():
        raise SystemExit(f"{path} is not in the order of human_counts_test.csv.")
    drawn = np.random.default_rng(0).permutation(len(humans))[:photographs]
    return humans[drawn, 1:11], humans[drawn, 11], model[drawn, :10]


def _measure(world: str, supply: Callable[[int], Supply], models: Models, seed: int) -> Methods:
    first = supply(seed)
    count = first.items * first.concepts
    share = 0.5 if first.concepts == 1 else 1 / first.concepts
    infer = {
        MAJORITY: simulation.majority,
        "random order, Dawid-Skene": simulation.plain_em,
        "random order, this product": simulation.ours,
    }
    curves = simulation.random_order(first, share, count // 4, infer)
    for name, model in models.items():
        for other, rules in RULES.items():
            product = _product(supply(seed), share, model, rules, seed)
            curves[f"this selector {name}{other}"] = simulation.selected(
                product, count // RECOMPUTED
            )
        gold = need.need(pictures=first.items, concepts=first.concepts, practice=3).total
        for rules in VARIANTS if first.concepts > 1 else ():
            method = name + EXCLUSIVE * rules.exclusive + KNOWN * rules.gold
            product = _product(
                supply(seed), share, model, replace(rules, gold=rules.gold * gold), seed
            )
            curves[f"this selector {method}"] = simulation.selected(product, count // OFTEN)
            errors[world, method] = simulation.calibration_error(first, product.posterior)
    return curves


def _product(
    supply: Supply, share: float, model: Floats | Sight | None, rules: Rules, seed: int
) -> Product:
    draw = np.random.default_rng(1000 + seed)
    base = np.full(supply.items * supply.concepts, share)
    if isinstance(model, Sight):
        return Product(supply, base, None, rules, draw, model)
    return Product(supply, base, model, rules, draw)


def _mean(curves: list[Curve]) -> Curve:
    """Of several runs, each of which stays where it stopped."""
    stops = [curve[-1][0] for curve in curves]
    places = np.unique([x for curve in curves for x, _ in curve])
    places = np.append(places[places < np.mean(stops)], np.mean(stops))
    each = [np.interp(places, *zip(*curve, strict=True)) for curve in curves]
    return list(zip(places.tolist(), np.mean(each, axis=0).tolist(), strict=True))


def needed(curve: Curve, goal: float) -> float:
    """Answers an item at which the curve first reaches the goal; NaN if it never does."""
    if curve[0][1] >= goal:
        return curve[0][0]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if y1 >= goal:
            return x0 + (x1 - x0) * (goal - y0) / (y1 - y0)
    return float("nan")


def _print(name: str, curves: Methods, questions: int) -> None:
    """Answers an item; in brackets their share of those that the majority needs for as much."""
    five, most = curves[MAJORITY][-1]
    usual = [*((goal, needed(curves[MAJORITY], goal)) for goal in GOALS), (most, five)]
    print(f"**{name}**, {questions} {'question' if questions == 1 else 'questions'} an item\n")
    aims = [f"{goal:.0%}" for goal in GOALS] + [f"{most:.1%}, majority of five's"]
    print(f"| answers an item to reach | {' | '.join(aims)} | at the end | accuracy then |")
    print("|---|" + "---:|" * (len(aims) + 2))
    for method, curve in curves.items():
        cells = [_cost(needed(curve, goal), other) for goal, other in usual]
        if method == MAJORITY:
            cells[-1] = _cost(five, five)
        print(f"| {method} | {' | '.join(cells)} | {curve[-1][0]:.1f} | {curve[-1][1]:.3f} |")
    print()
    for (world, method), error in errors.items():
        if world == name:
            print(f"- calibration error at the end, {method}: {error:.4f}")
    print(flush=True)


def _cost(answers: float, usual: float) -> str:
    if np.isnan(answers):
        return "–"
    return f"{answers:.1f}" + ("" if np.isnan(usual) else f" ({answers / usual:.0%})")


def _panel(name: str, curves: Methods, questions: int) -> Panel:
    highest = max(y for curve in curves.values() for _, y in curve)
    end = max(x for curve in curves.values() for x, _ in curve)
    high = np.ceil(highest * 20) / 20
    low = max(0.5, high - 0.2)
    ticks = [tick for tick in (0.25, 0.5, 1, 2, 5, 10, 20, 50) if tick <= end * 1.1]
    left = 0.25 if end > 12 else 0.5
    return Panel(
        f"{name}: {questions} questions an item"
        if questions > 1
        else f"{name}: a question an item",
        Axis(
            "answers an item",
            left,
            max(end, ticks[-1]) * 1.05,
            [t for t in ticks if t >= left],
            log=True,
        ),
        Axis("label accuracy", low, high, np.arange(low, high + 0.001, 0.05).round(2).tolist()),
        {name: curve for name, curve in curves.items() if not any(map(name.endswith, UNDRAWN))},
    )


if __name__ == "__main__":
    sys.exit(main())
