"""Which version runs."""

from functools import cache
from importlib import metadata

DISTRIBUTION = "tessera-labeling"


@cache
def version() -> str:
    """Return the version of the installed distribution; "unknown" where it is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"
