"""Skip a challenge."""

from django.db import transaction
from django.utils import timezone

from labeling import skip_debts
from labeling.challenges import closing
from labeling.models import Challenge
from labeling.selection import reservations


def skip(*, challenge: Challenge, reason: str = "", address: str = "") -> None:
    """Skip a challenge; its questions go to others. Raises AlreadyAnswered or Expired.

    reason: a `Challenge.SkipReason`, or none; reviewers see it. address: where the request comes
    from, as in `issue`.
    """
    with transaction.atomic():
        closing.claim(challenge, skipped=True, skip_reason=reason)
        skip_debts.count(
            annotator=challenge.annotator,
            project=challenge.project_id,
            address=address,
            now=timezone.now(),
        )
        reservations.release(challenge.reservations())
