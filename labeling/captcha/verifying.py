"""Verify what a visitor's page handed to a site's server: once, and within two minutes."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from django.utils import timezone

from labeling import prepared
from labeling.captcha import sites, tokens
from labeling.models import Attempt

TEST_KEYS = {  # that developers know: of pages under test, which always pass
    "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI": "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
    "10000000-ffff-ffff-ffff-000000000001": "0x0000000000000000000000000000000000000000",
}
TEST_HOST = "testkey"
# The same through each door: who cannot see is not to be known, nor served worse, by a score.
PASSED_SCORE, UNASKED_SCORE = 0.9, 0.5

_USE = """
UPDATE labeling_attempt SET verified_at = %(now)s
WHERE id = %(id)s AND site_id = %(site)s AND state = 'passed' AND verified_at IS NULL
    AND passed_at > %(since)s
RETURNING host, scored, action, door, passed_at
"""


class Fault(Enum):
    """Why a response is refused."""

    NO_SECRET = auto()
    WRONG_SECRET = auto()
    NO_RESPONSE = auto()
    WRONG_RESPONSE = auto()
    BAD_REQUEST = auto()
    EXPIRED = auto()
    USED = auto()
    OTHER_SITE = auto()


@dataclass(frozen=True)
class Verdict:
    """What a site's server learns of a response."""

    fault: Fault | None = None
    host: str = ""  # of the page on which it was got
    action: str = ""  # as that page named it
    score: float | None = None  # in [0, 1]; None where the page asks for none
    passed_at: datetime = field(default_factory=timezone.now)

    @property
    def success(self) -> bool:
        return self.fault is None


def verify(*, secret: str, response: str, key: str = "") -> Verdict:
    """Verify a response, which of any number of tries only the first does.

    key: the site key that the caller expects; empty for none. Nothing is written where it is
    refused, so that neither a wrong secret nor another site's uses a response up.
    """
    if not secret:
        return Verdict(Fault.NO_SECRET)
    if _is_test(secret):
        return Verdict(None if response else Fault.NO_RESPONSE, host=TEST_HOST)
    known = sites.secret_of(secret) if len(secret) <= tokens.LONGEST else None
    if known is None:
        return Verdict(Fault.WRONG_SECRET)
    if not response:
        return Verdict(Fault.NO_RESPONSE)
    attempt = tokens.read_response(response)
    if attempt is None:
        return Verdict(Fault.WRONG_RESPONSE)
    if key and key != known.site.key:
        return Verdict(Fault.OTHER_SITE)
    now = timezone.now()
    since = now - timedelta(seconds=tokens.RESPONSE_SECONDS)
    values = {"id": attempt, "site": known.site_id, "now": now, "since": since}
    for host, scored, action, door, passed_at in prepared.fetch(_USE, values):
        return Verdict(None, host, action, _score(door) if scored else None, passed_at)
    return Verdict(_why_not(Attempt.objects.filter(pk=attempt).first(), known.site_id))


def _score(door: str) -> float:
    return UNASKED_SCORE if door == Attempt.Door.OPEN else PASSED_SCORE


def _why_not(attempt: Attempt | None, site: int) -> Fault:
    if attempt is None:
        return Fault.EXPIRED  # so long ago that it was deleted
    if attempt.site_id != site:
        return Fault.OTHER_SITE
    return Fault.EXPIRED if attempt.verified_at is None else Fault.USED


def _is_test(secret: str) -> bool:
    given = secret.encode(errors="replace")
    equal = [hmac.compare_digest(given, each.encode()) for each in TEST_KEYS.values()]
    return any(equal)
