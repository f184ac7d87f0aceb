"""Go on from a finished model: its own options, and its weights in a network that rates as well."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.engine.files import TrainingError, read_json
from training.engine.recipes.base import Config

RATED = "condition_embedder.confidence_proj.weight"  # (width, 1 + 2 · ratings)


def own_options(folder: Path, recipe: str, kind: type[Config]) -> dict[str, Any]:
    """Return a model's options but for those of the loop; raise ``TrainingError`` for another's."""
    if not (folder / "config.json").is_file():
        raise TrainingError(f"The model {folder}, which the run goes on from, is gone.")
    about = read_json(folder / "config.json")
    if not isinstance(about, dict) or about.get("recipe") != recipe:
        raise TrainingError(f"{folder} holds no {recipe} model to go on from.")
    network = about.get("network")
    own = {field.name for field in fields(kind)} - {field.name for field in fields(Config)}
    known = network if isinstance(network, dict) else {}
    return {name: value for name, value in known.items() if name in own}


def take_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load a finished model's weights; a rating that it did not know of changes nothing at first.

    Raise ``TrainingError`` where the network is another.
    """
    wanted = network.state_dict()
    own = {name: value for name, value in weights.items() if name != "space"}
    if RATED in own and RATED in wanted and own[RATED].shape != wanted[RATED].shape:
        own[RATED] = _with_rating(own[RATED])
    own |= {name: value for name, value in wanted.items() if name == "space"}
    try:
        network.load_state_dict(own)
    except RuntimeError:
        raise TrainingError(
            "The network is not that of the model which the run goes on from: "
            "leave out the options that change it."
        ) from None


def _with_rating(weight: Tensor) -> Tensor:
    """Return weights (W, 1 + 2R) with two columns more: of a first rating, which says nothing."""
    ratings = weight.shape[1] // 2
    nothing = torch.zeros_like(weight[:, :1])
    confidence, known, rated = weight[:, :1], weight[:, 1 : 1 + ratings], weight[:, 1 + ratings :]
    return torch.cat([confidence, nothing, known, nothing, rated], dim=1)
