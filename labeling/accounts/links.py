"""Links to sign in, made on the server for whoever has no other way: `manage.py sign_in_link`."""

from django.contrib.auth.models import User
from django.core import signing
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

SALT = "labeling.accounts.links"
SECONDS = 600  # for which one can be used


class BadLink(ValueError):
    """The link was not made here, has expired, or was used."""


def make(user: User) -> str:
    """Return the path of a link that signs a user in once."""
    token = signing.dumps([user.pk, _state(user)], salt=SALT)
    return reverse("sign-in-link", args=[token])


def read(token: str) -> User:
    """Return the user of a link. Raises BadLink."""
    try:
        pk, state = signing.loads(token, salt=SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadLink(_refusal()) from None
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or not constant_time_compare(_state(user), str(state)):
        raise BadLink(_refusal())
    return user


def _state(user: User) -> str:
    """Return what changes once the user has signed in, by the link or otherwise."""
    last = user.last_login.isoformat() if user.last_login else ""
    known = f"{user.get_session_auth_hash()}:{last}"
    return salted_hmac(SALT, known, algorithm="sha256").hexdigest()[:16]


def _refusal() -> str:
    return _("This link was used, or is too old: make another one on the server.")
