#!/usr/bin/env python
"""Tessera's commands; those that need a database find the embedded one, or start it."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

from config import servers

SERVERLESS = {"help", "version", "check", "makemigrations", "test", "demo"}


def _servers(arguments: list[str]) -> AbstractContextManager[object]:
    command, options = arguments[:1], set(arguments[1:])
    if not command or command[0].startswith("-") or command[0] in SERVERLESS:
        return nullcontext()
    return nullcontext() if options & {"-h", "--help"} else servers.ensure(servers.data_dir())


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    try:
        with _servers(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except servers.EmbeddedError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
