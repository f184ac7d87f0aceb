"""Whether the workers and schedulers of this machine live, for the probes of systemd and others.

    python -m config.monitoring.alive [NAME] [--within SECONDS]

NAME is `worker` or `scheduler`, for all of that kind, or a whole name such as `celery@host`. The
exit status is 0 where each has given a sign of life lately, otherwise 1, with a sentence.
"""

import argparse
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

FOLDER = "heartbeats"
FORGOTTEN = 24 * 3600  # seconds


def touch(data_dir: Path, kind: str, name: str) -> None:
    """Write a sign of life; on a full disk, too, once there was one. Raises OSError."""
    path, own = _path(data_dir, kind, name), f"{os.getpid()}\n"
    with suppress(FileNotFoundError):
        if path.read_text() == own:
            os.utime(path)
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(own)


def forget(data_dir: Path) -> None:
    """Delete the signs of those that gave none for a day: they are gone under that name."""
    for path in (data_dir / FOLDER).glob("*/*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > FORGOTTEN:
                path.unlink()


def remove(data_dir: Path, kind: str, name: str) -> None:
    """Take a sign of life away."""
    _path(data_dir, kind, name).unlink(missing_ok=True)


def silent(data_dir: Path, name: str, within: float) -> list[str]:
    """Return a sentence for each that gives no sign of life; or one if there is none at all.

    One that was killed is another's business, such as systemd's, as long as there is another.
    """
    files = [
        path
        for path in sorted((data_dir / FOLDER).glob("*/*"))
        if (path.parent.name == name or _is_named(path.name, name)) and _runs(path)
    ]
    if not files:
        return [f"There is no sign of {name or 'any worker or scheduler'} in {data_dir / FOLDER}."]
    ages = {path.name: time.time() - path.stat().st_mtime for path in files}
    return [
        f"{found} has given no sign of life for {age:.0f} seconds."
        for found, age in ages.items()
        if age > within
    ]


def _is_named(found: str, name: str) -> bool:
    """Whether a name is the one that was asked for, or of its kind, as `worker-7@host` is."""
    return not name or found == name or bool(re.fullmatch(rf"{re.escape(name)}(-\d+)?@.+", found))


def _runs(path: Path) -> bool:
    """Whether the process is there; the file of one that was killed stays behind."""
    try:
        return Path(f"/proc/{int(path.read_text())}").exists()
    except (FileNotFoundError, ValueError):
        return False


def _path(data_dir: Path, kind: str, name: str) -> Path:
    return data_dir / FOLDER / kind / name.replace("/", "_")


def main(arguments: list[str] | None = None) -> int:
    """Look once; return the exit status."""
    from config import environment, servers

    environment.read_file()
    parser = argparse.ArgumentParser(prog="python -m config.monitoring.alive")
    parser.add_argument("name", nargs="?", default="", help="worker, scheduler or a whole name")
    parser.add_argument("--within", type=float, default=60.0, help="seconds (60)")
    options = parser.parse_args(arguments)
    sentences = silent(servers.data_dir(), options.name, options.within)
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
