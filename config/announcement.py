"""Print where an empty installation is set up, when a server starts."""

import copy
import logging

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from config.checks.settings import LOCAL
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
        logger.warning("There is no user yet. Make the first one at %s%s", _site(), set_up.path())


def _site() -> str:
    """Return the site's address, as far as the settings name one that others can reach."""
    for host in settings.ALLOWED_HOSTS:
        if host not in LOCAL and host.strip(".*") == host:
            return f"{'https' if settings.HTTPS else 'http'}://{host}"
    return ""


def _has_user() -> bool:
    default = connections[DEFAULT_DB_ALIAS]
    options = copy.deepcopy(default.settings_dict)
    options["OPTIONS"].pop("pool", None)
    options["OPTIONS"]["connect_timeout"] = SECONDS
    own = type(default)(options, DEFAULT_DB_ALIAS)
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM auth_user)")
            return bool(cursor.fetchone()[0])
    finally:
        own.close()
