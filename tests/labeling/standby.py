"""A real standby of the tests' PostgreSQL."""

import shutil
import subprocess
from pathlib import Path

import psycopg

from config import servers
from config.servers import identity, programs
from config.servers.paths import DATABASE, PORT, USER, open_log, socket_dir
from config.servers.postgresql import PostgreSQL
from config.servers.server import environment
from labeling.processes import bound


class Standby(PostgreSQL):
    """It is copied from the tests' server, and follows it."""

    @staticmethod
    def program() -> Path:
        return programs.find_postgresql() / "pg_basebackup"

    def prepare(self) -> None:
        if not self.folder.exists():
            self._copy()
        super().prepare()

    def answers(self) -> bool:
        try:
            psycopg.connect(
                host=str(socket_dir(self.data_dir)), port=PORT, user=USER, dbname=DATABASE
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _copy(self) -> None:
        source = socket_dir(servers.data_dir())
        command = [str(self.program()), "-h", str(source), "-p", str(PORT), "-U", USER]
        command += ["-D", str(self.folder), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        self.folder.mkdir(mode=0o700)
        identity.give(self.folder, self.identity.owner)
        with open_log(self.data_dir, self.name) as log:
            subprocess.run(
                [*self.identity.prefix, *bound(command)],
                env=environment(),
                stdout=log,
                stderr=log,
                check=True,
            )

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(socket_dir(self.data_dir), ignore_errors=True)
