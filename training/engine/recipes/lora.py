"""A LoRA of Stable Diffusion's U-Net (arXiv 2106.09685): thousands of weights beside millions.

The text enters as null + belief · (text − null), where null is the empty prompt's hidden states,
so that belief 0 is the base's own unconditional model. Errors are weighted by the noise level
(min-SNR, arXiv 2303.09556). Latents and hidden states are made once, before training.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from training.engine.data import caption_mixtures
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, png, tiled
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.files import TrainingError, read_json, write_json
from training.engine.networks import kohya, stable_diffusion
from training.engine.networks.stable_diffusion import Base, cached_hidden, cached_latents, load_base
from training.engine.recipes.base import Config, OnProgress, Phase, Source, changed
from training.engine.sampling.samplers import arc

FILE = "lora.safetensors"


@dataclass(frozen=True, kw_only=True)
class LoraConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "layers": tuple(kohya.LAYERS),
        "sampler": tuple(stable_diffusion.SAMPLERS),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "keep")
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "sampling_steps", "sampler")

    batch: int = 4
    learning_rate: float = 1e-4
    warmup: int = 50
    samples: int = 4
    compile: bool = False  # it takes longer than so few steps save
    base: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # or a folder of diffusers' layout
    size: int = 512  # pixels; of each picture the square in the middle
    rank: int = 16
    layers: str = "transformer"  # attention, transformer, or all: convolutions too
    drop: float = 0.1  # how often the text is withheld
    keep: int = 1  # keywords at the front that stay there
    keyword_drop: float = 0.1  # how often each other keyword is left out
    ways: int = 16  # in how many ways a picture's texts are put, at most
    snr: float = 5.0  # γ of min-SNR; 0: every noise level weighs as the base was trained
    guidance: float = 7.5
    sampling_steps: int = 25
    sampler: str = "dpm"


class LoraTraining:
    """LoRA layers in training, with the latents and the hidden states of one set of pictures."""

    def __init__(self, config: LoraConfig, source: Source) -> None:
        self.config = config
        torch.manual_seed(source.seed)  # of the layers' first weights
        self.base = load_base(_placed(config.base), config.rank, config.layers)
        self.base.latent_side(config.size)
        self.network = self.base.network
        self.phases = (Phase("lora", self.network, self.loss),)
        self.rows = _seen(config, source)
        name = digest(self.rows)
        pixels = pack(self.rows, config.size, source.cache, name)
        self.latents = cached_latents(self.base, pixels, name, source.cache)
        sayings = caption_mixtures.put(
            self.rows,
            source.snapshot.concepts,
            min(config.ways, math.ceil(config.steps * config.batch / len(self.rows))),
            keep=config.keep,
            drop=config.keyword_drop,
            seed=source.seed,
        )
        self.hidden = cached_hidden(self.base, sayings.mixtures, source.cache)
        self.certain = sayings.certain
        self.index = torch.from_numpy(sayings.index)
        self.belief = torch.from_numpy(sayings.belief)
        self.null = _tensor(self.hidden[:1])
        scheduler = self.base.scheduler("ddim")
        self.kind = str(scheduler.config.prediction_type)
        self.alphas = scheduler.alphas_cumprod.to(device())  # (T,) ᾱ
        if config.compile and device().type == "cuda":
            self.base.unet.compile()

    def loss(self, count: int) -> Tensor:
        """The squared error of what the base predicts (its noise, or v) on a fresh batch."""
        x0, hidden = self.draw_batch(count)
        t = torch.randint(len(self.alphas), (count,), device=x0.device)
        alpha = self.alphas[t].view(-1, 1, 1, 1)
        noise = torch.randn_like(x0)
        noisy = alpha.sqrt() * x0 + (1 - alpha).sqrt() * noise
        predicted = self.base.unet(noisy, t, encoder_hidden_states=hidden).sample
        targets = {
            "epsilon": noise,
            "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * x0,
            "sample": x0,
        }
        error = (predicted.float() - targets[self.kind]).square().mean((1, 2, 3))  # (B,)
        loss: Tensor = (self._weight(self.alphas[t]) * error).mean()
        return loss

    def draw_batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Latents (B, C, h, w), and the hidden states (B, L, W) that they are told."""
        rows = torch.randint(len(self.latents), (count,))
        way = torch.randint(self.index.shape[1], (count,))
        kept = torch.rand(count) >= self.config.drop
        text = _tensor(self.hidden[self.index[rows, way].numpy()])
        belief = (self.belief[rows, way] * kept).to(device())
        return _tensor(self.latents[rows.numpy()]), blended(self.null, text, belief)

    def _weight(self, alpha: Tensor) -> Tensor:
        """min(SNR, γ) in the loss on x₀, brought to what is predicted; SNR = ᾱ/(1 − ᾱ)."""
        if self.config.snr == 0:
            return torch.ones_like(alpha)
        snr = alpha / (1 - alpha)
        capped = snr.clamp(max=self.config.snr)
        return {"epsilon": capped / snr, "v_prediction": capped / (snr + 1), "sample": capped}[
            self.kind
        ]

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        """A row a prompt, from the same noise each time."""
        columns = self.config.samples
        wanted = [prompt for prompt in prompts for _ in range(columns)]
        own = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(network.state_dict())
        try:
            model = Model(self.config, self.base, self.certain)
            pictures = model.draw(wanted, list(range(columns)) * len(prompts))
        finally:
            self.network.load_state_dict(own)
        return png(tiled(pictures, columns))

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write ``lora.safetensors`` in kohya's layout, and ``config.json``."""
        kohya.write(folder / FILE, network, self._metadata(about))
        settings = {**asdict(self.config), "base": self.base.name, "certain": self.certain}
        tower = {"kind": "stable-diffusion", "identity": self.base.text_identity}
        write_json(folder / "config.json", {**about, "network": settings, "clip": tower})

    def _metadata(self, about: dict[str, Any]) -> dict[str, str]:
        config = self.config
        second = int(self.base.tower.config.hidden_size) == 1024
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
            "min_snr_gamma": str(config.snr),
            "caption_dropout_rate": str(config.drop),
            "caption_tag_dropout_rate": str(config.keyword_drop),
            "keep_tokens": str(config.keep),
            "shuffle_caption": "True",
            "tag_frequency": json.dumps({"pictures": dict(tags.most_common(200))}),
        }


