"""Autoregressive image generation: a transformer predicts each token from those before it.

After image GPT (Chen et al. 2020), with patches or a palette's pixels as tokens; conditioned on
text and on confidence in it (arXiv 2405.20324).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from training.engine.data.packing import PackedPictures, pack
from training.engine.data.pictures import Pixels, uint8
from training.engine.data.rows import digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.codebook import Codebook, fitted
from training.engine.networks.transformer import Transformer
from training.engine.recipes.base import Config, Phase, Source, replace_options, sample_grid
from training.engine.recipes.stored import PromptEncoder, read_model, read_weights, write_model
from training.engine.sampling import samplers
from training.engine.sampling.next_token import sample_tokens
from training.engine.sampling.progress import OnProgress


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "tokens": ("patches", "palette"),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "top_k")
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "temperature", "top_k", "top_p")

    batch: int = 32
    size: int = 32  # pixels
    tokens: str = "patches"  # or palette: pixels
    patch: int = 4  # pixels wide and high
    codes: int = 512  # per level of the codebook
    levels: int = 2  # tokens per patch, from coarse to fine
    width: int = 128
    depth: int = 4
    heads: int = 4
    dropout: float = 0.0
    token_dropout: float = 0.3  # mean probability that a token is hidden from later ones
    cond_drop_prob: float = 0.1  # that a text is dropped, for classifier-free guidance
    flip_prob: float = 0.3  # that a picture is mirrored
    jitter: float = 0.5  # noise on texts, of length 1, at most: people phrase things differently
    guidance: float = 2.0
    temperature: float = 1.0  # 0: greedy
    top_k: int = 0  # most probable tokens to sample from; 0: all
    top_p: float = 0.9  # mass of the most probable tokens to sample from

    def __post_init__(self) -> None:
        if self.size % (2 * self.grain):
            raise TrainingError(f"The option size must be a multiple of {2 * self.grain}.")
        if self.width % self.heads:
            raise TrainingError("The option width must be a multiple of heads.")
        if self.dropout >= 1 or self.top_p > 1:
            raise TrainingError("The option dropout must be below 1, and top_p at most 1.")

    @property
    def grain(self) -> int:
        """The side of a token's patch in pixels."""
        return self.patch if self.tokens == "patches" else 1

    @property
    def tokens_per_patch(self) -> int:
        """How many tokens a patch has; a pixel of a palette has one."""
        return self.levels if self.tokens == "patches" else 1


class Batch(NamedTuple):
    """What the tokens of B pictures are read and predicted from."""

    rows: Tensor  # (B,)
    mirrored: Tensor  # (B,) whether a picture is
    condition: Condition
    hidden: Tensor  # (B, T − 1) whether a token is hidden from later positions


