"""Rectified flow on latents or pixels, conditioned on text and confidence.

x_t = t·x₀ + (1 − t)·ε; the network predicts x₀, the loss is on the velocity v = x₀ − ε
(arXiv 2209.03003; logit-normal t: arXiv 2403.03206; confidence as a condition: arXiv 2405.20324).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from training.engine.data.moving import MOVES
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.preferences import preferences_of
from training.engine.data.recolouring import caption_colours, recolour
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.latents.pca import fit
from training.engine.latents.spaces import (
    AutoencoderDataset,
    AutoencoderSpace,
    LatentDataset,
    LatentSpace,
    LinearDataset,
    LinearSpace,
    PixelDataset,
    PixelSpace,
    bind,
)
from training.engine.recipes.base import Phase, Source, sample_grid
from training.engine.recipes.diffusion_model import DiffusionConfig, Model, build_network, load
from training.engine.recipes.going_on import take_weights
from training.engine.recipes.preference_loss import PairBatch, PreferenceLoss
from training.engine.recipes.stored import PromptEncoder
from training.engine.sampling.distillation import Distillation, Student, distil

DRAWN_SHARE = 0.2  # of a batch, at most, that models drew

VARIANTS = 4  # of each picture, where pictures are moved


class Batch(NamedTuple):
    """What the errors of B pictures are computed from."""

    x0: Tensor  # (B, …) latents
    noise: Tensor  # (B, …)
    t: Tensor  # (B,) times, from 0 to 1
    condition: Condition
    change: Tensor  # (B, 4) how the pictures were mirrored, moved and scaled
    pairs: PairBatch | None  # of drawings, where people's preferences are learnt


class DiffusionTraining:
    """A network in training, with the latents, texts and confidences of one snapshot."""

    def __init__(self, config: DiffusionConfig, source: Source) -> None:
        self.config, self.seed, self.on_step = config, source.seed, source.on_step
        start = load(source.start) if source.start else None
        rows, drawn = list(source.snapshot.train), source.snapshot.drawings.rows
        self.encoder = (
            start.prompt_encoder.encoder
            if start
            else load_text_encoder(source.encoder or default_spec())
        )
        known = start.prompt_encoder.ratings_of_drawings if start else 0
        pixels = pack(rows, config.size, source.cache, digest(rows))
        drawings = pack(drawn, config.size, source.cache, digest(drawn)) if drawn else pixels[:0]
        new_rows, new_pixels = (
            recolour(rows, pixels, source.seed) if config.hue_prob else ([], pixels[:0])
        )
        described = caption_colours(rows, pixels) if config.hue_prob else rows
        self.conditions = Conditions(
            [*described, *drawn, *new_rows],
            source.snapshot.concepts,
            self.encoder,
            source.cache,
            altered=len(new_rows),
            rated=known,
        )
        self.rows, self.drawn, self.recoloured = len(rows), len(drawn), len(new_rows)
        self.space = start.space if start else self._latent_space(rows, pixels, new_pixels, source)
        self.dataset = self._latent_dataset(pixels, drawings, new_pixels)
        torch.manual_seed(source.seed)
        network = build_network(
            config, self.space.shape[0], self.encoder.width, len(self.conditions.ratings)
        )
        bind(network, self.space)
        self.network = network.to(device())
        self.preferences: PreferenceLoss | None = None
        if start:
            take_weights(self.network, start.network.state_dict(), known)
            self.preferences = self._preferences(drawn)
        self.phases = (Phase("flow", self.network, self.draw, self.loss),)

    def _latent_space(
        self, rows: Sequence[Row], pixels: Pixels, recoloured: Pixels, source: Source
    ) -> LatentSpace:
        if self.config.network == "dit":
            return PixelSpace(self.config.size)
        if self.config.space == "autoencoder":
            return source.autoencoder(rows, pixels, self.config.autoencoder_steps)
        described = _described(self.conditions.has_text[: self.rows])
        return LinearSpace(
            fit(pixels, self.config.components, source.seed, rows=described, extra=recoloured)
        )

    def _latent_dataset(self, *pixels: Pixels) -> LatentDataset:
        """Return the latents of several arrays of pictures; rows count on from one to the next."""
        if isinstance(self.space, AutoencoderSpace):
            variants = VARIANTS if self.config.move_prob else 0
            return AutoencoderDataset(self.space, *pixels, variants=variants)
        if isinstance(self.space, LinearSpace):
            return LinearDataset(self.space.pca, *pixels)
        some = [part for part in pixels if len(part)]
        return PixelDataset(np.concatenate(some) if len(some) > 1 else some[0])

    def _preferences(self, drawn: Sequence[Row]) -> PreferenceLoss | None:
        """Return the loss of what people preferred, if there are enough pairs."""
        preferences = preferences_of(drawn)
        if not preferences.enough:
            return None
        prompts = PromptEncoder.trained_with(self.encoder, self.conditions).encode(
            [row.prompt for row in drawn]
        )

        def latents(drawings: Tensor) -> Tensor:
            unchanged = torch.zeros(len(drawings), device=drawings.device)
            return self.dataset.batch(self.rows + drawings, unchanged)

        return PreferenceLoss(self.network, preferences, latents, prompts, self.errors)

    def draw(self, count: int) -> Batch:
        """Return a new batch.

        Where the run goes on from a model, what people preferred is learnt beside it.
        """
        x0, change, condition = self.sample_batch(count)
        t, noise = self.sample_times(count), torch.randn_like(x0)
        pairs = (
            self.preferences.draw(self.sample_times(count), torch.randn_like(x0))
            if self.preferences
            else None
        )
        return Batch(x0, noise, t, condition, change, pairs)

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted squared error of the velocity on a batch."""
        x0, noise, t, condition, change, pairs = batch
        loss = self.errors(self.network, x0, noise, t, condition, change).mean()
        if self.preferences and pairs:
            loss = loss + self.preferences(self.network, pairs)
        return loss

    def sample_times(self, count: int) -> Tensor:
        """Draw times (B,), from 0 to 1."""
        return torch.sigmoid(torch.randn(count, device=device()) + self.config.time_mean)

    def errors(
        self,
        network: nn.Module,
        x0: Tensor,
        noise: Tensor,
        t: Tensor,
        condition: Condition,
        change: Tensor | None = None,
    ) -> Tensor:
        """Return the weighted mean squared error of the velocity (B,) of latents (B, …)."""
        t_wide = t.view(-1, *[1] * (x0.dim() - 1))  # (B, 1, …)
        noisy = t_wide * x0 + (1 - t_wide) * noise
        predicted = network(noisy, t, condition, change)  # (B, …)
        error = (predicted - x0) / (1 - t_wide).clamp(min=self.config.time_clamp)
        weighted: Tensor = self.dataset.weight * error.square()
        return weighted.flatten(1).mean(1)

    def sample_batch(self, count: int) -> tuple[Tensor, Tensor, Condition]:
        """Return latents (B, …), how their pictures were changed (B, 4), and their conditions."""
        at = device()
        rows = torch.randint(self.rows, (count,), device=at)
        if self.recoloured:
            first = self.rows + self.drawn
            other = first + torch.randint(self.recoloured, (count,), device=at)
            rows = torch.where(torch.rand(count, device=at) < self.config.hue_prob, other, rows)
        if self.drawn:
            share = min(DRAWN_SHARE, self.drawn / (self.rows + self.drawn))
            other = self.rows + torch.randint(self.drawn, (count,), device=at)
            rows = torch.where(torch.rand(count, device=at) < share, other, rows)
        mirrored = (torch.rand(count, device=at) < self.config.flip_prob).float()
        condition = self.conditions.sample(
            rows, cond_drop_prob=self.config.cond_drop_prob, jitter=self.config.jitter
        )
        if self.config.move_prob and isinstance(self.dataset, AutoencoderDataset):
            latents, moves = self.dataset.moved_batch(rows, mirrored, self.config.move_prob)
        else:
            latents = self.dataset.batch(rows, mirrored)
            moves = torch.zeros(count, MOVES, device=at)
        return latents, torch.cat([mirrored[:, None], moves], 1), condition

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return sample_grid(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder, with a student where one is asked for."""
        wanted = self.config.one_call_steps and self.config.network == "mlp"
        student = self._distil(network) if wanted else None
        replace(self.model(network), student=student).save(folder, about)

    def _distil(self, teacher: nn.Module) -> Student:
        return distil(
            teacher,
            Distillation(
                steps=self.config.one_call_steps,
                guidance=self.config.guidance,
                seed=self.seed,
                shape=self.space.shape,
                weight=self.dataset.weight,
                sample_condition=self._prompts,
                on_step=partial(self.on_step, "one call"),
            ),
        )

    def _prompts(self, count: int) -> Condition:
        """Return random conditions as a person would ask for them: the best ratings, no drops."""
        described = self.rows + self.drawn + self.recoloured
        rows = torch.randint(described, (count,), device=device())
        condition = self.conditions.sample(rows, cond_drop_prob=0.0, jitter=self.config.jitter)
        return condition._replace(ratings=torch.ones_like(condition.ratings))

    def model(self, network: nn.Module) -> "Model":
        """Return the model that ``network`` makes with the rest of the training."""
        prompt_encoder = PromptEncoder.trained_with(self.encoder, self.conditions)
        return Model(self.config, network, self.space, prompt_encoder)


def _described(mask: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the indices of described pictures where these are the majority, else all.

    The others still teach what pictures look like, but no prompt asks for them.
    """
    described = np.flatnonzero(mask.numpy())
    return described if 2 * len(described) >= len(mask) else np.arange(len(mask))
