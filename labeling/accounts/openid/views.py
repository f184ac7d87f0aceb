"""The two addresses of signing in by OpenID Connect: leave for the provider, and come back."""

import logging

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from requests import RequestException

from labeling.accounts import arrivals, limits, openid
from labeling.accounts.openid.arriving import failed, refuse
from labeling.accounts.openid.provider import Adapter, Callback, Provider
from labeling.addresses import client_address

SHAPELESS = AttributeError, KeyError, RecursionError, TypeError, ValueError  # no agreed answer
logger = logging.getLogger(__name__)


@never_cache
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Lead to the provider, by a page: a form of ours may lead to no other site.

    Providers lead on to others, which nobody could list in the Content-Security-Policy.
    """
    if not openid.is_configured():
        raise Http404
    try:
        limits.count_openid(client_address(request))
        response = Provider(request).ask(arrivals.target(request), again="again" in request.POST)
    except limits.TooManyAttempts:
        return refuse(request, _("There were too many attempts to sign in."))
    except (OAuth2Error, RequestException) as error:
        own = str(error) if isinstance(error, OAuth2Error) else type(error).__name__
        logger.warning("The provider of OpenID Connect cannot be asked: %s", own)
        return failed(request)
    if response.status_code != 302:
        return response
    return render(request, "sign_in_leave.html", {"address": response["Location"]})


@never_cache
@require_GET
def come_back(request: HttpRequest) -> HttpResponse:
    """Take what the provider sent, once, and sign in."""
    if not openid.is_configured():
        raise Http404
    try:
        response: HttpResponse = Callback.adapter_view(Adapter(request))(request)
    except (OAuth2Error, RequestException) as error:  # before it was asked for a token
        logger.warning("The provider cannot be asked: %s", type(error).__name__)
        return failed(request)
    except SHAPELESS as error:
        logger.warning("The provider's answer cannot be read: %s", type(error).__name__)
        return failed(request)
    return response


urlpatterns = [
    path("sign-in/openid/", leave, name="openid"),
    path("sign-in/openid/back/", come_back, name="openid-callback"),
]
