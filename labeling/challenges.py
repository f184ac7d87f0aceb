"""Issue challenges made of questions, check their tokens, and record their answers once."""

import copy
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling import (
    access,
    answers,
    captions,
    pools,
    prepared,
    questions,
    showings,
    skip_debts,
)
from labeling.answers import Outcome
from labeling.models import Annotator, Answer, Challenge, Concept, Project, Question, Tile
from labeling.selection import concepts, reservations, substitutes, texts
from labeling.selection.picks import Kind, Pick, Selection
from labeling.selection.selector import PoolKey, Selector
from labeling.showings import Shown

MIX = {"grid": 0.6, "split": 0.15, "verify": 0.2, "write": 0.05}  # share of each; no text
COLUMNS = {"grid": 3, "split": 4, "verify": 1, "write": 1, "text": 1}
MAX_PENDING = 10  # challenges of one annotator; the oldest expire
AHEAD_TIME = timedelta(hours=12)  # in which a challenge that was fetched ahead can be answered
CAPTION_PRIOR = 0.6  # probability of a written caption before anybody judged it
LONGEST_TOKEN = 100
UNDO_SECONDS = 10  # for which the last answer can be taken back
UNDO_GRACE = 3  # seconds more, for a slow network
MAX_FILLED = 3  # pools that are filled, or have a worker woken, for one challenge
ATTEMPTS = 5  # to find what nobody reserves first

SHOWN = Challenge.SHOWN

REMOVED = gettext_lazy("The picture was removed: ask for a new one.")

_CLAIM = """
UPDATE labeling_challenge SET answered_at = %(now)s, seconds = %(seconds)s, skipped = %(skipped)s,
    skip_reason = %(skip_reason)s
WHERE id = %(challenge)s AND answered_at IS NULL AND expires_at > %(now)s
"""
_CLOSE = """
UPDATE labeling_challenge SET passed = %(passed)s, states_before = %(states)s::varchar[],
    posteriors_after = %(posteriors)s::double precision[],
    annotator_before = %(before)s::double precision[],
    annotator_after = %(after)s::double precision[]
WHERE id = %(challenge)s
"""


class ChallengeError(ValueError):
    """A challenge cannot be answered; the message says what happened and what to do."""


class Forged(ChallengeError):
    """The token was not made here."""


class Foreign(ChallengeError):
    """The challenge belongs to another annotator."""


class Expired(ChallengeError):
    """The challenge has expired or is gone."""


class AlreadyAnswered(ChallengeError):
    """The challenge was answered or skipped before."""


class Invalid(ChallengeError):
    """The answer does not fit the challenge."""


class Enough(ChallengeError):
    """The annotator has fetched as many challenges ahead as may be."""


class Closed(ChallengeError):
    """The project asks no questions: it is a draft, or archived."""


class Paused(ChallengeError):
    """Too much was skipped: the next challenge comes in `ready_in` seconds."""

    def __init__(self, ready_in: float) -> None:
        super().__init__(
            _(
                "You have skipped many questions: the next one comes in a moment. It is fine to "
                "skip what you cannot answer; please answer some of the others."
            )
        )
        self.ready_in = ready_in


class Private(ChallengeError):
    """The project asks only those who were invited."""


def admit(
    *, project: Project, user: AbstractBaseUser | AnonymousUser, annotator: Annotator | None
) -> None:
    """Check that somebody may take part in a project now. Raises Closed or Private.

    annotator: where they are known. The sentences name no project: one that is a draft or private
    is nobody else's business.
    """
    if project.state == Project.State.DRAFT:
        raise Closed(_("This project is still being prepared: it asks no questions yet."))
    if not project.active:
        raise Closed(
            _("This project is finished and asks no more questions. Thank you for coming.")
        )
    if project.private and not access.may_take_part(user, annotator, project):
        raise Private(
            _(
                "This project is private: open the invitation that you were sent, or sign in with "
                "the account that was invited."
            )
        )


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
    for attempt in range(ATTEMPTS):
        try:
            challenge, selector = _issue(
                annotator, project, kind, address, ahead=ahead, accept_short=attempt > 0
            )
        except IntegrityError:  # somebody deleted the concept that was chosen
            challenge, selector = _issue(
                annotator, project, kind, address, ahead=ahead, accept_short=True
            )
        for concept, grid in selector.low[:MAX_FILLED]:
            pools.fill_later(concept, grid)
        if challenge is not None:
            return challenge
        if not selector.short and not selector.lost:
            break
        _fill([*selector.short, *selector.low])  # what others may be the first to reserve
    return None


