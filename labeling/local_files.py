"""Files of the storage as files of this machine, for what reads paths: fetched once if remote."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from labeling.stored_folders import objects
from labeling.stored_folders.errors import asking


def fetch(name: str, *, cache: str, replaces: str = "") -> Path:
    """Return the local path of a stored file; copy it to `CACHE_ROOT`/`cache` if it is remote.

    replaces: a glob pattern of older copies, which are removed before a new one is fetched. Raises
    FileNotFoundError and StorageAway where it must be fetched.
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
    try:
        with draft.open("wb") as out, _asking(), default_storage.open(name) as file:
            for chunk in file.chunks():
                out.write(chunk)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def read(name: str) -> bytes:
    """Return the content of a stored file. Raises FileNotFoundError and StorageAway."""
    with _asking():
        return objects.read(name)


@contextmanager
def _asking() -> Iterator[None]:
    """Raise FileNotFoundError only where the storage answers, and otherwise StorageAway."""
    try:
        with asking():
            yield
    except FileNotFoundError:
        objects.check_answers()
        raise


def listed(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the folders and files in a folder of the storage; none without it."""
    with suppress(FileNotFoundError), asking():
        return default_storage.listdir(folder)
    return [], []
