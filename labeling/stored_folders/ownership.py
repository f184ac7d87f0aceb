"""Whose files the storage holds: a small file in it names the installation that they belong to.

A folder whose disk is not mounted looks as if all files were lost, and two installations that share
a bucket by mistake delete each other's files. So this is looked at before anything is said to be
missing, before files are deleted, and before any are written into a folder.
"""

import re
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labeling.stored_folders.errors import StorageAway, asking

FILE = "tessera.txt"
TEXT = "The files here belong to the installation {} of Tessera, which looks for this one.\n"
LACKS = (
    f"The storage lacks its file {FILE}: a disk is not mounted, or FILE_STORAGE leads elsewhere."
    " Mount it, or correct FILE_STORAGE; if the files belong here, run `tessera claim_storage`."
)
ANOTHERS = (
    f"The storage belongs to another installation, by its file {FILE}: set FILE_STORAGE to a place"
    " of this one's own. If there is no other, run `tessera claim_storage`."
)
_expected = ""


class StorageNotOurs(StorageAway):
    """The storage is not this installation's, or is not there: it says nothing of any file."""


def expect(installation: str) -> None:
    """Let `check` look for this installation from now on, in this process; for none: not at all."""
    global _expected
    _expected = installation


def check(files: Any = None) -> None:
    """Raise StorageNotOurs where the storage is not this installation's, and StorageAway."""
    if not _expected:
        return
    found = read(files)
    if found != _expected:
        raise StorageNotOurs(ANOTHERS if found else LACKS)


def read(files: Any = None) -> str:
    """Return which installation the storage names; empty for none. Raises StorageAway."""
    with asking():
        try:
            with (files or default_storage).open(FILE, "rb") as file:
                text = file.read(1_000).decode(errors="replace")
        except FileNotFoundError:
            return ""
    found = re.search(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", text)
    return found[0] if found else "unreadable"


def write(installation: str, files: Any = None) -> None:
    """Have the storage name an installation. Raises StorageAway."""
    files = files or default_storage
    with asking():
        files.delete(FILE)
        files.save(FILE, ContentFile(TEXT.format(installation).encode()))
