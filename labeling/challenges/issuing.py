"""Issue a challenge: choose questions, reserve them, and show them to one annotator."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling import pools, prepared, showings, skip_debts
from labeling.challenges import pending, supply
from labeling.challenges.admission import admit
from labeling.challenges.errors import Paused
from labeling.models import Annotator, Challenge, Project
from labeling.selection import concepts, reservations, substitutes
from labeling.selection.picks import Kind, Pick, Selection
from labeling.selection.selector import Selector
from labeling.showings import Shown

ATTEMPTS = 5  # to find what nobody reserves first, from one filling of a pool to the next
MAX_ATTEMPTS = 50  # in all


def issue(
    *,
    annotator: Annotator,
    project: Project,
    kind: str | None = None,
    ahead: bool = False,
    address: str = "",
) -> Challenge | None:
    """Issue a new challenge, of that kind or of any; None where nothing is left to ask.

    Its open questions are reserved: until it is answered or skipped, or for `RESERVATION_TIME`,
    they are asked of no more others than they still need. One that is fetched ahead, to be answered
    offline, can be answered for `AHEAD_TIME`, but reserves nothing for longer: others are asked
    meanwhile. Nor does one reserve anything beyond `MAX_PENDING` of them. Raises Closed or Private;
    Enough where too many were fetched ahead already; and Paused.

    address: where the request comes from (`addresses.client_address`), which is shown each known
    question only so often a day; empty where nobody knows.
    """
    if not project.active or project.private:
        admit(project=project, user=annotator.user or AnonymousUser(), annotator=annotator)
    in_vain, fillings = 0, 0
    for attempt in range(MAX_ATTEMPTS):
        try:
            challenge, selector = _issue(
                annotator, project, kind, address, ahead=ahead, accept_short=attempt > 0
            )
        except IntegrityError:  # somebody deleted the concept that was chosen
            challenge, selector = _issue(
                annotator, project, kind, address, ahead=ahead, accept_short=True
            )
        for concept, grid in selector.low[: supply.MAX_FILLED]:
            pools.fill_later(concept, grid)
        if challenge is not None:
            return challenge
        if not selector.short and not selector.lost:
            break
        supply.fill([*selector.short, *selector.low])  # what others may be the first to reserve
        before, fillings = fillings, supply.fillings(project)
        in_vain = in_vain + 1 if fillings == before else 0
        if in_vain == ATTEMPTS - 1:
            break
    return None


def _issue(
    annotator: Annotator,
    project: Project,
    kind: str | None,
    address: str,
    *,
    ahead: bool,
    accept_short: bool = False,
) -> tuple[Challenge | None, Selector]:
    """Choose and reserve what the pools hold; return the challenge, None without, and the selector.

    No pool is filled in here: whoever fills one may wait for those who hold an annotator.
    """
    with transaction.atomic():
        # One challenge at a time for each annotator, so that nothing is asked twice.
        locked = Annotator.objects.lock(annotator.pk)
        now = timezone.now()
        at_address = showings.open_day(address, project, now=now)
        if wait := skip_debts.seconds_to_wait(locked, at_address, now=now):
            raise Paused(wait)
        selector = Selector(
            annotator=locked, project=project, showings=at_address, accept_short=accept_short
        )
        if ahead:
            pending.check_ahead(selector)
        elif selector.pending >= pending.MAX_PENDING:
            pending.expire_oldest(locked)
        until = now + reservations.RESERVATION_TIME
        for selection in _selections(selector, kind):
            picks = selection.picks
            # A blocked annotator's answers count for nothing, and no pool is to be emptied by
            # somebody who fetches hundreds ahead.
            if not locked.blocked and selector.pending_ahead < pending.MAX_PENDING:
                picks = substitutes.reserve(selection, project=project, until=until, now=now)
            if picks:
                showings.note(at_address, _shown(picks))
                challenge = _create(
                    selection, picks, annotator, project, ahead=ahead, until=until, now=now
                )
                return challenge, selector
            selector.lost += 1
    return None, selector


def _selections(selector: Selector, kind: str | None) -> Iterator[Selection]:
    """Yield selections of that kind or of all, again while others reserve them first."""
    for _attempt in range(ATTEMPTS):
        exhausted = True
        for each in [kind] if kind else concepts.weighted_shuffle(supply.MIX):
            for selection in selector.selections(each):
                exhausted = False
                yield selection
        if exhausted and not selector.ask_skipped():
            return


def _shown(picks: Sequence[Pick]) -> list[Shown]:
    """Return what picks show, each question that is asked."""
    return [
        Shown(pick.tile, pick.question, known=pick.reason not in Challenge.RESERVED)
        for pick in picks
        if pick.question is not None and pick.reason != Challenge.SHOWN
    ]


def _create(
    selection: Selection,
    picks: Sequence[Pick],
    annotator: Annotator,
    project: Project,
    *,
    ahead: bool,
    until: datetime,
    now: datetime,
) -> Challenge:
    """Store the challenge of a selection."""
    return prepared.insert(
        Challenge(
            project=project,
            annotator=annotator,
            kind=selection.kind,
            concept_id=selection.concept,
            tile_id=picks[0].tile if selection.kind == Kind.WRITE else None,
            questions=[pick.question for pick in picks if pick.question is not None],
            tiles=[pick.tile for pick in picks],
            reasons=[pick.reason for pick in picks],
            sentences=list(selection.sentences),
            reserved_until=until,
            expires_at=now + pending.lifetime(ahead=ahead),
            ahead=ahead,
        )
    )
