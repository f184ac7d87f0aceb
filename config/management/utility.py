"""Django's command line, with the embedded servers running and the database set up."""

import os
import sys
from contextlib import ExitStack

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

import labeling
from config import installation, servers
from config.management import database

WITHOUT_SERVERS = {
    "beat",  # which starts them itself, like demo, serve and worker
    "check",
    "collectstatic",
    "compilemessages",
    "demo",
    "diffsettings",
    "findstatic",
    "help",
    "list_settings",
    "makemessages",
    "makemigrations",
    "serve",
    "spectacular",
    "startapp",
    "startproject",
    "test",
    "version",
    "worker",
}
WITHOUT_TABLES = {
    "backup",  # also before an upgrade
    "dbshell",
    "inspectdb",
    "migrate",
    "optimizemigration",
    "restore",
    "showmigrations",
    "sqlmigrate",
    "squashmigrations",
}


class Utility(ManagementUtility):
    """Prepare what a command needs once it is known; the stack ends it after the command."""

    def __init__(self, argv: list[str], stack: ExitStack) -> None:
        super().__init__(argv)
        self._stack = stack

    def execute(self) -> None:
        """Run the command; end quietly where nobody reads its output any more (`… | head`)."""
        try:
            if self.argv[1:] in (["version"], ["--version"]):
                print(f"tessera {labeling.__version__}")
            else:
                super().execute()
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes standard output once more as it exits, which would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if not self._needs_servers():
            return command
        self._stack.enter_context(servers.ensure(servers.data_dir()))
        if subcommand in WITHOUT_TABLES:
            database.pass_pooler_by()
        database.connect()
        if subcommand not in WITHOUT_TABLES:
            database.set_up()
            installation.expect()
        return command

    def _needs_servers(self) -> bool:
        command, *options = self.argv[1:]
        return command not in WITHOUT_SERVERS and not {"-h", "--help"} & set(options)
