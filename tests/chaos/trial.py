"""Two machines that speak through the switch: say, in JSON, how it delayed, lost and cut.

    python -m tests.chaos.trial DELAY LOSS

Runs in a network of its own, as `tests.chaos` does.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable

from tests.chaos import switch
from tests.chaos.network import Network, stand_on

MACHINES = ["here", "there"]
PORT = 7000
ECHOES, DATAGRAMS, PIECE = 5, 300, 100_000
PATIENCE = 20.0  # seconds
CUT = 0.5


def main(delay: str, loss: str) -> None:
    network = Network(MACHINES, delay=float(delay), loss=float(loss))
    there = switch.address(MACHINES, "there")
    listening = threading.Event()
    arrived: list[int] = []
    for serve in (_echo, _count(arrived)):
        listening.clear()
        threading.Thread(target=serve, args=(there, listening), daemon=True).start()
        listening.wait(PATIENCE)
    stand_on("here")
    with socket.create_connection((there, PORT), timeout=PATIENCE) as connection:
        found: dict[str, object] = {"echo_seconds": min(_echoes(connection))}
        found["whole"] = _exchange(connection, bytes(range(256)) * (PIECE // 256))
        found["datagrams"] = _send(there, arrived)
        network.cut("here", "there")
        connection.settimeout(CUT)
        try:
            found["while_cut"] = _exchange(connection, b"cut")
        except TimeoutError:
            found["while_cut"] = None
        network.mend()
        connection.settimeout(PATIENCE)
        found["after_it"] = connection.recv(3).decode()
    print(json.dumps(found), flush=True)


def _echo(address: str, listening: threading.Event) -> None:
    stand_on("there")
    with socket.create_server((address, PORT)) as server:
        listening.set()
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)


def _count(arrived: list[int]) -> Callable[[str, threading.Event], None]:
    def count(address: str, listening: threading.Event) -> None:
        stand_on("there")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((address, PORT))
            listening.set()
            while True:
                arrived.append(int(server.recv(100)))

    return count


def _echoes(connection: socket.socket) -> list[float]:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(ECHOES):
        began = time.monotonic()
        _exchange(connection, b"ping")
        times.append(time.monotonic() - began)
    return times


def _exchange(connection: socket.socket, data: bytes) -> bool:
    """Send data; return whether the same came back."""
    sending = threading.Thread(target=connection.sendall, args=(data,))
    sending.start()
    back = b""
    while len(back) < len(data):
        back += connection.recv(65536)
    sending.join()
    return back == data


def _send(address: str, arrived: list[int]) -> int:
    """Send datagrams, which nobody sends again; return how many arrive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(DATAGRAMS):
            client.sendto(str(number).encode(), (address, PORT))
            time.sleep(0.001)  # its queue is short
    time.sleep(0.5)
    return len(set(arrived))


if __name__ == "__main__":
    main(*sys.argv[1:])
