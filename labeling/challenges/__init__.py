"""Issue challenges made of questions, check their tokens, and record their answers once.

A challenge is issued (`issuing`: chosen by a selector, from pools that `supply` fills). It is
`pending` until it is answered (`answering`), skipped (`skipping`) or expires; a browser knows it by
its token (`tokens`). Whoever answers or skips first claims it (`closing`). `labeling.withdrawals`
takes answers back.
"""

from labeling.challenges.admission import admit
from labeling.challenges.answering import answer
from labeling.challenges.closing import UNDO_GRACE, UNDO_SECONDS, forget_changes
from labeling.challenges.errors import (
    REMOVED,
    AlreadyAnswered,
    ChallengeError,
    Closed,
    Enough,
    Expired,
    Foreign,
    Forged,
    Invalid,
    Paused,
    Private,
)
from labeling.challenges.issuing import issue
from labeling.challenges.pending import AHEAD_TIME, MAX_PENDING, fetched_ahead, lifetime
from labeling.challenges.shown import COLUMNS, shown_tiles, shows_generated
from labeling.challenges.skipping import skip
from labeling.challenges.supply import MIX, has_question, kinds
from labeling.challenges.tokens import LONGEST_TOKEN, find, token

__all__ = [
    "AHEAD_TIME",
    "COLUMNS",
    "LONGEST_TOKEN",
    "MAX_PENDING",
    "MIX",
    "REMOVED",
    "UNDO_GRACE",
    "UNDO_SECONDS",
    "AlreadyAnswered",
    "ChallengeError",
    "Closed",
    "Enough",
    "Expired",
    "Foreign",
    "Forged",
    "Invalid",
    "Paused",
    "Private",
    "admit",
    "answer",
    "fetched_ahead",
    "find",
    "forget_changes",
    "has_question",
    "issue",
    "kinds",
    "lifetime",
    "shown_tiles",
    "shows_generated",
    "skip",
    "token",
]
