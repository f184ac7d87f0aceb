"""Find a Chromium for the browser tests, or get one: `python -m tests.chromium`."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import sync_playwright

SHELL = "chromium-headless-shell"  # without windows and profiles, which take half of a test's time
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "No Chromium was found for the browser tests: install Debian's package "
    "`chromium-headless-shell`, or run `playwright install --with-deps chromium`."
)
FLAGS = [
    "--no-sandbox",  # root, and containers without user namespaces, have no sandbox
    "--disable-gpu",
    "--in-process-gpu",  # nothing is drawn by one
    "--process-per-site",  # a page after another starts no process of its own
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    """The first Chromium that runs: on the PATH, else Playwright's own."""
    for name in NAMES:
        program = shutil.which(name)
        if program and _runs(program):
            return program
    with sync_playwright() as playwright:
        program = playwright.chromium.executable_path
    return program if Path(program).exists() and _runs(program) else None


def _runs(program: str) -> bool:
    """Whether it starts: on some systems the name on the PATH only tells how to install it."""
    try:
        command = [program, "--version"]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def provide() -> None:
    """Debian's package where it may be installed, else Playwright's own.

    Root, which is whoever tests in a container, gets the shell even where a whole browser is there,
    if the lists of packages that are there know it.
    """
    if os.geteuid() == 0 and not shutil.which(SHELL):
        _install(SHELL)
    if not find():
        _apt("update")
        _install(SHELL)
    if not find():
        _install("chromium")
    if not find():
        _try([sys.executable, "-m", "playwright", "install", "chromium"])


def _install(package: str) -> None:
    _apt("install", "--no-install-recommends", package, "fonts-dejavu-core")


def _apt(*arguments: str) -> None:
    root = _as_root()
    if root is not None and shutil.which("apt-get"):
        apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy"]
        _try([*apt, "-o", "DPkg::Lock::Timeout=300", *arguments])


def _as_root() -> list[str] | None:
    """What to put before a command that only root may run; None if that is not for this user."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    may = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if may.returncode == 0 else None


def _try(command: list[str]) -> None:
    """Run it, showing what it says; the next way is tried if it fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=900, check=False)


def main() -> None:
    provide()
    if not find():
        print(MISSING, file=sys.stderr)  # the other tests still run; the browser's fail with this


if __name__ == "__main__":
    main()
