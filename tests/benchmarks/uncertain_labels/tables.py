"""The tables: how right labels are, and what samples became of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.benchmarks.uncertain_labels.crowds import Crowd

GUIDANCES = (1.0, 2.0)
CLEAN, BASE = "clean", "majority"
TYPICAL = "clean, with the confidence of a probe"  # what confidence adds where labels are right
DRAWS = 4000  # of accuracies within their errors, for intervals of the gap closed
LEAST = 1e-6  # probabilities are clipped to it before their logarithm is taken

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Runs = Callable[[str, Crowd | None], Sequence[dict[str, Any]]]  # of an arm and crowd, a seed each


def print_judge(photographs: Mapping[str, tuple[float, float, float]]) -> None:
    """Print of sets of photographs the share recognised, their KID and spread."""
    print("\n| the judge on | recognised | KID × 1000 | spread of a class |\n|---|---:|---:|---:|")
    for name, (right, distance, apart) in photographs.items():
        print(f"| {name} | {right:.3f} | {1000 * distance:.1f} | {apart:.3f} |")


def print_labels(posteriors: Mapping[str, Sequence[Floats]], truth: Ints) -> None:
    """Print how right each crowd's votes, aggregated answers and those with a probe (n, 10) are."""
    print("\nMost probable label right (mean negative log-likelihood of the truth)\n")
    print("| crowd | majority | aggregated | with the probe |\n|---|---|---|---|")
    for crowd, (votes, *aggregated) in posteriors.items():
        cells = [f"{(votes.argmax(1) == truth).mean():.3f}"]
        for posterior in aggregated:
            likelihood = posterior[np.arange(len(truth)), truth].clip(min=LEAST)
            right = (posterior.argmax(1) == truth).mean()
            cells.append(f"{right:.3f} ({-np.log(likelihood).mean():.2f})")
        print(f"| {crowd} | " + " | ".join(cells) + " |")


def print_samples(runs: Runs, crowds: Sequence[Crowd], arms: Sequence[str], count: int) -> None:
    """Print the share of a run's ``count`` samples recognised, and how much of the gap closes."""
    for guidance in GUIDANCES:
        print(f"\nSamples recognised as asked, guidance {guidance:g} (KID × 1000; spread)\n")
        _head(crowds)
        for name in (CLEAN, TYPICAL):
            print(f"| {name} | " + f"{_cell(runs(name, None), guidance, count)} | " * len(crowds))
        for arm in arms:
            cells = [_cell(runs(arm, crowd), guidance, count) for crowd in crowds]
            print(f"| {arm} | " + " | ".join(cells) + " |")
    for guidance in GUIDANCES:
        print(f"\nShare of the way from majority to clean, guidance {guidance:g}\n")
        _head(crowds)
        clean = _shares(runs(CLEAN, None), guidance)
        for arm in arms:
            if arm != BASE:
                cells = []
                for crowd in crowds:
                    found = _shares(runs(arm, crowd), guidance)
                    base = _shares(runs(BASE, crowd), guidance)
                    cells.append(_closed(found, base, clean, count))
                print(f"| {arm} | " + " | ".join(cells) + " |")


def _head(crowds: Sequence[Crowd]) -> None:
    print("| conditioned on | " + " | ".join(crowd.name for crowd in crowds) + " |")
    print("|---|" + "---|" * len(crowds))


def _cell(runs: Sequence[dict[str, Any]], guidance: float, count: int) -> str:
    shares = _shares(runs, guidance)
    distance, apart = (
        np.mean([run[f"{what} {guidance:g}"] for run in runs]) for what in ("kid", "spread")
    )
    half = 1.96 * _error(shares, count)
    return f"{shares.mean():.3f} ± {half:.3f} ({1000 * distance:.0f}; {apart:.2f})"


def _shares(runs: Sequence[dict[str, Any]], guidance: float) -> Floats:
    return np.array([run[f"accuracy {guidance:g}"] for run in runs])


def _error(shares: Floats, count: int) -> float:
    """Return the mean's standard error: the binomial's, or that between seeds where it is more."""
    mean, seeds = shares.mean(), len(shares)
    between = shares.std(ddof=1) / seeds**0.5 if seeds > 1 else 0.0
    return max(float(between), float((mean * (1 - mean) / (count * seeds)) ** 0.5))


def _closed(arm: Floats, base: Floats, clean: Floats, count: int) -> str:
    """Return the share of the gap closed, with its 95 % interval, unless there may be no gap."""
    dice = np.random.default_rng(0)
    drawn = [
        dice.normal(shares.mean(), _error(shares, count), DRAWS) for shares in (arm, base, clean)
    ]
    gap = clean.mean() - base.mean()
    if gap < 2 * np.std(drawn[2] - drawn[1]):
        return "gap too small"
    low, high = np.quantile((drawn[0] - drawn[1]) / (drawn[2] - drawn[1]), [0.025, 0.975])
    return f"{(arm.mean() - base.mean()) / gap:.0%} ({low:.0%} to {high:.0%})"
