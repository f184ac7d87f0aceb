"""Read and write LoRA weights in the layout of kohya's trainer, which most tools read.

A layer of the U-Net, its path's dots made underscores, has three tensors: ``lora_down.weight``
(r, in), ``lora_up.weight`` (out, r) and ``alpha``, and adds α/r · up(down(x)) (arXiv 2106.09685).
Alpha is written equal to the rank, so that readers which ignore it are right too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from training.engine.files import TrainingError, write_tensors

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TRANSFORMER = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")
RESIDUAL = ("conv1", "conv2", "conv_shortcut", "time_emb_proj")
SAMPLERS = ("downsamplers.0.conv", "upsamplers.0.conv")
LAYERS = {  # the ends of the paths of a U-Net's layers
    "attention": ATTENTION,
    "transformer": TRANSFORMER,
    "all": (*TRANSFORMER, *RESIDUAL, *SAMPLERS),
}


def layer_name(path: str) -> str:
    """Map ``down_blocks.0.attentions…`` to ``lora_unet_down_blocks_0_attentions…``."""
    return "lora_unet_" + path.replace(".", "_")


def pairs(layers: Mapping[str, tuple[nn.Module, nn.Module]]) -> nn.ModuleDict:
    """Collect (down, up) by path in a network whose tensors are named as in the file."""
    return nn.ModuleDict(
        {
            layer_name(path): nn.ModuleDict({"lora_down": down, "lora_up": up})
            for path, (down, up) in layers.items()
        }
    )


def write(path: Path, network: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write the network of ``pairs``, whole or not at all; ``metadata`` becomes ``ss_*``."""
    tensors = dict(network.state_dict())
    for name in _layers(tensors):
        rank = len(tensors[f"{name}.lora_down.weight"])
        tensors[f"{name}.alpha"] = torch.tensor(float(rank))
    prefixed = {f"ss_{key}": value for key, value in metadata.items()}
    write_tensors(path, tensors, {"format": "pt", "ss_network_module": "networks.lora", **prefixed})


def read(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Return the file's tensors as the network's state, scaled by their alphas.

    Raises ``TrainingError`` where it is broken, or no LoRA for these layers.
    """
    tensors = _tensors(path)
    expected = network.state_dict()
    for name in _layers(expected):
        alpha = tensors.pop(f"{name}.alpha", None)
        up, down = f"{name}.lora_up.weight", f"{name}.lora_down.weight"
        if alpha is not None and alpha.numel() == 1 and up in tensors and down in tensors:
            tensors[up] = tensors[up] * (float(alpha) / max(1, len(tensors[down])))
    if strange := sorted(tensors.keys() ^ expected.keys()):
        raise TrainingError(
            f"{path} is no LoRA for these layers of this base: {strange[0]} "
            f"is {'missing' if strange[0] in expected else 'not among them'}."
        )
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{list(tensor.shape)}, not {list(expected[key].shape)}"
            raise TrainingError(f"{path} does not fit this base: {key} is of the shape {shapes}.")
        if not tensor.isfinite().all():
            raise TrainingError(f"{path} is spoiled: {key} holds what is no number.")
    return tensors


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name).float() for name in names}
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing.") from None
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError):
        raise TrainingError(f"{path} is no whole safetensors file.") from None


def _layers(names: Mapping[str, Tensor]) -> Sequence[str]:
    return [name.removesuffix(".lora_down.weight") for name in names if "lora_down" in name]
