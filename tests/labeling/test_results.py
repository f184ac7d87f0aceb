"""What may be told of an answer, and that gold in use is never told from the rest by it."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from labeling import challenges, checks, results
from labeling.models import Answer, Challenge, Question
from labeling.results import Votes
from tests.cast import answer

pytestmark = pytest.mark.django_db
LATER = timedelta(seconds=challenges.UNDO_SECONDS + challenges.UNDO_GRACE)
A_DAY = results.REVEALED_AFTER


@pytest.fixture(autouse=True)
def everything_in_the_share(monkeypatch):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 1.0)


@pytest.fixture
def settled(shapes, alice, bob):
    """Return a question that Alice and Bob have settled."""
    question = shapes.questions.filter(state="open", kind="concept").first()
    for person in (alice, bob):
        answer(person, {question.pk: True})
    Question.objects.filter(pk=question.pk).update(state="settled")
    return question


def of(annotator, question, *, after=LATER):
    """Return what is told to an annotator of a question, so long after the answer."""
    answers = Answer.objects.filter(annotator=annotator, question=question)
    rows = list(answers.select_related("question__concept__project"))
    return results.of_answers(rows, now=rows[0].created_at + after)[question.pk]


def test_nothing_is_told_while_the_answer_can_be_taken_back(settled, alice):
    assert of(alice, settled, after=LATER - timedelta(seconds=1)) == results.NOTHING
    assert of(alice, settled).state == "settled"


def test_it_counts_the_others_without_oneself(settled, alice, bob, mallory):
    Answer.objects.create(question=settled, annotator=mallory, value=False, reason="wanted")
    assert of(alice, settled).others == Votes(yes=1, no=1)
    assert of(mallory, settled).others == Votes(yes=2, no=0)


def test_it_tells_when_nobody_else_has_answered_yet(settled, alice, bob):
    Answer.objects.filter(annotator=bob).delete()
    assert of(alice, settled).others == Votes(yes=0, no=0)


def test_it_tells_five_votes_of_a_kind_at_most(settled, alice, bob):
    for number in range(8):
        other = type(alice).objects.create(pseudonym=f"visitor {number}")
        Answer.objects.create(question=settled, annotator=other, value=True, reason="wanted")
    assert of(alice, settled).others == Votes(yes=results.VOTES_MAX, no=0)


def test_blocked_annotators_are_not_among_the_others(settled, alice, bob):
    bob.blocked = True
    bob.save()
    assert of(alice, settled).others == Votes(yes=0, no=0)


def test_open_questions_and_gold_are_told_alike_at_any_time(shapes, alice, bob):
    unknown = shapes.questions.filter(state="open", kind="concept").first()
    gold = shapes.questions.filter(state="gold").first()
    for question in (unknown, gold):
        answer(alice, {question.pk: True})
        answer(bob, {question.pk: True})
        Question.objects.filter(pk=question.pk).update(model_probability=0.9)
    Question.objects.filter(pk=unknown.pk).update(state="open")
    for after in (LATER, A_DAY, 30 * A_DAY):
        assert of(alice, unknown, after=after) == of(alice, gold, after=after)
    assert of(alice, gold, after=A_DAY) == results.Result(others=None, model=True, state="open")


def test_retired_gold_is_told_like_any_decided_question(shapes, alice):
    gold = shapes.questions.filter(state="gold").first()
    answer(alice, {gold.pk: True})
    Question.objects.filter(pk=gold.pk).update(state="settled")
    assert of(alice, gold).state == "settled"


def test_outside_of_the_share_it_is_told_a_day_later_that_it_is_certain(
    settled, alice, bob, monkeypatch
):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 0.0)
    Question.objects.update(model_probability=0.1)
    assert of(alice, settled, after=A_DAY - timedelta(seconds=1)) == results.NOTHING
    assert of(alice, settled, after=A_DAY) == results.Result(None, None, "settled")


def test_the_share_is_what_it_says_and_the_same_for_everybody(monkeypatch):
    monkeypatch.undo()
    revealed = [checks.is_revealed(question) for question in range(20_000)]
    assert abs(sum(revealed) / len(revealed) - checks.REVEALED_SHARE) < 0.01
    assert revealed == [checks.is_revealed(question) for question in range(20_000)]


def test_telling_gold_by_what_is_told_right_away_is_hardly_better_than_chance(monkeypatch):
    """Let everything be settled at once, and the model be wrong about unknown questions alone."""
    monkeypatch.undo()
    silent = [not checks.is_revealed(question) for question in range(20_000)]
    gold, unknown = np.ones(2_000), np.array(silent, float)  # suspicion: whatever is not told
    above = (gold[:, None] > unknown).mean() + (gold[:, None] == unknown).mean() / 2
    assert above <= 0.55


def test_the_models_word_is_that_of_the_predictions_of_all_pairs(settled, alice, monkeypatch):
    Question.objects.filter(pk=settled.pk).update(model_probability=0.9)
    assert of(alice, settled).model is True
    monkeypatch.setattr(results, "_prediction", lambda question: -2.0)
    assert of(alice, settled).model is False


def test_a_challenge_is_told_tile_by_tile(shapes, alice, bob):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    challenges.answer(challenge=challenge, selected=[2])
    Challenge.objects.update(answered_at=timezone.now() - LATER)
    Answer.objects.update(created_at=timezone.now() - LATER)
    challenge.refresh_from_db()
    tiles = results.of_challenge(challenge)
    assert [tile.number for tile in tiles] == list(range(1, 10))
    assert [tile.selected for tile in tiles] == [number == 2 for number in range(1, 10)]


def test_what_was_skipped_is_told_nothing_of(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    challenges.skip(challenge=challenge)
    Challenge.objects.update(answered_at=timezone.now() - LATER)
    challenge.refresh_from_db()
    for tile in results.of_challenge(challenge):
        assert tile.selected is None and tile.result == results.NOTHING


def test_it_says_in_words_what_others_and_the_model_say():
    def tile(selected, model=None, **votes):
        others = Votes(**votes) if votes else None
        return results.TileResult(1, selected, results.Result(others, model, "settled"))

    assert results.in_words([results.TileResult(1)]) == ""
    assert results.in_words([tile(True, yes=0, no=0), tile(True, yes=1, no=1)]) == ""
    tiles = [tile(True, yes=2, no=0), tile(False, yes=0, no=1), tile(True, yes=0, no=2)]
    assert results.in_words(tiles) == (
        "Others agree with you about 2 pictures. About 1 picture, people see it differently."
    )
    assert results.in_words([tile(True, model=True), tile(True, model=False)]) == (
        "The model agrees with you about 1 picture. The model sees 1 picture differently."
    )
