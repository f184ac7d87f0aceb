"""The command `tessera`: its own commands and Django's, with all that they need running."""

import os
import sys
from contextlib import ExitStack

UNSUPPORTED = (
    "Error: Tessera runs on Linux. On Windows, install it in WSL 2; on macOS, in a Linux container."
)
WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h: to start again would not help


def main() -> None:
    """Run a command, or say in a sentence why it cannot run."""
    if sys.platform != "linux":
        sys.exit(UNSUPPORTED)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError

    from config import servers
    from config.management.utility import Utility
    from labeling.stored_folders import StorageAway

    try:
        with ExitStack() as stack:
            Utility(sys.argv, stack).execute()
    except ImproperlyConfigured as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(WRONG_SETTINGS)
    except (CommandError, StorageAway, servers.EmbeddedError) as error:
        sys.exit(f"Error: {error}")
