"""diffusers' conditional networks on 32 px, conditioned as the project's own, and its sampler."""

from typing import Any

import torch
from torch import Tensor, nn

from training.engine.encoders.conditions import Condition
from training.engine.encoders.libraries import open_clip
from training.engine.recipes.diffusion_model import DiffusionConfig

SIZE = 32
STEPS = 1000  # diffusers' time runs from 0 (noise here) to 1000


def diffusers() -> Any:
    open_clip()  # mends torchvision, without which diffusers cannot be imported
    import diffusers as module

    return module


class UNet(nn.Module):
    """``UNet2DConditionModel``: the text as the only token of its cross-attention."""

    def __init__(self, text: int) -> None:
        super().__init__()
        self.net = (
            diffusers()
            .UNet2DConditionModel(
                sample_size=SIZE,
                in_channels=3,
                out_channels=3,
                block_out_channels=(48, 80, 104),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                layers_per_block=2,
                norm_num_groups=8,
                attention_head_dim=8,
                cross_attention_dim=text,
            )
            .to(memory_format=torch.channels_last)
        )

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, mirrored: Tensor | None = None
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.net(x, t * STEPS, _text(condition)[:, None]).sample
        return out


class Label(nn.Module):
    """In the place of a table of classes: a text, projected."""

    def __init__(self, text: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(text, width)

    def forward(self, text: Tensor) -> Tensor:
        out: Tensor = self.project(text)
        return out


class Transformer(nn.Module):
    """``DiTTransformer2DModel``, its class embedding replaced by the text's."""

    def __init__(
        self, text: int, width: int = 256, depth: int = 4, heads: int = 4, patch: int = 2,
        size: int = SIZE,
    ) -> None:  # fmt: skip
        super().__init__()
        self.net = diffusers().DiTTransformer2DModel(
            num_attention_heads=heads,
            attention_head_dim=width // heads,
            in_channels=3,
            out_channels=3,
            num_layers=depth,
            sample_size=size,
            patch_size=patch,
            norm_num_groups=1,
        )
        for block in self.net.transformer_blocks:
            block.norm1.emb.class_embedder = Label(text, width)

    def forward(
        self, x: Tensor, t: Tensor, condition: Condition, mirrored: Tensor | None = None
    ) -> Tensor:
        out: Tensor = self.net(x, timestep=t * STEPS, class_labels=_text(condition)).sample
        return out


def _text(condition: Condition) -> Tensor:
    return condition.text * condition.confidence[:, None] * condition.text.shape[1] ** 0.5


@torch.no_grad()
def pipeline(network: nn.Module, noise: Tensor, condition: Condition, steps: int) -> Tensor:
    """Sample by diffusers' Heun scheduler with guidance, as its pipelines do."""
    scheduler = diffusers().FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(steps, device=noise.device)
    pairs = zip(condition, condition.unconditional(), strict=True)
    twice = Condition(*(torch.cat(pair) for pair in pairs))
    x = noise
    for sigma in scheduler.timesteps:
        t = (1 - sigma / STEPS).clamp(0, 1).expand(2 * len(x))
        clean, unconditional = network(torch.cat([x, x]), t, twice).chunk(2)
        clean = torch.lerp(unconditional, clean, DiffusionConfig.guidance)
        velocity = (x - clean) / (sigma / STEPS).clamp(min=1e-3)
        x = scheduler.step(velocity, sigma, x, return_dict=False)[0]
    return x
