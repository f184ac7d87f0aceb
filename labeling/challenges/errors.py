"""Why a challenge cannot be issued or answered."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

REMOVED = gettext_lazy("The picture was removed: ask for a new one.")


class ChallengeError(ValueError):
    """A challenge cannot be answered; the message says what happened and what to do."""


class Forged(ChallengeError):
    """The token was not made here."""


class Foreign(ChallengeError):
    """The challenge belongs to another annotator."""


class Expired(ChallengeError):
    """The challenge has expired or is gone."""


class AlreadyAnswered(ChallengeError):
    """The challenge was answered or skipped before."""


class Invalid(ChallengeError):
    """The answer does not fit the challenge."""


class Enough(ChallengeError):
    """The annotator has fetched as many challenges ahead as may be."""


class Closed(ChallengeError):
    """The project asks no questions: it is a draft, or archived."""


class Paused(ChallengeError):
    """Too much was skipped: the next challenge comes in `ready_in` seconds."""

    def __init__(self, ready_in: float) -> None:
        super().__init__(
            _(
                "You have skipped many questions: the next one comes in a moment. It is fine to "
                "skip what you cannot answer; please answer some of the others."
            )
        )
        self.ready_in = ready_in


class Private(ChallengeError):
    """The project asks only those who were invited."""
