"""What happens to whom the provider vouches for: they are signed in here, or told why not."""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from labeling import counters
from labeling.accounts import arrivals, limits, openid
from labeling.accounts.openid import identities
from labeling.addresses import client_address

BACKEND = "django.contrib.auth.backends.ModelBackend"


def failed(request: HttpRequest) -> HttpResponse:
    """Say that it did not work."""
    sentence = _("Signing in with %(name)s did not work. Try again.")
    return refuse(request, sentence % {"name": settings.OIDC_NAME})


def refuse(request: HttpRequest, sentence: str) -> HttpResponse:
    """Lead back to the sign-in page, which says why."""
    counters.count("sign_ins", way="openid", outcome="refused")
    messages.error(request, sentence)
    return redirect("login")


def sign_in(request: HttpRequest, claims: Mapping[str, Any], target: str) -> HttpResponse:
    """Sign in whoever verified claims are about; lead to `target`, or where they belong."""
    first = bool(request.session.pop(openid.SET_UP, False))
    identity = identities.read(claims)
    try:
        user = identities.sign_in(identity, address=client_address(request), first=first)
    except identities.SetUpFirst:
        return redirect("set_up")
    except identities.Refused as refusal:
        return refuse(request, str(refusal))
    except limits.TooManyAttempts:
        return refuse(request, _("There were too many attempts to make an account."))
    login(request, user, backend=BACKEND)
    request.session[openid.SIGNED_IN_AT] = time.time()
    if identities.is_administrator_by_group(user):
        request.session.set_expiry(openid.ADMINISTRATOR_SECONDS)
    counters.count("sign_ins", way="openid", outcome="succeeded")
    target = arrivals.checked(request, target)
    response = redirect(target or ("project-new" if first else arrivals.default(user)))
    return arrivals.keep_answers(request, response, user)
