"""Where the product's own files lie, and where what it keeps goes unless `DATA_DIR` says.

In a checkout, templates, static files and catalogues lie beside `config/`; a wheel has them in it.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # of all packages: the checkout, or site-packages
INSTALLED = (PACKAGE / "frontend").is_dir()
FRONTEND = (PACKAGE if INSTALLED else ROOT) / "frontend"
LOCALE = (PACKAGE if INSTALLED else ROOT) / "locale"


def default_data_dir() -> Path:
    """Return the checkout's `.data`, or a folder of this user where the product is installed."""
    return _user_folder("XDG_DATA_HOME", ".local/share") if INSTALLED else ROOT / ".data"


def demo_folder() -> Path:
    """Return the folder into which npm installs the demo's pictures."""
    if not INSTALLED:
        return PACKAGE / "demo_project"
    return _user_folder("XDG_CACHE_HOME", ".cache") / "demo"


def _user_folder(variable: str, default: str) -> Path:
    """Return the product's folder below one of the XDG base directories."""
    named = os.environ.get(variable, "")
    base = Path(named) if named.startswith("/") else Path.home() / default
    return base / "tessera"
