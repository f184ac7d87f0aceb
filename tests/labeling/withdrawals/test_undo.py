"""Undo: the last answer is taken back exactly, and its challenge is asked again."""

from datetime import timedelta
from operator import attrgetter

import pytest
from django.utils import timezone

from labeling import answers, challenges, questions, removal, review, withdrawals
from labeling.aggregation import drift
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Image,
    Project,
    Question,
    Recomputation,
    RemovedAnswer,
    SuspectSpell,
)
from labeling.models.removals import RemovedImage
from tests.cast import answer, distrust, truth

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("known_tiles")]


def ask(annotator, project, kind="grid") -> Challenge:
    challenge = challenges.issue(annotator=annotator, project=project, kind=kind)
    assert challenge is not None
    return challenge


def respond(challenge: Challenge, *, right: bool = True) -> Challenge:
    """Answer a grid; return the challenge as it is stored then."""
    chosen = [n for n, pk in enumerate(challenge.questions, 1) if truth(pk) == right]
    challenges.answer(challenge=challenge, selected=chosen)
    return stored(challenge)


def stored(challenge: Challenge) -> Challenge:
    return Challenge.objects.select_related("annotator").get(pk=challenge.pk)


def open_question(challenge: Challenge) -> int:
    """Return the first of its questions whose truth is not known."""
    return challenge.questions[challenge.reasons.index("wanted")]


def state_of(challenge: Challenge) -> list[dict]:
    """Return all that is stored of its questions, but for the reservations."""
    rows = Question.objects.filter(pk__in=challenge.questions).order_by("pk").values()
    return [{name: row[name] for name in row if name != "reservations"} for row in rows]


def figures_of(annotator: Annotator) -> dict:
    row = Annotator.objects.filter(pk=annotator.pk).values().get()
    return {name: row[name] for name in row if name != "seen_at"}


def test_questions_and_annotator_are_what_they_were(shapes, alice, bob):
    respond(ask(bob, shapes))
    challenge = ask(alice, shapes)
    before = state_of(challenge), figures_of(alice)
    answered = respond(challenge, right=False)
    assert (state_of(challenge), figures_of(alice)) != before
    withdrawals.undo(challenge=answered)
    assert (state_of(challenge), figures_of(alice)) == before
    assert not Answer.objects.filter(annotator=alice).exists()


def test_it_can_be_answered_again_with_a_new_deadline(shapes, alice):
    challenge = ask(alice, shapes)
    Challenge.objects.filter(pk=challenge.pk).update(
        expires_at=timezone.now() + timedelta(seconds=5)
    )
    reopened = withdrawals.undo(challenge=respond(stored(challenge)))
    assert reopened.answered_at is None and reopened.passed is None and reopened.undos == 1
    assert reopened.expires_at > timezone.now() + timedelta(seconds=60)
    assert respond(reopened).passed is True
    assert Answer.objects.filter(annotator=alice).count() == 9


def test_its_open_questions_are_reserved_again(shapes, alice):
    challenge = ask(alice, shapes)
    wanted = set(challenge.reservations())
    reopened = withdrawals.undo(challenge=respond(challenge))
    assert set(reopened.reservations()) == wanted
    for question in Question.objects.filter(pk__in=wanted):
        assert reopened.reserved_until in question.reservations
    challenges.skip(challenge=reopened)
    assert not any(Question.objects.filter(pk__in=wanted).values_list("reservations", flat=True))


def test_a_skip_is_undone_too(shapes, alice):
    challenge = ask(alice, shapes)
    challenges.skip(challenge=challenge)
    reopened = withdrawals.undo(challenge=stored(challenge))
    assert reopened.answered_at is None and reopened.skipped is False
    assert respond(reopened).passed is True


def test_a_written_caption_goes_again(shapes, alice):
    challenge = ask(alice, shapes, "write")
    challenges.answer(challenge=challenge, text="something that nobody wrote before")
    (written,) = Question.objects.filter(author=alice)
    assert stored(challenge).questions == [written.pk]
    reopened = withdrawals.undo(challenge=stored(challenge))
    assert not Question.objects.filter(author=alice).exists() and reopened.questions == []
    challenges.answer(challenge=reopened, text="something that nobody wrote before")
    assert Question.objects.filter(author=alice).count() == 1


