import socket
from pathlib import Path

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import app


def test_nobody_waits_for_good_for_a_broker_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert options["socket_timeout"]
    monkeypatch.setitem(options, "socket_timeout", 0.1)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "broker"))
        hung.listen()
        url = f"redis+socket://{tmp_path / 'broker'}"
        with app.connection(url) as connection, pytest.raises(OperationalError):
            app.send_task("some.task", connection=connection, retry=False)
