"""Put into a wheel what lies beside the packages: templates, static files, compiled catalogues.

`config/places.py` finds it there. An editable installation uses the checkout's own.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Resources(BuildHookInterface[Any]):
    """Called by hatchling, once a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        files = [*root.glob("frontend/**/*"), *root.glob("locale/*/LC_MESSAGES/*.mo")]
        build_data["force_include"] |= {
            str(path): f"config/{path.relative_to(root)}" for path in files if path.is_file()
        }
