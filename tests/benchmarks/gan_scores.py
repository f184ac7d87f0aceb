"""What a gan's discriminator knows: its scores of held-out pictures, as a Markdown table.

    python -m tests.benchmarks.gan_scores MODEL_FOLDER SNAPSHOT_FOLDER

Each row is a share of comparisons that came out right, or of searches that found the picture.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from training.engine.data.pictures import Pixels, load_all
from training.engine.data.prompts import text_of
from training.engine.data.rows import Row
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError
from training.engine.recipes import load_generator
from training.engine.recipes.gan import Model

AT_MOST = 50  # pictures of each kind


def shares(model: Model, rows: list[Row]) -> dict[str, tuple[float, float]]:
    """Return for each comparison how often it is right, and how often by chance."""
    sources = [(row.path, [None]) for row in rows]
    pictures: Pixels = np.concatenate(list(load_all(sources, model.size)))
    prompts, blank = [text_of(row) for row in rows], [""] * len(rows)
    flat = pictures.reshape(len(rows), -1)
    noise = np.random.default_rng(0).permuted(flat, axis=0).reshape(pictures.shape)
    drawn = model.sample(prompts, range(len(rows)))
    own = model.score(pictures, prompts)
    fits = torch.stack([model.score(pictures, [prompt] * len(rows)) for prompt in prompts])
    ranks = fits.argsort(1, descending=True).argsort(1).diagonal()  # from 0
    count = len(rows)

    def above(scores: torch.Tensor, others: torch.Tensor) -> tuple[float, float]:
        return float((scores > others).double().mean()), 0.5

    return {
        "real above noise of real pixels, no prompt": above(
            model.score(pictures, blank), model.score(noise, blank)
        ),
        "real above noise of real pixels, own caption": above(own, model.score(noise, prompts)),
        "real above drawn for the same caption": above(own, model.score(drawn, prompts)),
        "own picture above another's, same caption": (
            float((fits.diagonal()[:, None] > fits).double().sum() / (count * (count - 1))),
            0.5,
        ),
        "own picture first of all for its caption": (
            float((ranks == 0).double().mean()),
            1 / count,
        ),
        "own picture among the first ten": (float((ranks < 10).double().mean()), 10 / count),
    }


def main(folder: Path, snapshot: Path) -> None:
    model, data = load_generator(folder), read_snapshot(snapshot)
    if not isinstance(model, Model):
        raise TrainingError(f"{folder} holds no gan.")
    kinds = {"held out": data.test, "training": data.train}
    results = {
        kind: shares(model, [row for row in rows if text_of(row)][:AT_MOST])
        for kind, rows in kinds.items()
    }
    print("| | " + " | ".join(f"{kind} | chance" for kind in results) + " |")
    print("|---" * (1 + 2 * len(results)) + "|")
    for name in results["held out"]:
        cells = [
            f"{share:.2f} | {chance:.2f}" for share, chance in (f[name] for f in results.values())
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
