"""Nothing is answered that was not seen: each answer takes up time that nothing else has taken.

An annotator's answers are laid one after the other on the server's clock. Each takes up a time span
that begins where the span of the answer before ended, but not before its challenge was issued; it
is as long as the browser says that the person looked, and has to be over by now. So answers that
were given offline arrive all at once and fit, while no more answers are taken than would fit into
the time that has really passed.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _

SHORTEST = timedelta(milliseconds=300)  # in which a person can see a picture and press a key


class TooFast(ValueError):
    """An answer came before its tiles can have been seen; the challenge stays open.

    ready_in: seconds after which the same answer is taken; None where it never is.
    """

    def __init__(self, ready_in: float | None = None) -> None:
        super().__init__(
            _("That was too quick for anybody to have seen it: look at it, and answer again.")
        )
        self.ready_in = ready_in


class Span(NamedTuple):
    """The time that an answer takes up."""

    end: datetime
    seconds: float | None  # as reported, but no more than have passed; None where none were


def span(
    *,
    shown_from: datetime,
    answered_until: datetime | None,
    seconds: float | None,
    now: datetime,
) -> Span:
    """Return the time span of an answer. Raises TooFast where there is no room for one.

    shown_from: when the tiles can have appeared first.
    answered_until: the end of the annotator's span before; None without one.
    seconds: from shown to answered, as the browser measured it; without, the span ends now.
    """
    if seconds is not None and seconds < SHORTEST.total_seconds():
        raise TooFast
    start = max(shown_from, answered_until or shown_from)
    room = now - start
    if room < SHORTEST:
        raise TooFast((SHORTEST - room).total_seconds())
    if seconds is None:
        return Span(now, None)
    length = min(timedelta(seconds=seconds), room)
    return Span(start + length, min(seconds, room.total_seconds()))
