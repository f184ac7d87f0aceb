"""What each part of the model earns: truth inference with one part after another left out.

tests/benchmarks/aggregation.py FOLDER --without [PART ...] prints the table.
"""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import crowds
import numpy as np
from crowds import Crowd, Floats, Ints

from labeling.aggregation import aggregate, confusion, dawid_skene, design_effect, em, gold, states
from labeling.aggregation.confusion import Hierarchy

Change = tuple[Any, str, Any]  # an object, the name of an attribute, its value without the part
LONG = 100  # iterations in place of few


def _uniform(self: Hierarchy, counts: Floats, crowd: Floats) -> Floats:
    return np.full_like(counts, 1 / len(crowd))


def _at_ability(self: Hierarchy, counts: Floats, crowd: Floats) -> Floats:
    """Return the crowd's matrix as an annotator of each one's ability would have it."""
    ability = self.abilities(np.einsum("jkk->j", counts), counts.sum((1, 2)))
    return confusion._at_ability(crowd, ability, self.accuracy)


def _pure(together: Floats, tables: int) -> states.States:
    return states.states(together, 10**12)  # room for no split


PARTS: dict[str, list[Change]] = {
    "split states": [(em, "states", _pure)],
    "the hierarchy": [
        (Hierarchy, "_by_prototypes", _uniform),
        (confusion, "CONCENTRATIONS", (1.0, 1.0)),
    ],
    "prototypes (ability instead)": [(Hierarchy, "_by_prototypes", _at_ability)],
    "all prototypes but one": [(confusion, "APART", (0.0,))],
    "tempering": [(design_effect, "SHARED", 0.0), (design_effect, "DESIGN", 0.0)],
    "tempering by correlation": [(design_effect, "DESIGN", 0.0)],
    "tempering by number": [(design_effect, "SHARED", 0.0)],
    "votes in the result": [(design_effect, "VOTE_MIX", 0.0)],
    "votes in the class prior": [(em, "VOTE_SHARE", 0.0)],
    "uniform share of the class prior": [(em, "_uniform_share", lambda votes: 0.0)],
    "early stopping": [(em, "SETTLED", 0.0)],
    "gold: what splits mean": [(em, "SPLIT_WEIGHT", 1e9), (gold, "SPLIT_WEIGHT", 1e9)],
    "gold: temperature": [(gold, "TEMPERATURES", np.ones(1))],
    "gold: biases": [(gold, "BIAS_SPREAD", 1e-3)],
    "gold: misled rate": [(gold, "RATE", 1e-6), (gold, "RATE_WEIGHT", 1e9)],
    "gold: second start": [(dawid_skene, "CHEAP", 0), (dawid_skene, "ODD", np.inf)],
}


@dataclass(frozen=True)
class Measured:
    """One set: with n tasks scored, several times over where gold is drawn."""

    right: Floats  # (n,) of each
    surprise: Floats  # (n,) nats
    error: float  # of calibration
    times: int  # how often tasks are scored


def table(folders: Iterable[Path], parts: Iterable[str], *, share: float, seeds: int) -> None:
    """Print what is lost without each part, without gold and with that share of it."""
    sets = [crowds.read(folder) for folder in folders]
    print("| without | accuracy | NLL | ± | ECE | 5 % gold: accuracy | NLL | ± | ECE |")
    print("|---|" + "---:|" * 8)
    whole: list[list[Measured]] = []
    for part in ["nothing", *parts]:
        cells = []
        for place, count in enumerate((0, seeds)):
            found = _without(part, sets, share if count else 0.0, max(count, 1))
            if part == "nothing":
                whole.append(found)
            cells += _cells(found, whole[place])
        print(f"| {part} | " + " | ".join(cells) + " |", flush=True)
        print(part, file=sys.stderr)


def _without(part: str, sets: list[Crowd], share: float, seeds: int) -> list[Measured]:
    iterations = LONG if part == "early stopping" else dawid_skene.ITERATIONS
    with ExitStack() as changed:
        for change in PARTS.get(part, []):
            changed.enter_context(patch.object(*change))
        return [_measured(crowd, share, seeds, iterations) for crowd in sets]


def _measured(crowd: Crowd, share: float, seeds: int, iterations: int) -> Measured:
    runs = [_posterior(crowd, share, seed, iterations) for seed in range(seeds)]
    return Measured(
        np.concatenate([crowds.right(*run) for run in runs]),
        np.concatenate([-np.log(p[np.arange(len(t)), t].clip(crowds.LEAST)) for p, t in runs]),
        float(np.mean([crowds.calibration_error(*run) for run in runs])),
        seeds,
    )


def _posterior(crowd: Crowd, share: float, seed: int, iterations: int) -> tuple[Floats, Ints]:
    count = len(crowd.known)
    order = np.random.default_rng(seed).permutation(count)
    chosen, rest = np.split(order, [max(1, round(share * count)) if share else 0])
    known = dict(zip(crowd.known[chosen].tolist(), crowd.truth[chosen].tolist(), strict=True))
    columns = crowd.task, crowd.worker, crowd.label
    classes = range(len(crowd.classes))
    found = aggregate(*columns, classes=classes, gold=known, iterations=iterations)
    rest = np.sort(rest)  # in the same order, whatever is left out
    return found.posterior[crowd.known[rest]], crowd.truth[rest]


def _cells(found: list[Measured], whole: list[Measured]) -> list[str]:
    """Return the means over sets; and of the likelihood's difference from the whole, the error."""
    variances = [
        one.times * (one.surprise - all_.surprise).var() / len(one.surprise)
        for one, all_ in zip(found, whole, strict=True)
    ]
    error = float(np.sqrt(np.sum(variances)) / len(found))
    return [
        f"{np.mean([each.right.mean() for each in found]):.4f}",
        f"{np.mean([each.surprise.mean() for each in found]):.4f}",
        f"{error:.4f}" if error else "",
        f"{np.mean([each.error for each in found]):.4f}",
    ]
