"""The network between the parts: one namespace a machine, and a switch that delays and loses.

Each machine is a Linux network namespace with one TUN device, whose other end this module holds.
A packet reaches the other machine after the delay, unless it is lost or the way is cut. The kernels
at both ends speak real TCP: what is lost is sent again, late.

    python -m tests.chaos.switch DELAY LOSS NAME… < commands

Reads commands, a line each: `cut A B`, `mend`, `calm`. Needs the rights of root in its own user
namespace.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
DEVICE = "net0"
NETWORK = "10.77.0"
DESTINATION = slice(16, 20)  # of an IPv4 packet
MTU = 1500
NAMESPACES = Path("/run/netns")

_libc = ctypes.CDLL(None, use_errno=True)


def address(machines: list[str], name: str) -> str:
    """Return the IPv4 address of a machine."""
    return f"{NETWORK}.{machines.index(name) + 1}"


class Switch:
    """Carries packets among the machines until its input ends."""

    def __init__(self, machines: list[str], *, delay: float, loss: float) -> None:
        """Make the machines. delay: seconds from one to another; loss: share of packets."""
        self._delay, self._loss = delay, loss
        self._ends = {name: _make_machine(machines, name) for name in machines}
        self._by_address = {
            bytes(map(int, address(machines, name).split("."))): name for name in machines
        }
        self._cut: set[frozenset[str]] = set()
        self._under_way: list[tuple[float, int, int, bytes]] = []  # due, order, end, packet
        self._order = 0
        self._random = random.Random(7)

    def run(self) -> None:
        """Carry packets and obey commands."""
        names = {end: name for name, end in self._ends.items()}
        while True:
            patience = None
            if self._under_way:
                patience = max(0.0, self._under_way[0][0] - time.monotonic())
            for ready in select.select([*names, sys.stdin], [], [], patience)[0]:
                if ready is sys.stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self._obey(*line.split())
                else:
                    self._take(names[ready], ready)
            self._deliver()

    def _obey(self, command: str, *names: str) -> None:
        if command == "cut":
            self._cut.add(frozenset(names))
        elif command == "mend":
            self._cut.clear()
        else:
            self._delay = self._loss = 0.0

    def _take(self, source: str, end: int) -> None:
        """Take what waits at one machine's end."""
        now = time.monotonic()
        for _ in range(64):
            try:
                packet = os.read(end, MTU + 100)
            except BlockingIOError:
                return
            target = self._by_address.get(packet[DESTINATION])
            if target is None or frozenset((source, target)) in self._cut:
                continue
            if self._random.random() >= self._loss:
                self._order += 1
                due = (now + self._delay, self._order, self._ends[target], packet)
                heapq.heappush(self._under_way, due)

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            *_, end, packet = heapq.heappop(self._under_way)
            try:
                os.write(end, packet)
            except BlockingIOError:  # its queue is full: lost, as on any network
                continue


def _make_machine(machines: list[str], name: str) -> int:
    """Make a namespace with its device; return the device's other end."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    with _inside(name):
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    ip = ["ip", "-n", name]
    subprocess.run([*ip, "link", "set", "lo", "up"], check=True)
    subprocess.run(
        [*ip, "address", "add", f"{address(machines, name)}/24", "dev", DEVICE], check=True
    )
    subprocess.run([*ip, "link", "set", DEVICE, "up", "mtu", str(MTU)], check=True)
    return end


class _inside:  # noqa: N801 - a context manager
    """This thread, in a machine's network."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(NAMESPACES / self._name, os.O_RDONLY)
        enter(there)
        os.close(there)

    def __exit__(self, *raised: object) -> None:
        enter(self._own)
        os.close(self._own)


def enter(namespace: int) -> None:
    """Let this thread be in a network."""
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def main(delay: str, loss: str, *machines: str) -> None:
    """Make the machines, say so, and carry packets until the input ends."""
    switch = Switch(list(machines), delay=float(delay), loss=float(loss))
    print("ready", flush=True)
    switch.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
