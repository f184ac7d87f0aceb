"""How a network is told: text, the belief that it deserves, and ratings."""

import torch
from torch import Tensor, nn

from training.engine.encoders.conditions import Condition


class ConditionEmbedder(nn.Module):
    """A condition to (B, width).

    The text enters as null + belief · (text − null), belief itself is a further input
    (arXiv 2405.20324), and ratings, each with whether it is known (arXiv 2510.25897). At belief 0
    nothing of text and ratings is left, so that it is the unconditional model.
    """

    def __init__(self, text: int, width: int, ratings: int = 0) -> None:
        super().__init__()
        self.null = nn.Parameter(torch.zeros(text))
        self.text = nn.Linear(text, width)
        self.rest = nn.Linear(1 + 2 * ratings, width)

    def forward(self, condition: Condition) -> Tensor:
        text, belief, ratings = condition
        trust = belief[:, None]
        told = self.null + trust * (text - self.null)  # (B, E)
        known = ratings.isfinite() & (trust > 0)  # (B, R)
        rated = torch.where(known, ratings, 0.0)
        rest = torch.cat([trust, known.to(text.dtype), rated], dim=1)
        scaled = told * text.shape[1] ** 0.5  # unit rows to unit variance
        out: Tensor = self.text(scaled) + self.rest(rest)
        return out
