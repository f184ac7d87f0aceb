"""Which CLIP should judge what models draw: chosen on training pictures that it never saw.

    python -m tests.benchmarks.judges SNAPSHOT CACHE [--steps 300]

Every eighth training picture is kept apart; each candidate learns from the others, and picks the
caption of a picture that was kept apart out of a hundred. No generated picture takes part. The
table's last line is the best candidate, trained on all training pictures and tried on the held-out
ones. About four minutes on one core for 1,900 pictures.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from training.engine.data.prompts import text_of
from training.engine.data.rows import Row, Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.device import device
from training.engine.encoders import lsa
from training.engine.encoders.clip_models import SmallClip
from training.engine.evaluation import intervals, metrics
from training.engine.evaluation.judges import Judge, linear_judge
from training.engine.loop.loop import Loop
from training.engine.recipes.base import Source
from training.engine.recipes.clip import ClipConfig, ClipTraining

APART = 8  # one picture in so many is kept apart
Candidate = tuple[str, int, int]  # text tower, rank, pixels
CANDIDATES: tuple[Candidate, ...] = (("lsa", 192, 32), ("lsa", 384, 32), ("own", 0, 32))


def main() -> None:
    """Train each candidate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    whole = read_snapshot(options.snapshot)
    part = kept_apart(whole)
    print("| judge | its own caption, of 100 | of ten | seconds |")
    print("|---|---|---|---|")
    judge = Judge("lsa-linear", linear_judge(part, options.cache), options.cache)
    show("lsa-linear, 16 px", judge, part.test, 0.0)
    scores = {}
    for candidate in CANDIDATES:
        judge, seconds = trained(candidate, part, options.cache, options.steps)
        scores[candidate] = show(name_of(candidate), judge, part.test, seconds)
    best = max(scores, key=lambda candidate: scores[candidate])
    judge, seconds = trained(best, whole, options.cache, options.steps)
    show(f"{name_of(best)}, on the held-out split", judge, whole.test, seconds)


def name_of(candidate: Candidate) -> str:
    """Return a candidate's name in the table."""
    text, rank, size = candidate
    return f"lsa-clip, rank {rank}, {size} px" if rank else f"{text} text tower, {size} px"


def kept_apart(snapshot: Snapshot) -> Snapshot:
    """Return the training pictures alone, some of them as the held-out ones."""
    rows = list(enumerate(snapshot.train))
    test = tuple(row for index, row in rows if index % APART == 3)
    train = tuple(row for index, row in rows if index % APART != 3)
    return replace(snapshot, train=train, test=test, digest=f"{snapshot.digest}-apart")


def trained(
    candidate: Candidate, snapshot: Snapshot, cache: Path, steps: int
) -> tuple[Judge, float]:
    """Train a candidate; return it, and the seconds that took."""
    text, rank, size = candidate
    tower = "own" if text == "own" else "words"
    config = ClipConfig(steps=steps, size=size, text=tower, compile=False)
    with ranked(rank or lsa.RANK):
        encoder = None if text == "own" else lsa.fit(snapshot.train, snapshot.digest)
    model = SmallClip(tower, size, encoder)
    training = ClipTraining(config, Source(snapshot, cache, seed=1), model=model)
    loop, start = Loop(training, config, seed=1), time.monotonic()
    while not loop.finished:
        loop.advance()
    model.network.load_state_dict(loop.ema.network.state_dict())
    name = f"{candidate} {steps} {snapshot.digest}"
    model.network.to(device())
    clip = model.finished(name)
    return Judge(name, clip, cache), time.monotonic() - start


@contextmanager
def ranked(rank: int) -> Iterator[None]:
    """Give the LSA encoder another rank for a while."""
    usual, lsa.RANK = lsa.RANK, rank
    try:
        yield
    finally:
        lsa.RANK = usual


def show(name: str, judge: Judge, rows: tuple[Row, ...], seconds: float) -> float:
    """Print a line of the table; return the share of captions that stand out of a hundred."""
    captioned = [row for row in rows if row.captions]
    texts = list(dict.fromkeys(map(text_of, captioned)))
    own = torch.tensor([texts.index(text_of(row)) for row in captioned])
    images, known = judge.embed_rows(captioned), judge.embed_texts(texts)
    cells = []
    for others in (99, 9):
        value, low, high = intervals.mean(metrics.r_precision(images, known, own, others=others))
        cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
    print(f"| {name} | {cells[0]} | {cells[1]} | {seconds:.0f} |", flush=True)
    return float(metrics.r_precision(images, known, own).mean())


if __name__ == "__main__":
    main()
