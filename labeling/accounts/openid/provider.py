"""The provider of identities, as django-allauth speaks to it, with what it leaves to us.

Beyond it: a nonce, signatures that are checked, userinfo that must be about the same subject, and
an issuer that must be the one that was configured. What the provider says of itself is kept for a
while by each process alone: whoever can write to the cache that they share vouches for nobody.
"""

import secrets
import time
from typing import Any, NoReturn
from urllib.parse import urlsplit

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from labeling.accounts.openid import arriving, id_tokens

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT = 600.0  # seconds
LOCAL = {"localhost", "127.0.0.1", "::1"}
ENDPOINTS = "authorization_endpoint", "token_endpoint", "jwks_uri"


_documents: dict[str, tuple[float, dict[str, Any]]] = {}  # by address: until when, and what


class ProviderError(OAuth2Error):
    """The provider does not behave as it should; the message says how, for the log."""


class Provider(OpenIDConnectProvider):
    """The one provider of `OIDC_ISSUER`."""

    def __init__(self, request: HttpRequest) -> None:
        app = SocialApp(
            provider=self.id,
            provider_id=settings.OIDC_ISSUER,  # of another issuer, the same subject is another one
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"oauth_pkce_enabled": True, "scope": settings.OIDC_SCOPES},
        )
        super().__init__(request, app=app)

    def get_oauth2_adapter(self, request: HttpRequest) -> "Adapter":
        return Adapter(request)

    def ask(self, next_url: str, *, again: bool) -> HttpResponse:
        """Return the redirect to the provider. Raises OAuth2Error or RequestException.

        again: whether whoever is signed in there must sign in again.
        """
        nonce = secrets.token_urlsafe(32)
        parameters = {"nonce": nonce, **({"prompt": "login", "max_age": "0"} if again else {})}
        response: HttpResponse = self.redirect(
            self.request,
            process="login",
            next_url=next_url,
            auth_params=parameters,
            nonce=nonce,
            again=again,
        )
        return response


class Adapter(OpenIDConnectOAuth2Adapter):
    """What a sign-in asks of the provider."""

    nonce = ""
    again = False
    next_url = ""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, settings.OIDC_ISSUER)

    def get_provider(self) -> Provider:
        return Provider(self.request)

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself. Raises ProviderError or RequestException."""
        issuer = settings.OIDC_ISSUER
        found = _fetch(issuer.rstrip("/") + WELL_KNOWN)
        if found.get("issuer") != issuer:
            other = str(found.get("issuer"))[:200]
            raise ProviderError(f"It calls itself {other!r}, not {issuer!r}.")
        for name in ENDPOINTS:
            if not _is_safe(found.get(name)):
                raise ProviderError(f"Its {name} is no https address.")
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("openid-callback"))

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> NoReturn:
        """Sign in whoever the ID token is about, which ends what allauth would do.

        Raises ImmediateHttpResponse, OAuth2Error or RequestException.
        """
        raw = kwargs["response"].get("id_token")
        if not isinstance(raw, str):
            raise ProviderError("It sent no ID token.")
        try:
            claims = self._claims(raw)
        except id_tokens.BadToken as error:
            raise ProviderError(str(error)) from error
        if "email" not in claims and _is_safe(self.openid_config.get("userinfo_endpoint")):
            more = self._fetch_user_info(token.token)
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
                raise ProviderError("Its userinfo is about another subject.")
            claims.pop("email_verified", None)  # which is said of the address, wherever that is
            claims = {**more, **claims}
        raise ImmediateHttpResponse(arriving.sign_in(request, claims, self.next_url))

    def _claims(self, raw: str) -> dict[str, Any]:
        address = self.openid_config["jwks_uri"]
        expected: dict[str, Any] = {
            "issuer": settings.OIDC_ISSUER,
            "client_id": settings.OIDC_CLIENT_ID,
            "nonce": self.nonce,
            "again": self.again,
        }
        try:
            return id_tokens.verify(raw, keys=_fetch(address), **expected)
        except id_tokens.UnknownKey:  # it may have changed its keys
            return id_tokens.verify(raw, keys=_fetch(address, refresh=True), **expected)


class Callback(OAuth2CallbackView):
    """The return from the provider: state, code, tokens, and then the account."""

    adapter: Adapter

    def _get_state(self, request: HttpRequest, provider: Provider) -> Any:
        """Take what was noted when the browser left; each can be taken once."""
        state, response = super()._get_state(request, provider)
        if state is not None:
            self.adapter.nonce = str(state.get("nonce", ""))
            self.adapter.again = bool(state.get("again"))
            self.adapter.next_url = str(state.get("next") or "")
        return state, response


def _fetch(address: str, *, refresh: bool = False) -> dict[str, Any]:
    """Return a JSON object of the provider's. Raises ProviderError or RequestException."""
    until, kept = _documents.get(address, (0.0, {}))
    if time.monotonic() < until and not refresh:
        return dict(kept)
    with get_adapter().get_requests_session() as session:
        response = session.get(address)
        response.raise_for_status()
        try:
            found = response.json()
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{address} is no JSON.") from error
    if not isinstance(found, dict):
        raise ProviderError(f"{address} is no JSON object.")
    _documents[address] = time.monotonic() + KEPT, found
    return dict(found)


def _is_safe(address: object) -> bool:
    """Return whether it is an https address, or http where the issuer is this machine."""
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    local = urlsplit(settings.OIDC_ISSUER).hostname in LOCAL
    return parts.scheme == "https" or (parts.scheme == "http" and local)
