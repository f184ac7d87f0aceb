"""What people whom nobody knows yet can do to labels, and how they earn their weight."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from labeling import answers, evidence
from labeling.aggregation import earnest, online
from labeling.inference import recompute
from labeling.models import Annotator, Answer, Challenge, Project, Question
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db
State = Question.State


@pytest.fixture
def unknown(shapes: Project) -> list[Question]:
    return list(Question.objects.filter(kind="concept", state=State.OPEN).order_by("pk"))


@pytest.fixture
def gold(shapes: Project) -> list[Question]:
    """Return gold questions, a yes and a no in turn."""
    rows = Question.objects.filter(state=State.GOLD).order_by("pk")
    yes, no = rows.filter(verdict=True), rows.filter(verdict=False)
    return [question for pair in zip(yes, no, strict=False) for question in pair]


def newcomer(name: str = "") -> Annotator:
    return Annotator.objects.create(pseudonym=name) if name else Annotator.objects.create()


def challenge(annotator: Annotator, values: Mapping[Question, bool]) -> answers.Outcome:
    """Have an annotator answer these questions in one challenge."""
    project = next(iter(values)).project
    put = Challenge.objects.create(
        project=project,
        annotator=annotator,
        kind="grid",
        questions=[question.pk for question in values],
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    outcome = answers.record(
        annotator=annotator,
        values={question.pk: value for question, value in values.items()},
        reasons={q.pk: "gold" if q.state == State.GOLD else "wanted" for q in values},
        challenge=put,
    )
    for question in values:
        question.refresh_from_db()
    annotator.refresh_from_db()
    return outcome


def test_a_newcomer_moves_a_question_less_than_half_as_far_as_one_who_passed_gold(unknown, gold):
    first, second, *_ = unknown
    challenge(newcomer(), {first: True})
    challenge(newcomer(), {gold[0]: True, gold[1]: False, second: True})
    moved = [online.log_odds(question.probability) for question in (first, second)]
    assert 0 < moved[0] < moved[1] / 2 + 0.01
    assert first.answers_weight < second.answers_weight == 1


def test_a_challenge_whose_gold_was_wrong_moves_next_to_nothing(unknown, gold):
    outcome = challenge(newcomer(), {gold[0]: False, gold[1]: True, unknown[0]: True})
    assert outcome.passed is False
    assert unknown[0].probability < 0.51 and unknown[0].answers_weight < 0.05
    stored = Answer.objects.get(question=unknown[0])
    assert stored.weight < 0.25


def test_earlier_answers_count_in_full_once_their_annotator_passed_gold(unknown, gold, alice):
    early, later = newcomer("early"), newcomer("later")
    challenge(early, {unknown[0]: True})
    (before,) = evidence.by_question(unknown[:1])[unknown[0].pk]
    challenge(early, {gold[0]: True, gold[1]: False, gold[2]: True})
    (after,) = evidence.by_question(unknown[:1])[unknown[0].pk]
    assert after > 2 * before
    challenge(later, {unknown[0]: True})
    assert unknown[0].answers_weight > 1, "the next answer to the question takes notice"


def test_no_to_everything_settles_nothing_although_most_gold_is_no(unknown, gold, shapes):
    no = [question for question in gold if question.verdict is False]
    yes = next(question for question in gold if question.verdict is True)
    Question.objects.filter(pk__in=[q.pk for q in unknown]).update(prior=0.04, probability=0.04)
    for question in unknown:
        question.refresh_from_db()
    for _ in range(8):
        bot = newcomer()
        challenge(bot, {**dict.fromkeys([yes, *no[:2]], False), unknown[0]: False})
        challenge(bot, {no[2]: False, unknown[1]: False})
    assert [question.state for question in unknown[:2]] == [State.OPEN] * 2
    assert unknown[0].answers_weight < 0.5
    recompute.run(project=shapes)
    unknown[0].refresh_from_db()
    assert unknown[0].state == State.OPEN and unknown[0].answers_weight < 0.5


def test_a_recomputation_does_not_bring_the_damage_back(unknown, gold, shapes):
    for _ in range(6):
        values = {question: not truth(question.pk) for question in unknown[:6]}
        challenge(newcomer(), {gold[0]: False, gold[1]: True, **values})
    for name in ("one", "two", "three"):
        values = {question: truth(question.pk) for question in unknown[:6]}
        challenge(newcomer(name), {gold[0]: True, gold[1]: False, gold[2]: True, **values})
    for _ in range(2):
        assert all(question.label == truth(question.pk) for question in unknown[:6])
        recompute.run(project=shapes)
        for question in unknown:
            question.refresh_from_db()
    assert not Annotator.objects.filter(pseudonym="one", suspect_since__isnull=False).exists()


def test_gold_that_was_marked_wrongly_is_made_up_for_by_the_next_recomputation(
    unknown, gold, shapes
):
    person = newcomer()
    challenge(person, {gold[0]: False, unknown[0]: True})
    wrong, stored = gold[0], Answer.objects.get(question=unknown[0])
    assert stored.weight < 0.6
    Question.objects.filter(pk=wrong.pk).update(verdict=False, probability=0)
    recompute.run(project=shapes)
    stored.refresh_from_db()
    assert stored.weight == 1


def test_a_project_without_gold_settles_on_a_few_newcomers_more(unknown, shapes):
    Question.objects.filter(state=State.GOLD).update(state=State.OPEN, verdict=None)
    people = [newcomer(f"p{number}") for number in range(12)]
    settled = Question.objects.filter(pk__in=[q.pk for q in unknown[:12]], state=State.SETTLED)
    needed = 0
    while settled.count() < 12:
        challenge(people[needed], {question: truth(question.pk) for question in unknown[:12]})
        recompute.run(project=shapes)
        needed += 1
    assert 3 <= needed < 7


def test_imported_answers_and_those_who_were_invited_count_from_the_first(unknown, shapes):
    first, second, third, *_ = unknown
    answer(newcomer(), {first.pk: True}, reason="imported")
    challenge(newcomer(), {second: True})
    Project.objects.update(private=True)
    third.project.refresh_from_db()
    invited = newcomer()
    shapes.memberships.create(annotator=invited, role="annotator")
    challenge(invited, {third: True})
    first.refresh_from_db()
    assert second.probability < third.probability <= first.probability
    assert third.answers_weight == first.answers_weight == 1


def test_strangers_who_answered_before_a_project_became_private_are_not_trusted_for_it(
    unknown, shapes
):
    asked, other, same, *_ = unknown
    stranger, viewer, member = newcomer(), newcomer("viewer"), newcomer()
    for person in (stranger, viewer, member):
        challenge(person, {asked: True})
    shapes.memberships.create(annotator=member, role="annotator")
    viewer.user = User.objects.create(username="looks")
    viewer.save()
    shapes.memberships.create(user=viewer.user, role="viewer")
    public = evidence.by_question([asked])[asked.pk]
    Project.objects.update(private=True)
    asked.project.refresh_from_db()
    trusted = max(evidence.by_question([asked])[asked.pk])
    assert sorted(evidence.by_question([asked])[asked.pk]) == [*sorted(public)[:2], trusted]
    assert trusted > 1.5 * max(public)
    for question, person in ((other, stranger), (same, member)):
        question.project.refresh_from_db()
        challenge(person, {question: True})
    assert other.answers_weight < same.answers_weight == 1
    recompute.run(project=shapes)
    for question in (other, same):
        question.refresh_from_db()
    assert other.answers_weight < same.answers_weight


def test_staff_are_trusted_in_a_private_project_and_members_of_another_are_not(unknown, shapes):
    employee, elsewhere = newcomer(), newcomer()
    employee.user = User.objects.create(username="works-here", is_staff=True)
    employee.save()
    Project.objects.create(slug="else", name="Else").memberships.create(
        annotator=elsewhere, role="annotator"
    )
    shapes.private = True
    priors = evidence.earnest_priors([employee.pk, elsewhere.pk], shapes)
    assert priors == {employee.pk: earnest.INVITED, elsewhere.pk: earnest.UNPROVEN}


def test_the_suspect_are_reinstated_by_the_gold_and_settled_questions_among_others(
    unknown, gold, alice, shapes
):
    alice.start_suspect_spell(start=1, now=timezone.now())
    alice.drift_score = 8.0
    alice.save()
    Question.objects.filter(pk__in=[q.pk for q in unknown[:18]]).update(
        state=State.SETTLED, settled_at=timezone.now()
    )
    for person in (newcomer("one"), newcomer("two"), newcomer("three"), newcomer("four")):
        person.true_positives = person.true_negatives = 20
        person.save()
        answer(person, {question.pk: truth(question.pk) for question in unknown[:18]})
    for number in range(9):
        checks = unknown[2 * number : 2 * number + 2]
        values = {question: truth(question.pk) for question in checks}
        for question in checks:
            question.refresh_from_db()
        challenge(alice, {gold[number]: gold[number].verdict, **values})
    assert not alice.suspect


def test_nobody_is_suspected_for_a_slip_a_challenge(unknown, gold, shapes):
    person = newcomer()
    for number in range(0, 9, 3):
        values = {question: question.verdict for question in gold[number : number + 3]}
        values[gold[number]] = not values[gold[number]]
        challenge(person, values)
    assert not person.suspect
    stored = Answer.objects.filter(annotator=person).values_list("weight", flat=True)
    assert min(stored) > 0.4
