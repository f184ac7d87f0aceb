"""Embed a condition: text, the confidence in it, and ratings."""

import torch
from torch import Tensor, nn

from training.engine.encoders.conditions import Condition


class ConditionEmbedder(nn.Module):
    """Embed a condition as (B, width).

    The text enters as null + confidence · (text − null), confidence itself is a further input
    (arXiv 2405.20324), and so are ratings, each with whether it is known (arXiv 2510.25897). At
    confidence 0 nothing of text and ratings is left: that is the unconditional model.
    """

    def __init__(self, text_width: int, width: int, ratings: int = 0) -> None:
        super().__init__()
        self.null = nn.Parameter(torch.zeros(text_width))
        self.text_proj = nn.Linear(text_width, width)
        self.confidence_proj = nn.Linear(1 + 2 * ratings, width)

    def forward(self, condition: Condition) -> Tensor:
        text, confidence, ratings = condition  # (B, E), (B,), (B, R)
        confidence = confidence[:, None]  # (B, 1)
        blended = self.null + confidence * (text - self.null)  # (B, E)
        scaled = blended * text.shape[1] ** 0.5  # unit rows to unit variance
        known = ratings.isfinite() & (confidence > 0)  # (B, R)
        rated = torch.where(known, ratings, 0.0)
        inputs = torch.cat([confidence, known.to(text.dtype), rated], dim=1)  # (B, 1 + 2R)
        out: Tensor = self.text_proj(scaled) + self.confidence_proj(inputs)  # (B, width)
        return out
