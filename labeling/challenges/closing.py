"""Close a challenge: claim the right to answer it once, and note what its answer changed."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import prepared
from labeling.answers import Outcome
from labeling.challenges.errors import REMOVED, AlreadyAnswered, Expired
from labeling.models import Challenge

UNDO_SECONDS = 10  # for which the last answer can be taken back
UNDO_GRACE = 3  # seconds more, for a slow network
FORGET_AFTER = timedelta(hours=1)  # since it was answered
LOOK_BACK = timedelta(days=1)  # how old the challenges are at most that are looked at
BATCH = 1_000  # challenges

_CLAIM = """
UPDATE labeling_challenge SET answered_at = %(now)s, seconds = %(seconds)s, skipped = %(skipped)s,
    skip_reason = %(skip_reason)s
WHERE id = %(challenge)s AND answered_at IS NULL AND expires_at > %(now)s
"""
_CLOSE = """
UPDATE labeling_challenge SET passed = %(passed)s, states_before = %(states)s::varchar[],
    posteriors_after = %(posteriors)s::double precision[],
    annotator_before = %(before)s::double precision[],
    annotator_after = %(after)s::double precision[], labels = %(labels)s
WHERE id = %(challenge)s
"""

_FORGET = f"""
UPDATE labeling_challenge AS challenge SET states_before = '{{}}', posteriors_after = '{{}}',
    annotator_before = '{{}}', annotator_after = '{{}}'
FROM (
    SELECT id FROM labeling_challenge
    WHERE created_at >= %(since)s AND answered_at < %(until)s AND annotator_after <> '{{}}'
    ORDER BY created_at LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED
) AS old
WHERE challenge.id = old.id
RETURNING challenge.created_at
"""


def claim(
    challenge: Challenge,
    *,
    seconds: float | None = None,
    skipped: bool = False,
    skip_reason: str = "",
) -> None:
    """Claim the right to answer, which only the first who tries gets."""
    values: dict[str, object] = {"challenge": challenge.pk, "seconds": seconds}
    values |= {"skipped": skipped, "skip_reason": skip_reason, "now": timezone.now()}
    if prepared.execute(_CLAIM, values):
        return
    stored = Challenge.objects.filter(pk=challenge.pk).values_list("answered_at", flat=True)
    if not stored:
        raise Expired(REMOVED)
    if stored[0] is None:
        raise Expired(_("The challenge has expired: ask for a new one."))
    raise AlreadyAnswered(_("This challenge was answered before: nothing was changed."))


def close(challenge: Challenge, outcome: Outcome) -> None:
    """Note whether it was passed, and what its answer changed, to take it back by."""
    change = outcome.change
    if change is None:
        return
    values = {
        "challenge": challenge.pk,
        "passed": outcome.passed,
        "states": [change.states_before.get(pk, "") for pk in challenge.questions],
        "posteriors": [change.posteriors_after.get(pk, -1.0) for pk in challenge.questions],
        "before": change.annotator_before,
        "after": change.annotator_after,
        "labels": change.labels,
    }
    prepared.execute(_CLOSE, values)


def forget_changes() -> int:
    """Empty what old answers were taken back by, half of a challenge; return of how many.

    That of challenges issued more than a day ago stays, if no worker ran in time.
    """
    now = timezone.now()
    values = {"since": now - LOOK_BACK, "until": now - FORGET_AFTER}
    forgotten = 0
    while rows := prepared.fetch(_FORGET, values):
        forgotten += len(rows)
        values["since"] = max(created_at for (created_at,) in rows)  # nothing is read twice
    return forgotten
