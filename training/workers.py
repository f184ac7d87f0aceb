"""The queues of runs and drawings, and whether any worker takes what waits in them."""

from labeling.models.heartbeats import workers_are_missing as are_missing

__all__ = ["DRAW", "GPU", "TRAIN", "are_missing"]

DRAW, TRAIN = "draw", "train"
GPU = "train-gpu"  # for runs that want a GPU, which workers without one need not listen to
