"""Take answers back: undo the last challenge, or withdraw what somebody answered at any time."""

from labeling.withdrawals.leaving import forget
from labeling.withdrawals.service import (
    AnswersDiffer,
    Ledger,
    Reason,
    Withdrawn,
    ledger,
    withdraw_all,
    withdraw_answer,
    withdraw_caption,
    withdraw_challenge,
)
from labeling.withdrawals.snapshots import Held, held_now, withdrawn_since
from labeling.withdrawals.undo import MAX_UNDOS, TooLate, TooOften, undo

__all__ = [
    "MAX_UNDOS",
    "AnswersDiffer",
    "Held",
    "Ledger",
    "Reason",
    "TooLate",
    "TooOften",
    "Withdrawn",
    "forget",
    "held_now",
    "ledger",
    "undo",
    "withdraw_all",
    "withdraw_answer",
    "withdraw_caption",
    "withdraw_challenge",
    "withdrawn_since",
]
