"""The environment variables that Tessera reads, each declared once, where it is read.

    CHALLENGE_SECONDS = environment.number("CHALLENGE_SECONDS", 900, least=10, about="…")

A declaration reads its value and keeps what `manage.py list_settings` and docs/settings.md say of
it. Values come from the environment; for what it lacks, from the file `.env` of the current folder,
or the one that `ENV_FILE` names. A secret may also lie in a file of its own, as in
`SECRET_KEY_FILE=/run/secrets/key`. A variable that is empty counts as one that is not set.

Paths of files are made absolute in the environment: child processes may run in another folder.
"""

import difflib
import errno
import io
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv.parser import parse_stream

FILE = "_FILE"  # ends the name of a variable that says where a secret lies
LARGEST = 256 * 1024  # bytes of a file that is read
DIGITS = 18  # of a number at most
YES, NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Variable:
    """A variable of the environment, as it is documented."""

    name: str
    section: str
    default: str  # as it is written in the environment; empty without one
    shown: str  # what stands in its place where the default is no fixed value
    about: str  # Markdown, begins with a small letter
    secret: bool = False

    @property
    def is_set(self) -> bool:
        return bool(os.environ.get(self.name) or os.environ.get(self.name + FILE))


_variables: dict[str, Variable] = {}
_section = ""
_names_of_file: dict[str, str] = {}  # name → file that has it


def variables() -> list[Variable]:
    """Return what has been declared, in the order of declaration."""
    return list(_variables.values())


def value(name: str) -> str:
    """Return what a variable is set to; empty where it is not set."""
    return os.environ.get(name, "")


def is_set(name: str) -> bool:
    """Whether a variable that has been declared is set, perhaps by a file."""
    return _variables[name].is_set


def section(title: str) -> None:
    """Begin a part of the documentation's table."""
    global _section
    _section = title


def read_file() -> None:
    """Take what the environment lacks from `.env`. Raises ImproperlyConfigured."""
    named = os.environ.get("ENV_FILE")
    path = Path(named or ".env").absolute()
    if named == "" or (named is None and not path.exists()):
        os.environ["ENV_FILE"] = ""
        return
    if named is None:
        _check_others_cannot_write(path)
    os.environ["ENV_FILE"] = str(path)
    try:
        text = _content(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ImproperlyConfigured(f"{path} cannot be read: {reason}.") from error
    for name, value in _lines(path, text).items():
        _names_of_file[name] = str(path)
        os.environ.setdefault(name, value)


def read_by_others() -> str:
    """Return the path of the file that was read, if all users of this machine can read it."""
    path = Path(next(iter(_names_of_file.values()), ""))
    return str(path) if path.is_file() and path.stat().st_mode & stat.S_IROTH else ""


def _lines(path: Path, text: str) -> dict[str, str]:
    """Return the variables of a file; what its sentences say of a line is no secret."""
    values: dict[str, str] = {}
    for line in parse_stream(io.StringIO(text, newline=None)):
        blank = line.original.string[: -len(line.original.string.lstrip()) or None]
        number = line.original.line + blank.count("\n")
        if line.error or "\0" in line.original.string:
            raise ImproperlyConfigured(
                f"{path}: what begins in line {number} cannot be read. It is NAME=value; a value"
                " with spaces or quotes in it stands between quotes, which must be closed."
            )
        if line.key is None:
            continue
        if line.value is None:
            raise ImproperlyConfigured(f"{path}: “{line.key}” lacks a value: {line.key}=…")
        values[line.key] = line.value
    return values


def _check_others_cannot_write(path: Path) -> None:
    """Raise ImproperlyConfigured for a file of somebody else's that nobody asked for."""
    about = path.stat()
    if about.st_uid not in {0, os.geteuid()} or about.st_mode & stat.S_IWOTH:
        raise ImproperlyConfigured(
            f"{path} lies in the current folder, and another user can write it: set"
            f" ENV_FILE={path} if it is to be read, or ENV_FILE= if not."
        )


def _content(path: Path) -> str:
    """Return the text of a file. Raises OSError or UnicodeDecodeError."""
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, f"It has more than {LARGEST:,} bytes")
    return data.decode("utf-8-sig")  # editors of Windows begin a file with a mark


