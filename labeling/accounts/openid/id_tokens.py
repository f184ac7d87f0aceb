"""Check an ID token: OpenID Connect Core 1.0, section 3.1.3.7.

Signatures are always checked, also of tokens that came straight from the provider. Only algorithms
with a public key are accepted: none of "none", and no secret that both sides share.
"""

import time
from collections.abc import Mapping
from typing import Any

import jwt
from django.utils.crypto import constant_time_compare

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
LONGEST_SUBJECT = 191  # characters; OpenID Connect allows 255, of which nobody makes use
LEEWAY = 60  # seconds by which clocks may differ
AGAIN_SECONDS = 300  # since when somebody signed in who was asked to sign in again


class BadToken(Exception):
    """The token cannot be trusted; the message says why, for the log."""


class UnknownKey(BadToken):
    """The provider has no such key: it may have changed them."""


def verify(
    token: str,
    *,
    keys: Mapping[str, Any],
    issuer: str,
    client_id: str,
    nonce: str,
    again: bool = False,
) -> dict[str, Any]:
    """Return the claims of an ID token. Raises BadToken.

    keys: the provider's JSON Web Key Set. again: whether it must tell that its subject signed in
    just now.
    """
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise BadToken(f"It is signed by {str(algorithm)[:20]!r}, which is not accepted.")
        key = _key(keys, header.get("kid"), str(algorithm))
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=[str(algorithm)],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise BadToken(f"{type(error).__name__}: {error}") from error
    if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise BadToken("Its subject has no name, or too long a name.")
    _check_party(claims, client_id)
    if not nonce or not constant_time_compare(str(claims.get("nonce", "")), nonce):
        raise BadToken("Its nonce is not the one that was sent.")
    if again and not _is_recent(claims.get("auth_time")):
        raise BadToken("Its subject has not signed in again.")
    return claims


def _key(keys: Mapping[str, Any], name: object, algorithm: str) -> Any:
    """Return the key of that name; where tokens name none, the only one. Raises BadToken."""
    listed = keys.get("keys")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    rows = [row for row in rows if row.get("use", "sig") == "sig"]
    rows = [row for row in rows if row.get("alg", algorithm) == algorithm]
    if name is not None:
        rows = [row for row in rows if row.get("kid") == name]
    if len(rows) != 1:
        raise UnknownKey("The provider has no such key.")
    return jwt.PyJWK.from_dict(rows[0], algorithm=algorithm).key


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Check to whom a token with several audiences was given."""
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise BadToken("It is for several parties, and names none.")
    if party is not None and party != client_id:
        raise BadToken("It was given to another party.")


def _is_recent(moment: object) -> bool:
    return isinstance(moment, (int, float)) and moment > time.time() - AGAIN_SECONDS - LEEWAY
