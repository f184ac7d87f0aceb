"""Withdrawal: answers are gone for good, labels follow, and the accounts are right."""

import pytest
from django.core.management import CommandError, call_command

from labeling import challenges, questions, reissues, review, snapshots, withdrawals
from labeling.inference import recompute
from labeling.models import (
    Annotator,
    Answer,
    Challenge,
    Event,
    Project,
    Question,
    Recomputation,
    RemovedAnswer,
    Tile,
    Withdrawal,
)
from labeling.withdrawals import service
from tests.cast import answer, distrust, truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def wanted(shapes) -> list[int]:
    """Return open questions about concepts."""
    rows = Question.objects.filter(kind="concept", state="open").order_by("pk")
    return list(rows.values_list("pk", flat=True)[:12])


def whole(project: Project) -> Tile:
    """Return a whole picture of a project."""
    return Tile.objects.filter(image__project=project, grid=1).order_by("pk")[0]


def check_counts() -> None:
    """Check that questions and annotators count what is stored."""
    for question in Question.objects.all():
        assert question.answers_count == question.answers.count()
        assert question.yes_count == question.answers.filter(value=True).count()
    for annotator in Annotator.objects.filter(answers__isnull=False).distinct():
        assert annotator.answers_count == annotator.answers.count()


def test_one_answer_leaves_its_question_to_the_others(mallory, bob, wanted):
    answer(bob, {wanted[0]: True})
    alone = Question.objects.get(pk=wanted[0]).probability
    answer(mallory, {wanted[0]: False, wanted[1]: True})
    withdrawn = withdrawals.withdraw_answer(answer=mallory.answers.get(question=wanted[0]))
    assert withdrawn.answers == 1
    question = Question.objects.get(pk=wanted[0])
    assert question.probability == pytest.approx(alone, abs=0.01)
    assert question.answers_count == 1 and question.yes_count == 1
    assert mallory.answers.get().question_id == wanted[1]
    assert Recomputation.objects.get().requested
    check_counts()


def test_what_is_withdrawn_twice_is_withdrawn_once(mallory, wanted):
    answer(mallory, {wanted[0]: True})
    row = mallory.answers.get()
    assert withdrawals.withdraw_answer(answer=row).answers == 1
    assert withdrawals.withdraw_answer(answer=row).answers == 0
    assert Withdrawal.objects.get().answers == 1


def test_a_label_that_rested_on_it_is_open_again(shapes, alice, wanted):
    Project.objects.update(answers_min=1, settle_at=0.8)
    answer(alice, {wanted[0]: True})
    assert Question.objects.get(pk=wanted[0]).state == "settled"
    withdrawals.withdraw_all(annotator=alice)
    question = Question.objects.get(pk=wanted[0])
    assert question.state == "open" and question.settled_at is None


def test_all_answers_to_a_challenge_go_with_the_labels_that_came_of_them(shapes, alice):
    Project.objects.update(answers_min=1, settle_at=0.8)
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    chosen = [n for n, pk in enumerate(challenge.questions, 1) if truth(pk)]
    outcome = challenges.answer(challenge=challenge, selected=chosen)
    alice.refresh_from_db()
    assert alice.labels_count == outcome.settled > 0
    stored = Challenge.objects.select_related("annotator").get(pk=challenge.pk)
    assert withdrawals.withdraw_challenge(challenge=stored).answers == 9
    alice.refresh_from_db()
    assert alice.labels_count == 0 and alice.answers_count == 0
    with pytest.raises(withdrawals.TooLate):
        withdrawals.undo(challenge=stored)
    check_counts()


def test_all_answers_in_one_project_go_and_those_in_another_stay(shapes, mallory, wanted):
    other = Project.objects.create(slug="others", name="Others", state="open")
    answer(mallory, dict.fromkeys(wanted, True))
    assert withdrawals.withdraw_all(annotator=mallory, project=other) == withdrawals.Withdrawn()
    assert withdrawals.withdraw_all(annotator=mallory, project=shapes).answers == len(wanted)
    assert not mallory.answers.exists()
    mallory.refresh_from_db()
    assert mallory.answers_count == 0 and mallory.reliability == pytest.approx(0.85)


def test_of_many_answers_the_recomputation_takes_the_rest(shapes, mallory, wanted, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 3)
    monkeypatch.setattr(service, "BATCH", 5)
    answer(mallory, dict.fromkeys(wanted, True))
    withdrawals.withdraw_all(annotator=mallory)
    assert Question.objects.filter(answers_count=1).count() == len(wanted)
    assert Recomputation.objects.get().requested
    recompute.run(project=shapes)
    assert not Question.objects.filter(answers_count__gt=0).exists()
    assert Withdrawal.objects.get().answers == len(wanted)


