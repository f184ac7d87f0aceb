"""One run at a time writes an output; the next one fails at once, and not when it is done."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeling.aggregation.tables import TableError

WITHOUT = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}  # of file systems that know no locks


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Have an output to oneself. Raises TableError where another run is writing it.

    The lock is on a hidden file beside it, and ends with the process, however that ends.
    """
    output = output.resolve()
    path = output.with_name(f".{output.name}.lock")
    file = None
    try:
        while file is None or not _is(path, file):  # the run that had it before has removed it
            if file is not None:
                os.close(file)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            if not _claimed(file):
                raise TableError(
                    f"{output} is being written by another run: wait for it, or name another "
                    "output."
                )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        if file is not None:
            os.close(file)


def _claimed(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT:
            raise
    return True


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
