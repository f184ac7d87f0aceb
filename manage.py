#!/usr/bin/env python
"""Tessera's commands; those that need a database find the embedded one, or start it."""

import os
import sys
from contextlib import ExitStack


def main() -> None:
    """Run a command, or say in a sentence why it cannot run."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError

    from config import servers
    from config.management.utility import Utility

    try:
        with ExitStack() as stack:
            Utility(sys.argv, stack).execute()
    except (CommandError, ImproperlyConfigured, servers.EmbeddedError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
