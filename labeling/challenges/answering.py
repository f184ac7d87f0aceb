"""Record the answer to a challenge once."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from labeling import answers, questions
from labeling.answers import Outcome
from labeling.challenges import closing, parsing
from labeling.challenges.errors import AlreadyAnswered, Expired
from labeling.models import Answer, Challenge, Question, Tile
from labeling.selection import reservations, texts
from labeling.selection.picks import Kind

CAPTION_PRIOR = 0.6  # probability of a written caption before anybody judged it


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
        caption = parsing.parse_caption(text)
        with transaction.atomic():
            closing.claim(
                challenge, seconds=seconds
            )  # until it is committed, nobody removes the picture
            if shown_from is not None:
                answers.take_time(challenge.annotator, shown_from=shown_from, seconds=seconds)
            return _record_caption(challenge, caption, seconds)
    values = parsing.parse_values(challenge, selected, yes, choice)
    reasons = dict(zip(challenge.questions, challenge.reasons, strict=True))
    reasons = {
        question: reason for question, reason in reasons.items() if reason != Challenge.SHOWN
    }
    with transaction.atomic():
        closing.claim(challenge, seconds=seconds)
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
        closing.close(challenge, outcome)
    return outcome


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
        closing.close(challenge, outcome)
    return Outcome(recorded=1)
