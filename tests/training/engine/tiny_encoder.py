"""A network in the frozen encoder's place: it sees how red and how blue a picture is."""

import pytest
import torch
from torch import Tensor

from training.engine.encoders import efficientnet, imagenet
from training.engine.evaluation import zero_shot

CLASSES = ["red, crimson: the colour of blood", "blue, azure: the colour of a clear sky"]


class TinyEncoder:
    """Colours in place of features, and two classes."""

    def __init__(self) -> None:
        self.looked_at = 0

    def features(self, pictures: Tensor) -> Tensor:
        """Return (B, 1280): how much of each colour there is, many times over."""
        self.looked_at += len(pictures)
        colours = 1 - pictures.mean((2, 3))  # of what is not white
        return colours.repeat(1, efficientnet.WIDTH // 3 + 1)[:, : efficientnet.WIDTH]

    def logits(self, features: Tensor) -> Tensor:
        """Return (B, 2)."""
        redness = features[:, 2] - features[:, 0]
        return 20 * torch.stack([redness, -redness], 1)


@pytest.fixture
def tiny_encoder(monkeypatch: pytest.MonkeyPatch) -> TinyEncoder:
    """Put the tiny network, and its two classes, in the places of the real ones."""
    network = TinyEncoder()
    monkeypatch.setattr(zero_shot, "load_efficientnet", lambda: network)
    monkeypatch.setattr(imagenet, "class_texts", lambda: CLASSES)
    return network