def lifetime(*, ahead: bool) -> timedelta:
    """Return for how long a new challenge can be answered."""
    return AHEAD_TIME if ahead else timedelta(seconds=settings.CHALLENGE_SECONDS)


def fetched_ahead(annotator: Annotator, project: Project) -> list[Challenge]:
    """Return the challenges that were fetched ahead and can still be answered, oldest first."""
    pending = Challenge.objects.filter(
        annotator=annotator, project=project, ahead=True, answered_at=None
    )
    return list(pending.filter(expires_at__gt=timezone.now()).order_by("created_at"))


def has_question(*, annotator: Annotator | None, project: Project) -> bool:
    """Whether a project has anything to ask somebody now; annotator: None for a newcomer.

    It chooses as `issue` does and reserves nothing: what it finds, others may be asked first.
    """
    person = annotator or Annotator(pk=0)  # nobody's id
    for accept_short in (False, True):
        selector = Selector(annotator=person, project=project, accept_short=accept_short)
        if any(selector.choose(kind) for kind in MIX):
            return True
        if not selector.short:
            return False
        _fill(selector.short)
    return False


def kinds(project: Project) -> list[str]:
    """Return the kinds of challenge that a project can ask a newcomer, or could with pools filled.

    It reserves and fills nothing. Text questions are not among them: `selection.texts.supply`.
    """
    wanted = copy.copy(project)
    wanted.random_share = 0.0  # what is asked at random is among what is wanted
    return [kind for kind in MIX if _can_ask(wanted, kind)]


def _can_ask(project: Project, kind: str) -> bool:
    selector = Selector(annotator=Annotator(pk=0), project=project, accept_short=True)
    return selector.choose(kind) is not None or bool(selector.short)


def token(challenge: Challenge) -> str:
    """Return the signed token that a browser is given instead of an id."""
    return _signer().sign(challenge.pk.hex)


def find(token: str, annotator: Annotator | None) -> Challenge:
    """Return the challenge of a token, answered or not. Raises Forged, Foreign or Expired."""
    if len(token) > LONGEST_TOKEN:
        raise Forged(_("This is not a challenge of this site: ask for a new one."))
    try:
        key = _signer().unsign(token)
    except BadSignature:
        raise Forged(_("This is not a challenge of this site: ask for a new one.")) from None
    challenge = prepared.first(Challenge, "WHERE id = %s", [key])
    if challenge is None:
        raise Expired(_("The challenge is gone: ask for a new one."))
    if annotator is None or challenge.annotator_id != annotator.pk:
        raise Foreign(_("The challenge was put before somebody else: ask for one of your own."))
    if challenge.answered_at is None and challenge.expires_at <= timezone.now():
        raise Expired(_("The challenge has expired: ask for a new one."))
    challenge.annotator = annotator
    return challenge


