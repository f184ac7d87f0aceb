"""What the text door asks: which of two sentences says the same as a third, several times.

No picture is shown. Each item draws first what is right of it, evenly: the first sentence, the
second, or neither. So whoever answers without reading is right a third of the time, by whatever
habit. Where one is right, it is a caption that is known to be true of the reference's picture;
where neither is, both are captions of other pictures. All these captions come from the same set,
each once in an attempt: how often a sentence was seen tells nothing. One more item a round is not
judged: it asks about an open caption, or about one known to be false, to weigh the answers.
"""

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.translation import gettext as _

from labeling import languages, prepared, wording
from labeling.captcha import passing, text_decks
from labeling.captcha.errors import Expired, Invalid
from labeling.captcha.passing import UNKNOWN, Evidence
from labeling.captcha.text_decks import Deck, Pair, Readiness, Sentence
from labeling.models import Attempt, Challenge, Project
from labeling.selection.texts import ALIKE, BELIEVED

NEITHER = 0  # the choice that no sentence says the same
UNASKED = 0  # stands for the question of an item whose sentences are both of other pictures
SENTENCES = 3  # an item: the reference and two options
UNJUDGED = 1  # items of each round
MISTAKES = 3  # of the judged items of both rounds, with which an attentive person still passes
MOST_JUDGED = 24  # items of both rounds: so many nobody is asked
FALSE_SHARE = 0.3  # of the unjudged items, where there are captions that are known to be false
OPEN_SHARE = 0.1  # of the other sentences that are open captions: as of those that are asked about
TRIED = 12  # pictures of which the one that shows the fewest common things is taken
TRIES = 4

_TEXTS = "SELECT id, text FROM labeling_question WHERE id = ANY(%(sentences)s::bigint[])"
_BELIEVED = f"""
SELECT id FROM labeling_question WHERE id = ANY(%(references)s::bigint[])
    AND kind = 'caption' AND state IN ('settled', 'gold') AND probability >= {BELIEVED}
    AND stated IS NOT NULL
"""


@dataclass
class TextRounds:
    """What an attempt asks through the text door, as `Attempt` stores it: an entry an item."""

    questions: list[int] = field(default_factory=list)
    tiles: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)
    first_round: int = 0

    def add(self, pair: Pair, asked: Sentence | None, options: Sequence[int]) -> None:
        """Add an item about a caption; None: neither of the options is of the picture."""
        self.questions.append(asked.question if asked else UNASKED)
        self.tiles.append(pair.tile)
        self.reasons.append(asked.reason if asked else Challenge.SHOWN)
        self.known.append(asked.known if asked else 0.0)
        self.predicted.append(UNKNOWN)
        self.sentences += [pair.reference.question, *options]


class _TooFew(Exception):
    """The deck lacks sentences that are unlike."""


def is_ready(project: Project) -> bool:
    """Whether enough is known of a project's captions to offer the text door."""
    return text_decks.deck(project).readiness.is_ready


def readiness(project: Project) -> Readiness:
    """Return how much is known of a project's captions, up to a little more than is ample."""
    return text_decks.read(project, most=text_decks.ENOUGH).readiness


def compose(
    project: Project,
    exclude: Collection[int] = (),
    *,
    threshold: float = passing.THRESHOLDS["normal"],
) -> TextRounds | None:
    """Return two rounds of items; None where too little is known.

    exclude: ids of tiles that were shown at the visitor's address before. Where too few others are
    left, they are shown again. threshold: the evidence with which an attempt passes.
    """
    deck = text_decks.deck(project)
    if not deck.readiness.is_ready:
        return None
    for left_out in [frozenset(exclude)] * TRIES + [frozenset[int]()] * TRIES:
        try:
            return _Composer(deck, left_out).compose(*sizes(threshold))
        except _TooFew:
            continue
    return None


