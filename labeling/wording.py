"""The sentence that asks a challenge's question, and in which language it stands."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from labeling import challenges, guides
from labeling.models import Challenge, Concept, Question
from labeling.selection import overlap
from labeling.selection.picks import Kind

NAME_WORDS = 3  # of a caption that is no sentence


class Wording(NamedTuple):
    """The sentence that asks, and what it is about."""

    before: str
    subject: str
    after: str
    language: str  # tag of the subject, or of what is to be written
    guide: guides.Summary | None = None  # of the concept, where it asks about one
    options: tuple[str, ...] = ()  # the sentences to choose from, where it asks by sentences


def of_challenge(challenge: Challenge, wanted: Sequence[str] = ()) -> Wording:
    """Return the sentence that asks somebody who wants these languages.

    Raises `challenges.Expired` where it was removed meanwhile.
    """
    if challenge.kind == Kind.WRITE:
        language = challenge.project.language  # in which to write
        return Wording(_("Write what you see in this picture"), "", "", language)
    if challenge.kind == Kind.TEXT:
        reference, *options = _sentences(challenge)
        return of_sentences(reference, options, challenge.project.language)
    if challenge.concept_id is None:
        asked = Question.objects.filter(pk=challenge.questions[0])
        text = asked.values_list("text", flat=True).first()
        if text is None:
            raise challenges.Expired(challenges.REMOVED)
        language = challenge.project.language
        return Wording(_("Does this sentence describe the picture?"), text, "", language)
    try:
        summary = guides.summary(challenge.concept_id)
    except Concept.DoesNotExist:
        raise challenges.Expired(challenges.REMOVED) from None
    phrase, language = summary.phrase_for(wanted)
    if challenge.kind == Kind.VERIFY:
        # Translators: the subject is a phrase as it stands, such as "a bicycle".
        sentence = _("Does this picture show %(subject)s?")
    else:
        # Translators: the subject is a phrase as it stands, such as "a bicycle".
        sentence = _("Select all tiles that show %(subject)s")
    before, after = _around_subject(sentence)
    return Wording(before, phrase, after, language, summary)


def of_sentences(reference: str, options: Sequence[str], language: str) -> Wording:
    """Return the sentence that asks which option says the same as the reference."""
    before, after = _around_subject(_text_question(reference))
    return Wording(before, reference, after, language, options=tuple(options))


def _around_subject(sentence: str) -> tuple[str, str]:
    """Return what stands before and after the subject in a sentence that asks about one."""
    before, __, after = sentence.partition("%(subject)s")
    return before.rstrip(" "), after


def _text_question(reference: str) -> str:
    """Return the sentence that asks which option says the same as a sentence, or a mere name."""
    if len(overlap.words(reference)) <= NAME_WORDS:
        return _("Which of these two is about the same thing as %(subject)s?")
    return _("Which of these two sentences says the same as %(subject)s?")


def _sentences(challenge: Challenge) -> list[str]:
    """Return the sentences of a text challenge in their order; raise Expired where one is gone."""
    asked = Question.objects.filter(pk__in=challenge.sentences)
    by_id = dict(asked.values_list("pk", "text"))
    if len(by_id) < len(challenge.sentences):
        raise challenges.Expired(challenges.REMOVED)
    return [by_id[pk] for pk in challenge.sentences]
