"""A network of its own, in which names lead to this machine and nothing else can be reached.

Linux namespaces give a program a loopback device, port 443 and a file of host names that nobody
else sees. So clients that have the name of a server as a constant stay as they are, and one that
called anybody else would fail.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
LOOPBACK_UP = struct.pack("16sh22x", b"lo", IFF_UP)
COMMAND = ["unshare", "--net", "--mount"]


class NoNetwork(Exception):
    """This system gives no network of its own; the message says why and what to do."""


def enter(command: Sequence[str]) -> None:
    """Become this command, in a network of its own. Raises NoNetwork."""
    if os.geteuid() != 0:
        COMMAND.extend(["--user", "--map-current-user", "--keep-caps"])
    try:
        tried = subprocess.run([*COMMAND, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNetwork("unshare is needed: install it (Debian: util-linux).") from error
    if tried.returncode:
        raise NoNetwork(
            f"This system gives no network of its own ({tried.stderr.strip()}): run it as root, or "
            "where user namespaces are allowed."
        )
    os.execvp(COMMAND[0], [*COMMAND, sys.executable, *command])


def prepare(names: Iterable[str], folder: Path) -> None:
    """Let these names lead to this machine."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, LOOPBACK_UP)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
