"""Requests a second of a simple page, of the demo's web processes and of gunicorn beside them.

    python tests/benchmarks/web_speed.py [--seconds 10] [--clients 8]

Both run on a database of their own in a temporary folder, in turns, with two processes of eight
threads; gunicorn is left out unless it is installed. Prints a table in Markdown. The clients share
the machine, so take figures on one that is idle.
"""

import argparse
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from config import servers, services  # noqa: E402
from config.servers.supervisor import Service, Supervisor  # noqa: E402

PAGE = "/sign-in/"
ROUNDS = 3
_listeners: list[socket.socket] = []  # open until the end
GUNICORN = ["-m", "gunicorn", "config.wsgi", "--workers", "2", "--threads", "8"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        with servers.ensure(Path(data_dir)):
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
            supervisor = Supervisor(data_dir=Path(data_dir), notify=print)
            ports = {name: start(supervisor) for name, start in _candidates().items()}
            try:
                _compare(ports, options.seconds, options.clients)
            finally:
                supervisor.stop()


def _candidates() -> dict[str, Callable[[Supervisor], int]]:
    candidates = {"the demo's (waitress)": _start_web}
    if importlib.util.find_spec("gunicorn"):
        candidates["gunicorn"] = _start_gunicorn
    return candidates


def _start_web(supervisor: Supervisor) -> int:
    listener = _listen()
    for service in services.web(listener):
        supervisor.start(service)
    return int(listener.getsockname()[1])


def _start_gunicorn(supervisor: Supervisor) -> int:
    listener = _listen()
    fd = listener.fileno()
    command = [sys.executable, *GUNICORN, "--bind", f"fd://{fd}", "--keep-alive", "30"]
    supervisor.start(Service("gunicorn", command, fds=(fd,)))
    return int(listener.getsockname()[1])


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    _listeners.append(listener)
    return listener


def _compare(ports: dict[str, int], seconds: float, clients: int) -> None:
    for port in ports.values():
        _measure(port, 2, clients)  # warm
    print("| web processes | requests/s, by round |\n|---|---|")
    rates: dict[str, list[str]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            rates[name].append(f"{_measure(port, seconds, clients):.0f}")
    for name, rounds in rates.items():
        print(f"| {name} | {', '.join(rounds)} |", flush=True)


def _measure(port: int, seconds: float, clients: int) -> float:
    """Return the requests a second that clients get, each on one kept-alive connection."""
    counts = [0] * clients
    until = time.perf_counter() + seconds

    def request(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < until:
            connection.request("GET", PAGE)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"{PAGE} gives {response.status}.")
            counts[number] += 1

    threads = [threading.Thread(target=request, args=[number]) for number in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
