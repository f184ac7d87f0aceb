"""The web processes, as the demo starts them."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config import servers, services
from config.servers.supervisor import Supervisor
from tests.config.demo import status

HALF_A_HEADER = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept"
HALF_A_BODY = b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nusername="


@pytest.fixture(scope="module")
def port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start web processes on the tests' database; give their port."""
    data_dir: Path = tmp_path_factory.mktemp("web")
    (data_dir / "logs").mkdir()
    supervisor = Supervisor(data_dir=data_dir, notify=print)
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        for service in services.web(listener):
            service.environment["DATABASE_URL"] = url
            supervisor.start(service)
        yield listener.getsockname()[1]
        supervisor.stop()


@pytest.mark.parametrize("beginning", [HALF_A_HEADER, HALF_A_BODY], ids=["header", "body"])
def test_a_hundred_half_sent_requests_keep_nobody_waiting(port: int, beginning: bytes) -> None:
    with ExitStack() as slow_clients:
        for _ in range(100):
            client = slow_clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(beginning)
        for _ in range(4):  # each process answers
            assert status(f"http://127.0.0.1:{port}/sign-in/") == 200


def test_a_body_larger_than_any_picture_is_refused_unread(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.putrequest("POST", "/sign-in/")
    client.putheader("Content-Length", str(2 * settings.IMAGE_MAX_BYTES))
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()
