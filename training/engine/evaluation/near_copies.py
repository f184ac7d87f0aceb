"""How near generated pictures are to training pictures, and how many are all but copies."""

from pathlib import Path

import numpy as np

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot, digest
from training.engine.evaluation import intervals
from training.engine.evaluation.intervals import Values
from training.engine.latents.neighbours import Neighbours

NEAR_COPY = 0.5  # of the distance between neighbouring training pictures
COMPARED_SIZE = 128  # pixels; pictures need be no larger to be compared
MOST_HELD_OUT = 500  # held-out pictures that are compared


def measure(
    pictures: Pixels, neighbours: Neighbours, snapshot: Snapshot, cache: Path
) -> dict[str, float]:
    """Return ``nearest_train`` and ``near_copies``, beside those of held-out real pictures."""
    spacing = neighbours.spacing()
    generated = nearest_distances(pictures, neighbours)
    real: list[dict[str, float]] = [{}, {}]
    if snapshot.test:
        rows = snapshot.test[:: -(-len(snapshot.test) // MOST_HELD_OUT)]
        size = min(COMPARED_SIZE, pictures.shape[1])
        held_out = nearest_distances(pack(rows, size, cache, digest(rows)), neighbours)
        real = [
            {"real": float(np.median(held_out))},
            {"real": float(near_copies(held_out, spacing).mean())},
        ]
    copies = intervals.mean(near_copies(generated, spacing))
    return {
        **intervals.entries("nearest_train", intervals.bootstrap(generated, np.median), **real[0]),
        "nearest_train_apart": spacing,
        **intervals.entries("near_copies", copies, **real[1]),
    }


def nearest_distances(pictures: Pixels, neighbours: Neighbours) -> Values:
    """Return how far pictures (n, s, s, 3) are from the nearest training picture: (n,), from 0.

    The distance is the root mean square difference of pixels, which run from 0 to 1.
    """
    return np.asarray(neighbours.nearest(pictures, 1)[0][:, 0].double().numpy())


def near_copies(distances: Values, spacing: float) -> Values:
    """Return 1 where a distance (n,) is below half of what training pictures are apart, else 0."""
    return np.asarray(distances < NEAR_COPY * spacing, dtype=np.float64)
