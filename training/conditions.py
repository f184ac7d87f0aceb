"""What a batch is told of its pictures: the same for every recipe that draws."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.beliefs import Beliefs, gather
from training.clip import TextEncoder, device
from training.data import Row
from training.embeddings import embed_texts


class Condition(NamedTuple):
    text: Tensor  # (B, E) unit rows
    belief: Tensor  # (B,) in [0, 1]: how far the text is to be trusted
    ratings: Tensor  # (B, R) in [0, 1]: what was said of the picture itself; NaN: nothing

    def untold(self) -> "Condition":
        """The same pictures with nothing known of them: the unconditional model."""
        return self._replace(belief=torch.zeros_like(self.belief))


class Conditions:
    """A snapshot's texts, embedded once, and the belief that each deserves."""

    def __init__(
        self, rows: Sequence[Row], concepts: Sequence[str], encoder: TextEncoder, cache: Path
    ) -> None:
        beliefs = gather(rows, concepts)
        at = device()
        self.width = encoder.width
        self.certain = beliefs.certain
        self.ratings: tuple[str, ...] = ()
        self.told = torch.from_numpy(beliefs.share.sum(1) > 0)  # (n,): something is said of it
        self.texts = _embed(beliefs, encoder, cache).to(at)  # (t + n, E)
        self.slots, self.trust, self.share = (
            torch.from_numpy(part).to(at) for part in (beliefs.slots, beliefs.belief, beliefs.share)
        )

    def draw(self, rows: Tensor, *, drop: float = 0.1, jitter: float = 0.0) -> Condition:
        """One text for each of the rows (B,), withheld with probability ``drop``.

        ``jitter`` moves texts, which are of length 1, by at most that much.
        """
        rows = rows.to(self.share.device)
        slot = torch.multinomial(self.share[rows] + 1e-9, 1)[:, 0]
        kept = torch.rand(len(rows), device=rows.device) >= drop
        text = self.texts[self.slots[rows, slot]]
        if jitter:
            away = normalize(torch.randn_like(text), dim=1)
            text = text + jitter * away * torch.rand(len(rows), 1, device=rows.device)
        return Condition(text, self.trust[rows, slot] * kept, text.new_zeros(len(rows), 0))


def asked(
    encoder: TextEncoder, prompts: Sequence[str], belief: float, ratings: int = 0
) -> Condition:
    """What samples are asked for: their prompts, fully trusted, at their best in every rating."""
    told = torch.tensor([belief * bool(prompt.strip()) for prompt in prompts])
    best = torch.ones(len(prompts), ratings)
    return Condition(*(part.to(device()) for part in (encoder.encode(list(prompts)), told, best)))


def _embed(beliefs: Beliefs, encoder: TextEncoder, cache: Path) -> Tensor:
    """Embeddings of the texts (t, E), then each picture's expected label (n, E)."""
    texts = embed_texts([*beliefs.texts, *beliefs.concepts], encoder, cache)
    count = len(beliefs.texts)
    labels = torch.from_numpy(beliefs.labels)
    expected = labels @ texts[count:] / labels.sum(1, keepdim=True).clamp(min=1e-9)
    return torch.cat([texts[:count], expected])
