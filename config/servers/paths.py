"""Where the embedded servers keep their files and sockets, and how to reach them."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE = USER = "tessera"
PORT = 5432  # no TCP: it only names PostgreSQL's socket
LOG_LIMIT = 5_000_000  # bytes, after which a log starts afresh and the old one is kept beside it


class EmbeddedError(Exception):
    """The embedded servers cannot be had; the message says what to do."""


def data_dir() -> Path:
    """`DATA_DIR`, by default the checkout's `.data`."""
    return Path(os.environ.get("DATA_DIR") or ROOT / ".data").expanduser().resolve()


def socket_dir(data_dir: Path) -> Path:
    """Where the sockets of a data folder lie: short, for a socket's path may have 107 bytes."""
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()
    return Path("/tmp") / f"tessera-{os.geteuid()}-{digest[:16]}"


def control_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "control"


def valkey_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "valkey"


def database(data_dir: Path) -> dict[str, Any]:
    """The embedded database, as Django's settings want it."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_dir(data_dir)),
        "PORT": str(PORT),
        "NAME": DATABASE,
        "USER": USER,
    }


def database_url(data_dir: Path, *, name: str = DATABASE) -> str:
    """The same as a URL, for any database of that server."""
    host = quote(str(socket_dir(data_dir)), safe="")
    return f"postgresql://{USER}@{host}:{PORT}/{name}"


def broker_url(data_dir: Path) -> str:
    return f"redis+socket://{valkey_socket(data_dir)}"


def make_data_dir(data_dir: Path) -> None:
    """Make the data folder, or say in a sentence why it cannot be used."""
    try:
        (data_dir / "logs").mkdir(parents=True, exist_ok=True)
        owner = data_dir.stat().st_uid
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {data_dir} cannot be used ({error.strerror}): "
            "set DATA_DIR to a folder that can be written."
        ) from error
    if owner != os.geteuid():
        raise EmbeddedError(
            f"The data folder {data_dir} belongs to another user (id {owner}): "
            "work as that user, or set DATA_DIR to another folder."
        )


def make_private(folder: Path) -> None:
    """Make a folder that is nobody else's, or refuse one that somebody else put there."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(
            f"{folder} is needed for sockets but is not a folder of this user: "
            "have it removed, or set DATA_DIR to another folder."
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def in_use(data_dir: Path) -> EmbeddedError:
    return EmbeddedError(
        f"The data folder {data_dir} is in use by another running copy: "
        "stop that one, or set DATA_DIR to another folder."
    )


def log_path(data_dir: Path, name: str) -> Path:
    return data_dir / "logs" / f"{name}.log"


def open_log(data_dir: Path, name: str) -> IO[bytes]:
    """A process's log, to be appended to."""
    path = log_path(data_dir, name)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def log_end(data_dir: Path, name: str, *, lines: int) -> str:
    """The last lines of a log."""
    try:
        with log_path(data_dir, name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
