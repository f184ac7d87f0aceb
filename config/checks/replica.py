"""A replica that is none of the database: what is read there would be another's."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, connections

from config.checks.database import own_cursor
from labeling import replica


def check_replica(**kwargs: Any) -> list[CheckMessage]:
    """Compare the servers of `DATABASE_URL` and `DATABASE_REPLICA_URL`."""
    if replica.ALIAS not in connections.settings:
        return []
    try:
        with own_cursor() as ours, own_cursor(replica.ALIAS) as theirs:
            for cursor in (ours, theirs):
                cursor.execute(
                    "SELECT system_identifier, current_database(), pg_is_in_recovery()"
                    " FROM pg_control_system()"
                )
            (*server, _), (*followed, follows) = ours.fetchone(), theirs.fetchone()
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        sentence = f"It cannot be seen whether the replica follows the database ({reason})."
        return [Warning(sentence, id="config.W024")]
    if follows and server == followed:
        return []
    sentence = "DATABASE_REPLICA_URL leads to no standby of DATABASE_URL: correct it, or unset it."
    return [Error(sentence, id="config.E024")]
