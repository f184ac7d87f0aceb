"""Pictures token by token, each drawn from what a transformer expects after those before it.

After image GPT (Chen et al. 2020), with patches for tokens, or with a palette's pixels;
conditioned on text and on belief in it (arXiv 2405.20324).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

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
from training.engine.recipes.base import Config, OnProgress, Phase, Source, changed, grid_of
from training.engine.recipes.stored import PromptEncoder, read_model, read_weights, write_model
from training.engine.sampling import samplers
from training.engine.sampling.next_token import draw_tokens


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
    tokens: str = "patches"  # or the pixels of a palette
    patch: int = 4  # pixels that a patch is wide and high
    codes: int = 512  # in the codebook, a level
    levels: int = 2  # tokens of a patch, each finer than the one before
    width: int = 128
    depth: int = 4
    heads: int = 4
    dropout: float = 0.0
    forget: float = 0.3  # how often a token is withheld from those after it, on average
    drop: float = 0.1  # how often the text is withheld
    flips: float = 0.3  # how often a picture is mirrored
    jitter: float = 0.5  # how far texts, of length 1, are moved at most: others put it otherwise
    guidance: float = 2.0
    temperature: float = 1.0  # 0: always the likeliest token
    top_k: int = 0  # draw among so many of the likeliest tokens; 0: among all
    top_p: float = 0.9  # draw among the likeliest that have this share together

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
    def depths(self) -> int:
        """Tokens of a patch; a palette's pixel has one."""
        return self.levels if self.tokens == "patches" else 1


