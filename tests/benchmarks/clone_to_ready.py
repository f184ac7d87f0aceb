"""Seconds from a fresh clone to a demo that answers: installed, started first, started again.

    python tests/benchmarks/clone_to_ready.py

Clones this repository's last commit into a temporary folder and types what a newcomer would.
Needs a connection, for the installation and the demo's pictures. Prints a table in Markdown.
"""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY = "Tessera is ready at "


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tessera-clone-") as name:
        clone = Path(name) / "tessera"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        start = time.monotonic()
        subprocess.run(["make", "environment"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        print("| step | seconds |\n|---|---|")
        print(f"| installation into `.venv` | {time.monotonic() - start:.0f} |", flush=True)
        for step in ("first `make demo` after that, to its ready line", "`make demo` again"):
            print(f"| {step} | {until_ready(clone):.0f} |", flush=True)


def until_ready(clone: Path) -> float:
    """Start the demo, wait for its ready line, stop it. Raises SystemExit if it ends before."""
    start = time.monotonic()
    demo = subprocess.Popen(
        ["make", "demo"],
        cwd=clone,
        env={k: v for k, v in os.environ.items() if k != "DATA_DIR"} | {"PORT": str(free_port())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith(READY):
            took = time.monotonic() - start
            demo.terminate()
            demo.communicate()
            return took
    raise SystemExit("The demo ended before it was ready:\n" + "".join(lines[-20:]))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
