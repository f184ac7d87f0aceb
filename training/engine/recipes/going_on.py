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


def take_weights(network: nn.Module, weights: dict[str, Tensor], known: int) -> None:
    """Load a finished model's weights; a rating that it did not know of changes nothing at first.

    ``known`` is after how many of its ratings new ones stand. Raise ``TrainingError`` where the
    network is another.
    """
    wanted = network.state_dict()
    own = {name: value for name, value in weights.items() if name != "space"}
    own |= {name: value for name, value in wanted.items() if name == "space"}
    if RATED in own and RATED in wanted:
        more = (wanted[RATED].shape[1] - own[RATED].shape[1]) // 2
        own[RATED] = _with_ratings(own[RATED], known, more)
    try:
        network.load_state_dict(own)
    except RuntimeError:
        raise TrainingError(
            "The network is not that of the model which the run goes on from: "
            "leave out the options that change it."
        ) from None


def _with_ratings(weight: Tensor, known: int, more: int) -> Tensor:
    """Return weights (W, 1 + 2R) for so many ``more`` ratings, after the first ``known`` ones."""
    ratings = weight.shape[1] // 2
    nothing = weight.new_zeros(len(weight), max(0, more))
    is_known, rated = weight[:, 1 : 1 + ratings], weight[:, 1 + ratings :]
    parts = [weight[:, :1]]
    for part in (is_known, rated):
        parts += [part[:, :known], nothing, part[:, known:]]
    return torch.cat(parts, dim=1)
