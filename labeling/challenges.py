"""Questions → a signed challenge → what was said, once."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.utils import timezone

from labeling import answers, captions, questions
from labeling.answers import Outcome
from labeling.models import Annotator, Answer, Challenge, Project, Question, Tile
from labeling.selection import concepts, reservations, selector
from labeling.selection.selector import Kind, Pick

MIX = {"grid": 0.6, "split": 0.15, "verify": 0.2, "write": 0.05}
COLUMNS = {"grid": 3, "split": 4, "verify": 1, "write": 1}
PENDING_MOST = 10  # challenges that one annotator may hold; the oldest lapse
WRITTEN_PRIOR = 0.6  # how far what people write is believed before others judged it
LONGEST_TOKEN = 100
TRIES = 5  # to find something that nobody takes meanwhile

SHOWN = Challenge.SHOWN


class ChallengeError(ValueError):
    """Says what happened and what to do."""


class Forged(ChallengeError):
    """The token was not made here."""


class Foreign(ChallengeError):
    """The challenge was put before somebody else."""


class Expired(ChallengeError):
    """The challenge is over."""


class AlreadyAnswered(ChallengeError):
    """The challenge was answered before."""


class Invalid(ChallengeError):
    """What was said does not answer what was asked."""


def issue(*, annotator: Annotator, project: Project, kind: str | None = None) -> Challenge | None:
    """A new challenge, of that kind or of any; None when nothing is left to ask.

    Its open questions are in hand from then on: until it is answered or skipped, or for
    `holds.RESERVATION_TIME`, they are put before no more others than they still need.
    """
    if not project.active:
        return None
    with transaction.atomic():  # one at a time for each annotator, so that nothing is asked twice
        fresh = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        asking = selector.Selector(annotator=fresh, project=project)
        if asking.pending >= PENDING_MOST:
            _let_lapse(fresh)
        now = timezone.now()
        until = now + reservations.RESERVATION_TIME
        for selection in _offers(asking, kind):
            picks = selection.picks
            if not fresh.blocked:  # whose answers weigh nothing: nobody has to wait for them
                picks = _take(selection, project=project, until=until, now=now)
            if picks:
                return _store(selection, picks, annotator, project, until=until, now=now)
    return None


def token(challenge: Challenge) -> str:
    """What the browser is given instead of an id."""
    return _signer().sign(challenge.pk.hex)


def find(token: str, annotator: Annotator | None) -> Challenge:
    """The challenge of a token. Raises Forged, Foreign or Expired; an answered one is found."""
    if len(token) > LONGEST_TOKEN:
        raise Forged("This is not a challenge of this site: ask for a new one.")
    try:
        key = _signer().unsign(token)
    except BadSignature:
        raise Forged("This is not a challenge of this site: ask for a new one.") from None
    challenge = Challenge.objects.select_related("project", "annotator").filter(pk=key).first()
    if challenge is None:
        raise Expired("The challenge is gone: ask for a new one.")
    if annotator is None or challenge.annotator_id != annotator.pk:
        raise Foreign("The challenge was put before somebody else: ask for one of your own.")
    if challenge.answered_at is None and challenge.expires_at <= timezone.now():
        raise Expired("The challenge has expired: ask for a new one.")
    return challenge


def answer(
    *,
    challenge: Challenge,
    selected: Sequence[int] | None = None,
    yes: bool | None = None,
    text: str | None = None,
    seconds: float | None = None,
) -> Outcome:
    """Record what was said. Raises Invalid, AlreadyAnswered or Expired; then nothing changed.

    grid, split: `selected` holds the numbers of the tiles from 1; verify: `yes`; write: `text`.
    """
    if challenge.answered_at is not None:
        raise AlreadyAnswered("This challenge was answered before: nothing was changed.")
    if challenge.kind == Kind.WRITE:
        caption = _caption(text)
        with transaction.atomic():
            _claim(challenge, seconds=seconds)
            return _write(challenge, caption, seconds)
    values, asked = _values(challenge, selected, yes), challenge.questions
    why = zip(asked, challenge.reasons, strict=True)
    reasons = {pk: reason for pk, reason in why if reason != SHOWN}
    with transaction.atomic():
        _claim(challenge, seconds=seconds)
        outcome = answers.record(
            annotator=challenge.annotator,
            values={pk: value for pk, value in zip(asked, values, strict=True) if pk in reasons},
            reasons=reasons,
            challenge=challenge,
            seconds=seconds,
        )
        reservations.release(asked, until=challenge.reserved_until)
        if outcome.passed is not None:
            Challenge.objects.filter(pk=challenge.pk).update(passed=outcome.passed)
    return outcome


def skip(*, challenge: Challenge) -> None:
    """Put it aside unanswered; its questions go to others. Raises AlreadyAnswered or Expired."""
    with transaction.atomic():
        _claim(challenge, skipped=True)
        reservations.release(challenge.questions, until=challenge.reserved_until)


def wording(challenge: Challenge) -> tuple[str, str, str]:
    """(before, subject, after): the sentence that asks, around the words that it is about."""
    if challenge.kind == Kind.WRITE:
        return "Write what you see in this picture", "", ""
    if challenge.kind == Kind.VERIFY:
        question = Question.objects.select_related("concept").get(pk=challenge.questions[0])
        if question.concept:
            return "Does this picture show", question.concept.phrase, "?"
        return "Does this sentence describe the picture?", question.text, ""
    assert challenge.concept is not None
    return "Select all tiles that show", challenge.concept.phrase, ""


def generated(challenge: Challenge) -> bool:
    """Whether a model drew the one picture that it shows; told once it is answered."""
    alone = challenge.tiles if len(challenge.tiles) == 1 else []
    return Tile.objects.filter(pk__in=alone).filter(image__generated=True).exists()


def _signer() -> Signer:
    return Signer(sep=".", salt="labeling.challenges")


def _offers(asking: selector.Selector, kind: str | None) -> Iterator[selector.Selection]:
    """What may be asked, for as long as there is something that others take before it is stored."""
    for _ in range(TRIES):
        offered = False
        for each in [kind] if kind else concepts.shuffled(MIX):
            for selection in asking.offers(each):
                offered = True
                yield selection
        if not offered:
            return


def _take(
    selection: selector.Selection, *, project: Project, until: datetime, now: datetime
) -> list[Pick]:
    """Take the open questions in hand; what others took first is replaced, or only shown.

    Empty if all of it is taken.
    """
    asked = [pick for pick in selection.picks if pick.asked]
    got, spare = _taken(asked, project=project, until=until, now=now), list(selection.spare)
    while len(got) < len(asked) and spare:
        missing = len(asked) - len(got)
        some, spare = spare[:missing], spare[missing:]
        got += _taken(some, project=project, until=until, now=now)
    if asked and not got:
        return []
    stands_in = iter([pick for pick in got if pick not in asked])
    picks = [
        pick if pick in got or not pick.asked else next(stands_in, pick._replace(reason=SHOWN))
        for pick in selection.picks
    ]
    if selection.kind == Kind.SPLIT:
        return picks
    return [pick for pick in picks if pick.reason != SHOWN]


def _taken(
    picks: Sequence[Pick], *, project: Project, until: datetime, now: datetime
) -> list[Pick]:
    """Those of the open questions that were to be had."""
    wanted = [pick.question for pick in picks if pick.question is not None]
    got = reservations.reserve(wanted, project=project, until=until, now=now)
    return [pick for pick in picks if pick.question in got]


def _store(
    selection: selector.Selection,
    picks: Sequence[Pick],
    annotator: Annotator,
    project: Project,
    *,
    until: datetime,
    now: datetime,
) -> Challenge:
    return Challenge.objects.create(
        project=project,
        annotator=annotator,
        kind=selection.kind,
        concept_id=selection.concept,
        tile_id=picks[0].tile if selection.kind == Kind.WRITE else None,
        questions=[pick.question for pick in picks if pick.question is not None],
        tiles=[pick.tile for pick in picks],
        reasons=[pick.reason for pick in picks],
        reserved_until=until,
        expires_at=now + timedelta(seconds=settings.CHALLENGE_SECONDS),
    )


def _let_lapse(annotator: Annotator) -> None:
    """End the oldest pending challenges of an annotator who holds as many as one may."""
    pending = Challenge.objects.filter(
        annotator=annotator, answered_at=None, expires_at__gt=timezone.now()
    )
    newest = pending.order_by("-expires_at").select_for_update(skip_locked=True, no_key=True)
    for challenge in newest[PENDING_MOST - 1 : PENDING_MOST + 50]:
        Challenge.objects.filter(pk=challenge.pk).update(expires_at=timezone.now())
        reservations.release(challenge.questions, until=challenge.reserved_until)


def _claim(challenge: Challenge, *, seconds: float | None = None, skipped: bool = False) -> None:
    """Take the right to answer; only the first who tries gets it."""
    now = timezone.now()
    won = Challenge.objects.filter(pk=challenge.pk, answered_at=None, expires_at__gt=now).update(
        answered_at=now, seconds=seconds, skipped=skipped
    )
    if won:
        return
    if Challenge.objects.filter(pk=challenge.pk, answered_at=None).exists():
        raise Expired("The challenge has expired: ask for a new one.")
    raise AlreadyAnswered("This challenge was answered before: nothing was changed.")


def _values(challenge: Challenge, selected: Sequence[int] | None, yes: bool | None) -> list[bool]:
    if challenge.kind == Kind.VERIFY:
        if yes is None:
            raise Invalid('Say yes or no: send {"yes": true} or {"yes": false}.')
        return [yes]
    count = len(challenge.questions)
    if selected is None:
        raise Invalid('Send the numbers of the selected tiles: {"selected": [1, 4]}, [] for none.')
    if len(set(selected)) != len(selected) or not set(selected) <= set(range(1, count + 1)):
        raise Invalid(f"Tiles have numbers from 1 to {count}, each at most once.")
    return [number in selected for number in range(1, count + 1)]


def _caption(text: str | None) -> str:
    if text is None:
        raise Invalid('Send what you see: {"text": "a red bicycle against a wall"}.')
    try:
        return captions.clean(text)
    except captions.Unfit as error:
        raise Invalid(str(error)) from None


def _write(challenge: Challenge, text: str, seconds: float | None) -> Outcome:
    """A caption that is new becomes a question; one that is there gets a yes from this author."""
    tile = Tile.objects.get(pk=challenge.tiles[0])
    new = 0
    if not challenge.annotator.blocked:
        new = questions.ask_captions(
            captions=[(tile, text)],
            source=Question.Source.ANNOTATOR,
            author=challenge.annotator,
            prior=WRITTEN_PRIOR,
        )
    same = Question.objects.filter(kind=Question.Kind.CAPTION, tile=tile, text=text)
    if not new and (question := same.exclude(author=challenge.annotator).first()):
        answers.record(
            annotator=challenge.annotator,
            values={question.pk: True},
            reasons={question.pk: Answer.Reason.WANTED},
            challenge=challenge,
            seconds=seconds,
        )
    return Outcome(recorded=1)