@cache
def sizes(threshold: float) -> tuple[int, int]:
    """Return how many judged items the two rounds need for so much evidence.

    The first round is enough for who makes no mistake, both together for who makes MISTAKES.
    """
    first = _needed(threshold, 0)
    return first, max(_needed(threshold, MISTAKES) - first, 1)


def items(attempt: Attempt, number: int) -> list[dict[str, Any]]:
    """Return the items of a round, as the frame shows them. Raises Expired."""
    of_item = [attempt.sentences[SENTENCES * i :][:SENTENCES] for i in _places(attempt, number)]
    rows = prepared.fetch(_TEXTS, {"sentences": [pk for ids in of_item for pk in ids]})
    texts, language = dict(rows), attempt.site.project.language
    if any(pk not in texts for ids in of_item for pk in ids):
        raise Expired(_("What was asked about was removed meanwhile: begin again."))
    asked = []
    for reference, *options in ([texts[pk] for pk in ids] for ids in of_item):
        sentence = wording.of_sentences(reference, options, language)
        item = {"before": sentence.before, "subject": reference, "after": sentence.after}
        asked.append(
            {
                **item,
                "options": list(sentence.options),
                "lang": language,
                "dir": languages.direction(language),
            }
        )
    return asked


def parse(attempt: Attempt, number: int, choices: Any) -> list[bool]:
    """Return whether the caption of each item of a round is true, by the sentence that was chosen.

    Of an item whose sentences are both of other pictures: whether one was chosen. Raises Invalid.
    """
    places = _places(attempt, number)
    if not isinstance(choices, list) or not all(
        type(choice) is int and 0 <= choice < SENTENCES for choice in choices
    ):
        sentence = _('Send a choice for each question: {"choices": [1, 0, 2]}, 0 for neither.')
        raise Invalid(sentence)
    if len(choices) != len(places):
        raise Invalid(_("Answer each question of the round."))
    return [_is_yes(attempt, i, choice) for i, choice in zip(places, choices, strict=True)]


def evidence(attempt: Attempt) -> Evidence:
    """Return the evidence of all that was answered so far."""
    right = [_right(attempt, i) for i in range(len(attempt.values))]
    chosen = [
        answer if value == (answer != NEITHER) else SENTENCES  # a wrong one, no matter which
        for value, answer in zip(attempt.values, right, strict=True)
    ]
    return passing.text_evidence(chosen, right)


def still_hold(attempt: Attempt) -> set[int]:
    """Return the questions of an attempt of whose references people are still sure.

    Answers to others are not to be recorded.
    """
    references = attempt.sentences[::SENTENCES]
    believed = {pk for (pk,) in prepared.fetch(_BELIEVED, {"references": references})}
    asked = zip(attempt.questions, references, strict=True)
    return {question for question, pk in asked if question != UNASKED and pk in believed}


def _needed(threshold: float, mistakes: int) -> int:
    """Return how many items bring so much evidence with so many mistakes, MOST_JUDGED at most."""
    counts = range(mistakes + 1, MOST_JUDGED)
    enough = (
        count
        for count in counts
        if passing.text_evidence([1] * mistakes + [0] * (count - mistakes), [0] * count).blind
        >= threshold
    )
    return next(enough, MOST_JUDGED)


def _places(attempt: Attempt, number: int) -> range:
    """Return the places of a round's items in the attempt's arrays."""
    first, last = attempt.first_round, len(attempt.questions)
    return range(first) if number == 1 else range(first, last)


def _is_yes(attempt: Attempt, place: int, choice: int) -> bool:
    """Whether a choice says that the item's caption is true."""
    if attempt.questions[place] == UNASKED:
        return choice != NEITHER
    return choice != NEITHER and (
        attempt.sentences[SENTENCES * place + choice] == attempt.questions[place]
    )


def _right(attempt: Attempt, place: int) -> int:
    """Return the right choice of an item; `passing.UNKNOWN` where it is not judged."""
    question = attempt.questions[place]
    if question == UNASKED:
        return NEITHER
    if attempt.known[place] > 0.5:  # of one that is false, "no" may be said in two ways
        return attempt.sentences[SENTENCES * place :][:SENTENCES].index(question)
    return passing.UNKNOWN


