"""How processes divide the work on a step: torch's DistributedDataParallel, or FSDP2.

- ddp: each process holds the whole network and its optimiser; the mean of their gradients is made
  while a gradient is computed.
- fsdp: each process holds a part of every tensor, and gathers a layer when it is needed
  (``sharding.py``, which is imported where it is needed: that takes as long as half of torch).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.engine.device import device
from training.engine.recipes.base import Config, Phase

STATE_BYTES = 20  # of a parameter: itself, its average, its gradient, two moments
LARGE = 0.5  # share of a GPU's memory that state may take before it is divided

B = TypeVar("B")


class Work(Protocol):
    """The work on the phases' gradients; phases are named by their numbers."""

    def loss(self, phase: int, batch: Any) -> Tensor:
        """Return the loss of a batch, whose gradient is to become the mean over processes."""

    def unsent(self, phase: int) -> AbstractContextManager[None]:
        """Within the block, add up gradients without telling the others."""

    def clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Scale the gradients down to a norm of 1, and return what their norm was."""


class Alone:
    """All work is done here."""

    def __init__(self, phases: Sequence[Phase]) -> None:
        self.phases = phases

    def loss(self, phase: int, batch: Any) -> Tensor:
        return self.phases[phase].loss(batch)

    def unsent(self, phase: int) -> AbstractContextManager[None]:
        return nullcontext()

    def clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        return nn.utils.clip_grad_norm_(parameters, 1.0)


class _Loss(nn.Module):
    """A phase's loss as a module, so that whatever it calls lies within one forward pass."""

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.module = phase.module
        self.phase = phase

    def forward(self, batch: Any) -> Tensor:
        return self.phase.loss(batch)


class Replicated(Alone):
    """Each process holds a copy of the network (DistributedDataParallel).

    ``unused`` says of each phase whether its loss leaves parameters without a gradient.
    """

    def __init__(self, phases: Sequence[Phase], unused: Sequence[bool]) -> None:
        super().__init__(phases)
        self.modules = [
            DistributedDataParallel(
                _Loss(phase), find_unused_parameters=some, gradient_as_bucket_view=True
            )
            for phase, some in zip(phases, unused, strict=True)
        ]

    def loss(self, phase: int, batch: Any) -> Tensor:
        loss: Tensor = self.modules[phase](batch)
        return loss

    @contextmanager
    def unsent(self, phase: int) -> Iterator[None]:
        with self.modules[phase].no_sync():
            yield


def divides(config: Config, phases: Sequence[Phase]) -> bool:
    """Return whether the network itself is to be divided: where asked for, or where it is large."""
    if config.parallel != "auto":
        return config.parallel == "fsdp"
    if "fsdp" not in config.CHOICES["parallel"] or device().type != "cuda":
        return False
    count = sum(p.numel() for phase in phases for p in phase.module.parameters())
    memory: int = torch.cuda.get_device_properties(device()).total_memory
    return STATE_BYTES * count > LARGE * memory


def structure_of(network: nn.Module) -> nn.Module:
    """Return a network of the same shape that takes no memory."""
    return copy.deepcopy(network).to("meta")


def filled(structure: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return a network of that structure that holds the tensors."""
    network = copy.deepcopy(structure)
    network.load_state_dict(tensors, assign=True)
    return network


def length(batch: Any) -> int:
    """Return the number of pictures in a batch: a tensor, or a tuple of tensors and tuples."""
    return len(batch) if isinstance(batch, Tensor) else length(batch[0])


def cut(batch: B, start: int, stop: int) -> B:
    """Return a batch of some of its pictures."""
    if isinstance(batch, Tensor):
        return cast(B, batch[start:stop])
    if not isinstance(batch, tuple):
        return batch
    parts = [cut(part, start, stop) for part in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
