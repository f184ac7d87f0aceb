"""Whose account an identity is: found, linked by a confirmed address, or made.

A name never links. An address does where the provider says that it is verified, and the account has
no identity yet: then the address has not passed to somebody else since.
"""

import logging
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from labeling.accounts import limits, names, set_up

NAME_LENGTH = 30  # of a new user's name at most
DRAWN_NAMES = 50  # that are tried
ADMINISTRATOR = "administrator"  # of an identity: whether its group made its user one
_LOCK = 0x5E7_1D  # PostgreSQL's advisory lock, while an identity gets its account

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The identity may not sign in; the message says why and what to do."""


class SetUpFirst(Exception):
    """There is no user yet: whoever runs the server makes the first one."""


@dataclass(frozen=True)
class Identity:
    """What the provider says of somebody, as far as it is used."""

    subject: str
    email: str  # verified; empty where it is not
    names: tuple[str, ...]  # that an account may be given, the best first
    groups: frozenset[str]


def is_administrator_by_group(user: User) -> bool:
    """Return whether somebody is an administrator for as long as a group says so.

    Only the provider knows whether it still does: no other way to sign in asks it.
    """
    if not (settings.OIDC_ISSUER and settings.OIDC_ADMIN_GROUP):
        return False
    rows = SocialAccount.objects.filter(user=user, provider=settings.OIDC_ISSUER)
    return any(row.extra_data.get(ADMINISTRATOR) for row in rows)


def read(claims: Mapping[str, Any]) -> Identity:
    """Return the identity that verified claims are about."""
    email = str(claims.get("email") or "").strip()
    verified = claims.get("email_verified") in (True, "true")
    usable = verified and email.count("@") == 1 and len(email) <= 254 and email.isprintable()
    wished = [str(claims.get(key) or "") for key in ("preferred_username", "nickname", "name")]
    groups = claims.get(settings.OIDC_GROUPS_CLAIM)
    listed = groups if isinstance(groups, list) else [groups]
    return Identity(
        subject=claims["sub"],
        email=email if usable else "",
        names=(*wished, email.partition("@")[0] if usable else ""),
        groups=frozenset(each for each in listed if isinstance(each, str)),
    )


def sign_in(identity: Identity, *, address: str, first: bool = False) -> User:
    """Return the active user of an identity. Raises Refused, SetUpFirst or limits.TooManyAttempts.

    address: where the request comes from. first: whether it may become the first administrator.
    """
    _check_domain(identity)
    with transaction.atomic():
        with connection.cursor() as cursor:  # two tabs, or two people who share an address
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        account = _find(identity)
        if account is None:
            account = _link(identity) or _make(identity, address=address, first=first)
        user: User = account.user
        if not user.is_active:
            raise Refused(_("This account is switched off: ask an administrator."))
        _follow_group(account, identity)
    return user


def _check_domain(identity: Identity) -> None:
    domains = [domain.lower() for domain in settings.OIDC_DOMAINS]
    if domains and identity.email.rpartition("@")[2].lower() not in domains:
        sentence = _("Only people with a confirmed address at %(domains)s may sign in here.")
        raise Refused(sentence % {"domains": ", ".join(domains)})


def _find(identity: Identity) -> SocialAccount | None:
    rows = SocialAccount.objects.select_related("user").filter(
        provider=settings.OIDC_ISSUER, uid=identity.subject
    )
    account: SocialAccount | None = rows.first()
    return account


def _link(identity: Identity) -> SocialAccount | None:
    """Give an identity the one account with its address, where that has no identity yet.

    PostgreSQL takes “mıke@example.org” and “mike@example.org” for the same, which mail does not.
    """
    if not (identity.email and identity.email.isascii()):
        return None
    users = list(User.objects.filter(email__iexact=identity.email)[:2])
    if len(users) != 1 or _identities(users[0]):
        return None
    logger.info("User %s is linked to an identity with the same address.", users[0].pk)
    return _store(users[0], identity)


def _make(identity: Identity, *, address: str, first: bool) -> SocialAccount:
    if set_up.is_needed():
        if not first:
            raise SetUpFirst
        user = User.objects.create_superuser(_name(identity))
        logger.info("User %s was made the first administrator.", user.pk)
        return _store(user, identity)
    limits.count_account(address)
    taken = User.objects.filter(email__iexact=identity.email).exists()
    user = User.objects.create_user(_name(identity), "" if taken else identity.email)
    return _store(user, identity)


def _store(user: User, identity: Identity) -> SocialAccount:
    account: SocialAccount = SocialAccount.objects.create(
        user=user, provider=settings.OIDC_ISSUER, uid=identity.subject
    )
    return account


def _identities(user: User) -> bool:
    return bool(SocialAccount.objects.filter(user=user, provider=settings.OIDC_ISSUER).exists())


def _follow_group(account: SocialAccount, identity: Identity) -> None:
    """Make the members of a group administrators, and those no longer who were by it alone."""
    if not settings.OIDC_ADMIN_GROUP:
        return
    belongs = settings.OIDC_ADMIN_GROUP in identity.groups
    was_made = bool(account.extra_data.get(ADMINISTRATOR))
    if belongs == was_made or (belongs and account.user.is_superuser):
        return
    user = account.user
    user.is_staff = user.is_superuser = belongs
    user.save(update_fields=["is_staff", "is_superuser"])
    account.extra_data = {ADMINISTRATOR: belongs}
    account.save(update_fields=["extra_data"])
    logger.info("User %s %s an administrator, by its group.", user.pk, "is" if belongs else "was")


def _name(identity: Identity) -> str:
    """Return a name for a new user that is free, and like nobody else's."""
    for name in _candidates(identity):
        if not User.objects.filter(username__iexact=name).exists():
            try:
                names.validate(name)
            except ValidationError:
                continue
            return name
    raise Refused(_("No free name was found for your account: try again."))


def _candidates(identity: Identity) -> Iterator[str]:
    wished = [_tidy(name) for name in identity.names]
    wished = [name for name in wished if name]
    yield from wished
    for stem in (*wished[:1], "user"):  # the second where nobody may be called like the first
        for _attempt in range(DRAWN_NAMES):
            yield f"{stem}-{get_random_string(4, '23456789')}"


def _tidy(name: str) -> str:
    """Return what Django allows of a name: without the domain of an address, dots for spaces."""
    plain = unicodedata.normalize("NFKC", name.partition("@")[0]).strip()
    plain = re.sub(r"\s+", ".", plain)
    plain = re.sub(r"[^\w.+-]", "", plain)[:NAME_LENGTH]
    try:
        UnicodeUsernameValidator()(plain)
    except ValidationError:
        return ""
    return plain
