"""Settings that are missing, or that contradict each other."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from config import environment, storage

LOCAL = {"127.0.0.1", "localhost", "[::1]", ".localhost"}
KEY_LENGTH = 32  # characters of a secret key at least
PLACEHOLDER = "change"  # in the examples of files to fill in
EXAMPLE = "change-me"  # to the letter

Check = Callable[[], Iterator[CheckMessage]]


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings, by themselves."""
    return [message for check in CHECKS for message in check()]


def is_public() -> bool:
    """Whether others than this machine can reach the site, as far as the settings say."""
    return settings.HTTPS or bool({*settings.ALLOWED_HOSTS} - LOCAL)


def database_is_elsewhere() -> bool:
    """Whether the database is on another machine, which several may then use."""
    host = str(settings.DATABASES["default"].get("HOST") or "")
    return bool(host) and not host.startswith("/") and host not in LOCAL | {"::1"}


def _debug() -> Iterator[CheckMessage]:
    if settings.DEBUG and is_public():
        yield Error(
            "DEBUG shows settings and code to everybody: unset it, or ALLOWED_HOSTS and HTTPS.",
            id="config.E001",
        )


def _secret_key() -> Iterator[CheckMessage]:
    given = environment.is_set("SECRET_KEY")
    if given and is_public() and not _is_strong(settings.SECRET_KEY):
        yield Error(
            f"SECRET_KEY can be guessed: set {KEY_LENGTH} or more random characters, such as the"
            " output of `openssl rand -base64 48`.",
            id="config.E002",
        )
    if not given and database_is_elsewhere():
        yield Warning(
            "SECRET_KEY is not set, so this machine has one of its own: set the same one on all"
            " machines that use the database of DATABASE_URL.",
            id="config.W003",
        )


def _is_strong(key: str) -> bool:
    return len(key) >= KEY_LENGTH and PLACEHOLDER not in key.lower() and len(set(key)) > 8


def _examples() -> Iterator[CheckMessage]:
    names = [each.name for each in environment.variables() if each.secret]
    for name in (*names, "AWS_SECRET_ACCESS_KEY"):
        if name != "SECRET_KEY" and is_public() and EXAMPLE in environment.value(name):
            yield Error(
                f"{name} has the password of the example: draw one with `openssl rand -hex 16`.",
                id="config.E019",
            )


def _env_file() -> Iterator[CheckMessage]:
    if path := environment.read_by_others():
        yield Warning(
            f"All users of this machine can read {path}, and the passwords in it: chmod 600 it.",
            id="config.W018",
        )


def _hosts() -> Iterator[CheckMessage]:
    for host in settings.ALLOWED_HOSTS:
        bare = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host
        if "/" in host or (":" in host and bare == host):
            yield Error(
                f"ALLOWED_HOSTS names hosts alone, such as labels.example.org: “{host}” is none,"
                " take its scheme, port and path away.",
                id="config.E004",
            )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS is *: whoever asks under a false name is answered, with links that lead"
            " there. Name the hosts, unless the proxy in front checks them.",
            id="config.W005",
        )
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if urlsplit(origin).scheme not in {"http", "https"} or not urlsplit(origin).netloc:
            yield Error(
                f"CSRF_TRUSTED_ORIGINS names origins, such as https://labels.example.org:"
                f" “{origin}” is none.",
                id="config.E006",
            )
        elif settings.HTTPS and origin.startswith("http:"):
            yield Error(
                f"HTTPS is 1, and CSRF_TRUSTED_ORIGINS names “{origin}”, from where forms would"
                " come in the clear: write https://, or take it away. The site's own forms need no"
                " entry.",
                id="config.E016",
            )


def _proxies() -> Iterator[CheckMessage]:
    if settings.HTTPS and not settings.PROXIES:
        yield Error(
            "HTTPS is 1 and PROXIES is 0, so all clients would count as one address: set PROXIES to"
            " the number of proxies in front, or HTTPS=0 if there is none.",
            id="config.E007",
        )
    if is_public() and not settings.HTTPS:
        yield Warning(
            "HTTPS is 0: passwords and cookies are sent in the clear. Put a proxy with a"
            " certificate in front, and set HTTPS=1 and PROXIES=1.",
            id="config.W008",
        )


def _mail() -> Iterator[CheckMessage]:
    if settings.EMAIL_HOST and settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        yield Error(
            "EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other: set EMAIL_USE_TLS=0 for a port"
            " that speaks TLS from the beginning (465), EMAIL_USE_SSL=0 for STARTTLS (587).",
            id="config.E009",
        )
    if settings.EMAIL_HOST_USER and not settings.EMAIL_HOST_PASSWORD:
        yield Error(
            "EMAIL_HOST_USER is set without EMAIL_HOST_PASSWORD: set both, or neither.",
            id="config.E010",
        )
    if settings.EMAIL_HOST_USER and not settings.EMAIL_HOST:
        yield Error(
            "EMAIL_HOST_USER is set without EMAIL_HOST: set the mail server, or neither.",
            id="config.E011",
        )


def _admins() -> Iterator[CheckMessage]:
    if settings.ADMINS and not settings.EMAIL_HOST:
        yield Error(
            "ADMINS is set without EMAIL_HOST: set the mail server, or unset ADMINS.",
            id="config.E016",
        )
    for _, address in settings.ADMINS:
        if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
            yield Error(
                f"ADMINS names addresses, such as ada@example.org: “{address}” is none.",
                id="config.E017",
            )


def _broker() -> Iterator[CheckMessage]:
    if database_is_elsewhere() and not environment.is_set("CELERY_BROKER_URL"):
        yield Warning(
            "DATABASE_URL is on another machine and CELERY_BROKER_URL is not set, so this machine"
            " has a broker of its own: set the same one on all machines.",
            id="config.W012",
        )
    if settings.CACHES["default"]["BACKEND"].endswith("OwnCache"):
        yield Warning(
            "Each process has a cache of its own, and limits hold for each of them apart: set"
            " CACHE_URL to a Redis or Valkey that all share.",
            id="config.W013",
        )


def _files() -> Iterator[CheckMessage]:
    for sentence in storage.problems(settings.FILE_STORAGE):
        yield Error(sentence, id="config.E014")
    for name in ("C2PA_CERTIFICATE", "C2PA_KEY"):
        path = getattr(settings, name)
        if path and not _is_readable(Path(path)):
            yield Error(f"{name}: {path} cannot be read; correct it or unset it.", id="config.E015")


def _is_readable(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True


CHECKS: tuple[Check, ...] = (
    _debug,
    _secret_key,
    _examples,
    _env_file,
    _hosts,
    _proxies,
    _mail,
    _admins,
    _broker,
    _files,
)
