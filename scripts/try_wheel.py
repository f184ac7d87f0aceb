"""Build the wheel, install it into a new environment, and use it from an empty folder.

    .venv/bin/python scripts/try_wheel.py [--python PYTHON] [--whole] [--installed ENVIRONMENT]

What the wheel needs is taken from the environment that runs this, unless --whole, which installs
all of it with pip: that takes minutes. --installed tries an environment that has it. Then `tessera`
runs as after any installation: version, checks, settings, an empty demo whose first page and its
style sheets are fetched; pictures and a crowd's answers are imported, labels inferred from them,
frozen, exported and trained on for some seconds, all is backed up and restored elsewhere; a worker
with a scheduler and a web process run. PostgreSQL and Valkey are those that it finds.
"""

import argparse
import os
import re
import site
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 600.0  # seconds for a page or a line, on a machine that others keep busy


def main(python: str, whole: bool, installed: Path | None) -> None:
    """Do all of it; the first thing that is not as it should be ends this."""
    with tempfile.TemporaryDirectory(prefix="tessera-wheel-") as name:
        folder = Path(name)
        programs = (installed or _install(folder, python, whole)).resolve() / "bin"
        tessera = str(programs / "tessera")
        empty = folder / "empty"
        empty.mkdir()
        for variable in ("DATA_DIR", "PYTHONPATH", "VIRTUAL_ENV"):
            os.environ.pop(variable, None)
        (folder / "home").mkdir()
        os.environ.update(HOME=str(folder / "home"), PORT=str(_free_port()))
        os.chdir(empty)
        print(_run(tessera, "--version"))
        _run(tessera, "check")
        _run(tessera, "list_settings")
        with _running(tessera, "demo", "--empty", until="Tessera is ready"):
            _fetch_first_page()
        _go_round(str(programs / "python"), tessera, folder)
        with (
            _running(tessera, "serve", "--processes", "1", until="Serving at"),
            _running(tessera, "worker", "--beat", until="ready."),
        ):
            _fetch_first_page()
        assert not list(empty.iterdir()), "It wrote where it ran."
        print("The wheel works.")


def _go_round(python: str, tessera: str, folder: Path) -> None:
    """Take pictures and answers to a model, an export and a backup, each by its command."""
    pictures, answers = folder / "pictures", folder / "answers.csv"
    lines = ["task,worker,label"]
    for number in range(24):
        colour = ("tomato", "teal")[number % 2]
        path = pictures / colour / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64 + number, 64), colour).save(path)
        lines += [f"{number}.png,{worker},{colour}" for worker in ("ada", "ben", "cem")]
    answers.write_text("\n".join(lines))
    _run(python, "-m", "labeling.aggregation", str(answers), str(folder / "labels.csv"))
    _run(tessera, "project", "colours", "--create", "Colours")
    of_it = ("--project", "colours")
    print(_run(tessera, "import_images", str(pictures), *of_it, "--concepts", "tomato,teal"))
    print(_run(tessera, "import_answers", str(answers), *of_it))
    print(_run(tessera, "snapshot", *of_it))
    print(_run(tessera, "export", "1", "--format", "coco", "--out", str(folder / "coco")))
    for recipe in ("clip", "diffusion"):
        chosen = ("--recipe", recipe, "--preset", "smoke")
        said = _run(tessera, "train", "latest", *chosen, "--wait")
        print(*(line for line in said.splitlines() if " succeeded: " in line))
    backups = str(folder / "backups")
    _run(tessera, "backup", backups)
    print(_run(tessera, "restore", backups, DATA_DIR=str(folder / "elsewhere")))


def _install(folder: Path, python: str, whole: bool) -> Path:
    """Return the environment that has the wheel."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    _run(python, "-m", "venv", str(environment))
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q"]
    if whole:
        _run(*pip, f"{wheel}[embedded]")
    else:
        (packages,) = environment.glob("lib/python*/site-packages")
        (packages / "needed.pth").write_text("\n".join(site.getsitepackages()))
        _run(*pip, "--no-deps", "--no-index", str(wheel))
    return environment


def _run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | variables, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextmanager
def _running(*command: str, until: str) -> Iterator[None]:
    """Run a command while this lasts, once it has said something; it must end well when asked."""
    log = Path(tempfile.mkdtemp(dir=os.environ["HOME"])) / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE
        while until not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} did not say {until!r}:\n{log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    if status:
        sys.exit(f"{' '.join(command)} ended with {status}:\n{log.read_text()}")


def _fetch_first_page() -> None:
    base = f"http://127.0.0.1:{os.environ['PORT']}"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            page = urllib.request.urlopen(base, timeout=10).read().decode()
            break
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{base} does not answer: {error}")
        time.sleep(0.2)
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', page)
    assert sheets, page
    for sheet in sheets:
        assert urllib.request.urlopen(base + sheet, timeout=10).read(), sheet
    print(f"The first page and {len(sheets)} style sheets came.")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="of the new environment")
    parser.add_argument("--whole", action="store_true", help="install all that it needs with pip")
    parser.add_argument("--installed", type=Path, help="an environment that has the wheel")
    arguments = parser.parse_args()
    main(arguments.python, arguments.whole, arguments.installed)
