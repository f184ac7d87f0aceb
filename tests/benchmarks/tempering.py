"""How much the constants of truth inference matter, and what they are worth unseen.

python tests/benchmarks/tempering.py DATA_FOLDER, which holds a folder a data set with answers.csv
(task,worker,label) and truth.csv (task,label). Each set is measured with the constants that are
best on all the *other* sets, by mean negative log-likelihood, beside the product's own: those of
the tempered posterior alone, and together with those of the prototypes and of the class prior.
"""

import sys
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
from crowds import Crowd as Answered
from crowds import Floats, calibration_error, folders, read, right, surprise

from labeling.aggregation import confusion, design_effect, em
from labeling.aggregation.answers import encode
from labeling.aggregation.dawid_skene import fit_crowd
from labeling.aggregation.em import Known

NAMES = "SHARED", "DESIGN", "VOTE_MIX"
OURS = tuple(getattr(design_effect, name) for name in NAMES)
GRID = list(product((0.0, 0.1, 0.25, 0.5, 1.0), (2.0, 4.0, 8.0, 12.0), (0.0, 0.05, 0.1, 0.2)))
APART = (0.0,), (1.0, -1.0), (1.5, -1.5), (2.0, -2.0)
EVENNESS = 4, 6, 8
FITS = list(product(APART, EVENNESS))
OUR_FIT = FITS.index((confusion.APART, em.EVENNESS))


def measured(data: Answered) -> Floats:
    """(F, G, 3): accuracy, NLL and calibration error for each fit and each row of the grid."""
    found = []
    for apart, evenness in FITS:
        with patch.object(confusion, "APART", apart), patch.object(em, "EVENNESS", evenness):
            found.append(tempered(data))
    return np.stack(found)


def tempered(data: Answered) -> Floats:
    """(G, 3): the same for one fit."""
    classes = range(len(data.classes))
    answers = encode(data.task, data.worker, data.label, classes=classes)
    part = fit_crowd(answers, answers.votes(), Known(np.full(len(answers.tasks), -1)))
    correlation = design_effect.excess(part).correlation
    likelihoods = part.likelihoods()
    found = [(block, likelihoods(block)) for block in part.blocks]
    rows = []
    for constants in GRID:
        posterior = np.empty_like(part.votes)
        with patch.multiple(design_effect, **dict(zip(NAMES, constants, strict=True))):
            for block, likelihood in found:
                classes, _ = design_effect.tempered(part, block, likelihood, correlation)
                posterior[block.tasks] = classes
        shown, truth = posterior[data.known], data.truth
        accuracy = float(right(shown, truth).mean())
        rows.append([accuracy, surprise(shown, truth), calibration_error(shown, truth)])
    return np.array(rows)


def report(names: list[str], figures: Floats, labels: list[str], ours: int) -> None:
    """Print what the choices (sets, choices, 3) are worth that are best on the other sets."""
    unseen = []
    print("| set | best elsewhere | acc | NLL | ECE | ours: acc | NLL | ECE |")
    print("|---|---|" + "---:|" * 6)
    for row, name in enumerate(names):
        best = int(np.delete(figures, row, 0)[:, :, 1].mean(0).argmin())
        unseen.append(figures[row, best])
        cells = " | ".join(f"{x:.3f}" for x in [*figures[row, best], *figures[row, ours]])
        print(f"| {name} | {labels[best]} | {cells} |")
    mean = [*np.mean(unseen, 0), *figures[:, ours].mean(0)]
    print("| **mean** | | " + " | ".join(f"{x:.3f}" for x in mean) + " |")
    spread = figures.mean(0)
    print(f"\nMean NLL over the grid: {spread[:, 1].min():.3f} to {spread[:, 1].max():.3f}.\n")


def main(argv: list[str]) -> int:
    found = folders(Path(argv[1])) if len(argv) == 2 else []
    if len(found) < 2:
        print("Name one folder that holds a folder a data set, two or more.", file=sys.stderr)
        return 2
    figures = np.stack([measured(read(folder)) for folder in found])  # (sets, F, G, 3)
    names = [folder.name for folder in found]
    grid, ours = [", ".join(map(str, each)) for each in GRID], GRID.index(OURS)
    print(f"{', '.join(NAMES)}:\n")
    report(names, figures[:, OUR_FIT], grid, ours)
    print(f"APART, EVENNESS; {', '.join(NAMES)}:\n")
    labels = [f"{apart[0]}, {evenness}; {cell}" for apart, evenness in FITS for cell in grid]
    flat = figures.reshape(len(found), len(FITS) * len(GRID), 3)
    report(names, flat, labels, OUR_FIT * len(GRID) + ours)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
