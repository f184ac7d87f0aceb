"""R3GAN (arXiv 2501.05441): a relativistic loss with zero-centred gradient penalties.

The discriminator D learns that a real picture is more real than a generated one with the same
condition c, the generator G to turn that round; both networks are told c, and belief 0 is the
unconditional model of both.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import digest
from training.engine.device import device
from training.engine.encoders.conditions import Condition, Conditions
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError, under
from training.engine.latents.pca import PCA, fit
from training.engine.latents.spaces import (
    LatentDataset,
    LatentSpace,
    LinearDataset,
    LinearSpace,
    PixelDataset,
    PixelSpace,
)
from training.engine.networks.gan import (
    GAN,
    ComponentDiscriminator,
    ComponentGenerator,
    PixelDiscriminator,
    PixelGenerator,
    widths,
)
from training.engine.recipes.base import Config, OnProgress, Phase, Source, changed, grid_of
from training.engine.recipes.stored import PromptEncoder, read_model, read_weights, write_model
from training.engine.sampling.samplers import arc, noise


@dataclass(frozen=True, kw_only=True)
class GANConfig(Config):
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        **Config.CHOICES,
        "space": ("components", "pixels"),
    }
    FROM_ZERO: ClassVar[tuple[str, ...]] = (*Config.FROM_ZERO, "depth")
    SAMPLING: ClassVar[tuple[str, ...]] = ("guidance", "truncation")

    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.0
    compile: bool = False  # torch.compile knows no gradient of a gradient
    space: str = "components"  # what is drawn: a picture's principal components, or its pixels
    size: int = 64  # pixels
    components: int = 384
    noise: int = 32
    width: int = 384
    depth: int = 3
    expansion: int = 2
    group: int = 16  # channels of a grouped convolution
    penalty: float = 1.0  # γ
    contrast: float = 1.0  # weight of telling it from real pictures of others, and from noise
    drop: float = 0.1  # how often the text is withheld
    flips: float = 0.3  # how often the discriminator sees a picture mirrored, real or not
    jitter: float = 0.5  # how far texts, of length 1, are moved at most: others put it otherwise
    guidance: float = 1.0  # how far the generator is told what is asked for; 1: as in training
    truncation: float = 1.0  # of the noise: nearer 0 are likelier pictures, and fewer

    def __post_init__(self) -> None:
        if self.compile:
            raise TrainingError(
                "The option compile must be false: no gradient of a gradient survives it."
            )
        if self.flips > 0.5:
            raise TrainingError(
                "The option flips must be at most 0.5: else pictures come mirrored."
            )
        if self.space == "components":
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
    contrast: float,
) -> Tensor:
    """E[f(D(G(z)) − D(x)) + γ/2 (R1 + R2)], f(t) = log(1 + eᵗ) (equations 2, 4 and 5).

    ``contrast`` adds f(D(x') − D(x)): with a probability of 3/4 · belief x' is the real picture of
    another condition, for what does not fit should not look real (arXiv 1605.05396), else noise.
    """
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    above, below = discriminator(real, condition), discriminator(fake, condition)
    r1, r2 = squared_slope(above, real), squared_slope(below, fake)
    loss = softplus(below - above) + penalty / 2 * (r1 + r2)
    if contrast:
        real = real.detach()
        noisy = torch.rand_like(condition.belief) >= 0.75 * condition.belief
        noisy = noisy.view(-1, *[1] * (real.ndim - 1))
        other = discriminator(torch.where(noisy, shuffled(real), real.roll(1, 0)), condition)
        loss = loss + contrast * softplus(other - above)
    return loss.mean()


def shuffled(samples: Tensor) -> Tensor:
    """Noise (B, …) that has the samples' values: each from any of them."""
    return samples.gather(0, torch.randint_like(samples, len(samples), dtype=torch.long))


def generator_loss(
    discriminator: nn.Module, real: Tensor, fake: Tensor, condition: Condition
) -> Tensor:
    """E[f(D(x) − D(G(z)))]: the same comparison, the other way round."""
    with frozen(discriminator):
        above, below = discriminator(real, condition), discriminator(fake, condition)
    return softplus(above - below).mean()


def squared_slope(scores: Tensor, samples: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖² of each sample (B,); differentiable, so that D can be made flatter."""
    (slope,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
    return slope.square().flatten(1).sum(1)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradients of its parameters are asked for."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


# Training


class GANTraining:
    """Two networks in training, with the pictures, texts and beliefs of one snapshot."""

    def __init__(self, config: GANConfig, source: Source) -> None:
        self.config = config
        rows = source.snapshot.train
        self.rows = len(rows)
        self.encoder = load_text_encoder(source.encoder or default_spec())
        pixels = pack(rows, config.size, source.cache, digest(rows))
        self.conditions = Conditions(rows, source.snapshot.concepts, self.encoder, source.cache)
        self.space, self.stock = _stocked(config, pixels, source.seed)
        torch.manual_seed(source.seed)
        ratings = len(self.conditions.ratings)
        self.network = build_network(config, self.space.shape[0], self.encoder.width, ratings)
        self.network.to(device())
        self.phases = (
            Phase("discriminator", self.network.discriminator, self.discriminate),
            Phase("generator", self.network.generator, self.generate),
        )

    def discriminate(self, count: int) -> Tensor:
        """The discriminator's loss on a fresh batch."""
        with torch.no_grad():
            real, fake, condition = self.draw_batch(count)
        return discriminator_loss(
            self.network.discriminator,
            real,
            fake,
            condition,
            penalty=self.config.penalty,
            contrast=self.config.contrast,
        )

    def generate(self, count: int) -> Tensor:
        """The generator's loss on a fresh batch."""
        real, fake, condition = self.draw_batch(count)
        return generator_loss(self.network.discriminator, real, fake, condition)

    def draw_batch(self, count: int) -> tuple[Tensor, Tensor, Condition]:
        """Real and generated samples (B, …) of the same conditions, as D sees them.

        Mirroring both, and less often than not, teaches G nothing wrong (arXiv 2006.06676).
        """
        config, at = self.config, device()
        rows = torch.randint(self.rows, (count,), device=at)
        condition = self.conditions.draw(rows, drop=config.drop, jitter=config.jitter)
        turned, also = torch.rand(2, count, device=at) < config.flips
        real = self.stock.batch(rows, turned.float())
        fake = self.network.generator(torch.randn(count, config.noise, device=at), condition)
        also = also.view(-1, *[1] * (fake.ndim - 1))
        return real, torch.where(also, self.space.mirrored(fake), fake), condition

    def grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return grid_of(self.model(network), prompts, self.config.samples)

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        self.model(network).save(folder, about)

    def model(self, network: nn.Module) -> "Model":
        """The model that the run would end with if ``network`` were its last."""
        assert isinstance(network, GAN)
        listener = PromptEncoder(
            self.encoder, self.conditions.certain, len(self.conditions.ratings)
        )
        return Model(self.config, network, self.space, listener)


def _stocked(config: GANConfig, pixels: Pixels, seed: int) -> tuple[LatentSpace, LatentDataset]:
    if config.space == "pixels":
        return PixelSpace(config.size), PixelDataset(pixels)
    pca = fit(pixels, config.components, seed)
    return LinearSpace(pca), LinearDataset(pca, pixels)


def build_network(config: GANConfig, components: int, text: int, ratings: int) -> GAN:
    shape = {"text": text, "ratings": ratings, "width": config.width}
    shape |= {"depth": config.depth, "expansion": config.expansion}
    if config.space == "components":
        shape["components"] = components
        return GAN(ComponentGenerator(**shape, noise=config.noise), ComponentDiscriminator(**shape))
    shape |= {"size": config.size, "group": config.group}
    return GAN(PixelGenerator(**shape, noise=config.noise), PixelDiscriminator(**shape))


@dataclass(frozen=True)
class Model:
    """A model that draws, and scores what others drew."""

    config: GANConfig
    network: GAN
    space: LatentSpace
    listener: PromptEncoder

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
        """uint8 (n, s, s, 3), one a prompt and seed; no prompt is the unconditional model.

        ``guidance`` moves what the generator is told: 0 is no prompt, 1 as in training, more is
        beyond. ``steps`` changes nothing: there is one.
        """
        return self._pictures(
            self.listener.asked(prompts, belief), self._noise(seeds), guidance, tell
        )

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
        first, last = self._noise(seeds)
        return self._pictures(condition, arc(first, last, share), guidance, tell)

    @torch.no_grad()
    def score(self, pictures: Pixels, prompts: Sequence[str]) -> Tensor:
        """How real pictures (n, s, s, 3) look and how well they fit: (n,), higher is better.

        Scores of one model and one prompt can be compared, no others; the scale is its own.
        """
        if pictures.shape[1:] != (self.size, self.size, 3):
            raise TrainingError(f"The pictures must be {self.size} pixels wide and high.")
        discriminator = self.network.discriminator.to(device()).eval()
        found = []
        for start in range(0, len(pictures), 64):
            samples = self.space.latents(pictures[start : start + 64])
            condition = self.listener.asked(prompts[start : start + 64], None)
            found.append(discriminator(samples, condition).cpu())
        return torch.cat(found) if found else torch.zeros(0)

    def adjusted(self, options: dict[str, Any]) -> Self:
        """With other sampling options; raises ``TrainingError`` where one is off."""
        return replace(self, config=changed(self.config, options, sampling=True))

    def _noise(self, seeds: Sequence[int]) -> Tensor:
        return noise(seeds, (self.config.noise,), device())()

    @torch.no_grad()
    def _pictures(
        self, condition: Condition, noise: Tensor, guidance: float | None, tell: OnProgress | None
    ) -> Pixels:
        generator = self.network.generator.to(device()).eval()
        guidance = self.guidance if guidance is None else guidance
        if tell:
            tell(0.0)
        return self.space.pictures(generator(self.config.truncation * noise, condition, guidance))

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the model folder."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        components = self.config.components
        if isinstance(self.space, LinearSpace):
            tensors |= {f"pca.{k}": v for k, v in self.space.pca.state_dict().items()}
            (components,) = self.space.shape
        write_model(folder, about, self.config, self.listener, tensors, components=components)


def load(folder: Path) -> Model:
    """The model of a model folder; raises ``TrainingError`` where it holds none."""
    config, listener = read_model(folder, GANConfig)

    def build(tensors: dict[str, Tensor]) -> Model:
        space = _space(config, under("pca.", tensors))
        with torch.device("meta"):
            width, ratings = listener.encoder.width, listener.ratings
            gan = build_network(config, config.components, width, ratings)
        gan.load_state_dict(under("network.", tensors), assign=True)
        return Model(config, gan.requires_grad_(False), space, listener)

    return read_weights(folder, build)


def _space(config: GANConfig, tensors: dict[str, Tensor]) -> LatentSpace:
    if config.space == "pixels":
        return PixelSpace(config.size)
    with torch.device("meta"):
        pca = PCA(config.size, config.components)
    pca.load_state_dict(tensors, assign=True)
    return LinearSpace(pca)
