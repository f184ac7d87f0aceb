"""A small crowd answers until nothing is left: the labels are right, and the bot is found out."""

import random
from collections import Counter

import pytest

from labeling import challenges
from labeling.inference import recompute
from labeling.models import Annotator, Challenge, Question
from tests.cast import truth

pytestmark = pytest.mark.django_db


def test_a_crowd_with_a_bot_finds_the_truth(shapes, alice, bob, mallory):
    dice = random.Random(5)
    careful = [Annotator.objects.create(pseudonym=f"careful {n}") for n in range(5)]
    errors = {alice: 0.02, bob: 0.2, mallory: 0.5, **dict.fromkeys(careful, 0.05)}
    said = Counter[Annotator]()

    def says(annotator: Annotator, question: int) -> bool:
        """Err once in so many answers: nobody is lucky, whichever questions they are asked."""
        before = said[annotator]
        said[annotator] += 1
        errs = int(said[annotator] * errors[annotator]) > int(before * errors[annotator])
        return truth(question) ^ errs

    busy = list(errors)
    while busy:
        annotator = dice.choice(busy)
        challenge = challenges.issue(annotator=annotator, project=shapes, kind="grid")
        if challenge is None:
            busy.remove(annotator)
            continue
        chosen = [n for n, asked in enumerate(challenge.questions, 1) if says(annotator, asked)]
        challenges.answer(challenge=challenge, selected=chosen)

    recompute.run(project=shapes)
    asked = Question.objects.filter(kind="concept").exclude(state="gold")
    settled = [question for question in asked if question.state == "settled"]
    assert len(settled) >= 0.8 * len(asked)
    assert sum(question.label == truth(question.pk) for question in settled) >= len(settled) - 2
    assert max(question.answers_count for question in asked) <= shapes.answers_cap
    ranked = Annotator.objects.filter(answers_count__gte=10).order_by("reliability")
    found_out = ranked.get(pk=mallory.pk)
    assert found_out.suspect or found_out == ranked.first()
    assert mallory.reliability > found_out.reliability
    assert Challenge.objects.filter(passed=False, annotator=mallory).exists()
