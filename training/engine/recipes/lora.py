"""A LoRA of Stable Diffusion's U-Net (arXiv 2106.09685).

The text enters as null + confidence · (text − null), where null is the empty prompt's hidden
states, so that confidence 0 is the base's own unconditional model. Errors are weighted by the noise
level (min-SNR, arXiv 2303.09556). Latents and hidden states are computed once, before training.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from training.engine.data.caption_mixtures import sample_mixtures
from training.engine.data.packing import pack
from training.engine.data.pictures import DRAWN, Pixels, png, tiled
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.files import TrainingError, read_json, write_json
from training.engine.networks import kohya, stable_diffusion
from training.engine.networks.stable_diffusion import Base, cached_hidden, cached_latents, load_base
from training.engine.recipes.base import Config, Phase, Source, replace_options
from training.engine.sampling.progress import OnProgress
from training.engine.sampling.samplers import slerp
from training.engine.sampling.stable_diffusion import sample

FILE = "lora.safetensors"


@dataclass(frozen=True, kw_only=True)
class LoraConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "layers": tuple(kohya.LAYERS),
        "sampler": tuple(stable_diffusion.SAMPLERS),
        "parallel": ("auto", "ddp"),  # what is trained is small, and lies within what is not
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "keep_keywords")
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 4
    learning_rate: float = 1e-4
    warmup: int = 50
    samples: int = 4
    compile: bool = False  # compiling costs more than so few steps save
    base: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # or a folder in diffusers' layout
    size: int = 512  # pixels, of the square in the middle of a picture
    rank: int = 16
    layers: str = "transformer"  # attention, transformer, or all: convolutions too
    cond_drop_prob: float = 0.1  # that a text is dropped, for classifier-free guidance
    keep_keywords: int = 1  # at the front, neither shuffled nor dropped
    keyword_dropout: float = 0.1  # probability that each other keyword is left out
    caption_variants: int = 16  # texts per picture, at most
    min_snr_gamma: float = 5.0  # 0: weigh noise levels as the base was trained
    guidance: float = 7.5
    sampling_steps: int = 25
    sampler: str = "dpm"


class Batch(NamedTuple):
    """What the errors of B pictures are computed from."""

    rows: Tensor  # (B,)
    variant: Tensor  # (B,) which of a picture's texts
    kept: Tensor  # (B,) whether the text is
    t: Tensor  # (B,) noise levels
    noise: Tensor  # (B, C, h, w)


class LoraTraining:
    """LoRA layers in training, with the latents and the hidden states of one set of pictures."""

    def __init__(self, config: LoraConfig, source: Source) -> None:
        self.config = config
        torch.manual_seed(source.seed)  # of the layers' first weights
        self.base = load_base(_absolute(config.base), config.rank, config.layers)
        self.base.latent_side(config.size)
        self.network = self.base.network
        self.phases = (Phase("lora", self.network, self.draw, self.loss),)
        self.rows = _training_rows(config, source)
        name = digest(self.rows)
        pixels = pack(self.rows, config.size, source.cache, name)
        self.latents = cached_latents(self.base, pixels, name, source.cache)
        captions = sample_mixtures(
            self.rows,
            source.snapshot.concepts,
            min(config.caption_variants, math.ceil(config.steps * config.batch / len(self.rows))),
            keep=config.keep_keywords,
            dropout=config.keyword_dropout,
            seed=source.seed,
        )
        self.hidden = cached_hidden(self.base, captions.mixtures, source.cache)
        self.sampling_confidence = captions.sampling_confidence
        self.index = torch.from_numpy(captions.index)
        self.confidence = torch.from_numpy(captions.confidence)
        self.null = _tensor(self.hidden[:1])
        scheduler = self.base.scheduler("ddim")
        self.prediction = str(scheduler.config.prediction_type)
        self.alphas = scheduler.alphas_cumprod.to(device())  # (T,) ᾱ
        if config.compile and device().type == "cuda":
            self.base.unet.compile()

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted squared error of the base's prediction target on a batch."""
        x0, hidden = self.read(batch)  # (B, C, h, w), (B, L, W)
        t, noise = batch.t, batch.noise
        alpha = self.alphas[t].view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        noisy = alpha.sqrt() * x0 + (1 - alpha).sqrt() * noise
        predicted = self.base.unet(noisy, t, encoder_hidden_states=hidden).sample
        targets = {
            "epsilon": noise,
            "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * x0,
            "sample": x0,
        }
        error = (predicted.float() - targets[self.prediction]).square().mean((1, 2, 3))  # (B,)
        loss: Tensor = (self._weight(self.alphas[t]) * error).mean()
        return loss

    def draw(self, count: int) -> Batch:
        """Return a new batch."""
        rows = torch.randint(len(self.latents), (count,))
        variant = torch.randint(self.index.shape[1], (count,))
        kept = torch.rand(count) >= self.config.cond_drop_prob
        t = torch.randint(len(self.alphas), (count,), device=device())
        noise = torch.randn(count, *self.latents.shape[1:], device=device())
        return Batch(rows, variant, kept, t, noise)

    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return latents (B, C, h, w) and their texts' hidden states (B, L, W)."""
        rows, variant, kept = batch.rows, batch.variant, batch.kept
        text = _tensor(self.hidden[self.index[rows, variant].numpy()])
        confidence = (self.confidence[rows, variant] * kept).to(device())
        return _tensor(self.latents[rows.numpy()]), blended(self.null, text, confidence)

    def _weight(self, alpha: Tensor) -> Tensor:
        """Return the weight of errors in the target: min(SNR, γ) of x₀, SNR = ᾱ/(1 − ᾱ)."""
        if self.config.min_snr_gamma == 0:
            return torch.ones_like(alpha)
        snr = alpha / (1 - alpha)
        capped = snr.clamp(max=self.config.min_snr_gamma)
        return {"epsilon": capped / snr, "v_prediction": capped / (snr + 1), "sample": capped}[
            self.prediction
        ]

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """Return a PNG with one row per prompt, sampled with the averaged ``network``'s weights."""
        columns = self.config.samples
        repeated = [prompt for prompt in prompts for _ in range(columns)]
        trained = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(network.state_dict())
        try:
            model = Model(self.config, self.base, self.sampling_confidence)
            pictures = model.sample(repeated, list(range(columns)) * len(prompts))
        finally:
            self.network.load_state_dict(trained)
        return png(tiled(pictures, columns), DRAWN)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write ``lora.safetensors`` in kohya's layout, and ``config.json``."""
        kohya.write(folder / FILE, network, self._metadata(about))
        settings = {
            **asdict(self.config),
            "base": self.base.name,
            "sampling_confidence": self.sampling_confidence,
        }
        tower = {"kind": "stable-diffusion", "identity": self.base.text_identity}
        write_json(folder / "config.json", {**about, "network": settings, "clip": tower})

    def _metadata(self, about: dict[str, Any]) -> dict[str, str]:
        config = self.config
        second = int(self.base.text_encoder.config.hidden_size) == 1024
        tags = Counter(tag for row in self.rows for tag in row.tags)
        return {
            "base_model_version": "sd_v2" if second else "sd_v1",
            "v2": str(second),
            "sd_model_name": Path(self.base.name).name,
            "network_dim": str(config.rank),
            "network_alpha": str(float(config.rank)),
            "learning_rate": str(config.learning_rate),
            "unet_lr": str(config.learning_rate),
            "batch_size_per_device": str(config.batch),
            "resolution": str((config.size, config.size)),
            "steps": str(about.get("steps", "")),
            "max_train_steps": str(config.steps),
            "seed": str(about.get("seed", "")),
            "num_train_images": str(len(self.rows)),
            "min_snr_gamma": str(config.min_snr_gamma),
            "caption_dropout_rate": str(config.cond_drop_prob),
            "caption_tag_dropout_rate": str(config.keyword_dropout),
            "keep_tokens": str(config.keep_keywords),
            "shuffle_caption": "True",
            "tag_frequency": json.dumps({"pictures": dict(tags.most_common(200))}),
        }


