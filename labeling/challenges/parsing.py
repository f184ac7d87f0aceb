"""Read what an annotator answered."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from labeling import captions
from labeling.challenges.errors import Invalid
from labeling.models import Challenge
from labeling.selection.picks import Kind


def parse_values(
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


def parse_caption(text: str | None) -> str:
    """Return the text, cleaned. Raises Invalid."""
    if text is None:
        raise Invalid(_('Send what you see: {"text": "a red bicycle against a wall"}.'))
    try:
        return captions.clean(text)
    except captions.CaptionRejected as error:
        raise Invalid(str(error)) from None


def _parse_choice(challenge: Challenge, choice: int | None) -> dict[int, bool]:
    """Return whether the caption that is asked about was chosen, by its id. Raises Invalid."""
    _reference, *shown = challenge.sentences
    if choice is None or not 0 <= choice <= len(shown):
        raise Invalid(
            _('Send the number of the sentence that says the same: {"choice": 1}, 0 for neither.')
        )
    chosen = shown[choice - 1] if choice else None
    return {question: question == chosen for question in challenge.questions}
