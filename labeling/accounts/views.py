"""The pages of accounts: sign in, sign out, sign up."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from rest_framework.authtoken.models import Token

from labeling import access, visitors, withdrawals
from labeling.accounts import set_up
from labeling.accounts.forms import TOO_MANY, SetUpForm, SignInForm, SignUpForm


class SignIn(auth.LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm

    def get_default_redirect_url(self) -> str:
        """Lead whoever has projects to them, or to the only one; visitors to the first page."""
        rows = access.projects(self.request.user)[:2]
        if len(rows) == 1:
            return rows[0].get_absolute_url()
        if rows or access.may_create(self.request.user):
            return reverse("projects")
        return super().get_default_redirect_url()

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        return keep_answers(self.request, response, form.get_user())

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=_status(form))


def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of a name and a password; then go on where `next` says.

    The first account of all is the administrator's, which the set-up makes.
    """
    if set_up.is_needed():
        return redirect("set_up")
    target = _target(request)
    form = SignUpForm(request.POST or None, request=request)
    if form.is_valid():
        user = form.save()
        login(request, user)
        return keep_answers(request, redirect(target or "home"), user)
    context = {"form": form, "next": target}
    return render(request, "sign_up.html", context, status=_status(form))


def keep_answers(request: HttpRequest, response: HttpResponse, user: User) -> HttpResponse:
    """Merge what this browser's visitor answered into the account; take the cookie back.

    Only a form of ours with its CSRF token leads here, so nobody else's page can sign a browser in
    to an account of theirs and so learn what its visitor answered.
    """
    visitor = visitors.visitor(request)
    if visitor is not None:
        withdrawals.merge(visitor=visitor, user=user)
    if settings.PSEUDONYM_COOKIE in request.COOKIES:
        visitors.forget(response)
    return response


def _target(request: HttpRequest) -> str:
    """Return where to go afterwards, as `next` says; empty where that is another site."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        target, {request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else ""


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show whose account it is, and whether programs may use the API in their name."""
    token = Token.objects.filter(user=request.user.pk).first()
    return render(request, "account.html", {"token": token})


@never_cache
@require_POST
@login_required
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token in place of any other, and show it once."""
    with transaction.atomic():
        Token.objects.filter(user=request.user.pk).delete()
        token = Token.objects.create(user=cast(User, request.user))
    return render(request, "account.html", {"token": token, "key": token.key})


@require_POST
@login_required
def revoke_token(request: HttpRequest) -> HttpResponse:
    """Let programs use the API in one's name no longer."""
    Token.objects.filter(user=request.user.pk).delete()
    messages.success(request, _("The token is revoked: programs that use it are refused."))
    return redirect("account")


@never_cache
def set_up_page(request: HttpRequest) -> HttpResponse:
    """Make the first administrator of an empty installation, who then makes the first project."""
    if not set_up.is_needed():
        return redirect("login")
    initial = {"code": request.GET.get("code", "")[:40]}
    form = SetUpForm(request.POST or None, request=request, initial=initial)
    if form.is_valid():
        try:
            user = set_up.create_administrator(
                name=form.cleaned_data["username"],
                password=form.cleaned_data["password1"],
                code=form.cleaned_data["code"],
            )
        except set_up.Done:
            return redirect("login")
        login(request, user)
        return keep_answers(request, redirect("project-new"), user)
    return render(request, "set_up.html", {"form": form}, status=_status(form))


def _status(form: BaseForm) -> int:
    return 429 if form.is_bound and form.has_error(NON_FIELD_ERRORS, TOO_MANY) else 200


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("set-up/", set_up_page, name="set_up"),
    path("sign-up/", sign_up, name="sign_up"),
    path("account/", account, name="account"),
    path("account/token/", make_token, name="token"),
    path("account/token/revoke/", revoke_token, name="token-revoke"),
]
