"""Clients that send or read so slowly that they only keep others out."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from waitress import wasyncore

from config import slow_clients, web_server
from tests.waiting import wait_until

LARGE = 64 * 2**20  # bytes of an answer: more than waitress keeps for a client


def answer(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Answer with what was sent, or with far more than a client's buffers hold."""
    start("200 OK", [])
    if environ["PATH_INFO"] == "/large":
        return (b"x" * 2**20 for _ in range(LARGE // 2**20))
    return [environ["wsgi.input"].read()]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serve with two threads, and little patience."""
    monkeypatch.setattr(slow_clients, "WINDOW", 0.4)
    monkeypatch.setattr(web_server, "LOOK", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server = web_server.create(listener, answer, 2)
        server.adj.asyncore_loop_timeout = 0.05
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        server.trigger.pull_trigger(partial(wasyncore.close_all, server._map))  # ends the loop
        thread.join(20)
        server.task_dispatcher.shutdown()


def connect(server: Any) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", int(server.effective_port)))
    return client


def is_answered(server: Any) -> bool:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "beginning", [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_request_that_trickles_in_is_not_waited_for(server: Any, beginning: bytes) -> None:
    with connect(server) as client:
        client.sendall(beginning)
        client.settimeout(0.05)
        for _ in range(600):
            try:
                client.sendall(b"x")
                ended = client.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            assert ended
            break
        else:
            pytest.fail("It is waited for.")


def test_whoever_takes_nothing_of_an_answer_keeps_no_thread(server: Any) -> None:
    clients = [connect(server) for _ in range(2)]
    for client in clients:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(10)
    assert is_answered(server)  # once the two threads are free again
    wait_until(lambda: not server.active_channels)
    for client in clients:
        client.close()


def test_a_body_that_comes_fast_enough_is_taken(server: Any) -> None:
    with connect(server) as client:
        body = b"y" * 2**20
        head = f"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        received = b""
        while data := client.recv(2**16):
            received += data
    assert received.endswith(body)


def test_one_address_has_so_many_connections(settings: Any) -> None:
    settings.PROXIES = 0
    many = ["192.0.2.1"] * (slow_clients.OF_AN_ADDRESS + 1)
    assert slow_clients.is_crowded("192.0.2.1", many)
    assert not slow_clients.is_crowded("192.0.2.1", many[1:])
    assert not slow_clients.is_crowded("192.0.2.2", many)
    assert not slow_clients.is_crowded("127.0.0.1", ["127.0.0.1"] * 1000)
    settings.PROXIES = 1
    assert not slow_clients.is_crowded("192.0.2.1", many)


def test_an_address_that_is_longer_than_any_is_refused(server: Any) -> None:
    with connect(server) as client:
        client.sendall(b"GET /" + b"a" * web_server.HEADERS + b" HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 431")
