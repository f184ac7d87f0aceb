"""Limits on how often anybody may try to sign in or up, counted in the cache for all processes.

An attempt to sign in is counted three times, and taken back if it succeeds:

- by account and address: nobody guesses many passwords of one account;
- by address: nobody tries one password on many accounts;
- by account, over all addresses from which it was not signed in to before: many addresses
  together guess no more. The owner, at an address that is known, is not locked out by them.

A refusal is the same whether the account exists or not, and whether the password was right.
Windows are fixed, so a lock ends by itself after `WINDOW` at most; what makes annotators, or has
messages sent to somebody, is counted by the day, too. While the cache is away nothing
is counted and everybody is let through.
"""

import hashlib
import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

WINDOW = 600  # seconds
DAY = 24 * 3600
PER_ACCOUNT_AND_ADDRESS = 10  # failures in a window
PER_ADDRESS = 60  # of a class or an office
PER_ACCOUNT = 30  # from addresses that are not known
SIGN_UPS_PER_ADDRESS = 40  # attempts
INVITATION_GUESSES_PER_ADDRESS = 20
RESETS_PER_ADDRESS = 20
RESETS_PER_MAIL_ADDRESS = 3  # messages that anybody can have sent to somebody in a window
CONFIRMATIONS_PER_ACCOUNT = 5
MESSAGES_PER_MAIL_ADDRESS = 10  # of any kind in a day
SET_UPS_PER_ADDRESS = 10  # guesses of the code of an empty installation, …
SET_UPS = 60  # and from all addresses together
KNOWN_SECONDS = 90 * 24 * 3600  # for which an address counts as known after a success


class TooManyAttempts(Exception):
    """The attempt was refused untried: wait for `seconds` first."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class SignIn:
    """One attempt to sign in to an account from an address."""

    account: str
    address: str

    def count(self) -> None:
        """Count the attempt before the password is looked at; raises TooManyAttempts."""
        for key, most in self._limits():
            _count(key, most)

    def succeed(self) -> None:
        """Take the attempt back, and know the address from now on."""
        for key, _ in self._limits():
            _uncount(key)
        cache.set(self._known_key, True, KNOWN_SECONDS)

    def _limits(self) -> list[tuple[str, int]]:
        account = _digest(self.account)
        limits = [
            (f"sign-in:{account}:{_digest(self.address)}", PER_ACCOUNT_AND_ADDRESS),
            (f"sign-in:address:{_digest(self.address)}", PER_ADDRESS),
        ]
        if not cache.get(self._known_key):
            limits.append((f"sign-in:account:{account}", PER_ACCOUNT))
        return limits

    @property
    def _known_key(self) -> str:
        return f"sign-in:known:{_digest(self.account)}:{_digest(self.address)}"


def count_sign_up(address: str) -> None:
    """Count an attempt to sign up; raises TooManyAttempts."""
    _count(f"sign-up:{_digest(address)}", SIGN_UPS_PER_ADDRESS)


def count_account(address: str) -> None:
    """Count an account that is about to be made; raises TooManyAttempts.

    An address is given no more accounts a day than pseudonyms: each answers as somebody new.
    """
    _count(f"account:{_digest(address)}", settings.NEWCOMERS_PER_ADDRESS, DAY)


def count_openid(address: str) -> None:
    """Count an attempt to sign in elsewhere; raises TooManyAttempts."""
    _count(f"openid:{_digest(address)}", PER_ADDRESS)


def count_invitation_guess(address: str) -> None:
    """Count a token that belongs to no invitation; raises TooManyAttempts."""
    _count(f"invitation:{_digest(address)}", INVITATION_GUESSES_PER_ADDRESS)


def count_reset(mail_address: str, address: str) -> None:
    """Count a request to reset the password of a mail address; raises TooManyAttempts.

    It is counted alike whether there is such an account.
    """
    _count(f"reset:{_digest(address)}", RESETS_PER_ADDRESS)
    _count(f"reset:to:{_digest(mail_address)}", RESETS_PER_MAIL_ADDRESS)
    _count(f"reset:to:{_digest(mail_address)}:day", MESSAGES_PER_MAIL_ADDRESS, DAY)


def count_confirmation(account: int, mail_address: str) -> None:
    """Count a link to confirm an address; raises TooManyAttempts."""
    _count(f"confirm:{account}", CONFIRMATIONS_PER_ACCOUNT)
    _count(f"confirm:to:{_digest(mail_address)}", CONFIRMATIONS_PER_ACCOUNT)
    _count(f"confirm:to:{_digest(mail_address)}:day", MESSAGES_PER_MAIL_ADDRESS, DAY)


def count_set_up(address: str) -> None:
    """Count an attempt to set the installation up; raises TooManyAttempts."""
    _count(f"set-up:{_digest(address)}", SET_UPS_PER_ADDRESS)
    _count("set-up", SET_UPS)


def _count(key: str, most: int, seconds: int = WINDOW) -> None:
    now = _now()
    window = f"{key}:{int(now // seconds)}"
    cache.add(window, 0, seconds)
    try:
        count = cache.incr(window)
    except ValueError:  # the cache is away
        return
    if count > most:
        raise TooManyAttempts(int(seconds - now % seconds) + 1)


def _uncount(key: str) -> None:
    window = f"{key}:{int(_now() // WINDOW)}"
    try:
        cache.decr(window)
    except ValueError:  # a new window began, or the cache is away
        return


def _now() -> float:
    return timezone.now().timestamp()


def _digest(text: str) -> str:
    """Return a short key for any text, equal for names that differ in case or width only."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return hashlib.sha256(folded.encode(errors="replace")).hexdigest()[:32]
