"""What dies is started again, and what was written is there."""

import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from config import servers
from config.servers import paths, server
from config.servers.postgresql import PostgreSQL
from tests.config.servers.embedded import (
    User,
    connect,
    daemon_pid,
    gone,
    main_pid,
    pids,
    remember,
    remembered,
)
from tests.waiting import wait_until


def test_a_killed_command_leaves_no_servers_behind(data_dir: Path) -> None:
    user = User(data_dir)
    user.wait_until_connected()
    remember(data_dir)
    user.kill()
    wait_until(lambda: gone(data_dir))
    with servers.ensure(data_dir):
        assert remembered(data_dir) == 1


@pytest.mark.parametrize("name", ["postgresql", "valkey"])
def test_a_killed_server_is_started_again_for_those_who_use_it(data_dir: Path, name: str) -> None:
    with servers.ensure(data_dir) as client:
        remember(data_dir)
        killed = main_pid(data_dir, name)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: bool(set(pids(data_dir, name)) - {killed}))
        wait_until(lambda: servers.running(data_dir) and remembered(data_dir) == 1)
        with _valkey(data_dir) as broker:
            broker.sendall(b"PING\r\n")
            assert broker.recv(64) == b"+PONG\r\n"
        assert client.is_connected()


def test_a_server_that_keeps_dying_ends_the_others(data_dir: Path) -> None:
    with servers.ensure(data_dir) as client:
        while client.is_connected():
            for pid in pids(data_dir, "valkey"):  # also one that has only just been started
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not client.is_connected() or bool(pids(data_dir, "valkey")))
        wait_until(lambda: gone(data_dir))
    assert "valkey keeps dying" in paths.log_path(data_dir, "daemon").read_text()


def test_servers_die_with_a_killed_daemon_and_a_client_starts_them_again(data_dir: Path) -> None:
    with servers.ensure(data_dir) as client:
        remember(data_dir)
        os.kill(daemon_pid(data_dir), signal.SIGKILL)
        wait_until(lambda: not client.is_connected())
        client.connect()
        assert client.is_connected()
        assert remembered(data_dir) == 1


def test_a_query_that_outlives_its_server_is_ended(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ORPHAN_GRACE", 0.1)
    paths.make_data_dir(data_dir)
    paths.make_socket_dir(data_dir)
    postgresql = PostgreSQL(data_dir)
    postgresql.start()
    query = threading.Thread(target=_run_endless_query, args=[data_dir])
    query.start()
    wait_until(lambda: _active_queries(data_dir) == 2)
    assert postgresql.process
    postgresql.process.kill()
    postgresql.start()
    postgresql.stop()
    query.join()


def test_a_shell_in_the_servers_folder_keeps_it_from_nothing(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        remember(data_dir)
    shell = subprocess.Popen(["sleep", "600"], cwd=data_dir / "postgresql")
    with servers.ensure(data_dir):
        assert remembered(data_dir) == 1
    assert shell.poll() is None
    shell.kill()
    shell.wait()


def test_a_stale_pid_of_somebody_else_does_not_keep_it_from_starting(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        pass
    (data_dir / "postgresql" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with servers.ensure(data_dir) as client:
        assert client.is_connected()


def test_a_truncated_append_only_file_costs_its_tail_alone(data_dir: Path) -> None:
    with servers.ensure(data_dir), _valkey(data_dir) as broker:
        for name in ("first", "second"):
            broker.sendall(f"SET {name} 1\r\n".encode())
            assert broker.recv(64) == b"+OK\r\n"
    (file,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-5])
    with servers.ensure(data_dir), _valkey(data_dir) as broker:
        broker.sendall(b"EXISTS first\r\nEXISTS second\r\n")
        wait_until(lambda: broker.recv(64, socket.MSG_PEEK) == b":1\r\n:0\r\n")


def test_a_broken_append_only_file_is_set_aside(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        pass
    (file,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(b"this was never written by a broker" * 10)
    with servers.ensure(data_dir) as client:
        assert client.is_connected()


def test_a_cluster_half_made_is_made_again(data_dir: Path) -> None:
    (data_dir / "logs").mkdir(parents=True)
    (data_dir / "postgresql.new" / "base").mkdir(parents=True)
    with servers.ensure(data_dir) as client:
        assert client.is_connected()
    assert not (data_dir / "postgresql.new").exists()


def _run_endless_query(data_dir: Path) -> None:
    with suppress(psycopg.OperationalError), connect(data_dir) as connection:
        connection.execute("DO $$ BEGIN LOOP END LOOP; END $$")


def _active_queries(data_dir: Path) -> int:
    with connect(data_dir) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


def _valkey(data_dir: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(paths.valkey_socket(data_dir)))
    return client
