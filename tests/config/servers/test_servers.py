import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config import servers
from config.servers import pair, paths
from labeling.processes import bound

ROOT = Path(__file__).resolve().parents[3]
USE = """
import sys, time
from pathlib import Path
from config import servers
with servers.ensure(Path(sys.argv[1])):
    print("joined", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    _eventually(lambda: _gone(folder))


class User:
    """Another process that uses the servers until it is told to end, or killed."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USE, str(data_dir)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_until_joined(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == b"joined\n"

    def end(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _pids(data_dir: Path, name: str) -> list[int]:
    return pair.working_in(data_dir / name)


def _gone(data_dir: Path) -> bool:
    return not _pids(data_dir, "postgresql") and not _pids(data_dir, "valkey")


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _connect(data_dir: Path) -> psycopg.Connection[tuple[int]]:
    return psycopg.connect(
        host=str(servers.socket_dir(data_dir)), user="tessera", dbname="tessera", autocommit=True
    )


def _remember(data_dir: Path) -> None:
    with _connect(data_dir) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def _remembered(data_dir: Path) -> int:
    with _connect(data_dir) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row
    return row[0]


def _keeper_pid(data_dir: Path) -> int:
    """The parent of the oldest server process."""
    return int(Path(f"/proc/{_pids(data_dir, 'valkey')[0]}/stat").read_text().split()[3])


def test_it_starts_both_servers_and_stops_them_at_the_end(data_dir: Path) -> None:
    with servers.ensure(data_dir) as up:
        assert up()
        assert servers.running(data_dir)
        _remember(data_dir)
    assert _gone(data_dir)
    assert not servers.running(data_dir)
    assert not servers.socket_dir(data_dir).exists()


def test_what_was_written_is_there_the_next_time(data_dir: Path) -> None:
    for count in (1, 2):
        with servers.ensure(data_dir):
            _remember(data_dir)
            assert _remembered(data_dir) == count


def test_nothing_is_started_by_asking_for_the_addresses(data_dir: Path) -> None:
    servers.database(data_dir)
    servers.broker_url(data_dir)
    assert not servers.running(data_dir)
    assert not data_dir.exists()


def test_sockets_have_short_paths_however_deep_the_data_folder_lies(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder" * 8] * 6)
    assert len(str(servers.socket_dir(deep) / ".s.PGSQL.5432.lock")) < 100
    assert servers.socket_dir(deep) != servers.socket_dir(tmp_path)


def test_a_second_command_uses_the_servers_of_the_first_and_outlives_it(data_dir: Path) -> None:
    first, second = User(data_dir), User(data_dir)
    first.wait_until_joined()
    second.wait_until_joined()
    first.end()
    with servers.ensure(data_dir):
        _remember(data_dir)
    assert servers.running(data_dir)
    second.end()
    assert _gone(data_dir)


def test_a_killed_command_leaves_no_servers_behind(data_dir: Path) -> None:
    user = User(data_dir)
    user.wait_until_joined()
    _remember(data_dir)
    user.kill()
    _eventually(lambda: _gone(data_dir))
    with servers.ensure(data_dir):
        assert _remembered(data_dir) == 1


def test_servers_die_with_a_killed_keeper_and_the_next_start_recovers(data_dir: Path) -> None:
    with servers.ensure(data_dir) as up:
        _remember(data_dir)
        os.kill(_keeper_pid(data_dir), signal.SIGKILL)
        _eventually(lambda: not up())
        _eventually(lambda: _gone(data_dir))
        with servers.ensure(data_dir):
            assert _remembered(data_dir) == 1


def test_it_recovers_from_killed_servers(data_dir: Path) -> None:
    with servers.ensure(data_dir) as up:
        _remember(data_dir)
        for name in ("postgresql", "valkey"):
            os.kill(min(_pids(data_dir, name)), signal.SIGKILL)
        _eventually(lambda: not up())
    _eventually(lambda: _gone(data_dir))
    with servers.ensure(data_dir):
        assert _remembered(data_dir) == 1


def test_a_stale_pid_of_somebody_else_does_not_keep_it_from_starting(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        pass
    (data_dir / "postgresql" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with servers.ensure(data_dir) as up:
        assert up()


def test_a_truncated_append_only_file_costs_its_tail_alone(data_dir: Path) -> None:
    with servers.ensure(data_dir), _valkey(data_dir) as broker:
        for name in ("first", "second"):
            broker.sendall(f"SET {name} 1\r\n".encode())
            assert broker.recv(64) == b"+OK\r\n"
    (file,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-5])
    with servers.ensure(data_dir), _valkey(data_dir) as broker:
        broker.sendall(b"EXISTS first\r\nEXISTS second\r\n")
        _eventually(lambda: broker.recv(64, socket.MSG_PEEK) == b":1\r\n:0\r\n")


def test_a_broken_append_only_file_is_set_aside(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        pass
    (file,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(b"this was never written by a broker" * 10)
    with servers.ensure(data_dir) as up:
        assert up()


def test_a_data_folder_held_from_elsewhere_gives_one_sentence(data_dir: Path) -> None:
    data_dir.mkdir()
    with (data_dir / "lock").open("w") as lock:
        lock.write("ready")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(servers.EmbeddedError, match="in use by another running copy"):
            servers.ensure(data_dir).__enter__()


def test_a_data_folder_that_cannot_be_made_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(servers.EmbeddedError, match="set DATA_DIR to a folder"):
        servers.ensure(tmp_path / "file" / "data").__enter__()


def test_a_link_in_place_of_the_sockets_folder_is_not_followed(
    data_dir: Path, tmp_path: Path
) -> None:
    sockets = servers.socket_dir(data_dir)
    sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(servers.EmbeddedError, match="is not a folder of this user"):
            servers.ensure(data_dir).__enter__()
    finally:
        sockets.unlink()


def test_a_cluster_half_made_is_made_again(data_dir: Path) -> None:
    (data_dir / "postgresql.new" / "base").mkdir(parents=True)
    with servers.ensure(data_dir) as up:
        assert up()
    assert not (data_dir / "postgresql.new").exists()


def test_servers_named_by_the_environment_are_not_started(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/tessera")
    with servers.ensure(data_dir):
        assert not (data_dir / "postgresql").exists()
        assert _pids(data_dir, "valkey")
        monkeypatch.delenv("DATABASE_URL")
        with pytest.raises(servers.EmbeddedError, match="lack postgresql"):
            servers.ensure(data_dir).__enter__()
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/tessera")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere")
    with servers.ensure(data_dir) as up:
        assert up()
        assert _gone(data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to be somebody else")
def test_root_runs_postgresql_as_nobody_where_namespaces_are_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as closed:  # which only root may enter
        data_dir = Path(closed) / "data"
        with servers.ensure(data_dir):
            _remember(data_dir)
        monkeypatch.setenv("PATH", f"{_without_unshare(Path(closed))}:{os.environ['PATH']}")
        with servers.ensure(data_dir):
            assert Path(f"/proc/{_pids(data_dir, 'postgresql')[0]}").stat().st_uid == 65534
            assert _remembered(data_dir) == 1
        monkeypatch.undo()
        with servers.ensure(data_dir):
            assert _remembered(data_dir) == 1


def _without_unshare(folder: Path) -> Path:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "unshare").symlink_to("/bin/false")
    return programs


def _valkey(data_dir: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(paths.valkey_socket(data_dir)))
    return client


def test_a_bound_command_dies_with_its_parent() -> None:
    script = "import subprocess, sys; from labeling.processes import bound; "
    script += "c = subprocess.Popen(bound(['sleep', '60'])); print(c.pid, flush=True); c.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    time.sleep(0.2)  # the promise takes a moment to be made
    parent.kill()
    parent.communicate()
    _eventually(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_bound_command_does_not_start_once_its_parent_is_dead(tmp_path: Path) -> None:
    command = bound(["touch", str(tmp_path / "started")])
    command[command.index(str(os.getpid()))] = "1"  # this process is not its parent
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "started").exists()
