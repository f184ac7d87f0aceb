"""Truth inference from a folder of Parquet files, as many as there are, with little memory.

The model is that of `labeling.aggregation.aggregate`. Tasks are spread over shards, each of which
holds all answers to its tasks; in a pass of EM processes sum up what is expected of one shard after
another, and the crowd learns from the sum of these. Sums are added in the order of the shards, so
that it does not matter who worked on which, nor who was killed over it.

`sources` reads files, `preparing` makes shards of them, `passes` is what is done with each, `pool`
who does it, `work` how a crowd is learned by it, `blind` judges labels by their gold, and `whole`
is the way through all.
"""

from labeling.aggregation.sharded.sources import NAMES
from labeling.aggregation.sharded.whole import Outcome, Workers, aggregate_folder

__all__ = ["NAMES", "Outcome", "Workers", "aggregate_folder"]