def test_a_caption_that_was_there_before_stays(shapes, alice, bob):
    challenge = ask(alice, shapes, "write")
    there = Question.objects.get(tile=challenge.tiles[0], kind="caption")
    before = figures_of(alice)
    challenges.answer(challenge=challenge, text=there.text)
    assert Answer.objects.filter(annotator=alice, question=there).exists()
    withdrawals.undo(challenge=stored(challenge))
    assert Question.objects.filter(pk=there.pk).exists() and figures_of(alice) == before
    assert not Answer.objects.filter(annotator=alice).exists()
    questions.ask_captions(
        captions=[(there.tile, "my own words")], source="annotator", author=alice, prior=0.6
    )
    again = Challenge.objects.select_related("annotator").get(pk=challenge.pk)
    challenges.answer(challenge=again, text="my own words")
    withdrawals.undo(challenge=stored(challenge))
    assert Question.objects.filter(author=alice, text="my own words").exists()


def test_it_is_too_late_after_its_time(shapes, alice):
    answered = respond(ask(alice, shapes))
    earlier = timezone.now() - timedelta(seconds=challenges.UNDO_SECONDS + 60)
    Challenge.objects.filter(pk=answered.pk).update(answered_at=earlier)
    with pytest.raises(withdrawals.TooLate):
        withdrawals.undo(challenge=stored(answered))
    assert Answer.objects.count() == 9


@pytest.mark.parametrize("later", ["answered", "skipped"])
def test_it_is_too_late_once_a_later_one_is_done(shapes, alice, later):
    first, second = ask(alice, shapes), ask(alice, shapes, "verify")
    answered = respond(first)
    if later == "answered":
        challenges.answer(challenge=second, yes=True)
    else:
        challenges.skip(challenge=second)
    before = Answer.objects.count()
    with pytest.raises(withdrawals.TooLate):
        withdrawals.undo(challenge=answered)
    assert Answer.objects.count() == before and stored(first).answered_at is not None


def test_a_challenge_is_undone_a_few_times_only(shapes, alice):
    challenge = ask(alice, shapes)
    for _ in range(withdrawals.MAX_UNDOS):
        challenge = withdrawals.undo(challenge=respond(challenge))
    with pytest.raises(withdrawals.TooOften):
        withdrawals.undo(challenge=respond(challenge))
    assert Answer.objects.count() == 9


def test_what_somebody_else_answered_meanwhile_stays(shapes, alice, bob):
    challenge = ask(alice, shapes)
    pk = open_question(challenge)
    answered = respond(challenge, right=False)
    answer(bob, {pk: truth(pk)})
    with_both = Question.objects.get(pk=pk)
    withdrawals.undo(challenge=answered)
    alone = Question.objects.get(pk=pk)
    assert with_both.answers_count == 2 and alone.answers_count == 1
    assert alone.yes_count == truth(pk) and alone.state == "open"
    assert abs(alone.probability - truth(pk)) < abs(with_both.probability - truth(pk))


def test_a_question_that_somebody_else_settled_stays_settled_by_their_answers(
    shapes, alice, bob, mallory
):
    shapes.answers_min = 2
    shapes.save()
    challenge = ask(alice, shapes)
    pk = open_question(challenge)
    answered = respond(challenge)
    known = {"true_positives": 5, "true_negatives": 5}
    for other in (bob, mallory, *(Annotator.objects.create(**known) for _ in range(4))):
        answer(other, {pk: truth(pk)})
    assert Question.objects.get(pk=pk).state == "settled"
    withdrawals.undo(challenge=answered)
    question = Question.objects.get(pk=pk)
    assert question.state == "settled" and question.answers_count == 6
    assert question.settled_at is not None


def test_what_it_settled_is_open_again(shapes, alice, bob):
    shapes.answers_min, shapes.settle_at = 1, 0.8
    shapes.save()
    challenge = ask(alice, shapes)
    answered = respond(challenge)
    settled = Question.objects.filter(pk__in=challenge.questions, state="settled")
    assert settled.exists() and figures_of(alice)["labels_count"] > 0
    withdrawals.undo(challenge=answered)
    assert not settled.exists() and figures_of(alice)["labels_count"] == 0
    assert not Question.objects.filter(
        pk__in=challenge.questions, settled_at__isnull=False
    ).exists()


def test_a_reviewers_decision_stays(shapes, alice, ada):
    challenge = ask(alice, shapes)
    pk = open_question(challenge)
    answered = respond(challenge)
    review.decide(question=Question.objects.get(pk=pk), value=True, by=ada)
    withdrawals.undo(challenge=answered)
    question = Question.objects.get(pk=pk)
    assert question.verdict is True and question.state == "settled"
    assert question.probability == 1 and question.answers_count == 0


