"""The processes of this machine, as /proc shows them."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

LISTEN = "0A"  # the state of a socket in /proc/net


def children(parent: int, *, of: str) -> list[int]:
    """Return the ids of a process's living children with this word in their command lines."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if is_alive(pid) and _is_child(pid, parent, of.encode())]


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended."""
    return _stat(pid)[:1] not in ([], ["Z"])


def listening(leader: int) -> set[str]:
    """Return the addresses at which a process and all below it take connections over TCP."""
    sockets = {
        target.removeprefix("socket:[").removesuffix("]")
        for pid in _family(leader)
        for target in _open_files(pid)
        if target.startswith("socket:[")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and fields[9] in sockets:
                found.add(_address(fields[1].partition(":")[0]))
    return found


def _family(leader: int) -> set[int]:
    """Return a process and all that descend from it."""
    family, before = {leader}, set[int]()
    parents = {int(path.name): _stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    while family != before:
        before = set(family)
        family |= {pid for pid, stat in parents.items() if stat[1:2] and int(stat[1]) in before}
    return family


def _open_files(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def _address(words: str) -> str:
    """Return an address as /proc writes it: hexadecimal, each four bytes from the last."""
    parts = [bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8)]
    return str(ip_address(b"".join(parts)))


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
