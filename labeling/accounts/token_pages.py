"""Tokens on the account's page: make one, see when it was used, revoke it."""

from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from labeling import tokens
from labeling.accounts import mail
from labeling.models import Scope, Token

DAYS = {
    30: gettext_lazy("30 days"),
    tokens.DAYS: gettext_lazy("90 days"),
    365: gettext_lazy("a year"),
    0: gettext_lazy("until I revoke it"),
}


class TokenForm(forms.Form):
    """Ask what a token is for, what it may be used for, and how long."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=tokens.NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may be used for"),
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Valid for"),
        choices=list(DAYS.items()),
        coerce=int,
        initial=tokens.DAYS,
    )


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show whose account it is, and which programs may use the API in their name."""
    return _page(request, TokenForm(label_suffix=""))


@never_cache
@require_POST
@login_required
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token, and show its secret once."""
    form = TokenForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _page(request, form)
    values = form.cleaned_data
    try:
        _token, secret = tokens.make(
            user=cast(User, request.user),
            name=values["name"],
            scopes=values["scopes"],
            days=values["days"] or None,
        )
    except tokens.TokenError as error:
        form.add_error(None, str(error))
        return _page(request, form)
    return _page(request, TokenForm(label_suffix=""), secret=secret)


@require_POST
@login_required
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Let programs use the API by a token no longer."""
    tokens.revoke(get_object_or_404(Token, pk=pk, user=request.user.pk))
    messages.success(request, _("The token is revoked: programs that use it are refused."))
    return redirect("account")


def _page(request: HttpRequest, form: TokenForm, secret: str = "") -> HttpResponse:
    rows = tokens.valid().filter(user=request.user.pk)
    context = {
        "tokens": rows,
        "form": form,
        "secret": secret,
        "has_mail": mail.resets_passwords(request.user),
    }
    return render(request, "account.html", context)


urlpatterns = [
    path("account/", account, name="account"),
    path("account/token/", make_token, name="token"),
    path("account/token/<int:pk>/revoke/", revoke_token, name="token-revoke"),
]