def answer(
    *,
    challenge: Challenge,
    selected: Sequence[int] | None = None,
    yes: bool | None = None,
    text: str | None = None,
    choice: int | None = None,
    seconds: float | None = None,
    shown_from: datetime | None = None,
) -> Outcome:
    """Record the answer to a challenge.

    `selected` are the numbers of the selected tiles from 1 (grid, split), `yes` the verdict
    (verify), `text` the caption (write), `choice` the number of the sentence that says the same,
    0 for neither (text), `seconds` the time from shown to answered. `shown_from` is when its tiles
    can have appeared first, where that is to be checked: answers by people, who may press a key
    twice, are; the caller vouches for others. Raises Invalid, AlreadyAnswered, Expired or
    `pace.TooFast`, and then changes nothing.
    """
    if challenge.answered_at is not None:
        raise AlreadyAnswered(_("This challenge was answered before: nothing was changed."))
    if challenge.kind == Kind.WRITE:
        caption = _parse_caption(text)
        with transaction.atomic():
            _claim(challenge, seconds=seconds)  # until it is committed, nobody removes the picture
            if shown_from is not None:
                answers.take_time(challenge.annotator, shown_from=shown_from, seconds=seconds)
            return _record_caption(challenge, caption, seconds)
    values = _parse_values(challenge, selected, yes, choice)
    reasons = dict(zip(challenge.questions, challenge.reasons, strict=True))
    reasons = {question: reason for question, reason in reasons.items() if reason != SHOWN}
    with transaction.atomic():
        _claim(challenge, seconds=seconds)
        if challenge.kind == Kind.TEXT and not texts.holds(challenge):
            raise Expired(_("What the sentences say is in doubt by now: ask for a new question."))
        outcome = answers.record(
            annotator=challenge.annotator,
            values={question: values[question] for question in reasons},
            reasons=reasons,
            challenge=challenge,
            seconds=seconds,
            shown_from=shown_from,
        )
        if not outcome.recorded and not outcome.already_recorded:
            raise Expired(_("What the challenge asked about is gone: ask for a new one."))
        reservations.release(challenge.reservations())
        _close(challenge, outcome)
    return outcome


def skip(*, challenge: Challenge, reason: str = "", address: str = "") -> None:
    """Skip a challenge; its questions go to others. Raises AlreadyAnswered or Expired.

    reason: a `Challenge.SkipReason`, or none; reviewers see it. address: where the request comes
    from, as in `issue`.
    """
    with transaction.atomic():
        _claim(challenge, skipped=True, skip_reason=reason)
        skip_debts.count(
            annotator=challenge.annotator,
            project=challenge.project_id,
            address=address,
            now=timezone.now(),
        )
        reservations.release(challenge.reservations())


def shown_tiles(challenge: Challenge) -> list[int]:
    """Return the tiles that a challenge shows: none where it asks by sentences alone."""
    return [] if challenge.kind == Kind.TEXT else challenge.tiles


def shows_generated(challenge: Challenge) -> bool:
    """Whether it shows a single, generated picture; not told while the answer can be undone."""
    if len(shown_tiles(challenge)) != 1:
        return False
    return Tile.objects.filter(pk__in=challenge.tiles, image__generated=True).exists()


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
            _check_ahead(selector)
        elif selector.pending >= MAX_PENDING:
            _expire_oldest(locked)
        until = now + reservations.RESERVATION_TIME
        for selection in _selections(selector, kind):
            picks = selection.picks
            # A blocked annotator's answers count for nothing, and no pool is to be emptied by
            # somebody who fetches hundreds ahead.
            if not locked.blocked and selector.pending_ahead < MAX_PENDING:
                picks = substitutes.reserve(selection, project=project, until=until, now=now)
            if picks:
                showings.note(at_address, _shown(picks))
                challenge = _create(
                    selection, picks, annotator, project, ahead=ahead, until=until, now=now
                )
                return challenge, selector
            selector.lost += 1
    return None, selector


def _check_ahead(selector: Selector) -> None:
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


def _shown(picks: Sequence[Pick]) -> list[Shown]:
    """Return what picks show, each question that is asked."""
    return [
        Shown(pick.tile, pick.question, known=pick.reason not in Challenge.RESERVED)
        for pick in picks
        if pick.question is not None and pick.reason != SHOWN
    ]


def _fill(short: Sequence[PoolKey]) -> None:
    """Fill the first of these pools that can be filled."""
    keys = list(dict.fromkeys(short))[:MAX_FILLED]
    rows = Concept.objects.select_related("project").in_bulk([concept for concept, _grid in keys])
    for concept, grid in keys:
        if concept in rows and pools.fill(rows[concept], grid):
            return


def _signer() -> Signer:
    return Signer(sep=".", salt="labeling.challenges")


def _selections(selector: Selector, kind: str | None) -> Iterator[Selection]:
    """Yield selections of that kind or of all, again while others reserve them first."""
    for _attempt in range(ATTEMPTS):
        exhausted = True
        for each in [kind] if kind else concepts.weighted_shuffle(MIX):
            for selection in selector.selections(each):
                exhausted = False
                yield selection
        if exhausted and not selector.ask_skipped():
            return


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
            expires_at=now + lifetime(ahead=ahead),
            ahead=ahead,
        )
    )


