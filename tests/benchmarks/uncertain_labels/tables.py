"""The tables: how right labels are, and what samples became of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student  # type: ignore[import-untyped]

from tests.benchmarks.uncertain_labels.arms import (
    CLEAN,
    TDSM,
    TDSM_PROBE,
    TDSM_TOLD,
    TYPICAL,
    Posteriors,
)

GUIDANCES = (1.0, 2.0)
LEAST = 1e-6  # probabilities are clipped to it before their logarithm is taken
DIFFERENCES = (  # an arm's less another's, by name
    ("belief less majority labels", "probe", "majority"),
    ("belief less clean labels", "probe", CLEAN),
    ("… of it the labels: less clean labels of the same typicality", "probe", TYPICAL),
    ("… of it typicality: clean labels with it, less those without", TYPICAL, CLEAN),
    ("belief less the probe's labels, taken for certain", "probe", "probe majority"),
    ("belief less TDSM", "probe", TDSM),
    ("belief of answers alone less TDSM", "confidence", TDSM),
    ("… less TDSM that is told the transitions", "confidence", TDSM_TOLD),
    ("belief less TDSM of the probe's labels", "probe", TDSM_PROBE),
    ("TDSM less majority labels", TDSM, "majority"),
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Runs = Mapping[str, Sequence[dict[str, Any]]]  # the figures of each arm's runs, a seed each


class Spread(NamedTuple):
    """How much a figure differs between seeds, in all arms alike; none where there is one seed."""

    deviation: float
    freedom: int
    seeds: int

    @classmethod
    def of(cls, figures: Floats, *, paired: bool) -> "Spread":
        """Pool the deviations of figures (arms, seeds).

        ``paired`` leaves out what a seed does to all arms, as it falls out of their differences:
        arms of a seed share their batches, and the noise that samples start from.
        """
        arms, seeds = figures.shape
        centred = figures - figures.mean(1, keepdims=True)
        freedom = arms * (seeds - 1)
        if paired:
            centred = centred - centred.mean(0)
            freedom = (arms - 1) * (seeds - 1)
        if not freedom:
            return cls(float("nan"), 0, seeds)
        return cls(float((np.square(centred).sum() / freedom) ** 0.5), freedom, seeds)

    def half(self, terms: int = 1) -> float:
        """Return half of the 95 % interval of a mean, or of a difference of two (``terms``)."""
        if not self.freedom:
            return float("nan")
        quantile = float(student.ppf(0.975, self.freedom))
        return float(quantile * self.deviation * (terms / self.seeds) ** 0.5)


def print_judge(photographs: Mapping[str, tuple[float, float, float]]) -> None:
    """Print of sets of photographs the share recognised, their KID and spread."""
    print("\n| the judge on | recognised | KID × 1000 | spread of a class |\n|---|---:|---:|---:|")
    for name, (right, distance, apart) in photographs.items():
        print(f"| {name} | {right:.3f} | {1000 * distance:.1f} | {apart:.3f} |")


def print_labels(posteriors: Mapping[str, Posteriors], truth: Ints) -> None:
    """Print how right each crowd's votes, aggregated answers and those with a probe are."""
    print("\nMost probable label right (mean negative log-likelihood of the truth)\n")
    print("| crowd | majority | aggregated | with the probe |\n|---|---|---|---|")
    for crowd, each in posteriors.items():
        cells = [f"{(each.votes.argmax(1) == truth).mean():.3f}"]
        for posterior in (each.crowd, each.probe):
            likelihood = posterior[np.arange(len(truth)), truth].clip(min=LEAST)
            right = (posterior.argmax(1) == truth).mean()
            cells.append(f"{right:.3f} ({-np.log(likelihood).mean():.2f})")
        print(f"| {crowd} | " + " | ".join(cells) + " |")


def print_samples(crowd: str, runs: Runs) -> None:
    """Print what a judge made of the samples of each arm, and differences between arms."""
    seeds = len(runs[CLEAN])
    interval = ", ± 95 % interval by the deviation pooled over arms" if seeds > 1 else ""
    print(f"\n{crowd}; {seeds} {'seeds' if seeds > 1 else 'seed'}{interval}\n")
    columns = [(what, guidance) for what in ("accuracy", "kid") for guidance in GUIDANCES]
    heads = [f"{_title(what)}, guidance {guidance:g}" for what, guidance in columns]
    print(f"| conditioned on | {' | '.join(heads)} | spread |")
    print("|---|" + "---:|" * (len(columns) + 1))
    for name in runs:
        cells = [_cell(runs, name, what, guidance) for what, guidance in columns]
        apart = _figures(runs, name, "spread", GUIDANCES[-1]).mean()
        print(f"| {name} | {' | '.join(cells)} | {apart:.2f} |")
    print(f"\n| difference | {' | '.join(heads)} |\n|---|" + "---:|" * len(columns))
    for title, first, second in DIFFERENCES:
        if {first, second} <= {*runs}:
            cells = [_cell(runs, first, what, g, less=second) for what, g in columns]
            print(f"| {title} | {' | '.join(cells)} |")
    _print_classifiers(runs)


def _print_classifiers(runs: Runs) -> None:
    """Print how right the classifiers are that correct noisy labels."""
    names = ("classifier", "kept, actual", "kept, estimated", "error of transitions")
    rows = {name: of_arm for name, of_arm in runs.items() if names[0] in of_arm[0]}
    if rows:
        print("\n| labels corrected by | classifier right | labels kept | as estimated | error |")
        print("|---|---:|---:|---:|---:|")
    for arm, of_arm in rows.items():
        means = [f"{np.mean([run[name] for run in of_arm]):.3f}" for name in names]
        print(f"| {arm} | {' | '.join(means)} |")


def _title(what: str) -> str:
    return {"accuracy": "recognised", "kid": "KID × 1000"}[what]


def _cell(runs: Runs, name: str, what: str, guidance: float, less: str | None = None) -> str:
    """Return an arm's mean, or by how much it is above another's, with its interval."""
    figures = np.stack([_figures(runs, each, what, guidance) for each in runs])
    spread = Spread.of(figures, paired=less is not None)
    mean = _figures(runs, name, what, guidance).mean()
    if less is not None:
        mean -= _figures(runs, less, what, guidance).mean()
    factor, digits = (1000, 0) if what == "kid" else (1, 3)
    cell = f"{factor * mean:{'+' if less else ''}.{digits}f}"
    half = factor * spread.half(2 if less else 1)
    return f"{cell} ± {half:.{digits}f}" if spread.freedom else cell


def _figures(runs: Runs, name: str, what: str, guidance: float) -> Floats:
    """Return one figure of an arm's runs (seeds,)."""
    return np.array([run[f"{what} {guidance:g}"] for run in runs[name]])
