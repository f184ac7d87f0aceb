"""Set an empty installation up: the first administrator, made by whoever can read its log.

While there is no user, `/set-up/` makes one; it asks for a code that the server prints where only
those who run it can read. The code follows from `SECRET_KEY`, so all processes know the same one.
"""

import base64
import logging

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

CODE_LENGTH = 12  # characters of base 32: 60 bits
GROUP = 4
_LOCK = 0x5E7_0B  # PostgreSQL's advisory lock, held while the first user is made

logger = logging.getLogger(__name__)


class Done(Exception):
    """There is a user already: the installation has been set up."""


class WrongCode(ValueError):
    """The code is not the one that the server printed."""


def is_needed() -> bool:
    """Return whether there is no user yet."""
    return not User.objects.exists()


def code() -> str:
    """Return the code, as it is printed: ABCD-EFGH-IJKL."""
    digest = salted_hmac("labeling.accounts.set_up", "code", algorithm="sha256").digest()
    letters = base64.b32encode(digest).decode()[:CODE_LENGTH]
    return "-".join(letters[at : at + GROUP] for at in range(0, CODE_LENGTH, GROUP))


def check_code(given: str) -> None:
    """Check a code, written with or without its dashes, in either case. Raises WrongCode."""
    if not constant_time_compare(_plain(given), _plain(code())):
        raise WrongCode(_("This is not the code that the server printed."))


def create_administrator(*, name: str, password: str, code: str) -> User:
    """Make the first user, who may do everything, once. Raises WrongCode and Done."""
    check_code(code)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not is_needed():
            raise Done(_("This installation has been set up: sign in instead."))
        user = User.objects.create_superuser(name, password=password)
    logger.info("%s was made the first administrator.", name)
    return user


def path() -> str:
    """Return the path of the page, with the code filled in."""
    return f"{reverse('set_up')}?code={code()}"


def _plain(text: str) -> str:
    """Return a code's letters; of any length, and without what nobody would print."""
    return "".join(letter for letter in text.upper() if letter.isascii() and letter.isalnum())
