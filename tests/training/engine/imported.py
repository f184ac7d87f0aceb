"""What a process that fits would import, before others are forked from it: half their time."""

import torch._dynamo  # noqa: F401  which every optimizer imports

import training.engine.run  # noqa: F401
from training.engine.encoders.libraries import open_clip

open_clip()