class AutoregressiveTraining:
    """A network in training, with the codebook, pictures, texts and beliefs of one snapshot."""

    def __init__(self, config: AutoregressiveConfig, source: Source) -> None:
        self.config = config
        rows = source.snapshot.train
        name = digest(rows)
        self.encoder = load_text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, name)
        shape = {"patch": config.grain, "levels": config.depths, "count": config.codes}
        self.codebook = fitted(pixels, source.cache, name, **shape).to(device())
        self.pictures = PackedPictures(pixels, device())
        self.conditions = Conditions(rows, source.snapshot.concepts, self.encoder, source.cache)
        torch.manual_seed(source.seed)
        ratings = len(self.conditions.ratings)
        self.network = build_network(config, self.codebook.count, self.encoder.width, ratings)
        self.network.to(device())
        self.phases = (Phase("tokens", self.network, self.loss),)

    def loss(self, count: int) -> Tensor:
        """Nats per token of a fresh batch."""
        tokens, condition = self.draw_batch(count)
        return nats(self.network(tokens, condition), tokens).mean()

    def draw_batch(self, count: int) -> tuple[Tensor, Condition]:
        """Tokens (B, T, L), and what is told of them."""
        rows = torch.randint(len(self.pictures), (count,))
        pictures = self.pictures.batch(rows)  # (B, 3, s, s)
        mirrored = torch.rand(count, 1, 1, 1, device=device()) < self.config.flips
        pictures = torch.where(mirrored, pictures.flip(3), pictures)
        with torch.autocast(device().type, enabled=False):  # near codes differ by little
            tokens = self.codebook.encode(pictures)
        condition = self.conditions.draw(rows, drop=self.config.drop, jitter=self.config.jitter)
        return tokens, condition

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return grid_of(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """The model that the run would end with if ``network`` were its last."""
        assert isinstance(network, Transformer)
        listener = PromptEncoder(
            self.encoder, self.conditions.certain, len(self.conditions.ratings)
        )
        return Model(self.config, network, self.codebook, listener)


def build_network(config: AutoregressiveConfig, codes: int, text: int, ratings: int) -> Transformer:
    return Transformer(
        codes=codes,
        levels=config.depths,
        side=config.size // config.grain,
        text=text,
        ratings=ratings,
        width=config.width,
        depth=config.depth,
        heads=config.heads,
        dropout=config.dropout,
        forget=config.forget,
    )


def nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """−log p of each picture's tokens (B, T, L), their mean (B,)."""
    lost = cross_entropy(logits.float().permute(0, 3, 1, 2), tokens, reduction="none")
    return lost.flatten(1).mean(1)


def fresh_noise(seeds: Sequence[int], config: AutoregressiveConfig) -> Tensor:
    """Normal (n, T, L), each picture's own."""
    return samplers.noise(seeds, ((config.size // config.grain) ** 2, config.depths), device())()


@dataclass(frozen=True)
class Model:
    """A model that draws: a trained network with all that stands around it."""

    config: AutoregressiveConfig
    network: Transformer
    codebook: Codebook
    listener: PromptEncoder

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

    @property
    def chance(self) -> float:
        """The nats per token of guessing."""
        return math.log(self.codebook.count)

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        belief: float | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        tell: OnProgress | None = None,
    ) -> Pixels:
        """uint8 (n, s, s, 3), one a prompt and seed; no prompt is the unconditional model.

        ``steps`` changes nothing: there is one a patch.
        """
        noise = fresh_noise(seeds, self.config)
        return self._pictures(self.listener.asked(prompts, belief), noise, guidance, tell)

    def between(
        self,
        prompts: tuple[str, str],
        seeds: tuple[int, int],
        count: int,
        *,
        guidance: float | None = None,
        steps: int | None = None,
        tell: OnProgress | None = None,
    ) -> Pixels:
        """uint8 (count, s, s, 3): conditions on a line, noise on the arc between the two."""
        condition, share = self.listener.between(prompts, count)
        first, last = fresh_noise(seeds, self.config)
        return self._pictures(condition, samplers.arc(first, last, share), guidance, tell)

    def complete(
        self,
        pictures: Pixels,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        belief: float | None = None,
        guidance: float | None = None,
        tell: OnProgress | None = None,
    ) -> Pixels:
        """The given pictures (n, s, s, 3) with lower halves drawn anew, one a prompt and seed."""
        tokens = self._encode(pictures)
        given = tokens[:, : tokens.shape[1] // 2]
        noise = fresh_noise(seeds, self.config)
        drawn = self._pictures(self.listener.asked(prompts, belief), noise, guidance, tell, given)
        drawn[:, : self.size // 2] = pictures[:, : self.size // 2]
        return drawn

    def adjusted(self, options: dict[str, Any]) -> Self:
        """With other sampling options; raises ``TrainingError`` where one is off."""
        return replace(self, config=changed(self.config, options, sampling=True))

    @torch.no_grad()
    def nats_per_token(
        self, pixels: Pixels, prompts: Sequence[str], belief: float | None = None
    ) -> Tensor:
        """How much the model is surprised by pictures (n, s, s, 3) so described: (n,), in nats."""
        network = self.network.to(device()).eval()
        found = []
        for start in range(0, len(pixels), 64):
            tokens = self._encode(pixels[start : start + 64])
            condition = self.listener.asked(prompts[start : start + 64], belief)
            found.append(nats(network(tokens, condition), tokens).cpu())
        return torch.cat(found) if found else torch.zeros(0)

    def _encode(self, pixels: Pixels) -> Tensor:
        if pixels.shape[1:] != (self.size, self.size, 3):
            raise TrainingError(f"The pictures must be {self.size} pixels wide and high.")
        codebook = self.codebook.to(device())
        return codebook.encode(PackedPictures(pixels, device()).batch(torch.arange(len(pixels))))

    @torch.no_grad()
    def _pictures(
        self,
        condition: Condition,
        noise: Tensor,
        guidance: float | None,
        tell: OnProgress | None,
        given: Tensor | None = None,
    ) -> Pixels:
        network, codebook = self.network.to(device()).eval(), self.codebook.to(device())
        guidance = self.guidance if guidance is None else guidance
        config = replace(self.config, guidance=guidance)
        uniform = torch.special.ndtr(noise)
        tokens = draw_tokens(network, condition, uniform, config, given=given, tell=tell)
        return uint8(codebook.decode(tokens))

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"codebook.{k}": v for k, v in self.codebook.state_dict().items()}
        write_model(folder, about, self.config, self.listener, tensors)


def load(folder: Path) -> Model:
    """The model of a model folder; raises ``TrainingError`` where it holds none."""
    config, listener = read_model(folder, AutoregressiveConfig)

    def build(stored: dict[str, Tensor]) -> Model:
        tensors = {name: tensor.float() for name, tensor in stored.items()}
        if config.depth > len(tensors):
            raise ValueError(config.depth)
        with torch.device("meta"):
            codebook = Codebook(config.grain, *tensors["codebook.codes"].shape[:2])
            width, ratings = listener.encoder.width, listener.ratings
            network = build_network(config, codebook.count, width, ratings)
        codebook.load_state_dict(under("codebook.", tensors), assign=True)
        network.load_state_dict(under("network.", tensors), assign=True)
        return Model(config, network.requires_grad_(False), codebook, listener)

    return read_weights(folder, build)
