"""The pages of accounts: sign in, sign out, sign up."""

from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from labeling.accounts.forms import TOO_MANY, SignInForm, SignUpForm


class SignIn(auth.LoginView):
    template_name = "sign_in.html"
    authentication_form = SignInForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=_status(form))


def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account of a name and a password, nothing else."""
    form = SignUpForm(request.POST or None, request=request)
    if form.is_valid():
        login(request, form.save())
        return redirect("home")
    return render(request, "sign_up.html", {"form": form}, status=_status(form))


def _status(form: BaseForm) -> int:
    return 429 if form.is_bound and form.has_error(NON_FIELD_ERRORS, TOO_MANY) else 200


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("sign-up/", sign_up, name="sign_up"),
]
