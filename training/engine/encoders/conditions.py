"""What a batch is told of its pictures: the same for every recipe that draws."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.beliefs import Beliefs, gather
from training.engine.data.rows import Row
from training.engine.device import device
from training.engine.encoders.embeddings import embed_pictures, embed_texts
from training.engine.encoders.text import TextEncoder

NOISE = 0.75  # the length of what is added to a picture's embedding, of length 1
UNRATED = 0.3  # how often a rating is withheld


class Condition(NamedTuple):
    text: Tensor  # (B, E) unit rows
    belief: Tensor  # (B,) in [0, 1]: how far the text is to be trusted
    ratings: Tensor  # (B, R) in [0, 1]: what was said of the picture itself; NaN: nothing

    def unconditional(self) -> "Condition":
        """The same pictures with nothing known of them: the unconditional model."""
        return self._replace(belief=torch.zeros_like(self.belief))


class Conditions:
    """A snapshot's texts, embedded once, the belief that each deserves, and pictures' ratings.

    Where the encoder sees pictures too, how well each fits its first text is a rating, and a
    picture without text stands for its own: its embedding, with noise (arXiv 2111.13792).
    """

    def __init__(
        self,
        rows: Sequence[Row],
        concepts: Sequence[str],
        encoder: TextEncoder,
        cache: Path,
        *,
        altered: int = 0,
    ) -> None:
        """``altered`` of the rows, the last, stand for something else than their file shows."""
        beliefs = gather(rows, concepts)
        texts, ratings = _embed(beliefs, encoder, cache), dict(beliefs.ratings)
        if encoder.clip:
            seen = embed_pictures(rows[: len(rows) - altered], encoder.clip, cache)
            ratings["clip"] = _fit(beliefs, texts, seen)
            texts = _stand_in(beliefs, texts, seen)
        at = device()
        self.width = encoder.width
        self.certain = beliefs.certain
        self.ratings: tuple[str, ...] = tuple(ratings)
        self.told = torch.from_numpy(beliefs.share.sum(1) > 0)  # (n,): something is said of it
        self.texts = texts.to(at)  # (t + n, E), and (n, E) more where pictures are seen
        self.written = len(beliefs.texts) + len(rows)  # the first that is no text
        self.slots, self.trust, self.share = (
            torch.from_numpy(part).to(at) for part in (beliefs.slots, beliefs.belief, beliefs.share)
        )
        columns = [torch.from_numpy(column) for column in ratings.values()]
        self.rated = torch.stack(columns, 1).to(at) if columns else torch.zeros(len(rows), 0).to(at)

    def draw(self, rows: Tensor, *, drop: float = 0.1, jitter: float = 0.0) -> Condition:
        """One text for each of the rows (B,), withheld with probability ``drop``.

        ``jitter`` moves texts, which are of length 1, by at most that much. Each rating is
        withheld now and then, so that not knowing it is known.
        """
        rows = rows.to(self.share.device)
        slot = torch.multinomial(self.share[rows] + 1e-9, 1)[:, 0]
        kept = torch.rand(len(rows), device=rows.device) >= drop
        chosen = self.slots[rows, slot]
        text = self.texts[chosen]
        if len(self.texts) > self.written:
            noisy = normalize(text + NOISE * normalize(torch.randn_like(text), dim=1), dim=1)
            text = torch.where(chosen[:, None] >= self.written, noisy, text)
        if jitter:
            away = normalize(torch.randn_like(text), dim=1)
            text = text + jitter * away * torch.rand(len(rows), 1, device=rows.device)
        rated = self.rated[rows]  # (B, R)
        if self.ratings:
            rated = rated.masked_fill(torch.rand_like(rated) < UNRATED, torch.nan)
        return Condition(text, self.trust[rows, slot] * kept, rated)


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


def _fit(beliefs: Beliefs, texts: Tensor, seen: Tensor) -> NDArray[np.float32]:
    """How well pictures (m, E) fit their first texts, as shares of those that fit less (n,)."""
    known = np.flatnonzero(beliefs.share[: len(seen)].sum(1) > 0)
    cosine = (seen[known] * texts[beliefs.slots[known, 0]]).sum(1)
    fit = np.full(len(beliefs.share), np.nan, np.float32)
    fit[known] = cosine.argsort().argsort().numpy() / max(1, len(known) - 1)
    return fit


def _stand_in(beliefs: Beliefs, texts: Tensor, seen: Tensor) -> Tensor:
    """Texts, then pictures (m, E) which stand for their own where nothing else is said of them."""
    mute = np.flatnonzero(beliefs.share[: len(seen)].sum(1) == 0)
    beliefs.slots[mute, 0] = len(texts) + mute
    certain = beliefs.certain
    beliefs.belief[mute, 0], beliefs.share[mute, 0] = certain, 1.0
    return torch.cat([texts, seen])
