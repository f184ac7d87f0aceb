"""How fast diffusion trains and samples on this machine, beside diffusers' networks.

    python tests/benchmarks/training_speed.py SNAPSHOT [--seconds 120] [--threads 2]
        [--parts learning sampling presets]

- ``learning``: the `cpu` preset, and diffusers' UNet2DConditionModel and DiTTransformer2DModel of
  about as many parameters: the same pictures, texts, loss, loop and optimiser. Theirs take batches
  of 32, since at the preset's 192 they would make a handful of steps. Images a second, the share
  of a step that reading the batch takes, and R-precision of the fixed prompts by the same judge
  after as many seconds of training each.
- ``sampling``: 20 Heun steps with guidance at batch 64, beside diffusers' scheduler and networks.
- ``presets``: the DiTs of the presets for GPUs: images a second, the share of the measured rate of
  matrix products, and sampling. Without a GPU, one step of a small batch of the first alone.

Prints Markdown tables.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from diffusers_networks import SIZE, Transformer, UNet, pipeline
from torch import nn

from training.engine.data.prompts import fixed_prompts
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.device import device
from training.engine.encoders.conditions import prompt_condition
from training.engine.encoders.text import WIDTH
from training.engine.evaluation import intervals, judges, metrics, prompt_sets
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.prompt_sets import PromptSet
from training.engine.loop.loop import Loop
from training.engine.networks.dit import HEAD_WIDTH
from training.engine.presets import PRESETS
from training.engine.recipes import configure
from training.engine.recipes.base import Phase, Source
from training.engine.recipes.diffusion import DiffusionTraining
from training.engine.recipes.diffusion_model import DiffusionConfig, build_network
from training.engine.sampling.samplers import seeded_noise

BATCH, STEPS = 64, 20  # of sampling
GPU = tuple(name for name in PRESETS["diffusion"] if name.startswith("gpu"))
ONCE = {"condition_embedder", "time_proj", "cond_proj", "modulation"}  # run once a picture
SEEDS = 3  # pictures a prompt that are judged


@dataclass(frozen=True)
class Contestant:
    name: str
    training: DiffusionTraining

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.training.network.parameters())


def preset(name: str, **options: object) -> DiffusionConfig:
    config = configure("diffusion", name, options)
    assert isinstance(config, DiffusionConfig)
    return config


def with_network(config: DiffusionConfig, source: Source, network: nn.Module) -> DiffusionTraining:
    """Return the recipe on pixels with a network that is not its own."""
    training = DiffusionTraining(config, source)
    training.network = network.to(device())
    training.phases = (Phase("flow", training.network, training.draw, training.loss),)
    return training


def contestants(source: Source) -> list[Contestant]:
    config = preset("cpu")
    own = DiffusionTraining(config, source)
    pixels = replace(
        config,
        network="dit",
        size=SIZE,
        patch=2,
        width=64,
        depth=1,
        hue_prob=0.0,
        batch=32,
        warmup=20,
    )
    text = own.encoder.width
    torch.manual_seed(0)
    rivals = {"UNet2DConditionModel": UNet(text), "DiTTransformer2DModel": Transformer(text)}
    return [
        Contestant(f"`cpu` preset, {config.size} px", own),
        *(
            Contestant(f"diffusers `{name}`, {SIZE} px", with_network(pixels, source, network))
            for name, network in rivals.items()
        ),
    ]


def synchronised() -> float:
    if device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Return the seconds that one call takes."""
    start = synchronised()
    for _ in range(times):
        work()
    return (synchronised() - start) / times


# Learning


def learning(source: Source, seconds: float) -> None:
    judge = judges.choose(source.snapshot, DiffusionConfig.judge_steps, source.cache)
    prompt_set = prompt_sets.fixed(fixed_prompts(source.snapshot), range(SEEDS))
    chance = metrics.chance(len(prompt_set.texts))
    print(
        f"R-precision of {len(prompt_set.prompts)} prompts by {judge.name}; chance {chance:.2f}.\n"
    )
    print("| network | parameters | batch | images/s | reading | steps | R-precision |")
    print("|---|---|---|---|---|---|---|")
    for contestant in contestants(source):
        print(learned(contestant, prompt_set, judge, seconds), flush=True)
    print()


def learned(contestant: Contestant, prompt_set: PromptSet, judge: Judge, seconds: float) -> str:
    training = contestant.training
    loop = Loop(training, training.config, seed=0, time_limit=seconds)
    while not loop.finished:
        loop.advance()
    rate = loop.step * training.config.batch / loop.elapsed
    read = seconds_of(lambda: training.draw(training.config.batch), 20)
    model = training.model(loop.ema.network).with_options({"sampler": "euler"})
    right = intervals.mean(
        prompt_set.r_precision(judge.embed_pictures(prompt_set.sample(model)), judge)
    )
    return (
        f"| {contestant.name} | {contestant.parameters / 1e6:.1f}M | {training.config.batch} | "
        f"{rate:,.0f} | "
        f"{read / (loop.elapsed / loop.step):.1%} | {loop.step:,} | "
        f"{right.value:.2f} ({right.low:.2f} to {right.high:.2f}) |"
    )


# Sampling


def sampling(source: Source) -> None:
    print(f"{STEPS} Heun steps with guidance at batch {BATCH}:\n")
    print("| network | sampler | images/s |\n|---|---|---|")
    for contestant in contestants(source):
        sample(contestant.name, contestant.training)
    print()


