"""Files of the storage as files of this machine, for what reads paths: fetched once if remote."""

import secrets
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage


def fetch(name: str, *, cache: str, replaces: str = "") -> Path:
    """Return the local path of a stored file; copy it to `CACHE_ROOT`/`cache` if it is remote.

    replaces: a glob pattern of older copies, which are removed before a new one is fetched.
    """
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        path = Path(settings.CACHE_ROOT) / cache / Path(name).name
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if replaces:
        for old in path.parent.glob(replaces):
            old.unlink(missing_ok=True)
    draft = path.with_name(f".{secrets.token_hex(8)}.part")  # others may fetch it as well
    with default_storage.open(name) as file, draft.open("wb") as out:
        for chunk in file.chunks():
            out.write(chunk)
    draft.rename(path)
    return path


def listed(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the folders and files in a folder of the storage; none without it."""
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
