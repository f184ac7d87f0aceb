"""Tell who sent a request by the token in its header."""

from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labeling import tokens
from labeling.api import scopes
from labeling.api.exceptions import ScopeMissing
from labeling.models import Token


class BearerAuthentication(BaseAuthentication):
    """Read `Authorization: Bearer …`; other schemes are none of ours, such as a proxy's Basic."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return user and token, or None. Raises AuthenticationFailed, and ScopeMissing."""
        scheme, _space, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = tokens.find(secret.strip().decode("latin-1"))
        if token is None:
            raise AuthenticationFailed(_("The token is not valid, or has expired."))
        _check_scope(request, token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme in the header of 401."""
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "token"

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        scope = scopes.needed(auto_schema.view, auto_schema.method)
        return {"token": [str(scope)] if scope else []}

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the account page; each operation names the scope it needs.",
        }


def _check_scope(request: Request, token: Token) -> None:
    """Check that a token is for what the request asks. Raises ScopeMissing."""
    scope = scopes.needed(request.parser_context["view"], str(request.method))
    if scope is not None and scope not in token.scopes:
        raise ScopeMissing(scope)
