"""What the tests of the embedded servers do with them: use, count, kill, remember."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from config import servers
from config.servers import server

ROOT = Path(__file__).resolve().parents[3]
USE = """
import sys
from pathlib import Path
from config import servers
with servers.ensure(Path(sys.argv[1])):
    print("connected", flush=True)
    sys.stdin.read()
"""


class User:
    """Another process that uses the servers until its input ends, or it is killed."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USE, str(data_dir)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_until_connected(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == b"connected\n"

    def end(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def pids(data_dir: Path, name: str) -> list[int]:
    return server.working_in(data_dir / name)


def main_pid(data_dir: Path, name: str) -> int:
    """Return the id of a server's first process, which the daemon started."""
    return next(pid for pid in pids(data_dir, name) if _parent(pid) not in pids(data_dir, name))


def daemon_pid(data_dir: Path) -> int:
    return _parent(main_pid(data_dir, "valkey"))


def gone(data_dir: Path) -> bool:
    return not pids(data_dir, "postgresql") and not pids(data_dir, "valkey")


def connect(data_dir: Path) -> psycopg.Connection[tuple[int]]:
    return psycopg.connect(
        host=str(servers.socket_dir(data_dir)), user="tessera", dbname="tessera", autocommit=True
    )


def remember(data_dir: Path) -> None:
    with connect(data_dir) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def remembered(data_dir: Path) -> int:
    """Return how often something was remembered; 0 while the database does not answer."""
    try:
        with connect(data_dir) as connection:
            row = connection.execute("SELECT count(*) FROM kept").fetchone()
    except psycopg.OperationalError:
        return 0
    assert row
    return row[0]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
