"""The signed texts by which a frame and a site's server name what happened.

- A *ticket* says on which host, and for which site, the frame was opened. Without one no attempt
  begins; the browser sees to it that the frame is shown on that host alone (`frame-ancestors`).
- The *name* of an attempt stands for its id.
- A *response* is what a site's server verifies: it stands for an attempt that passed. Site, host
  and what was asked are those of the attempt's row, by which it is used once.
"""

from typing import NamedTuple
from uuid import UUID

from django.core.signing import BadSignature, Signer, TimestampSigner
from django.utils.translation import gettext as _

from labeling.captcha.errors import Forged

TICKET_SECONDS = 24 * 3600  # for which a frame may be open before somebody begins
LONGEST = 2_000  # characters; longer ones are not looked at
RESPONSE_SECONDS = 120  # for which a response can be verified


class Ticket(NamedTuple):
    """Where a frame was opened, and in which language."""

    key: str  # of the site
    host: str
    language: str  # tag; empty: as the browser wishes


def ticket(key: str, host: str, language: str = "") -> str:
    """Return the ticket of a frame on that host."""
    signer = TimestampSigner(sep=".", salt="labeling.captcha.ticket")
    return signer.sign_object([key, host, language])


def read_ticket(text: str) -> Ticket:
    """Return what a ticket says. Raises Forged."""
    signer = TimestampSigner(sep=".", salt="labeling.captcha.ticket")
    try:
        if len(text) > LONGEST:
            raise BadSignature
        return Ticket(*signer.unsign_object(text, max_age=TICKET_SECONDS))
    except (BadSignature, ValueError, TypeError):
        raise Forged(_("This page was open for too long: load it again.")) from None


def name(attempt: UUID) -> str:
    """Return the signed name by which a frame knows an attempt."""
    return Signer(sep=".", salt="labeling.captcha.attempt").sign(attempt.hex)


def read_name(text: str) -> UUID:
    """Return the id of an attempt by its name. Raises Forged."""
    attempt = _unsign(text, "labeling.captcha.attempt")
    if attempt is None:
        raise Forged(_("This is no attempt that was begun here: begin again."))
    return attempt


def response(attempt: UUID) -> str:
    """Return the response of an attempt that passed, about eighty characters."""
    return Signer(sep=".", salt="labeling.captcha.response").sign(attempt.hex)


def read_response(text: str) -> UUID | None:
    """Return the id of an attempt by its response; None where it was not made here."""
    return _unsign(text, "labeling.captcha.response")


def _unsign(text: str, salt: str) -> UUID | None:
    if len(text) > LONGEST:
        return None
    try:
        return UUID(Signer(sep=".", salt=salt).unsign(text))
    except (BadSignature, ValueError):
        return None