def _absolute(name: str) -> str:
    """Return a folder's absolute path, so that the base is found from anywhere; else the id."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def _training_rows(config: LoraConfig, source: Source) -> Sequence[Row]:
    """Return the training pictures: of very many, a sample no larger than the steps use."""
    rows = source.snapshot.train
    limit = config.steps * config.batch
    return rows if len(rows) <= limit else random.Random(source.seed).sample(rows, limit)


def blended(null: Tensor, text: Tensor, confidence: Tensor) -> Tensor:
    """Return null + c · (text − null), (B, L, W), for confidences c (B,)."""
    return null + confidence[:, None, None] * (text - null)


def _tensor(values: np.ndarray[Any, np.dtype[np.float16]]) -> Tensor:
    return torch.from_numpy(np.array(values)).to(device()).float()


# Sampling


@dataclass(frozen=True)
class Model:
    """Stable Diffusion with a trained LoRA in it."""

    config: LoraConfig
    base: Base
    sampling_confidence: float  # the confidence to sample at: that of the surest training texts

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

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
        """Return uint8 (n, s, s, 3), one picture per prompt and seed; "" is no prompt."""
        hidden = self._hidden(
            prompts, self.sampling_confidence if confidence is None else confidence
        )
        noise = torch.stack([self._noise(seed) for seed in seeds])
        return self._sample(hidden, noise, guidance, steps, on_progress)

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
        """Return uint8 (count, s, s, 3): hidden states interpolated linearly, noise spherically."""
        first, last = self._hidden(prompts, self.sampling_confidence)
        weights = torch.linspace(0, 1, count)
        hidden = torch.lerp(first, last, weights.to(first.device)[:, None, None])
        noise = slerp(self._noise(seeds[0]), self._noise(seeds[1]), weights)
        return self._sample(hidden, noise, guidance, steps, on_progress)

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""
        return replace(self, config=replace_options(self.config, options, sampling=True))

    def _hidden(self, prompts: Sequence[str], confidence: float) -> Tensor:
        texts = [prompt.strip() for prompt in prompts]
        indices = {text: i for i, text in enumerate(dict.fromkeys(("", *texts)))}
        hidden = stable_diffusion.encode_texts(self.base, list(indices))
        rows = hidden[[indices[text] for text in texts]]
        return blended(hidden[:1], rows, torch.full((len(texts),), confidence, device=device()))

    def _noise(self, seed: int) -> Tensor:
        """Return noise (C, h, w) that depends on the seed alone."""
        side = self.base.latent_side(self.config.size)
        generator = torch.Generator().manual_seed(seed)
        return torch.randn((self.base.channels, side, side), generator=generator)

    def _sample(
        self,
        hidden: Tensor,
        noise: Tensor,
        guidance: float | None,
        steps: int | None,
        on_progress: OnProgress | None,
    ) -> Pixels:
        precision, at = self.config.precision, device().type
        return sample(
            self.base,
            hidden,
            stable_diffusion.encode_texts(self.base, [""]),
            noise,
            sampler=self.config.sampler,
            guidance=self.guidance if guidance is None else guidance,
            steps=steps or self.config.sampling_steps,
            bf16=precision == "bf16" or (precision == "auto" and at == "cuda"),
            on_progress=on_progress,
        )


def load(folder: Path) -> Model:
    """Load a model folder; raise ``TrainingError`` where it or its base is missing."""
    about = read_json(folder / "config.json")
    try:
        network = dict(about["network"])
        sampling_confidence = float(network["sampling_confidence"])
        identity = str(about["clip"]["identity"])
        options = {field.name: network[field.name] for field in fields(LoraConfig)}
        config = replace_options(LoraConfig(steps=1), options)
    except (KeyError, TypeError, ValueError, AttributeError, TrainingError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a LoRA.") from None
    base = load_base(config.base, config.rank, config.layers)
    if base.text_identity != identity:
        raise TrainingError(f"{folder} was trained on another base than {config.base} now is.")
    base.latent_side(config.size)
    base.network.load_state_dict(kohya.read(folder / FILE, base.network))
    return Model(config, base, sampling_confidence)
