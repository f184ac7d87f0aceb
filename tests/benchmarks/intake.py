"""A part of `million.py`: take in a new model's predictions while people are asked and answer."""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

WIDTH = 64  # numbers of an embedding
BLOCK = 20_000  # tiles
MODELS = 2  # that are taken in, one after the other


def take_in_predictions(meadow: Any) -> Iterator[str]:
    """Take in features and log-odds of all pairs, as they lie in files, while somebody takes part.

    The first model finds pools without predictions, the second one those of the first.
    """
    from million import Measured

    from labeling.inference import intake, recompute
    from labeling.models import Concept, Question

    pairs = Concept.objects.count() * meadow.wanted.tiles
    for number in range(MODELS):
        with tempfile.TemporaryDirectory() as folder:
            features, log_odds = _write(Path(folder), seed=number)
            phrases = dict(Concept.objects.values_list("pk", "phrase"))
            people: list[float] = []
            with _taking_part(meadow, people), Measured(_name(number), pairs) as measured:
                intake.replace(
                    project=meadow.project, file=features, log_odds=log_odds, phrases=phrases
                )
        yield measured.row
        yield f"| … challenges answered meanwhile | {len(people):,} | | | |"
        if len(people) > 1:
            worst = statistics.quantiles(people, n=20)[-1]
            yield f"| … one of them, median | 1 | {statistics.median(people):.3f} | | |"
            yield f"| … one of twenty took longer than | 1 | {worst:.3f} | | |"
        yield f"| questions stored then | {Question.objects.count():,} | | | |"
    with Measured("posteriors recomputed from all answers", 1) as measured:
        recompute.run(project=meadow.project)
    yield measured.row


def _name(number: int) -> str:
    return f"predictions of model no. {number + 1} taken in"


def _write(folder: Path, *, seed: int) -> tuple[Path, Path]:
    """Write what a CLIP's child process would, of random numbers; return both paths."""
    from safetensors.numpy import save_file

    from labeling.models import Concept, Tile

    rng = np.random.default_rng(seed)
    ids = Tile.objects.order_by("pk").values_list("pk", flat=True)
    tiles = np.fromiter(ids.iterator(), np.int64)
    concepts = np.fromiter(Concept.objects.order_by("pk").values_list("pk", flat=True), np.int64)
    images = np.empty((len(tiles), WIDTH), np.float16)
    for start in range(0, len(tiles), BLOCK):
        images[start : start + BLOCK] = rng.standard_normal(images[start : start + BLOCK].shape)
    texts = rng.standard_normal((len(concepts), WIDTH)).astype(np.float16)
    parts = {"tiles": tiles, "images": images, "concepts": concepts, "texts": texts}
    save_file(parts | {"learned": np.zeros(0, np.int64)}, folder / "features.safetensors")
    shape = len(concepts), len(tiles)
    log_odds = open_memmap(folder / "log_odds.npy", "w+", np.float16, shape)
    for row in log_odds:
        row[:] = rng.standard_normal(len(tiles), np.float32) * 2 - 3
    return folder / "features.safetensors", folder / "log_odds.npy"


@contextmanager
def _taking_part(meadow: Any, seconds: list[float]) -> Iterator[None]:
    """Have somebody ask and answer in a process of their own during the block."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    done, times = context.Event(), context.Queue()
    person = context.Process(target=_take_part_until, args=(meadow, done, times), daemon=True)
    person.start()
    try:
        yield
    finally:
        done.set()
        seconds += times.get()
        person.join()


def _take_part_until(meadow: Any, done: Any, times: Any) -> None:
    seconds: list[float] = []
    try:
        while not done.is_set():
            start = time.perf_counter()
            meadow.take_part()
            seconds.append(time.perf_counter() - start)
            time.sleep(0.2)
    finally:
        times.put(seconds)
