"""Challenges are answered once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import answers, challenges, review
from labeling.models import Answer, Challenge, Question, Tile

pytestmark = pytest.mark.django_db


def test_a_challenge_ends(alice, grid):
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(challenges.Expired):
        challenges.find(challenges.token(grid), alice)
    with pytest.raises(challenges.Expired):
        challenges.answer(challenge=grid, selected=[])
    assert not Answer.objects.exists()


def test_it_is_answered_once(grid):
    challenges.answer(challenge=grid, selected=[1, 2])
    with pytest.raises(challenges.AlreadyAnswered):
        challenges.answer(challenge=grid, selected=[3])
    assert Answer.objects.count() == 9
    assert Answer.objects.filter(value=True).count() == 2


def test_none_is_a_fair_answer(grid):
    assert challenges.answer(challenge=grid, selected=[]).recorded == 9
    assert not Answer.objects.filter(value=True).exists()


def test_an_answer_keeps_why_it_was_asked(grid):
    challenges.answer(challenge=grid, selected=[1])
    reasons = {answer.question_id: answer.reason for answer in Answer.objects.all()}
    assert [reasons[pk] for pk in grid.questions] == grid.reasons


@pytest.mark.parametrize("selected", [None, [0], [10], [-1], [1, 1]])
def test_a_bad_answer_leaves_the_challenge_to_be_answered(grid, selected):
    with pytest.raises(challenges.Invalid):
        challenges.answer(challenge=grid, selected=selected)
    grid.refresh_from_db()
    assert grid.answered_at is None and not Answer.objects.exists()


def test_what_was_skipped_cannot_be_answered(grid):
    challenges.skip(challenge=grid)
    with pytest.raises(challenges.AlreadyAnswered):
        challenges.answer(challenge=grid, selected=[])
    with pytest.raises(challenges.AlreadyAnswered):
        challenges.skip(challenge=grid)
    grid.refresh_from_db()
    assert grid.skipped and not Answer.objects.exists()


def test_tiles_that_went_away_meanwhile_are_left_out(grid):
    Question.objects.filter(pk=grid.questions[0]).delete()
    assert challenges.answer(challenge=grid, selected=[1, 2]).recorded == 8


def test_a_written_caption_is_asked_of_others(alice, shapes):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="write")
    outcome = challenges.answer(challenge=challenge, text="  a  lonely\tshape ")
    question = Question.objects.get(text="a lonely shape")
    assert outcome == answers.Outcome(recorded=1)
    assert (question.author, question.source, question.state) == (alice, "annotator", "open")
    assert question.probability == 0.6 and question.tile_id == challenge.tiles[0]


def test_the_same_words_by_somebody_else_are_a_yes(alice, bob, shapes):
    tile = Tile.objects.first()
    for annotator in (alice, bob, bob):
        challenge = challenges.issue(annotator=annotator, project=shapes, kind="write")
        challenge.tiles = [tile.pk]
        challenges.answer(challenge=challenge, text="a lonely shape")
    answer = Answer.objects.get()
    assert answer.annotator == bob and answer.value is True
    assert answer.question.probability > 0.6 and answer.question.author == alice


def test_a_caption_of_a_blocked_author_is_not_asked_about(mallory, shapes, ada):
    review.block(annotator=mallory, by=ada)
    challenge = challenges.issue(annotator=mallory, project=shapes, kind="write")
    assert challenges.answer(challenge=challenge, text="buy my things").recorded == 1
    assert not Question.objects.filter(text="buy my things").exists()
