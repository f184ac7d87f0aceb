"""A demo in a process of its own, and what is left of it."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0  # seconds, which only a failure ever needs
WITHOUT_PICTURES = """
call = management.call_command
demo.has_no_database = lambda data_dir: False
demo.call_command = lambda name, **options: name == "load_demo" or call(name, **options)
"""
WITH_PICTURES_OF = """
from pathlib import Path
prepare = demo.load.prepare
demo.load.SCENES, demo.load.GOLD = 6, 3
demo.is_fetched = lambda: True
demo.load.prepare = lambda: prepare(Path({modules!r}))
"""
IN_THE_MIDDLE = "The pictures are stored."
STUCK = f"""
import time
demo.load.pools.prepare = lambda concept: (print({IN_THE_MIDDLE!r}, flush=True), time.sleep(300))
"""
START = """
import os
import sys
import django
from django.core import management
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
from config.management.commands import demo
{changes}
sys.path.insert(0, ".")
import manage
sys.argv = ["manage.py", "demo", *{arguments}]
manage.main()
"""


class Demo:
    """A demo, as make would start it; with few pictures if `modules` has some, else with none.

    stuck: whether it waits, with the pictures stored and nothing committed. arguments: of the
    command.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | str,
        *,
        modules: Path | None = None,
        stuck: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.data_dir, self.port = data_dir, port
        changes = WITH_PICTURES_OF.format(modules=str(modules)) if modules else WITHOUT_PICTURES
        changes += STUCK if stuck else ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", START.format(changes=changes, arguments=list(arguments))],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "DATA_DIR": str(data_dir)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_ready(self) -> str:
        """Return the address that it announces."""
        line = self.wait_until_it_says("Tessera is ready at ")
        ready = re.fullmatch(r"Tessera is ready at (http://127\.0\.0\.1:\d+/)\n", line)
        assert ready
        self.url = ready[1]
        return self.url

    def wait_until_it_says(self, beginning: str) -> str:
        """Return the line that begins so; one that does not come fails, with all that came."""
        assert self.process.stdout
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(beginning):
                patience.cancel()
                return line
        raise AssertionError(f"It ended with {self.process.wait()} after:\n{''.join(lines)}")

    def stop_reading(self) -> None:
        assert self.process.stdout
        self.process.stdout.close()

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.stop_reading()
        return code

    def sentence(self) -> str:
        """Return what it says when it cannot run."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 1
        assert "Traceback" not in output
        return output


def status(url: str) -> int:
    """Return the status of a page, which may take long to come."""
    try:
        with urllib.request.urlopen(url, timeout=60) as page:
            return int(page.status)
    except urllib.error.HTTPError as error:
        return error.code


def processes_of(data_dir: Path) -> list[str]:
    """Return the command lines of all living processes that have to do with the data folder."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            mentions = command + (process / "environ").read_bytes()
            mentions += os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(data_dir) in mentions:
            commands.append(command.replace(b"\0", b" ").decode())
    return commands


def wait_until_nothing_is_left(data_dir: Path) -> None:
    wait_until(lambda: not processes_of(data_dir), explain=lambda: processes_of(data_dir))