class _Composer:
    """Draws the items of one attempt from a deck, each sentence once."""

    def __init__(self, deck: Deck, exclude: Collection[int]) -> None:
        self._deck = deck
        self._true = _shuffled(deck.true, exclude)
        self._false = _shuffled(deck.false, exclude)
        self._open = _shuffled(deck.open, exclude)
        self._used: set[int] = set()  # sentences
        self._texts: set[str] = set()
        self._rounds = TextRounds()

    def compose(self, *judged: int) -> TextRounds:
        """Return rounds of so many judged items each. Raises _TooFew."""
        for count in judged:
            unjudged = set(random.sample(range(count + UNJUDGED), k=UNJUDGED))
            for place in range(count + UNJUDGED):
                if place in unjudged:
                    self._add_unjudged()
                else:
                    self._add_judged()
            self._rounds.first_round = self._rounds.first_round or len(self._rounds.questions)
        return self._rounds

    def _add_judged(self) -> None:
        """Add an item of which is drawn, before all else, which choice is right."""
        right = random.randrange(SENTENCES)
        if right != NEITHER:
            self._add_caption(self._fresh(self._true), right)
            return
        pair = next((p for p in self._true if self._is_fresh(p.reference)), None)
        if pair is None:
            raise _TooFew
        self._use(pair.reference)
        options = [self._other(pair), self._other(pair)]
        self._rounds.add(pair, None, [each.question for each in options])

    def _add_unjudged(self) -> None:
        """Add an item about a caption that is open, or known to be false; none without such."""
        is_false = random.random() < FALSE_SHARE
        pools = (self._false, self._open) if is_false else (self._open, self._false)
        try:
            pair = self._fresh([*pools[0], *pools[1]])
        except _TooFew:
            return
        self._deck.hand_out(pair)
        self._add_caption(pair, random.randint(1, 2))

    def _add_caption(self, pair: Pair, place: int) -> None:
        """Add an item that asks about a caption, at one of the two places."""
        self._use(pair.reference, pair.asked)
        options = [pair.asked.question, self._other(pair).question]
        if place == 2:
            options.reverse()
        self._rounds.add(pair, pair.asked, options)

    def _other(self, pair: Pair) -> Sentence:
        """Draw a caption of a picture that shows other things, unlike all of this one's."""
        is_open = random.random() < OPEN_SHARE
        pool = self._open + self._true if is_open else self._true + self._open
        unlike = (each for each in pool if self._is_unlike(pair, each))
        some = [each for each, _place in zip(unlike, range(TRIED), strict=False)]
        if not some:
            raise _TooFew
        other = min(some, key=lambda each: len(each.things & pair.things))
        self._use(other.asked)
        return other.asked

    def _is_unlike(self, pair: Pair, other: Pair) -> bool:
        return (
            other.family != pair.family
            and self._is_fresh(other.asked)
            and all(self._deck.overlap.of(other.asked.text, text) < ALIKE for text in pair.own)
        )

    def _fresh(self, pairs: Iterable[Pair]) -> Pair:
        """Return the first of which no sentence was used. Raises _TooFew."""
        for pair in pairs:
            if self._is_fresh(pair.reference, pair.asked):
                return pair
        raise _TooFew

    def _is_fresh(self, *sentences: Sentence) -> bool:
        return not any(s.question in self._used or s.text in self._texts for s in sentences)

    def _use(self, *sentences: Sentence) -> None:
        self._used.update(each.question for each in sentences)
        self._texts.update(each.text for each in sentences)


def _shuffled(pairs: Iterable[Pair], exclude: Collection[int]) -> list[Pair]:
    left = [pair for pair in pairs if pair.tile not in exclude]
    random.shuffle(left)
    return left
