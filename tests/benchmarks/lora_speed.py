"""How long a LoRA's step and a picture take on this machine, with Stable Diffusion 1's U-Net.

The weights are random, which costs as much time as trained ones; the VAE and the text tower,
which see each picture once before training, are left out.

    python -m tests.benchmarks.lora_speed [--size 256] [--batch 1] [--steps 3] [--layers attention]
"""

import argparse
import time
from collections.abc import Callable

import torch

from training.engine.device import device
from training.engine.networks.kohya import LAYERS
from training.engine.networks.stable_diffusion import adapted, diffusers
from training.engine.recipes.lora import LoraConfig

SHAPE = {  # of stable-diffusion-v1-5's U-Net, as its config.json has it
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
TEXT = (77, 768)


def measure(size: int, batch: int, steps: int, layers: str) -> tuple[float, float, float, int]:
    """Return seconds per step, seconds per forward pass, GPU memory in GiB, trained weights."""
    at, bf16 = device(), device().type == "cuda"
    unet = diffusers().UNet2DConditionModel(**SHAPE).eval().requires_grad_(False).to(at)
    network = adapted(unet, LoraConfig.rank, layers)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LoraConfig.learning_rate)
    x = torch.randn(batch, 4, size // 8, size // 8, device=at)
    t, hidden = torch.full((batch,), 500, device=at), torch.randn(batch, *TEXT, device=at)

    def step() -> None:
        with torch.autocast(at.type, torch.bfloat16, enabled=bf16):
            loss = unet(x, t, encoder_hidden_states=hidden).sample.float().square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def forward() -> None:
        with torch.no_grad(), torch.autocast(at.type, torch.bfloat16, enabled=bf16):
            unet(x, t, encoder_hidden_states=hidden)

    memory = torch.cuda.max_memory_allocated if bf16 else lambda: 0
    trained = sum(parameter.numel() for parameter in network.parameters())
    return seconds(step, steps), seconds(forward, steps), memory() / 2**30, trained


def seconds(work: Callable[[], None], count: int) -> float:
    """Return the mean seconds of ``count`` calls, after one that does not count."""
    work()
    start = now()
    for _ in range(count):
        work()
    return (now() - start) / count


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--layers", choices=list(LAYERS), default="attention")
    arguments = parser.parse_args()
    step, look, memory, trained = measure(
        arguments.size, arguments.batch, arguments.steps, arguments.layers
    )
    where = torch.cuda.get_device_name() if memory else f"{torch.get_num_threads()} threads"
    picture = f"{LoraConfig.sampling_steps}-step picture, s"
    print(f"| where | pixels | batch | trained | s/step | s/pass | {picture} | GiB |")
    print("|---|---|---|---|---|---|---|---|")
    sampled = 2 * LoraConfig.sampling_steps * look / arguments.batch  # guidance: two passes
    print(
        f"| {where} | {arguments.size} | {arguments.batch} | {trained / 1e6:.1f}M | {step:.2f} "
        f"| {look:.2f} | {sampled:.1f} | {memory:.1f} |"
    )


if __name__ == "__main__":
    main()
