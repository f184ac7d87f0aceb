"""Sign in by OpenID Connect, beside passwords or in place of them.

django-allauth speaks the protocol (`provider`); ID tokens are checked here (`id_tokens`), and so is
whose account an identity belongs to (`identities`). None of allauth's own pages is served.
"""

import time

from django.conf import settings
from django.http import HttpRequest

SIGNED_IN_AT = "openid_signed_in_at"  # of the session: seconds since 1970
SET_UP = "openid_set_up"  # of the session: whoever signs in becomes the first administrator
ADMINISTRATOR_SECONDS = 12 * 3600  # after which one by a group signs in again
RECENT = 600  # seconds in which whoever signed in may delete the account


def is_configured() -> bool:
    """Return whether anybody can sign in by OpenID Connect."""
    return bool(settings.OIDC_ISSUER)


def has_signed_in_lately(request: HttpRequest) -> bool:
    """Return whether this browser came back from the provider in the last minutes."""
    return time.time() - float(request.session.get(SIGNED_IN_AT, 0.0)) < RECENT
