"""A visitor's attempt to pass at a site: begun at a door, answered in one or two rounds.

All that is asked is drawn when it begins and stored in one row; each answer is judged at once by
what is known (`labeling.captcha.passing`), and claims its round: only the first who tries gets it.
A program passes the text door by comparing words; so the device computes as much there, while its
visitor reads, as at the door without a test, and at the grid while a site is attacked.
What the answers say about tiles of unknown truth plays no part. They are recorded a moment later
(`labeling.captcha.intake`), so that nobody's answer waits for others about the same picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import counters, prepared
from labeling.captcha import composing, decks, limits, passing, text_rounds, tokens, work
from labeling.captcha.errors import AlreadyAnswered, DoorClosed, Expired, Invalid, QuotaReached
from labeling.captcha.passing import Evidence, Outcome
from labeling.models import Attempt, Project, Site

LIFETIME = timedelta(minutes=10)  # of an attempt, from when it begins or its time is extended
LONGEST_LIFETIME = timedelta(hours=2)  # with all extensions
LEAST_SECONDS = 1.5  # in which nobody can look at a round of tiles, or read a round of sentences
SAME_ADDRESS = 60  # attempts of today at an address whose tiles are not shown there again
ACTION_LETTERS = 100

Door, State = Attempt.Door, Attempt.State

_SHOWN = """
SELECT tiles FROM labeling_attempt
WHERE address = %s AND created_at > %s ORDER BY created_at DESC LIMIT %s
"""
# One round after the other, each once.
_CLAIM = """
UPDATE labeling_attempt SET state = %(state)s, values = %(values)s::boolean[],
    round_seconds = %(seconds)s::double precision[], evidence = %(evidence)s,
    suspected = %(suspected)s, answered_at = %(now)s, passed_at = %(passed_at)s
WHERE id = %(id)s AND state = 'asked' AND cardinality(round_seconds) = %(rounds)s
    AND expires_at > %(now)s
