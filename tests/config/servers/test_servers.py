import fcntl
from pathlib import Path

import pytest

from config import servers
from tests.config.servers.embedded import User, gone, pids, remember, remembered


def test_it_starts_both_servers_and_stops_them_at_the_end(data_dir: Path) -> None:
    with servers.ensure(data_dir) as client:
        assert client.is_connected()
        assert servers.running(data_dir)
        remember(data_dir)
    assert gone(data_dir)
    assert not servers.running(data_dir)
    assert not servers.socket_dir(data_dir).exists()


def test_what_was_written_is_there_the_next_time(data_dir: Path) -> None:
    for count in (1, 2):
        with servers.ensure(data_dir):
            remember(data_dir)
            assert remembered(data_dir) == count


def test_nothing_is_started_by_asking_for_the_addresses(data_dir: Path) -> None:
    servers.database(data_dir)
    servers.broker_url(data_dir)
    assert not servers.running(data_dir)
    assert not data_dir.exists()


def test_a_second_command_uses_the_servers_of_the_first_and_outlives_it(data_dir: Path) -> None:
    first, second = User(data_dir), User(data_dir)
    first.wait_until_connected()
    second.wait_until_connected()
    first.end()
    with servers.ensure(data_dir):
        remember(data_dir)
    assert servers.running(data_dir)
    second.end()
    assert gone(data_dir)


def test_a_data_folder_held_from_elsewhere_gives_one_sentence(data_dir: Path) -> None:
    data_dir.mkdir()
    with (data_dir / "lock").open("w") as lock:
        lock.write("ready")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(servers.EmbeddedError, match="in use by another running copy"):
            servers.ensure(data_dir).__enter__()


def test_servers_named_by_the_environment_are_not_started(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/tessera")
    with servers.ensure(data_dir):
        assert not (data_dir / "postgresql").exists()
        assert pids(data_dir, "valkey")
        monkeypatch.delenv("DATABASE_URL")
        with pytest.raises(servers.EmbeddedError, match="lack postgresql"):
            servers.ensure(data_dir).__enter__()
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/tessera")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere")
    with servers.ensure(data_dir) as client:
        assert client.is_connected()
        assert gone(data_dir)