def test_given_is_stored_and_archived_and_withdrawn(shapes, mallory, wanted):
    answer(mallory, dict.fromkeys(wanted, True))
    withdrawals.withdraw_answer(answer=mallory.answers.first())
    ledger = withdrawals.ledger(annotator=mallory)
    assert (ledger.stored, ledger.withdrawn, ledger.given) == (11, 1, 12)
    assert withdrawals.ledger(project=shapes).given == 12


def test_the_history_says_how_much_and_not_what_nor_who(shapes, mallory, wanted):
    answer(mallory, {wanted[0]: True})
    withdrawals.withdraw_all(annotator=mallory)
    message = Event.objects.filter(project=shapes, kind="annotator").get().message
    assert message.startswith("1 answer and 0 captions of an annotator were withdrawn")
    assert "mallory" not in message


def test_suspicion_stays(shapes, mallory, wanted):
    distrust(mallory)
    answer(mallory, {wanted[0]: True})
    withdrawals.withdraw_all(annotator=mallory)
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    assert mallory.suspect and mallory.suspect_spells.count() == 1


def test_a_caption_goes_with_its_words_even_where_others_answered_it(shapes, alice, bob):
    tile = whole(shapes)
    questions.ask_captions(
        captions=[(tile, "my secret words")], source="annotator", author=alice, prior=0.6
    )
    caption = Question.objects.get(author=alice)
    answer(bob, {caption.pk: True})
    withdrawn = withdrawals.withdraw_all(annotator=alice)
    assert (withdrawn.answers, withdrawn.captions) == (0, 1)
    assert not Question.objects.filter(pk=caption.pk).exists()
    archived = RemovedAnswer.objects.get()
    assert archived.annotator == bob and archived.text == ""
    assert Withdrawal.objects.get().others == 1
    recompute.run(project=shapes)
    assert withdrawals.ledger(annotator=bob).given == 1


def test_a_caption_of_an_import_is_nobodys_to_withdraw(shapes, alice):
    caption = Question.objects.filter(kind="caption").first()
    with pytest.raises(ValueError, match="Only a caption"):
        withdrawals.withdraw_caption(caption=caption)


def test_snapshots_that_held_them_are_marked(shapes, mallory, alice, wanted):
    tile = whole(shapes)
    questions.ask_captions(
        captions=[(tile, "some words")], source="annotator", author=mallory, prior=0.6
    )
    answer(mallory, {wanted[0]: True, wanted[1]: False})
    frozen = snapshots.freeze(project=shapes)
    answer(mallory, {wanted[2]: True})
    withdrawals.withdraw_all(annotator=mallory)
    frozen.refresh_from_db()
    assert frozen.withdrawn == 3
    assert frozen.warning == "It holds 3 answers and captions that were withdrawn since."
    assert snapshots.freeze(project=shapes).warning == ""


def test_snapshots_that_hold_answers_of_somebody_who_is_blocked_are_marked(
    shapes, mallory, wanted, ada
):
    before = snapshots.freeze(project=shapes)
    answer(mallory, {wanted[0]: True})
    held = snapshots.freeze(project=shapes)
    review.block(annotator=mallory, by=ada)
    assert list(reissues.marked(shapes)) == [held] and before.warning == ""
    held.refresh_from_db()
    assert held.warning == "It holds answers or captions of 1 annotator who was blocked since."
    successor = snapshots.fill(reissues.reissue(held))
    assert successor.warning == "" and not reissues.marked(shapes).exists()
    review.unblock(annotator=mallory, by=ada)
    held.refresh_from_db()
    assert held.warning == ""


def test_snapshots_that_hold_captions_of_somebody_who_is_blocked_are_marked(shapes, mallory, ada):
    before = snapshots.freeze(project=shapes)
    caption = [(whole(shapes), "some words")]
    questions.ask_captions(captions=caption, source="annotator", author=mallory, prior=0.6)
    held = snapshots.freeze(project=shapes)
    review.block(annotator=mallory, by=ada)
    assert list(reissues.marked(shapes)) == [held] and before.warning == ""
    assert snapshots.freeze(project=shapes).counts["captions"] == before.counts["captions"]


def test_the_command_withdraws_at_a_persons_request(shapes, mallory, wanted, capsys):
    answer(mallory, dict.fromkeys(wanted, True))
    call_command("withdraw", "mallory", project="shapes")
    assert "12 answers and 0 captions" in capsys.readouterr().out
    assert not Answer.objects.exists() and Withdrawal.objects.get().reason == "request"
    with pytest.raises(CommandError, match="nothing was withdrawn"):
        call_command("withdraw", "nobody")
    with pytest.raises(CommandError, match="There is no project"):
        call_command("withdraw", "mallory", project="nothing")