"""
_EXTEND = """
UPDATE labeling_attempt SET expires_at = %(until)s
WHERE id = %(id)s AND state = 'asked' AND expires_at > %(now)s
"""


@dataclass(frozen=True)
class Step:
    """What came of an answer."""

    outcome: Outcome
    response: str = ""  # what a site's server verifies, once it passed


def doors(site: Site) -> list[str]:
    """Return the doors that a site offers now, the usual one first.

    While nothing can be asked, those who fail open let everybody pass.
    """
    offered = []
    if decks.may_be_asked(site.project):
        if decks.ready(site.project):
            offered.append(Door.GRID)
        if text_rounds.is_ready(site.project):
            offered.append(Door.TEXT)
    if not offered and site.fail_open:
        return [Door.OPEN]
    return [*offered, Door.WORK]


def begin(*, site: Site, host: str, door: str, address: str, action: str | None = None) -> Attempt:
    """Begin an attempt, and draw what it asks.

    address: the visitor's, as `addresses.client_address` has it. action: as the page names it that
    executes the widget as reCAPTCHA v3 is; None where it does not. Raises DoorClosed, TooMany or
    QuotaReached. Where a site fails open, the computation is left once its quota is reached: to use
    up what it may ask wins nobody anything.
    """
    now = timezone.now()
    attempt = Attempt(
        site=site,
        host=host,
        scored=action is not None,
        action=(action or "")[:ACTION_LETTERS],
        door=door,
        address=limits.address_key(address),
        created_at=now,
        expires_at=now + LIFETIME,
    )
    try:
        limits.count_attempt(site, attempt.address)
    except QuotaReached:
        if not site.fail_open:
            raise
        offered = [str(Door.WORK)]
    else:
        offered = doors(site)
    if door not in offered:
        raise DoorClosed(_("This way is not offered here now: choose another one."), offered)
    if door == Door.OPEN:
        return _let_pass(attempt)
    level = limits.level(site)
    thresholds = passing.GRID_THRESHOLDS if door == Door.GRID else passing.THRESHOLDS
    attempt.threshold = thresholds[site.difficulty] + level * limits.LEVEL_EVIDENCE
    if door != Door.GRID:
        attempt.work = list(work.parameters(site.difficulty, level))
    elif level:
        attempt.work = list(work.parameters(site.difficulty, level - 1))
    if door != Door.WORK:
        _draw(attempt)
    counters.count("captcha_attempts", door=str(door), outcome="begun")
    return prepared.insert(attempt)


def find(name: str) -> Attempt:
    """Return the attempt of a name, with its site. Raises Forged or Expired."""
    attempt = prepared.first(Attempt, "WHERE id = %s", [tokens.read_name(name)])
    if attempt is None:
        raise Expired(_("This attempt is gone: begin again."))
    return attempt


def answer(
    attempt: Attempt,
    *,
    number: int,
    selected: Sequence[int] | None = None,
    choices: Sequence[int] | None = None,
    nonces: Sequence[int] | None = None,
) -> Step:
    """Judge the answer to a round. Raises Invalid, AlreadyAnswered or Expired, changing nothing.

    number: of the round, from 1. selected: the numbers of the selected tiles (grid). choices: the
    number of the chosen sentence for each question, 0 for neither (text). nonces: what the device
    has computed, where that is wanted; it counts with the first round, so that nobody learns
    whether a guess is right before they have paid for it.
    """
    now = timezone.now()
    rounds = len(attempt.round_seconds)
    if attempt.expires_at <= now:
        raise Expired(_("The time is over: begin again."))
    if attempt.state != State.ASKED or number <= rounds:
        raise AlreadyAnswered(_("This was answered before: nothing was changed."))
    if number != rounds + 1:
        raise Invalid(_("Answer one round after the other."))
    seconds = (now - (attempt.answered_at or attempt.created_at)).total_seconds()
    if attempt.door == Door.WORK:
        outcome, evidence = _check_work(attempt, nonces), None
    else:
        evidence = _judge(attempt, number, selected, choices)
        outcome = passing.decide(
            evidence, threshold=attempt.threshold, last_round=number == composing.ROUNDS
        )
        if attempt.work and number == 1 and _check_work(attempt, nonces) == Outcome.FAILED:
            outcome = Outcome.FAILED
        if seconds < LEAST_SECONDS:
            outcome = Outcome.FAILED
    attempt.suspected = (
        attempt.suspected
        or (seconds < LEAST_SECONDS and attempt.door != Door.WORK)
        or (evidence is not None and evidence.model < passing.MODEL_LIMIT)
    )
    _claim(attempt, outcome, evidence, seconds, now)
    if outcome == Outcome.PASSED:
        return Step(outcome, tokens.response(attempt.pk))
    return Step(outcome)


def extend(attempt: Attempt) -> datetime:
    """Give an attempt more time; return when it expires now. Raises Expired."""
    now = timezone.now()
    until = min(now + LIFETIME, attempt.created_at + LONGEST_LIFETIME)
    if not prepared.execute(_EXTEND, {"id": attempt.pk, "until": until, "now": now}):
        raise Expired(_("The time is over: begin again."))
    return until


def may_be_seen(attempt: Attempt) -> bool:
    """Whether what an attempt shows may be seen still: its project may have been closed since."""
    of_site = "WHERE id = (SELECT project_id FROM labeling_site WHERE id = %s AND active)"
    project = prepared.first(Project, of_site, [attempt.site_id])
    return project is not None and decks.may_be_asked(project)


def tiles_of_round(attempt: Attempt, number: int) -> list[int]:
    """Return the tiles that a round of the grid shows; none where it has no such round."""
    shows = attempt.door == Door.GRID and number in range(1, composing.ROUNDS + 1)
    return attempt.tiles[part_of_round(attempt, number)] if shows else []


def part_of_round(attempt: Attempt, number: int) -> slice:
    """Return the part of an attempt's arrays that is a round's."""
    return slice(0, attempt.first_round) if number == 1 else slice(attempt.first_round, None)


def _draw(attempt: Attempt) -> None:
    """Draw what an attempt asks. Raises DoorClosed."""
    project = attempt.site.project
    since = attempt.created_at - timedelta(days=1)
    rows = prepared.fetch(_SHOWN, [attempt.address, since, SAME_ADDRESS])
    exclude = {tile for (tiles,) in rows for tile in tiles}
    if attempt.door == Door.TEXT:
        drawn = text_rounds.compose(project, exclude, threshold=attempt.threshold)
        if drawn is not None:
            for name in ("questions", "tiles", "reasons", "known", "predicted", "sentences"):
                setattr(attempt, name, list(getattr(drawn, name)))
            attempt.first_round = drawn.first_round
            return
    elif rounds := composing.compose(project, exclude=exclude):
        attempt.concepts = rounds.concepts
        attempt.first_round = rounds.first_round
        attempt.questions = [card.question for card in rounds.cards]
        attempt.tiles = [card.tile for card in rounds.cards]
        attempt.reasons = [card.reason for card in rounds.cards]
        attempt.known = [card.known for card in rounds.cards]
        attempt.predicted = [card.predicted for card in rounds.cards]
        return
    raise DoorClosed(
        _("This way is not offered here now: choose another one."),
        [door for door in doors(attempt.site) if door != attempt.door],
    )


def _let_pass(attempt: Attempt) -> Attempt:
    """Store an attempt that passes unasked."""
    attempt.door, attempt.state = Door.OPEN, State.PASSED
    attempt.answered_at = attempt.passed_at = attempt.created_at
    counters.count("captcha_attempts", door=str(Door.OPEN), outcome="passed")
    return prepared.insert(attempt)


def _judge(
    attempt: Attempt,
    number: int,
    selected: Sequence[int] | None,
    choices: Sequence[int] | None,
) -> Evidence:
    """Take the answers of a round into the attempt; return the evidence of all rounds so far."""
    if attempt.door == Door.TEXT:
        attempt.values = [*attempt.values, *text_rounds.parse(attempt, number, choices)]
        return text_rounds.evidence(attempt)
    shown = len(tiles_of_round(attempt, number))
    if selected is None:
        raise Invalid(
            _('Send the numbers of the selected tiles: {"selected": [1, 4]}, [] for none.')
        )
    chosen = set(selected)
    if len(chosen) != len(selected) or not chosen <= set(range(1, shown + 1)):
        sentence = _("Tiles have numbers from 1 to %(count)s, each at most once.")
        raise Invalid(sentence % {"count": shown})
    attempt.values = [*attempt.values, *(place in chosen for place in range(1, shown + 1))]
    answered = len(attempt.values)
    return passing.grid_evidence(
        attempt.values,
        attempt.known[:answered],
        attempt.predicted[:answered],
        first_round=attempt.first_round,
    )


def _check_work(attempt: Attempt, nonces: Sequence[int] | None) -> Outcome:
    if nonces is None:
        raise Invalid(_('Send what was found: {"nonces": [17, 934]}.'))
    solved = work.is_solved(work.salt_of(attempt.pk), work.Parameters(*attempt.work), nonces)
    return Outcome.PASSED if solved else Outcome.FAILED


def _claim(
    attempt: Attempt, outcome: Outcome, evidence: Evidence | None, seconds: float, now: datetime
) -> None:
    """Write the answer of a round, which only the first who tries does.

    Raises AlreadyAnswered or Expired.
    """
    rounds = len(attempt.round_seconds)
    state = {Outcome.PASSED: State.PASSED, Outcome.FAILED: State.FAILED}.get(outcome, State.ASKED)
    values = {
        "id": attempt.pk,
        "state": str(state),
        "values": attempt.values,
        "seconds": [*attempt.round_seconds, seconds],
        "rounds": rounds,
        "evidence": None if evidence is None else evidence.blind,
        "suspected": attempt.suspected,
        "now": now,
        "passed_at": now if state == State.PASSED else None,
    }
    if not prepared.execute(_CLAIM, values):
        stored = prepared.first(Attempt, "WHERE id = %s", [attempt.pk])
        if stored is None or stored.expires_at <= now:
            raise Expired(_("The time is over: begin again."))
        raise AlreadyAnswered(_("This was answered before: nothing was changed."))
    if state != State.ASKED:
        counters.count("captcha_attempts", door=str(attempt.door), outcome=str(state))
    if state == State.PASSED:
        limits.count_end(attempt.site_id, "passed", attempt.address)
    elif state == State.FAILED:
        limits.count_end(attempt.site_id, "failed", attempt.address)
