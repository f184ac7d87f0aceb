"""The pages of accounts: sign in, out and up, reset the password, delete the account."""

import time
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, SetPasswordForm
from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from labeling import counters, tokens, visitors
from labeling.accounts import (
    arrivals,
    deletion,
    limits,
    links,
    mail,
    openid,
    set_up,
    token_pages,
)
from labeling.accounts.forms import (
    TOO_MANY,
    DeleteForm,
    EmailForm,
    NewAccountForm,
    ResetForm,
    SetUpCodeForm,
    SetUpForm,
    SignInForm,
    too_many,
)
from labeling.accounts.openid import views as openid_views
from labeling.addresses import client_address

TOO_MANY_LINKS = gettext_lazy("There were too many attempts to confirm an address.")


class SignIn(auth.LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs, has_mail=mail.is_configured())
        return context | ways_to_sign_in()

    def get_default_redirect_url(self) -> str:
        return arrivals.default(self.request.user)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        return arrivals.keep_answers(self.request, response, form.get_user())

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=_status(form))


def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of a name and a password; then go on where `next` says.

    The first account of all is the administrator's, which the set-up makes.
    """
    if set_up.is_needed():
        return redirect("set_up")
    if not settings.PASSWORDS:
        return redirect("login")
    target = arrivals.target(request)
    form = NewAccountForm(request.POST or None, request=request)
    if form.is_valid() and _may_have_account(request, form):
        user = _with_no_address(form)
        login(request, user)
        if address := form.cleaned_data.get("email"):
            _ask_to_confirm(request, user, address)
        return arrivals.keep_answers(request, redirect(target or "home"), user)
    context = {"form": form, "next": target, **ways_to_sign_in()}
    return render(request, "sign_up.html", context, status=_status(form))


def ways_to_sign_in() -> dict[str, Any]:
    """Return what pages say of them."""
    name = settings.OIDC_NAME if openid.is_configured() else ""
    return {"passwords": settings.PASSWORDS, "openid_name": name}


def _may_have_account(request: HttpRequest, form: NewAccountForm) -> bool:
    """Whether the request's address may be given another account; else the form says so."""
    try:
        limits.count_account(client_address(request))
    except limits.TooManyAttempts as error:
        form.add_error(None, too_many(form.too_many_attempts, error))
        return False
    return True


def _with_no_address(form: NewAccountForm) -> User:
    """Store the new account; its address is stored once it is confirmed."""
    user = form.save(commit=False)
    user.email = ""
    user.save()
    return user


def _ask_to_confirm(request: HttpRequest, user: User, address: str) -> None:
    """Send a link to an address, unless too many were sent; say so on the next page."""
    try:
        limits.count_confirmation(user.pk, address)
    except limits.TooManyAttempts as error:
        messages.error(request, too_many(TOO_MANY_LINKS, error).messages[0])
        return
    mail.ask_to_confirm(user, address, origin=request.build_absolute_uri("/").rstrip("/"))
    sentence = _("A link was sent to %(address)s: open it to confirm the address.")
    messages.success(request, sentence % {"address": address})


@never_cache
@login_required
def delete_account(request: HttpRequest) -> HttpResponse:
    """Delete the account, once its password is given and it is said what becomes of the answers."""
    user = cast(User, request.user)
    form = DeleteForm(request.POST or None, request=request)
    if not form.may_be_sent():
        return render(request, "account_delete.html", {"sign_in_again": True, **ways_to_sign_in()})
    refusal = ""
    try:
        deletion.check(user)
        if form.is_valid():
            keep = form.cleaned_data["answers"] == "leave"
            deletion.delete(user, keep_answers=keep, address=client_address(request))
            logout(request)
            messages.success(request, _("Your account is deleted."))
            response = redirect("home")
            visitors.forget_device(response)
            return response
    except deletion.CannotLeave as error:
        refusal = str(error)
    status = 409 if refusal and request.method == "POST" else _status(form, "password")
    context = {"form": form, "refusal": refusal}
    return render(request, "account_delete.html", context, status=status)


@never_cache
@login_required
def account_email(request: HttpRequest) -> HttpResponse:
    """Send a link to a new address; take the address away by POST with `remove`."""
    if not mail.resets_passwords(request.user):
        raise Http404
    user = cast(User, request.user)
    if request.method == "POST" and "remove" in request.POST:
        User.objects.filter(pk=user.pk).update(email="")
        messages.success(request, _("Your address is deleted."))
        return redirect("account")
    form = EmailForm(request.POST or None, request=request)
    if form.is_valid():
        _ask_to_confirm(request, user, form.cleaned_data["email"])
        return redirect("account")
    status = _status(form, "password")
    return render(request, "account_email.html", {"form": form}, status=status)