def _expire_oldest(annotator: Annotator) -> None:
    """Expire the oldest pending challenges, so that one more is within MAX_PENDING."""
    pending = Challenge.objects.filter(
        annotator=annotator, ahead=False, answered_at=None, expires_at__gt=timezone.now()
    )
    newest = pending.order_by("-expires_at").select_for_update(skip_locked=True, no_key=True)
    oldest = list(newest[MAX_PENDING - 1 : MAX_PENDING + 50])
    Challenge.objects.filter(pk__in=[c.pk for c in oldest]).update(expires_at=timezone.now())
    skip_debts.owe(annotator, len(oldest), now=timezone.now())
    reserved: dict[int, datetime] = {}
    for challenge in oldest:
        reserved |= challenge.reservations()
    reservations.release(reserved)


def _close(challenge: Challenge, outcome: Outcome) -> None:
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
    }
    prepared.execute(_CLOSE, values)


def _claim(
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


def _parse_values(
    challenge: Challenge,
    selected: Sequence[int] | None,
    yes: bool | None,
    choice: int | None,
) -> dict[int, bool]:
    """Return yes or no by the id of each question of the challenge. Raises Invalid."""
    if challenge.kind == Kind.VERIFY:
        if yes is None:
            raise Invalid(_('Say yes or no: send {"yes": true} or {"yes": false}.'))
        return {challenge.questions[0]: yes}
    if challenge.kind == Kind.TEXT:
        return _parse_choice(challenge, choice)
    count = len(challenge.questions)
    if selected is None:
        raise Invalid(
            _('Send the numbers of the selected tiles: {"selected": [1, 4]}, [] for none.')
        )
    if len(set(selected)) != len(selected) or not set(selected) <= set(range(1, count + 1)):
        sentence = _("Tiles have numbers from 1 to %(count)s, each at most once.")
        raise Invalid(sentence % {"count": count})
    return {question: number in selected for number, question in enumerate(challenge.questions, 1)}


def _parse_choice(challenge: Challenge, choice: int | None) -> dict[int, bool]:
    """Return whether the caption that is asked about was chosen, by its id. Raises Invalid."""
    _reference, *shown = challenge.sentences
    if choice is None or not 0 <= choice <= len(shown):
        raise Invalid(
            _('Send the number of the sentence that says the same: {"choice": 1}, 0 for neither.')
        )
    chosen = shown[choice - 1] if choice else None
    return {question: question == chosen for question in challenge.questions}


def _parse_caption(text: str | None) -> str:
    """Return the text, cleaned. Raises Invalid."""
    if text is None:
        raise Invalid(_('Send what you see: {"text": "a red bicycle against a wall"}.'))
    try:
        return captions.clean(text)
    except captions.CaptionRejected as error:
        raise Invalid(str(error)) from None


def _record_caption(challenge: Challenge, text: str, seconds: float | None) -> Outcome:
    """Turn a new caption into a question; count one that is there already as a yes."""
    tile = Tile.objects.get(pk=challenge.tiles[0])
    new = 0
    if not challenge.annotator.blocked:
        new = questions.ask_captions(
            captions=[(tile, text)],
            source=Question.Source.ANNOTATOR,
            author=challenge.annotator,
            prior=CAPTION_PRIOR,
        )
    same = Question.objects.filter(kind=Question.Kind.CAPTION, tile=tile, text=text).first()
    if same is None:  # a blocked annotator's, or the picture is gone
        return Outcome(recorded=1)
    challenge.questions = [same.pk]
    Challenge.objects.filter(pk=challenge.pk).update(questions=challenge.questions)
    if not new and same.author_id != challenge.annotator_id:
        outcome = answers.record(
            annotator=challenge.annotator,
            values={same.pk: True},
            reasons={same.pk: Answer.Reason.WANTED},
            challenge=challenge,
            seconds=seconds,
        )
        _close(challenge, outcome)
    return Outcome(recorded=1)
