"""Challenges that wait for an answer: how many, for how long, and which expire for new ones."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import skip_debts
from labeling.challenges.errors import Enough
from labeling.models import Annotator, Challenge, Project
from labeling.selection import reservations
from labeling.selection.selector import Selector

MAX_PENDING = 10  # challenges of one annotator; the oldest expire
AHEAD_TIME = timedelta(hours=12)  # in which a challenge that was fetched ahead can be answered


def lifetime(*, ahead: bool) -> timedelta:
    """Return for how long a new challenge can be answered."""
    return AHEAD_TIME if ahead else timedelta(seconds=settings.CHALLENGE_SECONDS)


def fetched_ahead(annotator: Annotator, project: Project) -> list[Challenge]:
    """Return the challenges that were fetched ahead and can still be answered, oldest first."""
    unanswered = Challenge.objects.filter(
        annotator=annotator, project=project, ahead=True, answered_at=None
    )
    return list(unanswered.filter(expires_at__gt=timezone.now()).order_by("created_at"))


def check_ahead(selector: Selector) -> None:
    """Check that one more challenge may be fetched ahead. Raises Enough.

    None expires for a newer one, as it may have been answered on a device that is offline.
    """
    if selector.pending_ahead >= settings.OFFLINE_CHALLENGES:
        raise Enough(
            _(
                "You have fetched as many questions ahead as may be, perhaps on another device: "
                "answer some of them first."
            )
        )


def expire_oldest(annotator: Annotator) -> None:
    """Expire the oldest pending challenges, so that one more is within MAX_PENDING."""
    unanswered = Challenge.objects.filter(
        annotator=annotator, ahead=False, answered_at=None, expires_at__gt=timezone.now()
    )
    newest = unanswered.order_by("-expires_at").select_for_update(skip_locked=True, no_key=True)
    oldest = list(newest[MAX_PENDING - 1 : MAX_PENDING + 50])
    Challenge.objects.filter(pk__in=[c.pk for c in oldest]).update(expires_at=timezone.now())
    skip_debts.owe(annotator, len(oldest), now=timezone.now())
    reserved: dict[int, datetime] = {}
    for challenge in oldest:
        reserved |= challenge.reservations()
    reservations.release(reserved)