def sample(name: str, training: DiffusionTraining) -> None:
    """Measure the recipe's sampler and, on pixels, diffusers' scheduler."""
    steps = STEPS if training.config.network == "mlp" else 2
    model = training.model(training.network).with_options({"sampler": "heun"})
    prompts = ["a cat"] * BATCH
    model.sample(prompts, range(BATCH), steps=1)
    taken = seconds_of(lambda: model.sample(prompts, range(BATCH), steps=steps), 1)
    print(_row(name, "own", taken, steps, BATCH), flush=True)
    if training.config.network == "dit":
        taken = seconds_by_diffusers(training, training.network, BATCH, steps)
        print(_row(name, "diffusers", taken, steps, BATCH), flush=True)


def seconds_by_diffusers(
    training: DiffusionTraining, network: nn.Module, batch: int, steps: int
) -> float:
    condition = prompt_condition(training.encoder, ["a cat"] * batch, 1.0)
    noise = seeded_noise(range(batch), training.space.shape, device())()
    with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
        pipeline(network, noise, condition, 1)
        return seconds_of(lambda: pipeline(network, noise, condition, steps), 1)


def _row(name: str, sampler: str, seconds: float, steps: int, batch: int) -> str:
    """Format a row; scale up where fewer steps were timed: n Heun steps are 2n − 1 calls."""
    whole = seconds * (2 * STEPS - 1) / (2 * steps - 1)
    part = "" if steps == STEPS else f" (from {steps} steps)"
    return f"| {name} | {sampler} | {batch / whole:,.1f}{part} |"


# The presets for GPUs


def presets(source: Source) -> None:
    gpu = device().type == "cuda"
    matrix = matrix_rate()
    kind = "bf16" if gpu else "float32"
    print(f"Matrix products in {kind}: {matrix / 1e12:,.2f} TFLOP/s measured.\n")
    print("| preset | parameters | batch | images/s | share of the matrix rate | reading |")
    print("|---|---|---|---|---|---|")
    names = GPU if gpu else GPU[:1]
    for name in names:
        print(trained(name, source, matrix), flush=True)
    print("\n| preset | sampler | images/s |\n|---|---|---|")
    for name in names:
        sample_preset(name, source, *((BATCH, STEPS) if gpu else (2, 2)))
    print()


def trained(name: str, source: Source, matrix: float) -> str:
    gpu = device().type == "cuda"
    config = preset(name) if gpu else preset(name, batch=8)
    training = DiffusionTraining(config, source)
    loop = Loop(training, config, seed=0)
    for _ in range(20 if gpu else 1):
        loop.advance()
    step = seconds_of(loop.advance, 100 if gpu else 2)
    read = seconds_of(lambda: training.draw(config.batch), 20)
    share = flops(config) * config.batch / step / matrix
    count = sum(parameter.numel() for parameter in training.network.parameters())
    return (
        f"| {name} | {count / 1e6:.0f}M | {config.batch} | {config.batch / step:,.1f} | "
        f"{share:.0%} | {read / step:.1%} |"
    )


def sample_preset(name: str, source: Source, batch: int, steps: int) -> None:
    """Measure the preset's sampler, and diffusers' network of its size by its scheduler."""
    config = preset(name)
    training = DiffusionTraining(config, source)
    model, prompts = training.model(training.network), ["a cat"] * batch
    model.sample(prompts, range(batch), steps=1)
    taken = seconds_of(lambda: model.sample(prompts, range(batch), steps=steps), 1)
    print(_row(name, "own", taken, steps, batch), flush=True)
    text, heads = training.encoder.width, config.width // HEAD_WIDTH
    like = Transformer(text, config.width, config.depth, heads, config.patch, config.size)
    taken = seconds_by_diffusers(training, like.to(device()).eval(), batch, steps)
    print(_row(f"diffusers' DiT like {name}", "diffusers", taken, steps, batch), flush=True)


def matrix_rate() -> float:
    """Return the floating-point operations per second of large matrix products."""
    gpu = device().type == "cuda"
    side, kind = (8192, torch.bfloat16) if gpu else (2048, torch.float32)
    a, b = (torch.randn(side, side, device=device(), dtype=kind) for _ in range(2))
    seconds_of(lambda: a @ b, 2)
    return 2 * side**3 / seconds_of(lambda: a @ b, 50 if gpu else 5)


def flops(config: DiffusionConfig) -> float:
    """Return the operations of training on one picture: forward, and twice that backward."""
    tokens = (config.size // config.patch) ** 2
    with torch.device("meta"):
        network = build_network(config, 0, WIDTH, 0)
    per_token = sum(
        module.weight.numel()
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and not ONCE & set(name.split("."))
    )
    attention = 2 * tokens * config.width * config.depth  # a token's products with all others
    return 3 * 2 * tokens * (per_token + attention)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path)
    parts = ("learning", "sampling", "presets")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    snapshot: Snapshot = read_snapshot(options.snapshot)
    with tempfile.TemporaryDirectory() as temporary:
        source = Source(snapshot, options.cache or Path(temporary), seed=0)
        if "learning" in options.parts:
            learning(source, options.seconds)
        if "sampling" in options.parts:
            sampling(source)
        if "presets" in options.parts:
            presets(source)


if __name__ == "__main__":
    main()
