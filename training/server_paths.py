"""Paths on the server in what processes say: whoever does not run it reads their last part."""

import re

from labeling.access import User

_FOLDERS = re.compile(r"(?<![\w.:/~])/(?:[^\s/:'\"(),;]+/)+")


def hidden(text: str) -> str:
    """Return a text in which "/srv/runs/7/config.json" has become "config.json"."""
    return _FOLDERS.sub("", text)


def as_shown_to(user: User, text: str) -> str:
    """Return a text as it is to staff, and without folders to others."""
    return text if getattr(user, "is_staff", False) else hidden(text)