class AutoregressiveTraining:
    """A network in training, with the codebook, pictures, texts and confidences of one snapshot."""

    def __init__(self, config: AutoregressiveConfig, source: Source) -> None:
        self.config = config
        rows = source.snapshot.train
        name = digest(rows)
        self.encoder = load_text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, name)
        shape = {"patch": config.grain, "levels": config.tokens_per_patch, "count": config.codes}
        self.codebook = fitted(pixels, source.cache, name, **shape).to(device())
        self.pictures = PackedPictures(pixels, device())
        self.conditions = Conditions(rows, source.snapshot.concepts, self.encoder, source.cache)
        torch.manual_seed(source.seed)
        ratings = len(self.conditions.ratings)
        self.network = build_network(config, self.codebook.count, self.encoder.width, ratings)
        self.network.to(device())
        self.phases = (Phase("tokens", self.network, self.draw, self.loss),)

    def loss(self, batch: Batch) -> Tensor:
        """Return the nats per token of a batch."""
        tokens = self.tokens(batch)
        return nats(self.network(tokens, batch.condition, batch.hidden), tokens).mean()

    def draw(self, count: int) -> Batch:
        """Return a new batch.

        How many tokens are hidden differs from picture to picture, so that the network relies more
        on the condition, and errors in sampled tokens lead it less astray.
        """
        rows = torch.randint(len(self.pictures), (count,))
        mirrored = torch.rand(count, device=device()) < self.config.flip_prob
        condition = self.conditions.sample(
            rows, cond_drop_prob=self.config.cond_drop_prob, jitter=self.config.jitter
        )
        rate = 2 * self.config.token_dropout * torch.rand(count, 1, device=device())
        hidden = torch.rand(count, self.network.side**2 - 1, device=device()) < rate
        return Batch(rows, mirrored, condition, hidden)

    def tokens(self, batch: Batch) -> Tensor:
        """Return the tokens (B, T, L) of a batch's pictures."""
        pictures = self.pictures.batch(batch.rows)  # (B, 3, s, s)
        mirrored = batch.mirrored[:, None, None, None]
        pictures = torch.where(mirrored, pictures.flip(3), pictures)
        with torch.autocast(device().type, enabled=False):  # close codes need full precision
            return self.codebook.encode(pictures)

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return sample_grid(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """Return the model that ``network`` makes with the rest of the training."""
        assert isinstance(network, Transformer)
        prompt_encoder = PromptEncoder.trained_with(self.encoder, self.conditions)
        return Model(self.config, network, self.codebook, prompt_encoder)


def build_network(
    config: AutoregressiveConfig, codes: int, text_width: int, ratings: int
) -> Transformer:
    """Build the network; ``text_width`` and ``ratings`` are the widths of a condition's parts."""
    return Transformer(
        codes=codes,
        levels=config.tokens_per_patch,
        side=config.size // config.grain,
        text_width=text_width,
        ratings=ratings,
        width=config.width,
        depth=config.depth,
        heads=config.heads,
        dropout=config.dropout,
    )


def nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the mean −log p (B,) of each picture's tokens (B, T, L), by logits (B, T, L, K)."""
    losses = cross_entropy(logits.float().permute(0, 3, 1, 2), tokens, reduction="none")
    return losses.flatten(1).mean(1)


def token_noise(seeds: Sequence[int], config: AutoregressiveConfig) -> Tensor:
    """Return normal noise (n, T, L), each picture's by its own seed."""
    return samplers.seeded_noise(
        seeds, ((config.size // config.grain) ** 2, config.tokens_per_patch), device()
    )()


@dataclass(frozen=True)
class Model:
    """A finished model: the network and what it needs to generate images."""

    config: AutoregressiveConfig
    network: Transformer
    codebook: Codebook
    prompt_encoder: PromptEncoder

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

    @property
    def chance(self) -> float:
        """The nats per token of uniform guessing."""
        return math.log(self.codebook.count)

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        confidence: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return uint8 (n, s, s, 3), one picture per prompt and seed; "" is no prompt.

        ``steps`` is ignored: there is one per patch.
        """
        noise = token_noise(seeds, self.config)
        condition = self.prompt_encoder.encode(prompts, confidence)
        return self._sample(condition, noise, guidance, on_progress)

    def interpolate(
        self,
        prompts: tuple[str, str],
        seeds: tuple[int, int],
        count: int,
        *,
        guidance: float | None = None,
        steps: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return uint8 (count, s, s, 3): conditions interpolated linearly, noise spherically."""
        condition, weights = self.prompt_encoder.interpolate(prompts, count)
        first, last = token_noise(seeds, self.config)
        return self._sample(condition, samplers.slerp(first, last, weights), guidance, on_progress)

    def inpaint(
        self,
        pictures: Pixels,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        confidence: float | None = None,
        guidance: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Pixels:
        """Return pictures (n, s, s, 3) with new lower halves, one per prompt and seed."""
        tokens = self._encode(pictures)
        prefix = tokens[:, : tokens.shape[1] // 2]
        noise = token_noise(seeds, self.config)
        condition = self.prompt_encoder.encode(prompts, confidence)
        inpainted = self._sample(condition, noise, guidance, on_progress, prefix)
        inpainted[:, : self.size // 2] = pictures[:, : self.size // 2]
        return inpainted

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""
        return replace(self, config=replace_options(self.config, options, sampling=True))

    @torch.no_grad()
    def nats_per_token(
        self, pixels: Pixels, prompts: Sequence[str], confidence: float | None = None
    ) -> Tensor:
        """Return the nats per token (n,) of pictures (n, s, s, 3) given their prompts."""
        network = self.network.to(device()).eval()
        parts = []
        for start in range(0, len(pixels), 64):
            tokens = self._encode(pixels[start : start + 64])
            condition = self.prompt_encoder.encode(prompts[start : start + 64], confidence)
            parts.append(nats(network(tokens, condition), tokens).cpu())
        return torch.cat(parts) if parts else torch.zeros(0)

    def _encode(self, pixels: Pixels) -> Tensor:
        if pixels.shape[1:] != (self.size, self.size, 3):
            raise TrainingError(f"The pictures must be {self.size} pixels wide and high.")
        codebook = self.codebook.to(device())
        return codebook.encode(PackedPictures(pixels, device()).batch(torch.arange(len(pixels))))

    @torch.no_grad()
    def _sample(
        self,
        condition: Condition,
        noise: Tensor,
        guidance: float | None,
        on_progress: OnProgress | None,
        prefix: Tensor | None = None,
    ) -> Pixels:
        network, codebook = self.network.to(device()).eval(), self.codebook.to(device())
        guidance = self.guidance if guidance is None else guidance
        config = replace(self.config, guidance=guidance)
        uniform = torch.special.ndtr(noise)
        tokens = sample_tokens(
            network, condition, uniform, config, prefix=prefix, on_progress=on_progress
        )
        return uint8(codebook.decode(tokens))

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"codebook.{k}": v for k, v in self.codebook.state_dict().items()}
        write_model(folder, about, self.config, self.prompt_encoder, tensors)


def load(folder: Path) -> Model:
    """Load a model folder; raise ``TrainingError`` where it holds no such model."""
    config, prompt_encoder = read_model(folder, AutoregressiveConfig)

    def build(stored: dict[str, Tensor]) -> Model:
        tensors = {name: tensor.float() for name, tensor in stored.items()}
        if config.depth > len(tensors):
            raise ValueError(config.depth)
        with torch.device("meta"):
            codebook = Codebook(config.grain, *tensors["codebook.codes"].shape[:2])
            width, ratings = prompt_encoder.encoder.width, prompt_encoder.ratings
            network = build_network(config, codebook.count, width, ratings)
        codebook.load_state_dict(under("codebook.", tensors), assign=True)
        network.load_state_dict(under("network.", tensors), assign=True)
        return Model(config, network.requires_grad_(False), codebook, prompt_encoder)

    return read_weights(folder, build)
