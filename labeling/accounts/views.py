"""The pages of accounts: sign in, sign out, sign up."""

from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme

from labeling.accounts.forms import TOO_MANY, SignInForm, SignUpForm


class SignIn(auth.LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=_status(form))


def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of a name and a password, nothing else; then go on where `next` says."""
    target = _target(request)
    form = SignUpForm(request.POST or None, request=request)
    if form.is_valid():
        login(request, form.save())
        return redirect(target or "home")
    context = {"form": form, "next": target}
    return render(request, "sign_up.html", context, status=_status(form))


def _target(request: HttpRequest) -> str:
    """Return where to go afterwards, as `next` says; empty where that is another site."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        target, {request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else ""


def _status(form: BaseForm) -> int:
    return 429 if form.is_bound and form.has_error(NON_FIELD_ERRORS, TOO_MANY) else 200


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("sign-up/", sign_up, name="sign_up"),
]