def check_names() -> None:
    """Refuse a variable of `.env` that is none, but nearly. Raises ImproperlyConfigured."""
    known = set(_variables) | {name + FILE for name, each in _variables.items() if each.secret}
    for name in _names_of_file.keys() - known:
        if nearest := difflib.get_close_matches(name, known, 1, 0.88):
            raise ImproperlyConfigured(
                f"{_names_of_file[name]}: {name} is no setting. Is {nearest[0]} meant?"
            )


def text(
    name: str,
    default: str = "",
    *,
    about: str,
    shown: str = "",
    secret: bool = False,
    options: Sequence[str] = (),
) -> str:
    """Return a text; the default where it is empty. Raises ImproperlyConfigured."""
    _declare(name, default, about, shown, secret)
    value = _read(name, secret) or default
    if options and value and value not in options:
        raise ImproperlyConfigured(f"{name} must be {_or(options)}, not {value!r}.")
    return value


def flag(name: str, default: bool, *, about: str, shown: str = "") -> bool:
    """Return a yes or no. Raises ImproperlyConfigured."""
    standard = "1" if default else "0"
    _declare(name, standard, about, shown)
    value = (_read(name) or standard).lower()
    if value in YES:
        return True
    if value in NO:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def number(
    name: str,
    default: int,
    *,
    about: str,
    least: int = 0,
    most: int | None = None,
    shown: str = "",
) -> int:
    """Return a whole number from `least`, to `most` if it is given. Raises ImproperlyConfigured."""
    _declare(name, str(default), about, shown)
    value = _read(name) or str(default)
    digits = value.isascii() and value.isdigit() and len(value) <= DIGITS
    if not digits or int(value) < least or (most is not None and int(value) > most):
        numbers = f"from {least}" if most is None else f"from {least} to {most}"
        raise ImproperlyConfigured(f"{name} must be a whole number {numbers}, not {value!r}.")
    return int(value)


def items(name: str, default: str = "", *, about: str, shown: str = "") -> list[str]:
    """Return a list that is written with commas."""
    _declare(name, default, about, shown)
    value = _read(name) or default
    return [item.strip() for item in value.split(",") if item.strip()]


def hosts(name: str, *, about: str) -> list[str]:
    """Return a list of hosts. Raises ImproperlyConfigured for an address."""
    listed = items(name, about=about)
    if wrong := [host for host in listed if "/" in host or host.count(":") == 1]:
        raise ImproperlyConfigured(
            f"{name} names hosts alone, such as labels.example.org, and no scheme or port:"
            f" “{wrong[0]}” is none."
        )
    return listed


def place(name: str, *, about: str, shown: str = "") -> str:
    """Return the absolute path of a file or folder of this machine; empty where none is set."""
    _declare(name, "", about, shown)
    return _absolute(name)


def _declare(name: str, default: str, about: str, shown: str = "", secret: bool = False) -> None:
    _variables[name] = Variable(name, _section, default, shown, about, secret)


def _read(name: str, secret: bool = False) -> str:
    """Return the value, of a secret perhaps from its file. Raises ImproperlyConfigured."""
    value = os.environ.get(name, "")
    path = _absolute(name + FILE) if secret else ""
    if not path:
        return value
    if value:
        raise ImproperlyConfigured(f"Set {name} or {name}{FILE}, not both.")
    try:
        value = _content(Path(path)).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ImproperlyConfigured(f"{name}{FILE}: {path} cannot be read: {reason}.") from error
    if not value:
        raise ImproperlyConfigured(f"{name}{FILE}: {path} is empty.")
    return value


def _absolute(name: str) -> str:
    """Return a path of the environment, which is made absolute there, too."""
    path = os.environ.get(name, "")
    if path:
        with suppress(RuntimeError):  # this user has no home folder
            path = str(Path(path).expanduser().absolute())
        os.environ[name] = path
    return path


def _or(options: Sequence[str]) -> str:
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last
