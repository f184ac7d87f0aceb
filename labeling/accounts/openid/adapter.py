"""Where django-allauth asks this site what to do, as far as it is left to ask."""

import logging
from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from labeling.accounts.openid.arriving import failed, refuse
from labeling.accounts.openid.asking import Session
from labeling.accounts.openid.provider import ProviderError

logger = logging.getLogger(__name__)


class SignInAdapter(DefaultSocialAccountAdapter):
    """Makes no account, and knows no provider but that of the settings."""

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> NoReturn:
        """Lead back to the page, with a sentence; what went wrong is in the log."""
        if error == AuthError.CANCELLED:
            raise ImmediateHttpResponse(refuse(request, _("You did not sign in.")))
        if isinstance(exception, ProviderError):
            own = str(exception)
        elif exception is not None:
            own = type(exception).__name__
        elif extra_context is not None and "state" in extra_context:
            own = f"the provider answered {request.GET.get('error', 'without a code')!r:.80}"
        else:  # it came from elsewhere, a second time, or after the session had ended
            own = "this browser had not begun it, or had ended it already"
        logger.warning("Signing in by OpenID Connect failed: %s", own)
        raise ImmediateHttpResponse(failed(request))

    def get_requests_session(self) -> Session:
        """Return by what the provider is asked."""
        return Session()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Say no: accounts are made by `identities`."""
        return False

    def list_apps(
        self, request: HttpRequest, provider: Any = None, client_id: Any = None
    ) -> list[SocialApp]:
        """Return none, whatever is stored."""
        return []
