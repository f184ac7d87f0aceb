"""Take answers back: undo the last challenge, or withdraw what somebody answered at any time."""

from labeling.withdrawals.undo import MAX_UNDOS, TooLate, TooOften, undo

__all__ = ["MAX_UNDOS", "TooLate", "TooOften", "undo"]
