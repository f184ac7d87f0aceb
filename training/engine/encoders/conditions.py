"""What a generator is conditioned on, batch by batch: text, the confidence in it, and ratings."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.data.conditioning import ConditioningTexts, gather_texts
from training.engine.data.rows import Row
from training.engine.device import device
from training.engine.encoders.embeddings import embed_pictures, embed_texts
from training.engine.encoders.text import TextEncoder

IMAGE_NOISE = 0.75  # the length of what is added to a picture's embedding, of length 1
RATING_DROP_PROB = 0.3


class Condition(NamedTuple):
    """What each of B pictures is, or is to be, a picture of."""

    text: Tensor  # (B, E) unit rows
    confidence: Tensor  # (B,) in [0, 1]: 0 is the unconditional model
    ratings: Tensor  # (B, R) in [0, 1] of the picture itself; NaN: unknown

    def unconditional(self) -> "Condition":
        """Return the same pictures with nothing known of them."""
        return self._replace(confidence=torch.zeros_like(self.confidence))


class Conditions:
    """A snapshot's texts, embedded once, with the confidence in each, and pictures' ratings.

    Where the encoder sees pictures too, how well each fits its first text is a rating, and a
    picture without text is conditioned on its own embedding, with noise (arXiv 2111.13792).
    """

    def __init__(
        self,
        rows: Sequence[Row],
        concepts: Sequence[str],
        encoder: TextEncoder,
        cache: Path,
        *,
        altered: int = 0,
        rated: int = 0,
    ) -> None:
        """Embed the rows' texts; the last ``altered`` rows show something else than their files.

        ``rated``: so many ratings of drawings, at least, even if nobody has judged any.
        """
        texts = gather_texts(rows, concepts, rated=rated)
        embeddings, ratings = _embed(texts, encoder, cache), dict(texts.ratings)
        if encoder.clip:
            images = embed_pictures(rows[: len(rows) - altered], encoder.clip, cache)
            ratings["clip"] = _fit_ranks(texts, embeddings, images)
            embeddings = _condition_on_images(texts, embeddings, images)
        self.width = encoder.width
        self.sampling_confidence = texts.sampling_confidence
        self.ratings: tuple[str, ...] = tuple(ratings)
        self.has_text = torch.from_numpy(texts.weights.sum(1) > 0)  # (n,)
        self.texts = embeddings.to(device())  # (t + n, E), and n rows more where pictures are seen
        self.first_image = len(texts.texts) + len(rows)  # the first row that is no text
        self.slots, self.confidence, self.weights = (
            torch.from_numpy(part).to(device())
            for part in (texts.slots, texts.confidence, texts.weights)
        )
        columns = [torch.from_numpy(column) for column in ratings.values()]
        known = torch.stack(columns, 1) if columns else torch.zeros(len(rows), 0)
        self.rated = known.to(device())  # (n, R)

    def sample(
        self, rows: Tensor, *, cond_drop_prob: float = 0.1, jitter: float = 0.0
    ) -> Condition:
        """Draw one text for each of the rows (B,), dropped with probability ``cond_drop_prob``.

        ``jitter`` moves texts, which are of length 1, by at most that much. Each rating is dropped
        now and then, so that the network learns to do without it.
        """
        rows = rows.to(self.weights.device)
        slot = torch.multinomial(self.weights[rows] + 1e-9, 1)[:, 0]
        kept = torch.rand(len(rows), device=rows.device) >= cond_drop_prob
        chosen = self.slots[rows, slot]
        text = self._noisy(self.texts[chosen], chosen)
        if jitter:
            direction = normalize(torch.randn_like(text), dim=1)
            text = text + jitter * direction * torch.rand(len(rows), 1, device=rows.device)
        rated = self.rated[rows]  # (B, R)
        if self.ratings:
            rated = rated.masked_fill(torch.rand_like(rated) < RATING_DROP_PROB, torch.nan)
        return Condition(text, self.confidence[rows, slot] * kept, rated)

    def _noisy(self, text: Tensor, chosen: Tensor) -> Tensor:
        """Add noise where an embedding (B, E) is a picture's, which says more than a text would."""
        if len(self.texts) == self.first_image:
            return text
        noise = normalize(torch.randn_like(text), dim=1)
        noisy = normalize(text + IMAGE_NOISE * noise, dim=1)
        return torch.where(chosen[:, None] >= self.first_image, noisy, text)


def prompt_condition(
    encoder: TextEncoder, prompts: Sequence[str], confidence: float, ratings: int = 0
) -> Condition:
    """Return what samples are asked for: prompts at ``confidence``, and every rating at its best.

    An empty prompt has confidence 0.
    """
    each = torch.tensor([confidence * bool(prompt.strip()) for prompt in prompts])
    best = torch.ones(len(prompts), ratings)
    return Condition(*(part.to(device()) for part in (encoder.encode(list(prompts)), each, best)))


def _embed(texts: ConditioningTexts, encoder: TextEncoder, cache: Path) -> Tensor:
    """Return embeddings of the texts (t, E), then each picture's expected label (n, E)."""
    embeddings = embed_texts([*texts.texts, *texts.concepts], encoder, cache)
    count = len(texts.texts)
    labels = torch.from_numpy(texts.labels)
    expected = labels @ embeddings[count:] / labels.sum(1, keepdim=True).clamp(min=1e-9)
    return torch.cat([embeddings[:count], expected])


def _fit_ranks(texts: ConditioningTexts, embeddings: Tensor, images: Tensor) -> NDArray[np.float32]:
    """Return how well pictures (m, E) fit their first texts, as the share that fits less: (n,)."""
    known = np.flatnonzero(texts.weights[: len(images)].sum(1) > 0)
    cosine = (images[known] * embeddings[texts.slots[known, 0]]).sum(1)
    fit = np.full(len(texts.weights), np.nan, np.float32)
    fit[known] = cosine.argsort().argsort().numpy() / max(1, len(known) - 1)
    return fit


def _condition_on_images(texts: ConditioningTexts, embeddings: Tensor, images: Tensor) -> Tensor:
    """Append pictures (m, E) to the embeddings, and point those without text to their own."""
    textless = np.flatnonzero(texts.weights[: len(images)].sum(1) == 0)
    confidence = texts.sampling_confidence
    texts.slots[textless, 0] = len(embeddings) + textless
    texts.confidence[textless, 0], texts.weights[textless, 0] = confidence, 1.0
    return torch.cat([embeddings, images])
