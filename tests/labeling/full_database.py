"""A database that refuses as a real one does, with its own codes."""

from typing import NoReturn

from django.db import connection, transaction

DISK_FULL, SHUT_DOWN, READ_ONLY, STARTING = "53100", "57P01", "25006", "57P03"


def refuse(state: str = DISK_FULL) -> NoReturn:
    """Have PostgreSQL raise the error of a code."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END $$"
        )
    raise AssertionError("It raised nothing.")


def full(*_: object, **__: object) -> NoReturn:
    """Stand in for what writes into a database whose disk is full."""
    refuse()
