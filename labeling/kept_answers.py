"""Keep the answers to requests that are sent with a key, to send them again instead of doing it."""

import hashlib
from datetime import datetime, timedelta

from django.utils import timezone

from labeling.models import KeptAnswer

HOURS = 24  # for which an answer is kept


def claim(user: int, key: str, *, request: str) -> tuple[KeptAnswer, bool]:
    """Return the row of a key, and whether it is new: then it is the caller's, to `keep` in it.

    Call it in a transaction: another one with the key waits for its end. request: a hash of what
    is asked.
    """
    digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
    KeptAnswer.objects.filter(user=user, key=digest, created_at__lte=_oldest()).delete()
    return KeptAnswer.objects.get_or_create(user_id=user, key=digest, defaults={"request": request})


def keep(kept: KeptAnswer, *, status: int, body: str, location: str = "") -> None:
    """Store an answer. location: the address of what was made."""
    kept.status, kept.body, kept.location = status, body, location
    kept.save(update_fields=["status", "body", "location"])


def forget() -> int:
    """Delete the answers that are kept no longer; return how many there were."""
    return KeptAnswer.objects.filter(created_at__lte=_oldest()).delete()[0]


def _oldest() -> datetime:
    return timezone.now() - timedelta(hours=HOURS)
