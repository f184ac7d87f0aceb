"""Where it runs, under which names, and its secret key."""

import os
import secrets

from django.core.exceptions import ImproperlyConfigured

from config import environment, places, servers

environment.read_file()

BASE_DIR = places.ROOT

environment.section("Where it runs")
HOST = environment.text(
    "HOST",
    "127.0.0.1",
    about="address on which the web processes listen; 0.0.0.0 for all",
)
PORT = environment.number("PORT", 8000, least=1, most=65535, about="and their port")
environment.place(
    "DATA_DIR",
    shown="`.data` in the checkout, `~/.local/share/tessera` where the product is installed",
    about="folder of everything that is kept: databases, pictures, snapshots, runs, logs,"
    " secret key",
)
DATA_DIR = servers.data_dir()
FRONTEND_DIR = places.FRONTEND


def _secret_key() -> str:
    """Return `SECRET_KEY`, else one drawn once and kept in the data folder for its owner alone."""
    key = environment.text(
        "SECRET_KEY",
        secret=True,
        shown="generated once, kept in the data folder",
        about="Django's key for sessions and signed challenges; the same for all processes",
    )
    if key:
        return key
    path = DATA_DIR / "secret-key"
    try:
        servers.make_data_dir(DATA_DIR)
        draft = path.with_name(f"secret-key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(draft, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)  # the first one wins; a half-written key is never seen
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text()
    except servers.EmbeddedError as error:
        raise ImproperlyConfigured(str(error)) from error
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot keep a secret key in {path} ({error.strerror}): "
            "set SECRET_KEY, or DATA_DIR to a folder that can be written."
        ) from error


SECRET_KEY = _secret_key()
DEBUG = environment.flag("DEBUG", False, about="Django's debug pages; never in public")
ALLOWED_HOSTS = environment.items(
    "ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]", about="host names that are served, a list"
)
CSRF_TRUSTED_ORIGINS = environment.items(
    "CSRF_TRUSTED_ORIGINS",
    about="origins, such as https://labels.example, from which forms may come, a list",
)
HTTPS = environment.flag(
    "HTTPS",
    False,
    about="1 behind a proxy that speaks HTTPS and sets `X-Forwarded-Proto`: secure cookies, and"
    " HSTS for a year",
)
PROXIES = environment.number(
    "PROXIES",
    0,
    about="reverse proxies in front, whose `X-Forwarded-For` is trusted when addresses are counted",
)
