"""Flags of annotators and reviewers, remarks, and who sees them."""

import pytest

from labeling import challenges, comments, review
from labeling.comments import CommentError
from labeling.models import Annotator, Challenge, Comment, Event, Project, Question

pytestmark = pytest.mark.django_db


@pytest.fixture
def challenge(shapes: Project, mallory: Annotator) -> Challenge:
    challenge = challenges.issue(annotator=mallory, project=shapes, kind="grid")
    assert challenge is not None
    return challenge


def test_a_tile_of_a_challenge_is_flagged_once_a_kind(challenge, mallory, alice):
    flag, new = comments.flag_challenge(
        challenge=challenge, number=2, kind="broken", text="  grey\r\nall over\x1b[31m "
    )
    assert new and (flag.annotator, flag.kind, flag.text) == (
        mallory,
        "broken",
        "grey\nall over[31m",
    )
    assert flag.tile_id == challenge.tiles[1] and flag.question_id == challenge.questions[1]
    again, new = comments.flag_challenge(challenge=challenge, number=2, kind="broken", text="!")
    assert (again.pk, new, again.text) == (flag.pk, False, "grey\nall over[31m")
    comments.flag_challenge(challenge=challenge, number=2, kind="offensive")
    comments.flag(tile=flag.tile, kind="broken", annotator=alice)
    assert Comment.objects.count() == 3


@pytest.mark.parametrize("number", [0, -1, 10, 10**9])
def test_only_tiles_that_are_shown_are_flagged(challenge, number):
    with pytest.raises(CommentError, match="no such picture"):
        comments.flag_challenge(challenge=challenge, number=number, kind="broken")


@pytest.mark.parametrize("kind", ["", "remark", "decision", "nonsense"])
def test_a_flag_says_what_is_wrong(challenge, kind):
    with pytest.raises(CommentError, match="Say what is wrong"):
        comments.flag_challenge(challenge=challenge, number=1, kind=kind)


def test_text_is_cleaned_and_cut():
    assert comments.clean("\u202eevil\x00\x7f") == "evil"
    assert len(comments.clean("é" * 5_000)) == comments.LONGEST
    assert comments.clean(" \t\n ") == ""
    assert comments.clean("日本語 עברית") == "日本語 עברית"


def test_a_flag_waits_until_it_is_resolved(challenge, shapes, ada):
    flag, _ = comments.flag_challenge(challenge=challenge, number=1, kind="cut_off")
    assert list(comments.open_flags(shapes)) == [flag]
    assert comments.flagged_questions(shapes) == [challenge.questions[0]]
    assert comments.resolve(comment=flag, by=ada)
    assert not comments.resolve(comment=flag, by=ada)
    assert not comments.open_flags(shapes).exists()
    assert Event.objects.get().message == "Resolved “cut off or too small” of a picture."


def test_flags_of_blocked_annotators_do_not_wait(challenge, shapes, mallory, ada):
    comments.flag_challenge(challenge=challenge, number=1, kind="offensive")
    review.block(annotator=mallory, by=ada)
    assert not comments.open_flags(shapes).exists()
    review.unblock(annotator=mallory, by=ada)
    assert comments.open_flags(shapes).exists()


def test_a_question_has_its_remarks_and_the_flags_of_its_picture(challenge, shapes, ada):
    question = Question.objects.get(pk=challenge.questions[0])
    comments.flag_challenge(challenge=challenge, number=1, kind="broken")
    comments.flag_challenge(challenge=challenge, number=1, kind="wording")
    comments.remark(question=question, text="Look at the corner.", by=ada)
    with pytest.raises(CommentError, match="a few words"):
        comments.remark(question=question, text=" \x00", by=ada)
    kinds = [comment.kind for comment in comments.of_question(question)]
    assert kinds == ["broken", "wording", "remark"]
    other = question.tile.questions.exclude(pk=question.pk)[0]
    assert [comment.kind for comment in comments.of_question(other)] == ["broken"]
