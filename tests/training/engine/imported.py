"""What a process that fits would import, before others are forked from it: half their time."""

import torch._dynamo  # noqa: F401  which DistributedDataParallel imports

import training.engine.loop.sharding
import training.engine.run  # noqa: F401
from training.engine.encoders.libraries import open_clip

open_clip()
