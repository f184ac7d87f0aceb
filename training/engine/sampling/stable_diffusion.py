"""Sample pictures from a Stable Diffusion with its LoRA, by diffusers' schedulers."""

import numpy as np
import torch
from torch import Tensor

from training.engine.data.pictures import Pixels, uint8
from training.engine.device import device
from training.engine.networks.stable_diffusion import Base, batch_size
from training.engine.sampling.progress import OnProgress


@torch.no_grad()
def sample(
    base: Base,
    hidden: Tensor,
    null: Tensor,
    noise: Tensor,
    *,
    sampler: str,
    guidance: float,
    steps: int,
    bf16: bool = False,
    on_progress: OnProgress | None = None,
) -> Pixels:
    """Return uint8 (n, s, s, 3) from noise (n, C, h, w), conditioned on ``hidden`` (n, L, W).

    ``null`` (1, L, W) conditions the unconditional model (arXiv 2207.12598).
    """
    batches = []
    for start in range(0, len(noise), batch_size()):
        batch = slice(start, start + batch_size())
        scheduler = base.scheduler(sampler)
        scheduler.set_timesteps(steps, device=device())
        x = noise[batch].to(device()) * scheduler.init_noise_sigma  # (B, C, h, w)
        text = hidden[batch].to(device())
        both = torch.cat([null.to(device()).expand_as(text), text])  # (2B, L, W)
        for index, t in enumerate(scheduler.timesteps):
            if on_progress:
                on_progress((start + len(x) * index / len(scheduler.timesteps)) / len(noise))
            scaled = scheduler.scale_model_input(torch.cat([x, x]), t)
            with torch.autocast(device().type, torch.bfloat16, enabled=bf16):
                predicted = base.unet(scaled, t, encoder_hidden_states=both).sample
            unconditional, conditional = predicted.float().chunk(2)
            guided = unconditional + guidance * (conditional - unconditional)
            x = scheduler.step(guided, t, x).prev_sample
        batches.append(uint8(base.vae.decode(x / base.vae.config.scaling_factor).sample))
    return np.concatenate(batches)