@never_cache
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Set the address of a link by POST, never because a mail reader opened it."""
    if not mail.is_configured():
        raise Http404
    try:
        owner, address = mail.read(token)
        if request.method == "POST":
            mail.confirm(token)
            messages.success(request, _("Your address is confirmed."))
            return redirect("account" if request.user.is_authenticated else "login")
    except mail.BadLink as refusal:
        return render(request, "account_confirm.html", {"refusal": refusal}, status=410)
    response = render(request, "account_confirm.html", {"owner": owner, "address": address})
    response["Referrer-Policy"] = "same-origin"  # the address is a secret
    return response


class Reset(auth.PasswordResetView):
    """Django's, with limits, where mail is configured."""

    template_name = "password_reset.html"
    email_template_name = "password_reset_mail.txt"
    subject_template_name = "password_reset_subject.txt"
    form_class = ResetForm

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not (mail.is_configured() and settings.PASSWORDS):
            raise Http404
        return super().dispatch(*args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_invalid(self, form: PasswordResetForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=_status(form))


class ResetConfirm(auth.PasswordResetConfirmView):
    """Django's; whoever knew the old password loses the API, too, and not only their sessions."""

    template_name = "password_reset_confirm.html"

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.PASSWORDS:
            raise Http404
        return super().dispatch(*args, **kwargs)

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        tokens.revoke_all(form.user.pk)
        return super().form_valid(form)


@never_cache
def set_up_page(request: HttpRequest) -> HttpResponse:
    """Make the first administrator of an empty installation, who then makes the first project."""
    if not set_up.is_needed():
        return redirect("login")
    initial = {"code": request.GET.get("code", "")[:40]}
    if openid.is_configured() and (request.POST.get("way") == "openid" or not settings.PASSWORDS):
        return _set_up_by_openid(request, initial)
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
        return arrivals.keep_answers(request, redirect("project-new"), user)
    context = {"form": form, **ways_to_sign_in()}
    return render(request, "set_up.html", context, status=_status(form))


def _set_up_by_openid(request: HttpRequest, initial: dict[str, str]) -> HttpResponse:
    """Let whoever has the code sign in elsewhere, and be the first administrator."""
    form = SetUpCodeForm(request.POST or None, request=request, initial=initial)
    if form.is_valid():
        request.session[openid.SET_UP] = True
        return openid_views.leave(request)
    context = {"form": form, **ways_to_sign_in(), "passwords": False}
    return render(request, "set_up.html", context, status=_status(form))


@never_cache
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a link that somebody who runs the server made; by POST, once."""
    try:
        user = links.read(token)
    except links.BadLink as refusal:
        return render(request, "sign_in_link.html", {"refusal": refusal}, status=410)
    if request.method == "POST":
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        request.session[openid.SIGNED_IN_AT] = time.time()
        counters.count("sign_ins", way="link", outcome="succeeded")
        return arrivals.keep_answers(request, redirect(arrivals.default(user)), user)
    response = render(request, "sign_in_link.html", {"owner": user})
    response["Referrer-Policy"] = "same-origin"  # the address is a secret
    return response


def _status(form: BaseForm, field: str = NON_FIELD_ERRORS) -> int:
    return 429 if form.is_bound and form.has_error(field, TOO_MANY) else 200


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-in/link/<str:token>/", sign_in_by_link, name="sign-in-link"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("set-up/", set_up_page, name="set_up"),
    path("sign-up/", sign_up, name="sign_up"),
    path("account/delete/", delete_account, name="account-delete"),
    path("account/email/", account_email, name="account-email"),
    path("account/email/<str:token>/", confirm_email, name="account-email-confirm"),
    path("password-reset/", Reset.as_view(), name="password_reset"),
    path(
        "password-reset/sent/",
        auth.PasswordResetDoneView.as_view(template_name="password_reset_done.html"),
        name="password_reset_done",
    ),
    path(
        "password-reset/<uidb64>/<token>/",
        ResetConfirm.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "password-reset/done/",
        auth.PasswordResetCompleteView.as_view(template_name="password_reset_complete.html"),
        name="password_reset_complete",
    ),
    *token_pages.urlpatterns,
    *openid_views.urlpatterns,
]
