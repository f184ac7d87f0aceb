"""The signed tokens by which a browser names its challenges."""

from django.core.signing import BadSignature, Signer
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import prepared
from labeling.challenges.errors import Expired, Foreign, Forged
from labeling.models import Annotator, Challenge

LONGEST_TOKEN = 100


def token(challenge: Challenge) -> str:
    """Return the signed token that a browser is given instead of an id."""
    return _signer().sign(challenge.pk.hex)


def find(token: str, annotator: Annotator | None) -> Challenge:
    """Return the challenge of a token, answered or not. Raises Forged, Foreign or Expired."""
    if len(token) > LONGEST_TOKEN:
        raise Forged(_("This is not a challenge of this site: ask for a new one."))
    try:
        key = _signer().unsign(token)
    except BadSignature:
        raise Forged(_("This is not a challenge of this site: ask for a new one.")) from None
    challenge = prepared.first(Challenge, "WHERE id = %s", [key])
    if challenge is None:
        raise Expired(_("The challenge is gone: ask for a new one."))
    if annotator is None or challenge.annotator_id != annotator.pk:
        raise Foreign(_("The challenge was put before somebody else: ask for one of your own."))
    if challenge.answered_at is None and challenge.expires_at <= timezone.now():
        raise Expired(_("The challenge has expired: ask for a new one."))
    challenge.annotator = annotator
    return challenge


def _signer() -> Signer:
    return Signer(sep=".", salt="labeling.challenges")
