"""Teach a network to draw with one call what its teacher draws in many (arXiv 2101.02388).

Without new noise on the way, what a flow makes of noise is a function of that noise and of the
condition. The student regresses it: it sees the noise at t = 0 and predicts where the guided
teacher ends.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from torch.nn.utils import clip_grad_norm_

from training.engine.device import device
from training.engine.ema import PowerEMA
from training.engine.encoders.conditions import Condition
from training.engine.sampling.samplers import guided, heun
from training.engine.seeds import seed_of

PAIRS = 16_384  # of noise and latents that the student learns from
TEACHER_STEPS = 8  # of the teacher, each but the last two calls
LEARNING_RATE = 1e-3
WARMUP = 50  # steps
MARK = 1 << 40  # keeps these random numbers apart from those of the training


class Distillation(NamedTuple):
    """How a student is taught."""

    steps: int
    batch: int
    guidance: float
    seed: int
    shape: tuple[int, ...]  # of a picture's latents
    weight: Tensor  # of their errors, as in the teacher's training
    sample_condition: Callable[[int], Condition]  # as many random conditions as are asked for
    on_step: Callable[[int, int, int], None]  # steps done, of so many, and the pictures in each


class Pairs(NamedTuple):
    """What the teacher made of noise (n, …), each with its condition."""

    noise: Tensor
    latents: Tensor
    condition: Condition

    def batch(self, rows: Tensor) -> "Pairs":
        condition = Condition(*(part[rows] for part in self.condition))
        return Pairs(self.noise[rows], self.latents[rows], condition)


def distil(teacher: nn.Module, task: Distillation) -> nn.Module:
    """Return a student of the teacher's shape; ``teacher`` stays as it is.

    The result is a function of the teacher, the task and the number of threads alone.
    """
    teacher = teacher.to(device()).eval()
    count = -(-min(PAIRS, task.steps * task.batch) // task.batch)
    total = count + task.steps
    pairs = _pairs(teacher, task, count, total)
    student = copy.deepcopy(teacher).train().requires_grad_(True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99))
    ema = PowerEMA(student)
    for step in range(task.steps):
        torch.manual_seed(seed_of(task.seed, MARK + count + step))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARMUP, 2 * (1 - step / task.steps))
        batch = pairs.batch(torch.randint(len(pairs.noise), (task.batch,), device=device()))
        optimizer.zero_grad(set_to_none=True)
        _loss(student, batch, task.weight).backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        ema.update(student, step + 1)
        task.on_step(count + step + 1, total, task.batch)
    return ema.network


def _pairs(teacher: nn.Module, task: Distillation, count: int, total: int) -> Pairs:
    """Return ``count`` batches of what the teacher draws."""
    parts = []
    for number in range(count):
        torch.manual_seed(seed_of(task.seed, MARK + number))
        condition = task.sample_condition(task.batch)
        noise = torch.randn(task.batch, *task.shape, device=device())
        with torch.no_grad():
            predict = guided(teacher, condition, task.guidance)
            latents = heun(predict, partial(Tensor.clone, noise), TEACHER_STEPS)
        parts.append(Pairs(noise, latents, condition))
        task.on_step(number + 1, total, task.batch)
    condition = Condition(*map(torch.cat, zip(*(part.condition for part in parts), strict=True)))
    return Pairs(
        torch.cat([part.noise for part in parts]),
        torch.cat([part.latents for part in parts]),
        condition,
    )


def _loss(student: nn.Module, pairs: Pairs, weight: Tensor) -> Tensor:
    start = torch.zeros(len(pairs.noise), device=pairs.noise.device)
    predicted = student(pairs.noise, start, pairs.condition)
    error = smooth_l1_loss(predicted, pairs.latents, reduction="none")
    return (weight * error).mean()
