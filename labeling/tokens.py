"""Make, find and revoke the tokens by which a user's programs use the API."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import Scope, Token

NAME_LENGTH = 60
DAYS_MAX = 366
DAYS = 90  # for which a token is valid, where nobody says
MOST = 50  # valid tokens of one user
USED_EVERY = timedelta(minutes=1)  # how often the time of the last use is written


class TokenError(ValueError):
    """A token cannot be made like this; the message says why and what to do."""


def valid() -> QuerySet[Token]:
    """Return the tokens that are neither revoked nor expired."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return Token.objects.filter(unexpired, revoked_at=None)


def make(
    *,
    user: User,
    name: str,
    scopes: Collection[str],
    days: int | None = DAYS,
    until: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token; return it with its secret, which is kept nowhere.

    days: for which it is valid; None: until it is revoked. until: when it expires at the latest.
    Raises TokenError.
    """
    if not name.strip():
        raise TokenError(_("Give the token a name: what it is for."))
    if not scopes:
        raise TokenError(_("Choose at least one thing that the token may be used for."))
    secret = Token.new_secret()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if valid().filter(user=user).count() >= MOST:
            raise TokenError(_("You have %(most)s tokens: revoke one first.") % {"most": MOST})
        token = Token.objects.create(
            user=user,
            name=" ".join(name.split())[:NAME_LENGTH],
            digest=Token.digest_of(secret),
            start=secret[: Token._meta.get_field("start").max_length],
            scopes=[scope for scope in Scope.values if scope in scopes],
            expires_at=_end(days, until),
        )
    return token, secret


def find(secret: str) -> Token | None:
    """Return the valid token of a secret, with its active user; write down that it was used."""
    rows = valid().filter(digest=Token.digest_of(secret), user__is_active=True)
    token = rows.select_related("user").first()
    if token is not None:
        _note_use(token)
    return token


def revoke(token: Token) -> None:
    """Let a token be used no longer. Done again, it changes nothing."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def revoke_all(user: int) -> None:
    """Let none of a user's tokens be used any longer."""
    Token.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def _note_use(token: Token) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - USED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)


def _end(days: int | None, until: datetime | None) -> datetime | None:
    end = timezone.now() + timedelta(days=days) if days is not None else None
    return min(filter(None, (end, until)), default=None)
