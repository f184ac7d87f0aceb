"""Whether the settings of OpenID Connect belong together."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LOCAL = {"localhost", "127.0.0.1", "::1"}  # for trying things on one machine
LONGEST = 200  # characters that are kept with each identity


def check(
    *, issuer: str, client_id: str, secret: str, scopes: Sequence[str], passwords: bool
) -> None:
    """Raise ImproperlyConfigured where something is missing or contradicts."""
    if not issuer:
        if not passwords:
            raise ImproperlyConfigured(
                "PASSWORDS=0 needs OIDC_ISSUER: otherwise nobody could sign in."
            )
        if client_id or secret:
            raise ImproperlyConfigured("OIDC_CLIENT_ID and OIDC_CLIENT_SECRET need OIDC_ISSUER.")
        return
    parts = urlsplit(issuer)
    local = parts.scheme == "http" and parts.hostname in LOCAL
    if not (parts.scheme == "https" or local) or not parts.hostname or parts.query:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER must be an https address without a query, not {issuer!r}."
        )
    if issuer.endswith("/.well-known/openid-configuration"):
        raise ImproperlyConfigured(
            "OIDC_ISSUER is the address before /.well-known/openid-configuration: leave that away."
        )
    if len(issuer) > LONGEST:
        raise ImproperlyConfigured(f"OIDC_ISSUER is longer than {LONGEST} characters.")
    if not client_id:
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID, which the provider gives.")
    if "openid" not in scopes:
        raise ImproperlyConfigured("OIDC_SCOPES must have openid among them.")
