"""Import open_clip when it is first needed, on any build of torchvision."""

import logging
import os
import warnings
from contextlib import suppress
from typing import Any

import torch

# Operators that a torchvision built for CUDA misses beside a torch for the CPU. Nothing here calls
# them: declaring them is enough for torchvision, and all that imports it, to load.
MISSING_OPERATORS = ("nms", "qnms")
OPERATOR_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def open_clip() -> Any:
    """Return the module open_clip, silenced."""
    import_torchvision()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip as module
    with suppress(ImportError):
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
    logging.getLogger("timm").setLevel(logging.ERROR)
    return module


def import_torchvision() -> None:
    """Import torchvision; declare the operators that its build misses, if it misses any.

    open_clip, timm, diffusers, peft and transformers import torchvision, and fail where it does.
    """
    try:
        import torchvision
    except RuntimeError:
        for name in MISSING_OPERATORS:
            torch.library.define(f"torchvision::{name}", OPERATOR_SCHEMA)
        import torchvision  # noqa: F401
