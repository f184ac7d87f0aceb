"""Where the embedded servers keep their files and sockets, and how to reach them."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from config.places import default_data_dir

DATABASE = USER = "tessera"
PORT = 5432  # no TCP: it only names PostgreSQL's socket
MARKS = {"logs", "secret-key"}  # of a data folder that was used before
CONTENTS = {*MARKS, "cache", "lock", "lost+found", "media", "postgresql", "runs"}
CONTENTS |= {"static", "valkey"}
SHARED = 0o2050  # the mode's bits of a folder that is shared with its group on purpose
LOG_LIMIT = 5_000_000  # bytes, after which a log starts afresh and the old one is kept beside it


class EmbeddedError(Exception):
    """The embedded servers cannot run; the message says what to do."""


def data_dir() -> Path:
    """Return `DATA_DIR`, or where what is kept goes by default. Raises `EmbeddedError`."""
    try:
        return Path(os.environ.get("DATA_DIR") or default_data_dir()).expanduser().resolve()
    except RuntimeError as error:
        raise EmbeddedError(
            "This user has no home folder: set DATA_DIR to the folder of all that is to be kept."
        ) from error


def socket_dir(data_dir: Path) -> Path:
    """Return the folder of the sockets: short, for a socket's path may have 107 bytes."""
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()
    return Path("/tmp") / f"tessera-{os.geteuid()}-{digest[:16]}"


def control_socket(data_dir: Path) -> Path:
    """Return the socket on which the daemon greets clients."""
    return socket_dir(data_dir) / "control"


def valkey_socket(data_dir: Path) -> Path:
    """Return the socket on which Valkey listens."""
    return socket_dir(data_dir) / "valkey"


def database(data_dir: Path) -> dict[str, Any]:
    """Return the embedded database, as Django's settings want it."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_dir(data_dir)),
        "PORT": str(PORT),
        "NAME": DATABASE,
        "USER": USER,
    }


def database_url(data_dir: Path, *, name: str = DATABASE) -> str:
    """Return the URL of any database of the embedded server."""
    host = quote(str(socket_dir(data_dir)), safe="")
    return f"postgresql://{USER}@{host}:{PORT}/{name}"


def broker_url(data_dir: Path) -> str:
    """Return the URL of the embedded broker, for Celery."""
    return f"redis+socket://{valkey_socket(data_dir)}"


def make_data_dir(data_dir: Path) -> None:
    """Make the data folder and make it private, or say in a sentence why it cannot be used.

    A folder whose set-group-ID bit is set (`chmod 2770`) is shared with its group on purpose: the
    group keeps its rights, but for the databases, the logs and the secret key.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_ownership(data_dir)
        data_dir.chmod(_mode(data_dir) & ~0o007 if is_shared(data_dir) else 0o700)
        (data_dir / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {data_dir} cannot be used ({error.strerror}): "
            "set DATA_DIR to a folder that can be written."
        ) from error


def _check_ownership(data_dir: Path) -> None:
    """Raise `EmbeddedError` for a folder of another user, or one with somebody else's files.

    A folder that was never used may hold parts of one, such as a volume for the pictures, and
    nothing else: those of the system have names like `lock` and `media` too.
    """
    owner = data_dir.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedError(
            f"The data folder {data_dir} belongs to another user (id {owner}): "
            "work as that user, or set DATA_DIR to another folder."
        )
    names = {path.name for path in data_dir.iterdir() if not path.name.startswith(".")}
    if not names & MARKS and names - CONTENTS:
        raise EmbeddedError(
            f"The data folder {data_dir} holds other files: "
            "set DATA_DIR to a new folder, or to one that Tessera made."
        )


def is_shared(data_dir: Path) -> bool:
    """Whether the data folder is shared with its group on purpose."""
    return _mode(data_dir) & SHARED == SHARED


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def private_umask(data_dir: Path) -> None:
    """Let this process and its children make files for this user alone, unless they are shared."""
    if not is_shared(data_dir):
        os.umask(0o077)


def make_socket_dir(data_dir: Path) -> None:
    """Make the sockets' folder. Raises `EmbeddedError` if somebody else put something there."""
    folder = socket_dir(data_dir)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedError(
            f"{folder} is needed for sockets but is not a folder of this user: "
            "have it removed, or set DATA_DIR to another folder."
        )
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)


def in_use(data_dir: Path) -> EmbeddedError:
    """Return the error that says that another process holds the data folder."""
    return EmbeddedError(
        f"The data folder {data_dir} is in use by another running copy: "
        "stop that one, or set DATA_DIR to another folder."
    )


def log_path(data_dir: Path, name: str) -> Path:
    """Return where the log of a process lies."""
    return data_dir / "logs" / f"{name}.log"


def open_log(data_dir: Path, name: str) -> IO[bytes]:
    """Open a process's log for appending; it is for this user alone."""
    path = log_path(data_dir, name)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def log_end(data_dir: Path, name: str, *, lines: int) -> str:
    """Return the last lines of a log."""
    try:
        with log_path(data_dir, name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
