"""Disks of their own for some machines, so small that they can be filled, and emptied again."""

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZES = {"postgresql": "1g", "worker1": "1g", "worker2": "1g", "valkey": "64m"}
FILLER = "filler"
AGAIN = 0.1  # seconds after which what was freed meanwhile is filled, too


def make(folder: Path) -> None:
    """Let a machine's folder be a disk of its own, if it is to have one."""
    if size := SIZES.get(folder.name):
        options = f"size={size},mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)


def remove(folder: Path) -> None:
    """Let go of the disks of the machines whose folders lie there."""
    for name in SIZES:
        if (folder / name).is_mount():
            subprocess.run(["umount", "--lazy", folder / name], check=True)


@contextmanager
def filled(folders: list[Path]) -> Iterator[None]:
    """Leave no room on these disks during the block."""
    emptied = threading.Event()
    threads = [threading.Thread(target=_keep_full, args=(each, emptied)) for each in folders]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        emptied.set()
        for thread in threads:
            thread.join()


def _keep_full(folder: Path, emptied: threading.Event) -> None:
    filler = folder / FILLER
    with filler.open("wb") as file:
        size = 0
        while not emptied.wait(AGAIN):
            free = shutil.disk_usage(folder).free
            try:
                if free:
                    os.posix_fallocate(file.fileno(), size, free)
                    size += free
            except OSError as error:  # somebody else was quicker
                if error.errno != errno.ENOSPC:
                    raise
    filler.unlink()