def test_suspicion_that_it_began_is_forgotten(shapes, bob):
    Annotator.objects.filter(pk=bob.pk).update(drift_score=drift.THRESHOLD - 0.5)
    bob.refresh_from_db()
    before = figures_of(bob)
    answered = respond(ask(bob, shapes), right=False)
    assert figures_of(bob)["suspect_since"] is not None
    withdrawals.undo(challenge=answered)
    assert figures_of(bob) == before and not SuspectSpell.objects.exists()


def test_suspicion_that_it_ended_goes_on(shapes, bob):
    distrust(bob)
    Annotator.objects.filter(pk=bob.pk).update(drift_score=0.3)
    bob.refresh_from_db()
    before, spells = figures_of(bob), list(SuspectSpell.objects.values())
    answered = respond(ask(bob, shapes))
    assert figures_of(bob)["suspect_since"] is None
    withdrawals.undo(challenge=answered)
    assert figures_of(bob) == before and list(SuspectSpell.objects.values()) == spells


def test_where_others_changed_the_annotator_its_share_is_subtracted(shapes, alice):
    challenge, elsewhere = ask(alice, shapes), shapes.questions.filter(kind="caption").first()
    before = figures_of(alice)
    answered = respond(challenge)
    answers.record(annotator=alice, values={elsewhere.pk: True}, reasons={elsewhere.pk: "imported"})
    withdrawals.undo(challenge=answered)
    after = figures_of(alice)
    assert after["answers_count"] == before["answers_count"] + 1
    assert after["gold_count"] == before["gold_count"]
    assert Recomputation.objects.get().requested


def test_a_removed_picture_takes_its_answer_with_it(shapes, alice, ada):
    challenge = ask(alice, shapes)
    before, answered = figures_of(alice), respond(challenge)
    gone = Question.objects.get(pk=challenge.questions[0]).tile.image
    removal.remove(Image.objects.filter(pk=gone.pk), by=ada, reason="Blurred.")
    assert RemovedAnswer.objects.count() == 1
    reopened = withdrawals.undo(challenge=answered)
    assert not Answer.objects.exists() and not RemovedAnswer.objects.exists()
    assert RemovedImage.objects.get().answers == 0 and figures_of(alice) == before
    left = [n for n, pk in enumerate(reopened.questions, 1) if n > 1 and truth(pk)]
    assert challenges.answer(challenge=reopened, selected=left).recorded == 8


def test_a_challenge_whose_picture_is_gone_has_expired(shapes, alice, ada):
    challenge = ask(alice, shapes, "verify")
    challenges.answer(challenge=challenge, yes=True)
    gone = Question.objects.get(pk=challenge.questions[0]).tile.image
    removal.remove(Image.objects.filter(pk=gone.pk), by=ada, reason="Blurred.")
    reopened = withdrawals.undo(challenge=stored(challenge))
    assert reopened.expires_at <= timezone.now() and not RemovedAnswer.objects.exists()


def test_a_blocked_annotator_can_undo_and_changes_nothing(shapes, mallory, ada):
    review.block(annotator=mallory, by=ada)
    mallory.refresh_from_db()
    challenge = ask(mallory, shapes)
    before = state_of(challenge)
    withdrawals.undo(challenge=respond(challenge))
    assert state_of(challenge) == before and not Answer.objects.exists()


def test_what_an_answer_changed_is_forgotten_once_it_cannot_be_taken_back(shapes, alice):
    Project.objects.update(answers_min=1, settle_at=0.8)
    old, fresh = respond(ask(alice, shapes)), respond(ask(alice, shapes))
    Challenge.objects.filter(pk=old.pk).update(answered_at=timezone.now() - timedelta(hours=2))
    assert challenges.forget_changes() == 1
    emptied = stored(old)
    assert emptied.states_before == emptied.posteriors_after == []
    assert emptied.annotator_before == emptied.annotator_after == []
    kept = attrgetter("questions", "tiles", "reasons", "passed", "labels")
    assert kept(emptied) == kept(old)
    assert stored(fresh).annotator_after == fresh.annotator_after != []
    with pytest.raises(withdrawals.TooLate):
        withdrawals.undo(challenge=emptied)
    assert withdrawals.withdraw_challenge(challenge=emptied).answers == 9 and old.labels
    alice.refresh_from_db()
    assert alice.labels_count == fresh.labels
    assert challenges.forget_changes() == 0
