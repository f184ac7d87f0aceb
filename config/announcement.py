"""Print where an empty installation is set up, when a server starts."""

import copy
import logging

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from labeling.accounts import set_up

SECONDS = 3  # to connect, where the database is slow or away

logger = logging.getLogger(__name__)


def announce() -> None:
    """Log the page and the code of the set-up if there is no user yet; never fail.

    It asks on a connection of its own, which it closes: a server may fork after this, and neither a
    connection nor a pool's threads would survive that.
    """
    try:
        needed = not _has_user()
    except DatabaseError:  # away, or without its tables: the set-up is not what is missing
        return
    if needed:
        logger.warning("There is no user yet. Make the first one at %s", set_up.path())


def _has_user() -> bool:
    default = connections[DEFAULT_DB_ALIAS]
    settings = copy.deepcopy(default.settings_dict)
    settings["OPTIONS"].pop("pool", None)
    settings["OPTIONS"]["connect_timeout"] = SECONDS
    own = type(default)(settings, DEFAULT_DB_ALIAS)
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM auth_user)")
            return bool(cursor.fetchone()[0])
    finally:
        own.close()
