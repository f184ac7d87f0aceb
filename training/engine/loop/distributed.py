"""Several processes that train one network, started by torchrun; a single one otherwise.

Tensors travel by NCCL between GPUs. What processes tell each other beside that travels by gloo:
it waits as long as the first process needs, and notices at once when a process has ended.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from training.engine.files import TrainingError

PATIENCE = timedelta(days=7)  # for what the first process does while the others wait
FAILED = "Another process of this run has failed: see its own error."

_control: Any = None  # the gloo group


def join() -> None:
    """Join the other processes, each on a GPU of its own where there are any."""
    global _control
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    _control = dist.new_group(backend="gloo", timeout=PATIENCE)


def leave() -> None:
    """Leave the other processes; those that still wait for this one raise ``TrainingError``.

    No reference to the gloo group is kept: one that lives until the interpreter ends may abort it.
    """
    global _control
    if dist.is_initialized():
        _control = None
        dist.destroy_process_group()


def leave_together() -> None:
    """Leave the other processes once all of them are through.

    One that has left may close a connection that another still reads from: this is no failure.
    """
    with suppress(TrainingError), together():
        pass
    leave()


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes and leave them at the end of the block."""
    join()
    try:
        yield
    finally:
        leave()


def rank() -> int:
    """Return this process's number, 0 for the first."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def together() -> Iterator[None]:
    """Run a block in every process; where one of them raises, all do.

    The others raise ``TrainingError`` once they are through with the block.
    """
    try:
        yield
    except BaseException:
        _all(False)
        raise
    if not _all(True):
        raise TrainingError(FAILED)


@contextmanager
def first() -> Iterator[None]:
    """Run a block in the first process, then in the others, who find what it has cached.

    Where it raises in one process, all raise, as in ``together``.
    """
    with together():
        if rank() == 0:
            done = False
            try:
                yield
                done = True
            finally:
                share_object(done)
        elif share_object(False):
            yield
        else:
            raise TrainingError(FAILED)


def share_object(value: Any) -> Any:
    """Return the first process's value in every process; it is pickled."""
    if size() < 2:
        return value
    values = [value]
    with _peers():
        dist.broadcast_object_list(values, 0, group=_control)
    return values[0]


def share(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the first process's tensors in every process; in the others on the CPU."""
    if size() < 2:
        return dict(tensors)
    shapes = share_object({name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()})
    shared = {}
    for name, (shape, dtype) in shapes.items():
        copy = tensors[name].cpu().contiguous() if rank() == 0 else torch.empty(shape, dtype=dtype)
        with _peers():
            dist.broadcast(copy, 0, group=_control)
        shared[name] = copy
    return dict(tensors) if rank() == 0 else shared


def average(tensors: Iterable[Tensor | None]) -> None:
    """Replace each tensor by its mean over all processes, in one message."""
    if size() < 2:
        return
    known = [tensor for tensor in tensors if tensor is not None]
    flat = torch.cat([tensor.flatten() for tensor in known])
    with _peers():
        dist.all_reduce(flat)
    flat /= size()
    parts = torch.split(flat, [tensor.numel() for tensor in known])
    for tensor, part in zip(known, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def mean(*values: float) -> tuple[float, ...]:
    """Return the values' means over all processes, the same in each."""
    if size() < 2:
        return values
    at = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    numbers = torch.tensor(values, dtype=torch.float64, device=at)
    average([numbers])
    return tuple(numbers.tolist())


def _all(succeeded: bool) -> bool:
    """Return whether all processes succeeded; each calls this once."""
    if size() < 2:
        return succeeded
    flag = torch.tensor(float(succeeded))
    with _peers():
        dist.all_reduce(flag, dist.ReduceOp.MIN, group=_control)
    return bool(flag)


@contextmanager
def _peers() -> Iterator[None]:
    """Turn what a backend says of a lost process into a sentence."""
    try:
        yield
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TrainingError(f"{FAILED} ({reason})") from error