def _placed(name: str) -> str:
    """A folder by its whole path, so that the model is found from anywhere."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def _seen(config: LoraConfig, source: Source) -> Sequence[Row]:
    """The pictures: of very many, no more than the steps will meet."""
    rows = source.snapshot.train
    met = config.steps * config.batch
    return rows if len(rows) <= met else random.Random(source.seed).sample(rows, met)


def blended(null: Tensor, text: Tensor, belief: Tensor) -> Tensor:
    """null + c · (text − null), (B, L, W), for beliefs c (B,)."""
    return null + belief[:, None, None] * (text - null)


def _tensor(values: np.ndarray[Any, np.dtype[np.float16]]) -> Tensor:
    return torch.from_numpy(np.array(values)).to(device()).float()


# Drawing


@dataclass(frozen=True)
class Model:
    """Stable Diffusion with a trained LoRA in it."""

    config: LoraConfig
    base: Base
    certain: float  # the belief to ask for: that of the surest texts in training

    @property
    def size(self) -> int:
        return self.config.size

    @property
    def guidance(self) -> float:
        return self.config.guidance

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
        """uint8 (n, s, s, 3), one a prompt and seed; no prompt is the unconditional model."""
        hidden = self._told(prompts, self.certain if belief is None else belief)
        noise = torch.stack([self._noise(seed) for seed in seeds])
        return self._pictures(hidden, noise, guidance, steps, tell)

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
        """uint8 (count, s, s, 3): hidden states on a line, noise on the arc between the two."""
        first, last = self._told(prompts, self.certain)
        shares = torch.linspace(0, 1, count)
        hidden = torch.lerp(first, last, shares.to(first.device)[:, None, None])
        noise = arc(self._noise(seeds[0]), self._noise(seeds[1]), shares)
        return self._pictures(hidden, noise, guidance, steps, tell)

    def adjusted(self, options: dict[str, Any]) -> Self:
        return replace(self, config=changed(self.config, options, sampling=True))

    def _told(self, prompts: Sequence[str], belief: float) -> Tensor:
        asked = [prompt.strip() for prompt in prompts]
        unique = {text: i for i, text in enumerate(dict.fromkeys(("", *asked)))}
        hidden = stable_diffusion.encode_texts(self.base, list(unique))
        texts = hidden[[unique[text] for text in asked]]
        return blended(hidden[:1], texts, torch.full((len(asked),), belief, device=device()))

    def _noise(self, seed: int) -> Tensor:
        """Each picture has a generator of its own, so that it does not depend on others."""
        side = self.base.latent_side(self.config.size)
        generator = torch.Generator().manual_seed(seed)
        return torch.randn((self.base.channels, side, side), generator=generator)

    def _pictures(
        self,
        hidden: Tensor,
        noise: Tensor,
        guidance: float | None,
        steps: int | None,
        tell: OnProgress | None,
    ) -> Pixels:
        precision, at = self.config.precision, device().type
        return stable_diffusion.sample(
            self.base,
            hidden,
            stable_diffusion.encode_texts(self.base, [""]),
            noise,
            sampler=self.config.sampler,
            guidance=self.guidance if guidance is None else guidance,
            steps=steps or self.config.sampling_steps,
            bf16=precision == "bf16" or (precision == "auto" and at == "cuda"),
            tell=tell,
        )


def load(folder: Path) -> Model:
    """The model of a model folder; raises ``TrainingError`` where it or its base is missing."""
    about = read_json(folder / "config.json")
    try:
        network = dict(about["network"])
        certain, identity = float(network["certain"]), str(about["clip"]["identity"])
        options = {field.name: network[field.name] for field in fields(LoraConfig)}
        config = changed(LoraConfig(steps=1), options)
    except (KeyError, TypeError, ValueError, AttributeError, TrainingError):
        raise TrainingError(f"{folder / 'config.json'} does not describe a LoRA.") from None
    base = load_base(config.base, config.rank, config.layers)
    if base.text_identity != identity:
        raise TrainingError(f"{folder} was trained on another base than {config.base} now is.")
    base.latent_side(config.size)
    base.network.load_state_dict(kohya.read(folder / FILE, base.network))
    return Model(config, base, certain)
