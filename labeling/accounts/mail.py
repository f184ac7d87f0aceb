"""Mail of accounts: an address is confirmed by a signed link before it is used.

Without a mail server (`EMAIL_HOST`) nothing of this is shown.
"""

import logging
import threading

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core import signing
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

SALT = "labeling.accounts.mail"
LINK_SECONDS = 3 * 24 * 3600
STATE_LETTERS = 16  # of the keyed hash, in hexadecimal

logger = logging.getLogger(__name__)


class BadLink(ValueError):
    """The link was not made here, has expired, or the address was changed since."""


def is_configured() -> bool:
    """Return whether mail can be sent."""
    return bool(settings.EMAIL_HOST)


def resets_passwords(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether an address is of use to a user: it serves to reset a password."""
    has_password = isinstance(user, User) and user.has_usable_password()
    return is_configured() and bool(settings.PASSWORDS) and has_password


def send_later(message: EmailMessage) -> None:
    """Send a message from a thread.

    A request takes as long where there is nobody to write to, and a mail server that is away fails
    nothing.
    """
    threading.Thread(target=_send, args=(message,), daemon=True).start()


def ask_to_confirm(user: User, address: str, *, origin: str) -> None:
    """Send a link to an address; it becomes the user's once the link is opened and confirmed.

    origin: the site's own, such as https://labels.example.
    """
    token = signing.dumps([user.pk, address, user.email, _state(user)], salt=SALT)
    link = origin + reverse("account-email-confirm", args=[token])
    body = _(
        "Somebody, hopefully you, gave this address for the account %(name)s.\n\n"
        "Open this link to confirm it; then the password can be reset by mail:\n%(link)s\n\n"
        "If it was not you, do nothing: the address is not used."
    ) % {"name": user.get_username(), "link": link}
    send_later(EmailMessage(_("Confirm your address"), body, to=[address]))


def confirm(token: str) -> User:
    """Set the address of a link; return its user. Raises BadLink."""
    user, address = read(token)
    before = user.email
    if not User.objects.filter(pk=user.pk, email=before).update(email=address):
        raise BadLink(_refusal())
    user.email = address
    return user


def read(token: str) -> tuple[User, str]:
    """Return the user and the address of a link. Raises BadLink."""
    try:
        pk, address, before, state = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadLink(_refusal()) from None
    user = User.objects.filter(pk=pk, email=before, is_active=True).first()
    if user is None or not constant_time_compare(_state(user), str(state)):
        raise BadLink(_refusal())
    return user, str(address)


def _state(user: User) -> str:
    """Return what changes with the user's password, and tells nothing of it."""
    return user.get_session_auth_hash()[:STATE_LETTERS]


def _refusal() -> str:
    return _("This link is no longer valid: ask for another one on the page of your account.")


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except OSError:  # of the network, or `smtplib.SMTPException`
        logger.exception("A message could not be sent.")
