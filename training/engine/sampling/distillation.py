"""Teach a network to draw with one call what its teacher draws in many (arXiv 2101.02388).

Without new noise on the way, what a flow makes of noise is a function of that noise and of the
condition. The student regresses where the guided teacher ends. It is given noise of few dimensions,
which a fixed random matrix spreads over all: to the teacher that looks like any other noise, and
the student has less to learn by heart.
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
from training.engine.optimizers import AdamW
from training.engine.sampling.samplers import guided, heun
from training.engine.seeds import seed_of

NOISE = 4  # dimensions of a student's noise
BATCH = 192
PAIRS = 20_480  # of noise and latents that it learns from, at most
GUIDANCE = 1.5  # times that of the model: what is drawn in one call varies less, and fits better
TEACHER_STEPS = 6  # each but the last takes two calls, and guidance doubles them
LEARNING_RATE = 1e-3
WARMUP = 50  # steps
NEARLY = 0.1  # errors above this count by their size, not its square: edges stay sharp
MARK = 1 << 40  # keeps these random numbers apart from those of the training


class Student(nn.Module):
    """Draws latents (n, …) from noise (n, ``NOISE``) and a condition with one call."""

    basis: Tensor

    def __init__(self, network: nn.Module, basis: Tensor) -> None:
        """``basis`` (``NOISE``, …) spreads noise over the dimensions of latents."""
        super().__init__()
        self.network = network
        self.register_buffer("basis", basis)

    def spread(self, noise: Tensor) -> Tensor:
        """Return noise (n, …) as long as normal noise is on average."""
        flat: Tensor = noise @ self.basis.flatten(1)
        flat = flat * (flat.shape[1] ** 0.5 / flat.norm(dim=1, keepdim=True).clamp(min=1e-6))
        spread: Tensor = flat.view(-1, *self.basis.shape[1:])
        return spread

    def forward(self, noise: Tensor, condition: Condition) -> Tensor:
        latents: Tensor = self.network(
            self.spread(noise), noise.new_zeros(noise.shape[0]), condition
        )
        return latents


class Distillation(NamedTuple):
    """How a student is taught."""

    steps: int
    guidance: float  # of the model
    seed: int
    shape: tuple[int, ...]  # of a picture's latents
    weight: Tensor  # of their errors, as in the teacher's training
    sample_condition: Callable[[int], Condition]  # as many random conditions as are asked for
    on_step: Callable[[int, int, int], None]  # steps done, of so many, and the pictures in each

    @property
    def teacher_batches(self) -> int:
        return -(-min(PAIRS, self.steps * BATCH) // BATCH)

    @property
    def total(self) -> int:
        return self.teacher_batches + self.steps


class Pairs(NamedTuple):
    """What the teacher made of noise (n, …), each with its condition."""

    noise: Tensor  # (n, ``NOISE``)
    latents: Tensor
    condition: Condition

    def batch(self, rows: Tensor) -> "Pairs":
        condition = Condition(*(part[rows] for part in self.condition))
        return Pairs(self.noise[rows], self.latents[rows], condition)


def distil(teacher: nn.Module, task: Distillation) -> Student:
    """Return a student of the teacher's shape; ``teacher`` stays as it is.

    The result is a function of the teacher, the task and the number of threads alone.
    """
    teacher = teacher.to(device()).eval()
    torch.manual_seed(seed_of(task.seed, MARK - 1))
    student = Student(copy.deepcopy(teacher), torch.randn(NOISE, *task.shape)).to(device())
    pairs = _pairs(teacher, student, task)
    student.train().requires_grad_(True)
    optimizer = AdamW(student.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), fused=True)
    ema = PowerEMA(student)
    for step in range(task.steps):
        torch.manual_seed(seed_of(task.seed, MARK + task.teacher_batches + step))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARMUP, 2 * (1 - step / task.steps))
        batch = pairs.batch(torch.randint(len(pairs.noise), (BATCH,), device=device()))
        optimizer.zero_grad(set_to_none=True)
        _loss(student, batch, task.weight).backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        ema.update(student, step + 1)
        task.on_step(task.teacher_batches + step + 1, task.total, BATCH)
    averaged = ema.network
    assert isinstance(averaged, Student)
    return averaged


def _pairs(teacher: nn.Module, student: Student, task: Distillation) -> Pairs:
    """Return batches of what the teacher draws of the student's noise."""
    parts = []
    for number in range(task.teacher_batches):
        torch.manual_seed(seed_of(task.seed, MARK + number))
        condition = task.sample_condition(BATCH)
        noise = torch.randn(BATCH, NOISE, device=device())
        with torch.no_grad():
            predict = guided(teacher, condition, GUIDANCE * task.guidance)
            latents = heun(predict, partial(student.spread, noise), TEACHER_STEPS)
        parts.append(Pairs(noise, latents, condition))
        task.on_step(number + 1, task.total, BATCH)
    condition = Condition(*map(torch.cat, zip(*(part.condition for part in parts), strict=True)))
    return Pairs(
        torch.cat([part.noise for part in parts]),
        torch.cat([part.latents for part in parts]),
        condition,
    )


def _loss(student: nn.Module, pairs: Pairs, weight: Tensor) -> Tensor:
    predicted = student(pairs.noise, pairs.condition)
    error = smooth_l1_loss(predicted, pairs.latents, beta=NEARLY, reduction="none")
    return (weight * error).mean()
