"""All posteriors are recomputed while people go on answering."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count, F
from django.utils import timezone

from labeling import evidence, lease, question_state, review, tasks
from labeling.aggregation import binary, drift
from labeling.inference import recompute, schedule, writing
from labeling.models import Annotator, Answer, LeaseLost, Project, Question, Recomputation
from tests.cast import answer, distrust, truth
from tests.concurrency import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)
State = Question.State


@pytest.fixture
def truths(shapes: Project) -> dict[int, bool]:
    questions = Question.objects.filter(kind="concept").order_by("pk")
    return {pk: truth(pk) for pk in questions.values_list("pk", flat=True)}


def somebody(name: str) -> Annotator:
    return Annotator.objects.create(pseudonym=name)


def while_it_thinks(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    aggregate = binary.aggregate

    def interrupted(*columns, **known):
        monkeypatch.undo()
        meanwhile(work)
        return aggregate(*columns, **known)

    monkeypatch.setattr(binary, "aggregate", interrupted)


def test_answers_that_arrive_meanwhile_count(shapes, truths, alice, bob, monkeypatch):
    answer(alice, truths)
    half = dict(list(truths.items())[::2])
    answer(bob, half)
    rest = {pk: value for pk, value in truths.items() if pk not in half}
    carol = somebody("carol")

    def go_on() -> None:
        answer(carol, truths)
        answer(bob, rest)

    while_it_thinks(monkeypatch, go_on)
    recompute.run(project=shapes)
    wrong = Question.objects.annotate(stored=Count("answers")).exclude(answers_count=F("stored"))
    assert not wrong.exists()
    for question in Question.objects.filter(kind="concept").exclude(state=State.GOLD):
        assert (
            question.answers_count == 3
            and max(question.probability, 1 - question.probability) > 0.9
        )
    gold = Question.objects.filter(kind="concept", state=State.GOLD).count()
    for annotator in Annotator.objects.filter(pk__in=[alice.pk, bob.pk, carol.pk]):
        tallies = annotator.answers_count, annotator.gold_count, annotator.gold_right
        assert tallies == (len(truths), gold, gold)
        assert annotator.reliability > 0.85


def test_what_is_decided_meanwhile_stays_decided(shapes, truths, alice, ada, monkeypatch):
    answer(alice, truths)
    question = Question.objects.filter(kind="concept", state=State.OPEN)[0]
    against = not truths[question.pk]
    while_it_thinks(monkeypatch, lambda: review.decide(question=question, value=against, by=ada))
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert (question.verdict, question.probability) == (against, float(against))


def test_it_holds_a_batch_of_questions_at_most(shapes, truths, alice, monkeypatch):
    answer(alice, truths)
    lock, sizes = question_state.lock, []

    def counted(ids):
        sizes.append(len(list(ids)))
        return lock(ids)

    monkeypatch.setattr(question_state, "lock", counted)
    monkeypatch.setattr(question_state, "BATCH", 7)
    recompute.run(project=shapes)
    assert sum(sizes) >= len(truths) - 12 and max(sizes) <= 7


def test_an_answer_that_is_stored_late_is_not_missed(shapes, truths, alice, bob):
    """Its id is older than that of one which could be seen when all was recomputed."""
    first, second, *_ = truths
    late = connection.copy()
    try:
        with late.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO labeling_answer"
                " (question_id, annotator_id, value, reason, created_at)"
                " VALUES (%s, %s, true, 'wanted', now())",
                [first, bob.pk],
            )
            answer(alice, {second: True})
            tasks.aggregate(shapes.pk)
            cursor.execute("COMMIT")
    finally:
        late.close()
    assert schedule.due() == [shapes]
    tasks.aggregate(shapes.pk)
    assert Question.objects.get(pk=first).answers_count == 1
    assert schedule.due() == []


def test_whoever_turned_bad_is_found_and_weighs_nothing_from_then_on(
    shapes, truths, alice, bob, mallory
):
    turn = 28
    for annotator in (alice, bob, somebody("carol"), somebody("dave")):
        answer(annotator, truths)
    for number, (pk, value) in enumerate(truths.items()):
        Answer.objects.create(
            question_id=pk, annotator=mallory, value=value ^ (number >= turn), reason="imported"
        )
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    first = Answer.objects.filter(annotator=mallory)[turn].pk
    assert mallory.suspect and mallory.drift_score == drift.THRESHOLD and mallory.reliability < 0.6
    (spell,) = mallory.suspect_spells.all()
    assert spell.start == pytest.approx(first, abs=3) and spell.stop is None
    votes = evidence.by_question(Question.objects.filter(pk__in=truths, verdict=None))
    assert {len(ratios) for ratios in votes.values()} == {4, 5}
    since = mallory.suspect_since
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    assert mallory.suspect_since == since


def test_whoever_knows_gold_and_gives_themselves_away_is_believed_no_more(
    shapes, truths, alice, bob, mallory
):
    for annotator in (alice, bob, somebody("carol")):
        answer(annotator, truths)
    gold = set(Question.objects.filter(state=State.GOLD).values_list("pk", flat=True))
    for pk, value in truths.items():
        said = value ^ (pk not in gold)
        Answer.objects.create(question_id=pk, annotator=mallory, value=said, reason="imported")
    newest = Answer.objects.filter(annotator=mallory).latest("pk").pk
    distrust(mallory, start=newest)
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    (spell,) = mallory.suspect_spells.all()
    first = Answer.objects.filter(annotator=mallory).exclude(question__in=gold).earliest("pk")
    assert mallory.suspect and (spell.start, spell.stop) == (first.pk, None)
    votes = evidence.by_question(Question.objects.filter(pk__in=truths, verdict=None))
    assert {len(ratios) for ratios in votes.values()} == {3}
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    assert mallory.suspect, "however often they are right about gold"


def bad_and_reinstated(annotator: Annotator, values: dict[int, bool]) -> tuple[int, int]:
    """Let the first four answers be a spell that is over; return its start and stop."""
    stored = [
        Answer.objects.create(question_id=pk, annotator=annotator, value=value, reason="imported")
        for pk, value in values.items()
    ]
    spell = stored[0].pk, stored[4].pk
    distrust(annotator, start=spell[0])
    annotator.end_suspect_spell(stop=spell[1], now=timezone.now())
    annotator.save()
    return spell


def test_whoever_turns_bad_again_is_found_and_the_first_spell_is_kept(
    shapes, truths, alice, bob, mallory
):
    for annotator in (alice, bob, somebody("carol"), somebody("dave")):
        answer(annotator, truths)
    wrong = {pk: value ^ (not 4 <= n < 28) for n, (pk, value) in enumerate(truths.items())}
    spell = bad_and_reinstated(mallory, wrong)
    recompute.run(project=shapes)
    mallory.refresh_from_db()
    first, second = mallory.suspect_spells.values_list("start", "stop")
    turn = Answer.objects.filter(annotator=mallory)[28].pk
    assert mallory.suspect and first == spell
    assert second == (pytest.approx(turn, abs=3), None)
    trusted = Answer.objects.trusted().filter(annotator=mallory)
    assert all(spell[1] <= answer.pk < second[0] for answer in trusted)


def test_whoever_is_suspect_again_and_right_keeps_the_first_spell(shapes, truths, alice, bob):
    for annotator in (bob, somebody("carol"), somebody("dave")):
        answer(annotator, truths)
    mistaken = {pk: value ^ (n < 4) for n, (pk, value) in enumerate(truths.items())}
    spell = bad_and_reinstated(alice, mistaken)
    distrust(alice, start=spell[1])
    recompute.run(project=shapes)
    alice.refresh_from_db()
    assert not alice.suspect
    assert list(alice.suspect_spells.values_list("start", "stop")) == [spell]


def test_whoever_is_suspect_and_right_all_along_is_reinstated(shapes, truths, alice, bob):
    for annotator in (bob, somebody("carol"), somebody("dave")):
        answer(annotator, truths)
    distrust(alice)
    open_ones = Question.objects.filter(pk__in=truths).exclude(state=State.GOLD)
    values = {pk: truths[pk] for pk in open_ones.values_list("pk", flat=True)}
    answer(alice, values)
    alice.refresh_from_db()
    assert alice.suspect, "by gold alone, as answers come"
    recompute.run(project=shapes)
    alice.refresh_from_db()
    assert not alice.suspect and not alice.suspect_spells.exists() and alice.reliability > 0.8
    votes = evidence.by_question(Question.objects.filter(pk__in=values))
    assert {len(ratios) for ratios in votes.values()} == {4}


def test_reviewers_changing_the_rules_updates_every_state(shapes, truths, alice, bob):
    for annotator in (alice, bob, somebody("carol")):
        answer(annotator, truths)
    recompute.run(project=shapes)
    before = Question.objects.filter(state=State.SETTLED).count()
    assert schedule.due() == []
    shapes.settle_at = 0.9999
    shapes.save()
    assert schedule.due() == [shapes]
    assert recompute.run(project=shapes) > 0
    assert Question.objects.filter(state=State.SETTLED).count() < before
    assert recompute.run(project=shapes) == 0


def test_it_keeps_its_lease_however_long_it_infers(shapes, truths, alice, monkeypatch):
    answer(alice, truths)
    monkeypatch.setattr(lease, "RENEWALS", 6_000)  # ten a second
    aggregate = binary.aggregate

    def slow(*columns, **known):
        Recomputation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        waited = 0
        while not Recomputation.objects.get().is_leased and waited < 100:
            waited += 1
            time.sleep(0.1)
        assert Recomputation.objects.get().is_leased
        return aggregate(*columns, **known)

    monkeypatch.setattr(binary, "aggregate", slow)
    assert recompute.run(project=shapes) > 0


def test_nothing_is_read_of_other_projects(shapes, truths, alice):
    other = Project.objects.create(state="open", slug="other", name="Other")
    answer(alice, truths)
    tallies = Annotator.objects.get(pk=alice.pk).answers_count
    assert recompute.run(project=other) == 0
    assert Recomputation.objects.get(project=other).settling_rules == []
    assert Annotator.objects.get(pk=alice.pk).answers_count == tallies


def test_what_somebody_did_in_another_project_counts_too(shapes, truths, alice):
    answer(alice, truths)
    recompute.run(project=shapes)
    rated = Annotator.objects.get(pk=alice.pk)
    other = Project.objects.create(state="open", slug="other", name="Other")
    moved = Question.objects.filter(pk__in=list(truths)[:24])
    concept = other.concepts.create(name="circle", phrase="a circle")
    for question in moved:
        question.project, question.kind, question.concept = other, "caption", None
        question.text = f"about {concept} {question.pk}"
        question.save()
    recompute.run(project=other)
    again = Annotator.objects.get(pk=alice.pk)
    assert (again.answers_count, again.gold_count) == (rated.answers_count, rated.gold_count)
    assert again.reliability == pytest.approx(rated.reliability, abs=0.05)


def test_bad_answers_in_another_project_teach_nothing_of_their_annotator(shapes, truths, mallory):
    answer(mallory, {pk: not value for pk, value in truths.items()})
    distrust(mallory)
    other = Project.objects.create(state="open", slug="other", name="Other")
    mine = Question.objects.filter(kind="caption").first()
    Question.objects.filter(pk=mine.pk).update(project=other)
    answer(mallory, {mine.pk: True})
    recompute.run(project=other)
    counts = Annotator.objects.get(pk=mallory.pk).confusion_counts
    assert sum(counts) == pytest.approx(0, abs=1)


def test_whoever_lost_the_lease_writes_no_question(shapes, truths, alice, bob, monkeypatch):
    for annotator in (alice, bob):
        answer(annotator, truths)
    Question.objects.update(probability=0.5)

    def lose_the_lease() -> None:
        Recomputation.objects.filter(project=shapes).update(lease_token="of somebody else")

    write_batch = writing._write_batch
    monkeypatch.setattr(
        writing, "_write_batch", lambda *batch: (lose_the_lease(), write_batch(*batch))[1]
    )
    with pytest.raises(LeaseLost):
        recompute.run(project=shapes)
    assert not Question.objects.exclude(probability=0.5).exists()
