"""The devices of this machine: which a worker may use, and who uses which.

A run takes one of them alone (or TRAINING_PROCESSES), and so does a process that draws; a run keeps
to a device on which nobody draws, as long as there is one, and the other way round. The kernel
releases a lock when the process that holds it dies. TRAINING_DEVICES says which devices there are:
`all` GPUs, `0,1`, or `cpu`. Without a GPU the machine is one device.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import IO

from django.conf import settings

from training import machine_lock

ALL, CPU = "all", "cpu"
NO_GPU = ("", "-1")  # end a list of visible ones
VISIBLE = "CUDA_VISIBLE_DEVICES"
LISTED = re.compile(r"UUID: ((?:GPU|MIG)-[\w/-]+)")
TIME_LIMIT = 20.0  # seconds in which the driver lists its GPUs
RUN, DRAWING = "run", "drawing"


@dataclass(frozen=True)
class Device:
    """A GPU by its name; or the machine, whatever it has, as the only device (None)."""

    name: str | None  # empty: no GPU, although there may be some

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which a process keeps to the device."""
        if self.name is None:
            return {}
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: self.name}


_held: ContextVar[Device | None] = ContextVar("held", default=None)


def of_machine() -> list[Device]:
    """Return the devices that this machine's workers may use."""
    named: list[str] = settings.TRAINING_DEVICES
    if named == [CPU]:
        return [Device("")]
    names = list(_all_gpus()) if named == [ALL] else named
    return [Device(name) for name in names] or [Device(None)]


def has_gpu() -> bool:
    """Return whether this machine's workers may use a GPU."""
    return any(device.name for device in of_machine())


@contextmanager
def acquire() -> Iterator[Device | None]:
    """Hold a device for a run, and what follows from it; yield None where all are taken.

    Where several processes train a run together, it is as many, as one device. Child processes that
    are started within the block keep to it.
    """
    with ExitStack() as stack:
        devices = _by_use(DRAWING)
        wanted = min(settings.TRAINING_PROCESSES, len(devices))
        free: list[Device] = []
        for device in devices:
            if len(free) < wanted and (lock := _lock(RUN, device)):
                stack.enter_context(lock)
                free.append(device)
        if len(free) < wanted:
            stack.close()
            yield None
            return
        device = _together(free)
        stack.callback(_held.reset, _held.set(device))
        yield device


def _together(devices: list[Device]) -> Device:
    """Return several devices as one."""
    if len(devices) == 1:
        return devices[0]
    return Device(",".join(device.name or "" for device in devices))


def environment() -> dict[str, str]:
    """Return the variables by which a child process keeps to the device that is held here."""
    device = _held.get()
    return device.environment if device else {}


def acquire_for_drawing() -> tuple[Device, IO[bytes] | None]:
    """Return a device to draw on, and the lock that keeps others from drawing there.

    Where others draw on every device, it is shared: nobody waits for hours to see a picture.
    """
    devices = _by_use(RUN)
    for device in devices:
        if lock := _lock(DRAWING, device):
            return device, lock
    return devices[0], None


def _by_use(purpose: str) -> list[Device]:
    """Return the devices, last those that somebody holds for a purpose."""
    return sorted(of_machine(), key=lambda device: _is_held(purpose, device))


def _is_held(purpose: str, device: Device) -> bool:
    lock = _lock(purpose, device)
    if lock:
        lock.close()
    return lock is None


def _lock(purpose: str, device: Device) -> IO[bytes] | None:
    return machine_lock.take(f"{purpose} {device.name}" if device.name else purpose)


@cache
def _all_gpus() -> tuple[str, ...]:
    """Return the names of the GPUs that this process may use, as its driver lists them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return tuple(takewhile(lambda name: name not in NO_GPU, names))
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        listed = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=TIME_LIMIT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_listed(listed.stdout))


def _listed(text: str) -> list[str]:
    """Return the GPUs that the driver lists; in place of one that is divided, its parts."""
    names: list[str] = []
    whole = ""
    for name in LISTED.findall(text):
        if not name.startswith("MIG-"):
            whole = name
        elif names[-1:] == [whole]:
            names.pop()
        names.append(name)
    return names
