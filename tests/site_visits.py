"""Attempts of visitors to pass at other sites, as if they had been there."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.models import Attempt, Site


def visit(
    site: "Site",
    *,
    at: datetime | None = None,
    door: str = "grid",
    state: str = "passed",
    seconds: tuple[float, ...] = (6.0,),
    is_verified: bool = False,
    **fields: object,
) -> "Attempt":
    """Store an attempt; seconds: of each round that was answered."""
    from django.utils import timezone

    from labeling.models import Attempt

    at = at or timezone.now()
    passed = at if state == "passed" else None
    return Attempt.objects.create(
        site=site,
        host="shop.example.com",
        door=door,
        address="0" * 32,
        state=state,
        created_at=at,
        expires_at=at + timedelta(minutes=10),
        round_seconds=list(seconds),
        answered_at=None if state == "asked" else at,
        passed_at=passed,
        verified_at=passed if is_verified else None,
        **fields,
    )
