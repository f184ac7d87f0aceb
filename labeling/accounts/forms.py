"""The forms to sign in, to sign in to the admin, and to sign up."""

import math
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, UserCreationForm
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.template import loader
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from labeling import counters
from labeling.accounts import limits, mail, names, openid, set_up
from labeling.accounts.openid import identities
from labeling.addresses import client_address

if TYPE_CHECKING:
    _UserCreationForm = UserCreationForm[User]
else:
    _UserCreationForm = UserCreationForm

TOO_MANY = "too_many_attempts"  # the code of that error
TOO_MANY_RESETS = _("There were too many attempts to reset a password.")
TOO_MANY_DELETIONS = _("There were too many attempts to delete the account.")
TOO_MANY_SIGN_INS = _("There were too many attempts to sign in.")


class SignInForm(AuthenticationForm):
    """Django's form, with limits on how often anybody may try."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)

    def clean(self) -> dict[str, Any]:
        if not settings.PASSWORDS:
            raise forms.ValidationError(gettext("Nobody signs in by a password here."), "off")
        name = self.cleaned_data.get("username")
        if name is None or not self.cleaned_data.get("password"):
            return super().clean()
        address = client_address(self.request) if self.request else ""
        attempt = limits.SignIn(account=name, address=address)
        try:
            attempt.count()
        except limits.TooManyAttempts as error:
            counters.count("sign_ins", way="password", outcome="limited")
            raise too_many(TOO_MANY_SIGN_INS, error) from None
        try:
            cleaned = super().clean()  # raises where name and password do not match
        except forms.ValidationError:
            counters.count("sign_ins", way="password", outcome="refused")
            raise
        attempt.succeed()
        counters.count("sign_ins", way="password", outcome="succeeded")
        return cleaned

    def confirm_login_allowed(self, user: User) -> None:
        """Raise ValidationError for those who cannot sign in, or not by a password."""
        super().confirm_login_allowed(user)
        if identities.is_administrator_by_group(user):
            sentence = gettext("Sign in with %(name)s") % {"name": settings.OIDC_NAME}
            raise forms.ValidationError(sentence, "openid")


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


class NewAccountForm(SignUpForm):
    """Ask for an address, too, where mail can be sent: it is optional."""

    email = forms.EmailField(
        required=False,
        max_length=254,
        label=_("E-mail address (optional)"),
        help_text=_("Only to reset your password. It is used once you confirmed it."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    field_order = ["username", "email", "password1", "password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not mail.is_configured():
            del self.fields["email"]


class ResetForm(PasswordResetForm):
    """Django's form, with limits; it answers the same whether there is such an account."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.request = request

    def clean(self) -> dict[str, Any] | None:
        try:
            limits.count_reset(self.cleaned_data.get("email", ""), client_address(self.request))
        except limits.TooManyAttempts as error:
            raise too_many(TOO_MANY_RESETS, error) from None
        return super().clean()

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        """Send it from a thread, so that no answer takes longer where there is an account."""
        subject = " ".join(loader.render_to_string(subject_template_name, context).split())
        body = loader.render_to_string(email_template_name, context)
        mail.send_later(EmailMessage(subject, body, from_email, [to_email]))


class PasswordForm(forms.Form):
    """Ask for the password again: a browser that was left signed in is not enough."""

    too_many_attempts: Promise = TOO_MANY_SIGN_INS

    password = forms.CharField(
        strip=False,
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        user = cast(User, self.request.user)
        attempt = limits.SignIn(user.get_username(), client_address(self.request))
        try:
            attempt.count()
        except limits.TooManyAttempts as error:
            raise too_many(self.too_many_attempts, error) from None
        if not user.check_password(password):
            raise forms.ValidationError(gettext("This is not your password."), code="wrong")
        attempt.succeed()
        return password


class EmailForm(PasswordForm):
    """Ask for the address by which a password can be reset."""

    email = forms.EmailField(
        max_length=254,
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    field_order = ["email", "password"]


class DeleteForm(PasswordForm):
    """Ask what becomes of the answers, before an account is deleted.

    Whoever has no password must have signed in lately in its place.
    """

    too_many_attempts = TOO_MANY_DELETIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = cast(User, self.request.user)
        if not (settings.PASSWORDS and user.has_usable_password()):
            del self.fields["password"]

    def may_be_sent(self) -> bool:
        """Whether there is a password to give, or a sign-in that is recent."""
        return "password" in self.fields or openid.has_signed_in_lately(self.request)

    answers = forms.ChoiceField(choices=[("withdraw", ""), ("leave", "")])


class SetUpForm(SignUpForm):
    """Ask for the first administrator's name and password, and for the code from the log."""

    too_many_attempts = _("There were too many attempts to set this installation up.")
    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_(
            "The server printed it when it started, in its terminal or log; "
            "<code>tessera set_up_code</code> prints it again."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["code", "username", "password1", "password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.initial.get("code"):  # whoever followed the address from the log has it
            self.fields["username"].widget.attrs.pop("autofocus", None)
            self.fields["code"].widget.attrs["autofocus"] = True

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


class SetUpCodeForm(forms.Form):
    """Ask for the code alone: who the first administrator is, the provider says."""

    code = SetUpForm.declared_fields["code"]

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.request = request

    def clean_code(self) -> str:
        try:
            limits.count_set_up(client_address(self.request))
        except limits.TooManyAttempts as error:
            raise too_many(SetUpForm.too_many_attempts, error) from None
        return SetUpForm.clean_code(cast(SetUpForm, self))


def too_many(sentence: Promise, error: limits.TooManyAttempts) -> forms.ValidationError:
    """Return the error that says what was tried too often, and how long to wait."""
    minutes = math.ceil(error.seconds / 60)
    wait = ngettext(
        "Wait a minute, then try again.", "Wait %(count)s minutes, then try again.", minutes
    )
    return forms.ValidationError(f"{sentence} {wait % {'count': minutes}}", code=TOO_MANY)
