"""The forms to sign in, to sign in to the admin, and to sign up."""

import math
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from labeling.accounts import limits, names, set_up
from labeling.addresses import client_address

if TYPE_CHECKING:
    _UserCreationForm = UserCreationForm[User]
else:
    _UserCreationForm = UserCreationForm

TOO_MANY = "too_many_attempts"  # the code of that error
TOO_MANY_SIGN_INS = _("There were too many attempts to sign in.")


class SignInForm(AuthenticationForm):
    """Django's form, with limits on how often anybody may try."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if name is None or not self.cleaned_data.get("password"):
            return super().clean()
        address = client_address(self.request) if self.request else ""
        attempt = limits.SignIn(account=name, address=address)
        try:
            attempt.count()
        except limits.TooManyAttempts as error:
            raise too_many(TOO_MANY_SIGN_INS, error) from None
        cleaned = super().clean()  # raises where name and password do not match
        attempt.succeed()
        return cleaned


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The same for the admin, which lets only staff in."""


class SignUpForm(_UserCreationForm):
    """Ask for a name that is like nobody else's, and a password that is not like the name."""

    too_many_attempts: Promise = _("There were too many attempts to make an account.")

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.request = request

    def clean_username(self) -> str:
        name = super().clean_username() or ""  # empty where another user has it
        if name:
            names.validate(name)
        return name

    def full_clean(self) -> None:
        """Count the attempt before anything is looked up, such as whether a name is taken."""
        if self.is_bound:
            try:
                self.count(client_address(self.request))
            except limits.TooManyAttempts as error:
                self.cleaned_data = {}
                self._errors = forms.utils.ErrorDict()
                self.add_error(None, too_many(self.too_many_attempts, error))
                return
        super().full_clean()

    def count(self, address: str) -> None:
        """Count an attempt; raises TooManyAttempts."""
        limits.count_sign_up(address)


class SetUpForm(SignUpForm):
    """Ask for the first administrator's name and password, and for the code from the log."""

    too_many_attempts = _("There were too many attempts to set this installation up.")
    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_(
            "The server printed it when it started, in its terminal or log; "
            "<code>python manage.py set_up_code</code> prints it again."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["code", "username", "password1", "password2"]

    def count(self, address: str) -> None:
        """Count an attempt; raises TooManyAttempts."""
        limits.count_set_up(address)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        try:
            set_up.check_code(code)
        except set_up.WrongCode as error:
            raise forms.ValidationError(str(error), code="wrong_code") from None
        return code


def too_many(sentence: Promise, error: limits.TooManyAttempts) -> forms.ValidationError:
    """Return the error that says what was tried too often, and how long to wait."""
    minutes = math.ceil(error.seconds / 60)
    wait = ngettext(
        "Wait a minute, then try again.", "Wait %(count)s minutes, then try again.", minutes
    )
    return forms.ValidationError(f"{sentence} {wait % {'count': minutes}}", code=TOO_MANY)
