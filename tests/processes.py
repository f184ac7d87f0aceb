"""The processes of this machine, as /proc shows them."""

from pathlib import Path


def children(parent: int, *, of: str) -> list[int]:
    """Return the ids of a process's living children with this word in their command lines."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if is_alive(pid) and _is_child(pid, parent, of.encode())]


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended."""
    return _stat(pid)[:1] not in ([], ["Z"])


def _is_child(pid: int, parent: int, word: bytes) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return _stat(pid)[1:2] == [str(parent)] and word in command


def _stat(pid: int) -> list[str]:
    """Return state, parent and so on of a process; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
