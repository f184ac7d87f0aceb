"""R3GAN (arXiv 2501.05441): a relativistic loss with zero-centred gradient penalties.

The discriminator D learns to score a real picture above a generated one with the same condition c,
the generator G to reverse that. Both networks see c; at confidence 0 both are unconditional.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.pca import fit
from training.engine.latents.spaces import (
    AutoencoderDataset,
    LatentDataset,
    LatentSpace,
    LinearDataset,
    LinearSpace,
    PixelDataset,
    PixelSpace,
    bind,
    check_size,
    load_space,
    model_tensors,
)
from training.engine.networks.gan import (
    GAN,
    ComponentDiscriminator,
    ComponentGenerator,
    PixelDiscriminator,
    PixelGenerator,
    widths,
)
from training.engine.recipes.base import (
    Config,
    OneCall,
    Phase,
    Source,
    replace_options,
    sample_grid,
)
from training.engine.recipes.stored import (
    PromptEncoder,
    one_call,
    read_model,
    read_weights,
    write_model,
)
from training.engine.sampling.progress import OnProgress
from training.engine.sampling.samplers import seeded_noise, slerp


@dataclass(frozen=True, kw_only=True)
class GANConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "space": ("components", "autoencoder", "pixels"),
        "parallel": ("auto", "ddp"),  # gradients of gradients need all of a network
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth")
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "truncation")

    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    beta1: float = 0.0
    compile: bool = False  # torch.compile supports no double backward
    space: str = "components"  # what is generated: that, an autoencoder's latents, or pixels
    size: int = 64  # pixels
    components: int = 384
    autoencoder_steps: int = 2600  # of its fit, which is kept for the next run on these pictures
    noise: int = 32
    width: int = 384
    depth: int = 3
    expansion: int = 2
    group: int = 16  # channels of a grouped convolution
    penalty: float = 1.0  # γ
    contrast: float = 1.0  # weight of real pictures of other conditions, and of noise
    cond_drop_prob: float = 0.1  # that a text is dropped, for classifier-free guidance
    flip_prob: float = 0.3  # that D sees a picture mirrored, real or not
    jitter: float = 0.5  # noise on texts, of length 1, at most: people phrase things differently
    guidance: float = 1.0  # of the condition: 0 is no prompt, 1 as in training
    truncation: float = 1.0  # of the noise; nearer 0: more probable and less diverse

    def __post_init__(self) -> None:
        if self.compile:
            raise TrainingError(
                "The option compile must be false: no gradient of a gradient survives it."
            )
        if self.flip_prob > 0.5:
            raise TrainingError(
                "The option flip_prob must be at most 0.5: else pictures come mirrored."
            )
        check_size(self.space, self.size)
        if self.space != "pixels":
            return
        if self.size not in (8, 16, 32, 64, 128, 256):
            raise TrainingError("The option size must be 8, 16, 32, 64, 128 or 256 for pixels.")
        channels = widths(self.width, self.size)
        if channels[0] != self.width or any(c * self.expansion % self.group for c in channels):
            raise TrainingError(
                "The option width must be at least 32, and a multiple of group at every resolution."
            )


# The loss


def discriminator_loss(
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    condition: Condition,
    *,
    penalty: float,
    contrast: float = 0.0,
    negatives: Tensor | None = None,
) -> Tensor:
    """Return E[f(D(G(z)) − D(x)) + γ/2 (R1 + R2)], f(t) = log(1 + eᵗ) (equations 2, 4 and 5).

    ``contrast`` adds f(D(x') − D(x)), where x' are the ``negatives`` (B, …).
    """
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    real_score, fake_score = discriminator(real, condition), discriminator(fake, condition)
    r1, r2 = gradient_penalty(real_score, real), gradient_penalty(fake_score, fake)
    loss = softplus(fake_score - real_score) + penalty / 2 * (r1 + r2)
    if negatives is not None:
        loss = loss + contrast * softplus(discriminator(negatives, condition) - real_score)
    return loss.mean()


def random_negatives(real: Tensor, condition: Condition) -> Tensor:
    """Return what does not fit the conditions of real samples (B, …).

    With a probability of 3/4 · confidence that is the real picture of another condition, since a
    mismatch should score low (arXiv 1605.05396), else noise.
    """
    noisy = torch.rand_like(condition.confidence) >= 0.75 * condition.confidence
    noisy = noisy.view(-1, *[1] * (real.ndim - 1))
    return torch.where(noisy, shuffled(real), real.roll(1, 0))


def shuffled(samples: Tensor) -> Tensor:
    """Return noise (B, …) whose every value is that of a random sample at the same place."""
    return samples.gather(0, torch.randint_like(samples, len(samples), dtype=torch.long))


def generator_loss(
    discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Condition
) -> Tensor:
    """Return E[f(D(x) − D(G(z)))], the same comparison reversed."""
    with frozen(discriminator):
        real_score, fake_score = discriminator(real, condition), discriminator(fake, condition)
    return softplus(real_score - fake_score).mean()


def gradient_penalty(scores: Tensor, samples: Tensor) -> Tensor:
    """Return ‖∇ₓ D(x)‖² of each sample (B,), differentiable."""
    (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
    return gradient.square().flatten(1).sum(1)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Exclude the module's parameters from gradients."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


# Training


class Batch(NamedTuple):
    """B real pictures, and what as many are generated from."""

    real: Tensor  # (B, …) samples, as D sees them
    noise: Tensor  # (B, Z)
    condition: Condition  # of both
    mirrored: Tensor  # (B,) whether D sees the generated one mirrored
    negatives: Tensor | None  # (B, …)


class GANTraining:
    """Two networks in training, with the pictures, texts and confidences of one snapshot."""

    def __init__(self, config: GANConfig, source: Source) -> None:
        self.config = config
        rows = source.snapshot.train
        self.rows = len(rows)
        self.encoder = load_text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, digest(rows))
        self.conditions = Conditions(rows, source.snapshot.concepts, self.encoder, source.cache)
        self.space, self.dataset = _latent_dataset(config, rows, pixels, source)
        torch.manual_seed(source.seed)
        ratings = len(self.conditions.ratings)
        self.network = build_network(config, self.space.shape[0], self.encoder.width, ratings)
        bind(self.network, self.space)
        self.network.to(device())
        self.phases = (
            Phase("discriminator", self.network.discriminator, self.draw, self.discriminate),
            Phase("generator", self.network.generator, self.draw_without, self.generate),
        )

    def discriminate(self, batch: Batch) -> Tensor:
        """Return the discriminator's loss on a batch."""
        with torch.no_grad():
            fake = self.generated(batch)
        return discriminator_loss(
            self.network.discriminator,
            batch.real,
            fake,
            batch.condition,
            penalty=self.config.penalty,
            contrast=self.config.contrast,
            negatives=batch.negatives,
        )

    def generate(self, batch: Batch) -> Tensor:
        """Return the generator's loss on a batch."""
        fake = self.generated(batch)
        return generator_loss(self.network.discriminator, batch.real, fake, batch.condition)

    def generated(self, batch: Batch) -> Tensor:
        """Return generated samples (B, …), as D sees them."""
        fake: Tensor = self.network.generator(batch.noise, batch.condition)
        mirrored = batch.mirrored.view(-1, *[1] * (fake.ndim - 1))
        return torch.where(mirrored, self.space.mirrored(fake), fake)

    def draw(self, count: int) -> Batch:
        """Return a new batch, with negatives where they are wanted."""
        batch = self.draw_without(count)
        if not self.config.contrast:
            return batch
        return batch._replace(negatives=random_negatives(batch.real, batch.condition))

    def draw_without(self, count: int) -> Batch:
        """Return a new batch without negatives.

        Mirroring what is real and what is generated with a probability of at most 1/2 does not
        leak into G (arXiv 2006.06676).
        """
        config, at = self.config, device()
        rows = torch.randint(self.rows, (count,), device=at)
        condition = self.conditions.sample(
            rows, cond_drop_prob=config.cond_drop_prob, jitter=config.jitter
        )
        mirrored, mirrored_fake = torch.rand(2, count, device=at) < config.flip_prob
        real = self.dataset.batch(rows, mirrored.float())
        noise = torch.randn(count, config.noise, device=at)
        return Batch(real, noise, condition, mirrored_fake, None)

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return sample_grid(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """Return the model that ``network`` makes with the rest of the training."""
        assert isinstance(network, GAN)
        prompt_encoder = PromptEncoder.trained_with(self.encoder, self.conditions)
        return Model(self.config, network, self.space, prompt_encoder)


def _latent_dataset(
    config: GANConfig, rows: Sequence[Row], pixels: Pixels, source: Source
) -> tuple[LatentSpace, LatentDataset]:
    if config.space == "pixels":
        return PixelSpace(config.size), PixelDataset(pixels)
    if config.space == "autoencoder":
        space = source.autoencoder(rows, pixels, config.autoencoder_steps)
        return space, AutoencoderDataset(space, pixels)
    pca = fit(pixels, config.components, source.seed)
    return LinearSpace(pca), LinearDataset(pca, pixels)


def build_network(config: GANConfig, components: int, text_width: int, ratings: int) -> GAN:
    """Build both networks; ``text_width`` and ``ratings`` are the widths of a condition's parts."""
    shape = {"text_width": text_width, "ratings": ratings, "width": config.width}
    shape |= {"depth": config.depth, "expansion": config.expansion}
    if config.space != "pixels":
        shape["components"] = components
        return GAN(ComponentGenerator(**shape, noise=config.noise), ComponentDiscriminator(**shape))
    shape |= {"size": config.size, "group": config.group}
    return GAN(PixelGenerator(**shape, noise=config.noise), PixelDiscriminator(**shape))


@dataclass(frozen=True)
class Model:
    """A finished model: its generator samples pictures, its discriminator scores any."""

    config: GANConfig
    network: GAN
    space: LatentSpace
    prompt_encoder: PromptEncoder

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
        """Return uint8 (n, s, s, 3), one picture per prompt and seed; "" is no prompt.

        ``guidance`` scales the condition: 0 is no prompt, 1 as in training, more extrapolates.
        ``steps`` is ignored: there is one.
        """
        return self._sample(
            self.prompt_encoder.encode(prompts, confidence),
            self._noise(seeds),
            guidance,
            on_progress,
        )

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
        first, last = self._noise(seeds)
        return self._sample(condition, slerp(first, last, weights), guidance, on_progress)

    @torch.no_grad()
    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        """Return how real pictures (n, s, s, 3) look and how well they fit (n,); higher is better.

        The scale is arbitrary: compare only scores of one model for one prompt.
        """
        if pictures.shape[1:] != (self.size, self.size, 3):
            raise TrainingError(f"The pictures must be {self.size} pixels wide and high.")
        discriminator = self.network.discriminator.to(device()).eval()
        parts = []
        for start in range(0, len(pictures), 64):
            samples = self.space.latents(pictures[start : start + 64])
            condition = self.prompt_encoder.encode(prompts[start : start + 64], None)
            parts.append(discriminator(samples, condition).cpu())
        return torch.cat(parts) if parts else torch.zeros(0)

    def with_options(self, options: dict[str, Any]) -> Self:
        """Return it with other sampling options; raise ``TrainingError`` where one is wrong."""
        return replace(self, config=replace_options(self.config, options, sampling=True))

    def _noise(self, seeds: Sequence[int]) -> Tensor:
        return seeded_noise(seeds, (self.config.noise,), device())()

    @torch.no_grad()
    def _sample(
        self,
        condition: Condition,
        noise: Tensor,
        guidance: float | None,
        on_progress: OnProgress | None,
    ) -> Pixels:
        generator = self.network.generator.to(device()).eval()
        guidance = self.guidance if guidance is None else guidance
        if on_progress:
            on_progress(0.0)
        return self.space.pictures(generator(self.config.truncation * noise, condition, guidance))

    @property
    def draws_in_one_call(self) -> bool:
        return True

    def one_call(self, guidance: float | None = None) -> OneCall:
        """Return the generator and the decoding of its pictures as one network."""
        guidance = self.guidance if guidance is None else guidance
        return one_call(
            GeneratedPictures(self, guidance),
            self.prompt_encoder,
            (self.config.noise,),
            {"recipe": "gan", "size": str(self.size), "guidance": str(guidance)},
        )

    def embedded(self, prompts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the inputs of `one_call`, but for noise, that stand for prompts."""
        return self.prompt_encoder.arrays(prompts)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = model_tensors(self.network, self.space)
        components = self.config.components
        if isinstance(self.space, LinearSpace):
            (components,) = self.space.shape
        write_model(folder, about, self.config, self.prompt_encoder, tensors, components=components)


class GeneratedPictures(nn.Module):
    """Noise (n, Z) and a condition to uint8 (n, s, s, 3), as `Model.sample` draws them."""

    def __init__(self, model: Model, guidance: float) -> None:
        super().__init__()
        self.generator = model.network.generator
        self.space, self.truncation = model.space, model.config.truncation
        self.guidance = guidance

    def forward(
        self, noise: Tensor, text: Tensor, confidence: Tensor, ratings: Tensor | None = None
    ) -> Tensor:
        rated = text[:, :0] if ratings is None else ratings
        condition = Condition(text, confidence, rated)
        latents = self.generator(self.truncation * noise, condition, self.guidance)
        return self.space.pixels(latents)


def load(folder: Path) -> Model:
    """Load a model folder; raise ``TrainingError`` where it holds no such model."""
    config, prompt_encoder = read_model(folder, GANConfig)

    def build(tensors: dict[str, Tensor]) -> Model:
        space = load_space(config.space, config.size, config.components, tensors)
        with torch.device("meta"):
            width, ratings = prompt_encoder.encoder.width, prompt_encoder.ratings
            gan = build_network(config, space.shape[0], width, ratings)
        gan.load_state_dict(under("network.", tensors), assign=True)
        return Model(config, gan.requires_grad_(False), space, prompt_encoder)

    return read_weights(folder, build)
