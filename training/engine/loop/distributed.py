"""Several processes that train one network, started by torchrun; a single one otherwise.

Gradients travel by NCCL between GPUs. What processes tell each other beside that travels by gloo:
it waits as long as the first process needs, and notices at once when a process has ended. Nothing
that arrives is unpickled.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from labeling import processes
from training.engine.files import PeerError, TrainingError, in_words, is_memory
from training.engine.ranks import rank, size

PATIENCE = timedelta(days=7)  # for what the first process does while the others wait
POLL = 0.2  # seconds, at most, after which a process that waits for the others sees a signal
AT_FIRST = 2e-4  # … as long as it has not waited for as much
LOST = re.compile("gloo|nccl|connection", re.IGNORECASE)  # of a backend about another process
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # where torchrun looks for a process's last words

_control: Any = None  # the gloo group


def join() -> None:
    """Join the other processes, each on a GPU of its own where there are any."""
    global _control
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return
    if ERROR_FILE in os.environ:  # else a killed torchrun would leave processes at work on the run
        processes.die_with(os.getppid())
    if torch.cuda.is_available():
        torch.cuda.set_device(_gpu())
    with peers(anything=True):
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
    try:
        join()
        yield
    except Exception as error:
        record(error)
        raise
    finally:
        leave()


def record(error: BaseException) -> None:
    """Let torchrun know why this process fails, unless it has said so, or another one is why."""
    path = os.environ.get(ERROR_FILE)
    if not path or isinstance(error, PeerError) or Path(path).exists():
        return
    if not isinstance(error, TrainingError | OSError | MemoryError | RuntimeError):
        return
    if isinstance(error, RuntimeError) and not is_memory(error):
        return
    said = {"message": in_words(error), "extraInfo": {"timestamp": str(int(time.time()))}}
    with suppress(OSError):
        Path(path).write_text(json.dumps({"message": said}))


@contextmanager
def together() -> Iterator[None]:
    """Run a block in every process; where one of them raises, all do.

    The others raise ``TrainingError`` once they are through with the block.
    """
    try:
        yield
    except BaseException as error:
        record(error)
        _all(False)
        raise
    if not _all(True):
        raise PeerError


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
            except BaseException as error:
                record(error)
                raise
            finally:
                share_object(done)
        elif share_object(False):
            yield
        else:
            raise PeerError


def share_object(value: Any, source: int = 0) -> Any:
    """Return one process's value in every process, as JSON brings it there."""
    if size() < 2:
        return value
    text = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
    length = torch.tensor(len(text))
    _wait(dist.broadcast(length, source, group=_control, async_op=True))
    text = text if rank() == source else torch.empty(int(length), dtype=torch.uint8)
    _wait(dist.broadcast(text, source, group=_control, async_op=True))
    return json.loads(bytes(text.tolist()))


def share(tensors: Mapping[str, Tensor], source: int = 0) -> dict[str, Tensor]:
    """Return one process's tensors in every process; in the others on the CPU."""
    if size() < 2:
        return dict(tensors)
    own = {name: [list(tensor.shape), str(tensor.dtype)] for name, tensor in tensors.items()}
    shared = {}
    for name, (shape, kind) in share_object(own, source).items():
        dtype = getattr(torch, kind.removeprefix("torch."))
        sends = rank() == source
        copy = tensors[name].cpu().contiguous() if sends else torch.empty(shape, dtype=dtype)
        _wait(dist.broadcast(copy, source, group=_control, async_op=True))
        shared[name] = copy
    return dict(tensors) if rank() == source else shared


def mean(*values: float) -> tuple[float, ...]:
    """Return the values' means over all processes, the same in each."""
    if size() < 2:
        return values
    numbers = torch.tensor(values, dtype=torch.float64)
    _wait(dist.all_reduce(numbers, group=_control, async_op=True))
    return tuple((numbers / size()).tolist())


def largest(value: int) -> tuple[int, int]:
    """Return the largest of all processes' values, and which process has it first."""
    if size() < 2:
        return value, 0
    values = [torch.zeros(1, dtype=torch.int64) for _ in range(size())]
    own = torch.tensor([value])
    _wait(dist.all_gather(values, own, group=_control, async_op=True))
    every = [int(number) for number in values]
    return max(every), every.index(max(every))


def _all(succeeded: bool) -> bool:
    """Return whether all processes succeeded; each calls this once."""
    if size() < 2:
        return succeeded
    flag = torch.tensor(float(succeeded))
    _wait(dist.all_reduce(flag, dist.ReduceOp.MIN, group=_control, async_op=True))
    return bool(flag)


def _wait(work: Any) -> None:
    """Wait for the others, open to signals, which torch's own waiting is not."""
    pause, start = AT_FIRST, time.monotonic()
    while not work.is_completed():
        time.sleep(pause)
        if time.monotonic() - start > POLL:
            pause = min(2 * pause, POLL)
    with peers(anything=True):
        work.wait()


def _gpu() -> int:
    """Return the number of this process's GPU."""
    number, known = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= known:
        raise TrainingError(
            f"This machine has {known} GPUs, and more processes were started here: "
            f"start {known}, or hide the GPUs (CUDA_VISIBLE_DEVICES) to train on processors."
        )
    return number


@contextmanager
def peers(*, anything: bool = False) -> Iterator[None]:
    """Turn what a backend says of a lost process into a sentence, or anything that it says."""
    try:
        yield
    except RuntimeError as error:
        if not (anything or isinstance(error, dist.DistError) or LOST.search(str(error))):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PeerError(reason) from error
