"""How much the constants of the tempered posterior matter, and what they are worth unseen.

python tests/benchmarks/tempering.py DATA_FOLDER, which holds a folder a data set with answers.csv
(task,worker,label) and truth.csv (task,label). Each set is measured with the constants that are
best on all the *other* sets, by mean negative log-likelihood, beside the product's own.
"""

import sys
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
from crowds import Crowd as Answered
from crowds import Floats, calibration_error, folders, read, right, surprise

from labeling.aggregation import design_effect
from labeling.aggregation.answers import encode
from labeling.aggregation.dawid_skene import fit_crowd
from labeling.aggregation.em import Known

NAMES = "SHARED", "DESIGN", "VOTE_MIX"
OURS = tuple(getattr(design_effect, name) for name in NAMES)
GRID = list(product((0.0, 0.1, 0.25, 0.5, 1.0), (2.0, 4.0, 8.0, 12.0), (0.0, 0.05, 0.1, 0.2)))


def measured(data: Answered) -> Floats:
    """(G, 3): accuracy, NLL and calibration error for each row of the grid."""
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


def main(argv: list[str]) -> int:
    found = folders(Path(argv[1])) if len(argv) == 2 else []
    if len(found) < 2:
        print("Name one folder that holds a folder a data set, two or more.", file=sys.stderr)
        return 2
    figures = np.stack([measured(read(folder)) for folder in found])  # (sets, G, 3)
    ours = GRID.index(OURS)
    unseen = []
    print("| set | best elsewhere | acc | NLL | ECE | ours: acc | NLL | ECE |")
    print("|---|---|" + "---:|" * 6)
    for row, folder in enumerate(found):
        best = int(np.delete(figures, row, 0)[:, :, 1].mean(0).argmin())
        unseen.append(figures[row, best])
        cells = " | ".join(f"{x:.3f}" for x in [*figures[row, best], *figures[row, ours]])
        print(f"| {folder.name} | {', '.join(map(str, GRID[best]))} | {cells} |")
    mean = [*np.mean(unseen, 0), *figures[:, ours].mean(0)]
    print("| **mean** | | " + " | ".join(f"{x:.3f}" for x in mean) + " |")
    spread = figures.mean(0)
    print(f"\nMean NLL over the grid: {spread[:, 1].min():.3f} to {spread[:, 1].max():.3f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
