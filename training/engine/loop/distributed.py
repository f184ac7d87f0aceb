"""Several processes that train one network, started by torchrun; or one, where it was not used."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch import distributed as dist


def join() -> None:
    """Meet the other processes, each on a GPU of its own where there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def leave(*, together: bool = False) -> None:
    """Go one's own way; ``together``, once all are done, so that nobody hangs up on another."""
    if dist.is_initialized():
        if together:
            dist.barrier()
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def first() -> Iterator[None]:
    """The first process goes ahead, so that the others find what it has cached."""
    if size() > 1 and rank() > 0:
        dist.barrier()
    yield
    if size() > 1 and rank() == 0:
        dist.barrier()


def average(tensors: Iterable[Tensor | None]) -> None:
    """Replace each by its mean over all processes, in one message."""
    if size() < 2:
        return
    known = [tensor for tensor in tensors if tensor is not None]
    flat = torch.cat([tensor.flatten() for tensor in known])
    dist.all_reduce(flat)
    flat /= size()
    parts = torch.split(flat, [tensor.numel() for tensor in known])
    for tensor, part in zip(known, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def agree(*values: float) -> tuple[float, ...]:
    """The means over all processes, the same in each."""
    if size() < 2:
        return values
    at = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numbers = torch.tensor(values, dtype=torch.float64, device=at)
    average([numbers])
    return tuple(numbers.tolist())


def share(network: nn.Module) -> None:
    """Begin everywhere with the first process's weights."""
    if size() > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)
