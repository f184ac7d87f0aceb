"""Servers that the README does not install: `make services` runs these tests, where they are."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    _needs("rabbitmq-server")
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.stop()


def _needs(program: str) -> Path:
    if not os.environ.get("SERVICES"):
        pytest.skip("make services runs it")
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"there is no {program} on the PATH")
    return Path(found)
