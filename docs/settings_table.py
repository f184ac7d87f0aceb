"""Write the table of settings into docs/settings.md.

python docs/settings_table.py
"""

import os
import re
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "settings.md"
TABLE = r"(?<=<!-- table -->\n\n).*(?=\n\n<!-- end of the table -->)"


def main() -> None:
    """Replace what stands between the marks."""
    sys.path.insert(0, str(ROOT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from config.management.commands.list_settings import markdown

    page, count = re.subn(TABLE, lambda _: markdown(), PAGE.read_text(), flags=re.DOTALL)
    if count != 1:
        sys.exit(f"{PAGE} lacks the marks of the table.")
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
