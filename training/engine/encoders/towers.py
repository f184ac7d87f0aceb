"""Two towers and the scale between them, as in CLIP (arXiv 2103.00020)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Towers(nn.Module):
    """Embed pictures and texts as unit rows (B, E); also return the logit scale.

    A frozen tower is left out: its inputs are embeddings already, and it is the identity.
    """

    def __init__(self, image: nn.Module, text: nn.Module, scale: float = 1 / 0.07) -> None:
        super().__init__()
        self.image = image
        self.text = text
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scale = self.logit_scale.clamp(max=math.log(100)).exp()
        return normalize(self.image(images), dim=-1), normalize(self.text(texts), dim=-1), scale


class Adapter(nn.Module):
    """Correct frozen embeddings (n, E) linearly, at first by nothing (after arXiv 2110.04544)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, width)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(self, embeddings: Tensor) -> Tensor:
        return embeddings + self.proj(embeddings)  # type: ignore[no-any-return]


class OpenClipTowers(nn.Module):
    """Wrap a whole open_clip model: pictures and tokens to unit rows (B, E) and their scale."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        image, text, scale, *_ = self.model(images, tokens)
        return image, text, scale.clamp(max=100)
