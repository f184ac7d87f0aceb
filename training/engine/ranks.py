"""The processes that train one network together: how many there are, and which of them this is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

_alone = False


def rank() -> int:
    """Return this process's number, 0 for the first."""
    return dist.get_rank() if _joined() else 0


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if _joined() else 1


@contextmanager
def alone() -> Iterator[None]:
    """Work alone within the block, whatever the others do meanwhile."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def gathered(rows: Tensor) -> Tensor:
    """Return the rows (B, E) of all processes, as many from each; those of one alone are all."""
    if size() < 2:
        return rows
    every: Tensor = _Gathered.apply(rows)  # type: ignore[no-untyped-call]
    return every


class _Gathered(torch.autograd.Function):
    """Rows of all processes; the gradient of a row is the sum of what all of them make of it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        whole = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole.chunk(size())[rank()]


def _joined() -> bool:
    return not _alone and dist.is_available() and dist.is_initialized()
