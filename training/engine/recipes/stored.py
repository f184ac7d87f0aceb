"""Shared by three recipes: encode prompts, and write and read model folders."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions, prompt_condition
from training.engine.encoders.specs import FOLDER, load_text_encoder, within
from training.engine.encoders.text import Spec, TextEncoder
from training.engine.files import TrainingError, read_json, write_json, write_tensors
from training.engine.recipes.base import Config, OneCall, replace_options

WEIGHTS = "model.safetensors"
CLIP = "clip"  # the folder, in a model's own, of the clip run's model that encodes its texts

C = TypeVar("C", bound=Config)
T = TypeVar("T")


@dataclass(frozen=True)
class PromptEncoder:
    """Encode prompts as the conditions that a network was trained with."""

    encoder: TextEncoder
    sampling_confidence: float  # the confidence to sample at: that of the surest training texts
    ratings: int  # how many there are; sampled at their best

    @classmethod
    def trained_with(cls, encoder: TextEncoder, conditions: Conditions) -> Self:
        """Return the encoder of prompts for a network that was trained with these conditions."""
        return cls(encoder, conditions.sampling_confidence, len(conditions.ratings))

    @property
    def ratings_of_drawings(self) -> int:
        """How many of the ratings are of drawings; an encoder that sees pictures adds its own."""
        return max(0, self.ratings - bool(self.encoder.clip))

    def encode(self, prompts: Sequence[str], confidence: float | None = None) -> Condition:
        """Return one condition per prompt (n, …); each distinct prompt is embedded once."""
        indices = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
        confidence = self.sampling_confidence if confidence is None else confidence
        distinct = prompt_condition(self.encoder, list(indices), confidence, self.ratings)
        rows = [indices[prompt] for prompt in prompts]
        return Condition(*(part[rows] for part in distinct))

    def arrays(self, prompts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return what `encode` does, by name, for a network outside of torch."""
        condition = self.encode(prompts)._asdict()
        if not self.ratings:
            del condition["ratings"]
        return {name: part.cpu().numpy() for name, part in condition.items()}

    def interpolate(self, prompts: tuple[str, str], count: int) -> tuple[Condition, Tensor]:
        """Return conditions (count, …) on the line between two prompts, and weights (count,)."""
        ends = self.encode(prompts)
        weights = torch.linspace(0, 1, count, device=device())
        condition = Condition(
            ends.text[:1].lerp(ends.text[1:], weights[:, None]),
            ends.confidence[:1].lerp(ends.confidence[1:], weights),
            ends.ratings[:1].expand(count, -1),
        )
        return condition, weights


def one_call(
    module: nn.Module, encoder: PromptEncoder, noise: Sequence[int], facts: dict[str, str]
) -> OneCall:
    """Return the call of ``module``, which takes noise (n, …) of that shape and a condition."""
    inputs = {
        "noise": torch.zeros(2, *noise),
        "text": torch.zeros(2, encoder.encoder.width),
        "confidence": torch.zeros(2),
    }
    if encoder.ratings:
        inputs["ratings"] = torch.ones(2, encoder.ratings)
    facts = facts | {
        "noise": "standard normal",
        "text": f"unit embeddings by {encoder.encoder.identity}",
        "confidence": f"0 is no prompt; prompts at {encoder.sampling_confidence}",
    }
    return OneCall(module, inputs, facts)


def write_model(
    folder: Path,
    about: Mapping[str, Any],
    config: Config,
    prompt_encoder: PromptEncoder,
    tensors: Mapping[str, Tensor],
    **sizes: int,
) -> None:
    """Write the model folder; ``sizes`` replace options that the data limited.

    It holds all that the model needs: a copy of the clip run's model that encodes its texts, too.
    """
    write_tensors(folder / WEIGHTS, tensors)
    encoder = prompt_encoder.encoder
    condition = {
        "text_width": encoder.width,
        "sampling_confidence": prompt_encoder.sampling_confidence,
        "ratings": prompt_encoder.ratings,
    }
    clip = {**_copied(encoder.spec, folder), "identity": encoder.identity}
    network = {**asdict(config), **sizes, **condition}
    write_json(folder / "config.json", {**about, "network": network, "clip": clip})


def _copied(spec: Spec, folder: Path) -> Spec:
    """Return the spec of an encoder within the folder, after copying there what it names."""
    if spec["kind"] != FOLDER:
        return spec
    (folder / CLIP).mkdir()
    for name in ("config.json", WEIGHTS):
        shutil.copyfile(Path(spec["path"]) / name, folder / CLIP / name)
    return {"kind": FOLDER, "path": CLIP}


def read_model(folder: Path, kind: type[C]) -> tuple[C, PromptEncoder]:
    """Return a model folder's config and prompt encoder; raise ``TrainingError`` without one."""
    about = read_json(folder / "config.json")
    try:
        network = dict(about["network"])
        known = {field.name: network[field.name] for field in fields(kind)}
        sampling_confidence = float(network["sampling_confidence"])
        ratings = int(network["ratings"])
        spec = {k: v for k, v in about["clip"].items() if k != "identity"}
        identity, width = about["clip"]["identity"], int(network["text_width"])
        config = replace_options(kind(steps=1), known)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a model.") from None
    except TrainingError as error:
        raise TrainingError(f"{folder / 'config.json'}: {error}") from None
    encoder = load_text_encoder(within(folder, spec))
    if encoder.identity != identity or encoder.width != width:
        raise TrainingError(f"{folder} was trained with the texts of {identity}, now changed.")
    return config, PromptEncoder(encoder, sampling_confidence, ratings)


def read_weights(folder: Path, build: Callable[[dict[str, Tensor]], T]) -> T:
    """Return what ``build`` makes of the folder's tensors.

    ``build`` lays networks out on the device ``meta`` and assigns the tensors to them, so that a
    config edited by hand reserves no memory that the file does not hold.
    """
    try:
        return build(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, IndexError):
        raise TrainingError(f"{folder / WEIGHTS} is missing, broken or of another shape.") from None
