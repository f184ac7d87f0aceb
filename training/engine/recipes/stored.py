"""What three recipes share: how prompts reach a network, and how its model folder is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.engine.device import device
from training.engine.encoders.conditions import Condition, asked
from training.engine.encoders.specs import load_text_encoder
from training.engine.encoders.text import TextEncoder
from training.engine.files import TrainingError, read_json, write_json, write_tensors
from training.engine.recipes.base import Config, changed

WEIGHTS = "model.safetensors"

C = TypeVar("C", bound=Config)
T = TypeVar("T")


@dataclass(frozen=True)
class PromptEncoder:
    """How a finished network is asked: in training's own terms."""

    encoder: TextEncoder
    certain: float  # the belief to ask for: that of the surest texts in training
    ratings: int  # how many there are, asked for at their best

    def asked(self, prompts: Sequence[str], belief: float | None = None) -> Condition:
        """A row a prompt (n, …); each different prompt is embedded once."""
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        trust = self.certain if belief is None else belief
        each = asked(self.encoder, list(places), trust, self.ratings)
        rows = [places[prompt] for prompt in prompts]
        return Condition(*(part[rows] for part in each))

    def between(self, prompts: tuple[str, str], count: int) -> tuple[Condition, Tensor]:
        """Conditions (count, …) on the line between two prompts, and the shares (count,)."""
        ends = self.asked(prompts)
        share = torch.linspace(0, 1, count, device=device())
        condition = Condition(
            ends.text[:1].lerp(ends.text[1:], share[:, None]),
            ends.belief[:1].lerp(ends.belief[1:], share),
            ends.ratings[:1].expand(count, -1),
        )
        return condition, share


def write_model(
    folder: Path,
    about: Mapping[str, Any],
    config: Config,
    listener: PromptEncoder,
    tensors: Mapping[str, Tensor],
    **sizes: int,
) -> None:
    """Write the model folder; ``sizes`` are what the network came to be, where not as asked."""
    write_tensors(folder / WEIGHTS, tensors)
    heard = {
        "text": listener.encoder.width,
        "certain": listener.certain,
        "ratings": listener.ratings,
    }
    clip = {**listener.encoder.spec, "identity": listener.encoder.identity}
    network = {**asdict(config), **sizes, **heard}
    write_json(folder / "config.json", {**about, "network": network, "clip": clip})


def read_model(folder: Path, kind: type[C]) -> tuple[C, PromptEncoder]:
    """The config and the listener of a model folder; raises ``TrainingError`` where it has none."""
    about = read_json(folder / "config.json")
    try:
        network = dict(about["network"])
        known = {field.name: network[field.name] for field in fields(kind)}
        certain, ratings = float(network["certain"]), int(network["ratings"])
        spec = {k: v for k, v in about["clip"].items() if k != "identity"}
        identity, width = about["clip"]["identity"], int(network["text"])
        config = changed(kind(steps=1), known)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None
    except TrainingError as error:
        raise TrainingError(f"{folder / 'config.json'}: {error}") from None
    encoder = load_text_encoder(spec)
    if encoder.identity != identity or encoder.width != width:
        raise TrainingError(f"{folder} was trained with the texts of {identity}, now changed.")
    return config, PromptEncoder(encoder, certain, ratings)


def read_weights(folder: Path, build: Callable[[dict[str, Tensor]], T]) -> T:
    """What ``build`` makes of the folder's tensors.

    ``build`` lays networks out on the device ``meta`` and assigns the tensors to them, so that a
    config edited by hand reserves no memory that the file does not hold.
    """
    try:
        return build(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, IndexError):
        raise TrainingError(f"{folder / WEIGHTS} is missing, broken or of another shape.") from None
