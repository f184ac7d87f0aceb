"""Answers are recorded as they come."""

import pytest

from labeling import answers, checks, evidence, question_posteriors, question_state, review
from labeling.aggregation import drift
from labeling.models import Annotator, Answer, Question, Recomputation
from tests.cast import truth

pytestmark = pytest.mark.django_db
State = Question.State


def answer(annotator, question: Question, value: bool) -> answers.Outcome:
    outcome = answers.record(
        annotator=annotator,
        values={question.pk: value},
        reasons={question.pk: Answer.Reason.WANTED},
        seconds=2.0,
    )
    question.refresh_from_db()
    annotator.refresh_from_db()
    return outcome


def proven(name: str) -> Annotator:
    """Return an annotator who was right on ten gold questions."""
    return Annotator.objects.create(pseudonym=name, true_positives=5, true_negatives=5)


@pytest.fixture
def question(shapes) -> Question:
    return Question.objects.filter(kind="concept", state=State.OPEN).first()


@pytest.fixture
def gold(shapes) -> Question:
    return Question.objects.filter(state=State.GOLD, verdict=True).first()


def test_a_yes_makes_it_likelier_and_a_no_less_likely(alice, bob, question):
    answer(alice, question, True)
    assert question.probability > 0.8 and (question.answers_count, question.yes_count) == (1, 1)
    after_one = question.probability
    answer(bob, question, False)
    assert question.probability < after_one
    assert (question.answers_count, question.yes_count) == (2, 1)
    assert question.disagreement == 0.5


def test_a_careful_person_moves_more_than_a_hasty_one(alice, bob, shapes):
    one, other = Question.objects.filter(kind="concept", state=State.OPEN)[:2]
    answer(alice, one, True)
    answer(bob, other, True)
    assert one.probability > other.probability > 0.5


def test_an_answer_against_the_others_makes_it_less_certain(alice, bob, question):
    answer(alice, question, True)
    uncertainty = 1 - question.probability
    answer(bob, question, False)
    assert 1 - question.probability > uncertainty
    assert question.state == State.OPEN and question.priority > 0.3


@pytest.mark.parametrize(("random_key", "first"), [(0.1, True), (0.9, False)])
def test_one_in_three_that_was_begun_is_finished_first(alice, question, random_key, first):
    untouched = Question.objects.filter(state=State.OPEN).exclude(pk=question.pk).first()
    Question.objects.filter(pk=question.pk).update(
        probability=0.02, prior=0.02, random_key=random_key
    )
    answer(alice, question, False)
    assert question.probability < 0.01, "it looks settled, but one person alone said so"
    assert (question.priority >= untouched.priority) is first


@pytest.mark.parametrize(
    ("shift", "state"), [(-2.0, State.SETTLED), (2.0, State.OPEN), (0, State.OPEN)]
)
def test_a_model_that_clearly_says_the_same_stands_for_one_person(alice, question, shift, state):
    Question.objects.filter(pk=question.pk).update(probability=0.02, prior=0.02, prior_shift=shift)
    answer(alice, question, False)
    assert question.state == state


def test_a_model_never_stands_for_all(question):
    question.prior_shift, question.probability, question.project.answers_min = -3.0, 0.001, 1
    question_state.update_state(question)
    assert question.state == State.OPEN


def test_it_settles_once_it_is_certain_and_enough_people_were_asked(alice, bob, mallory, question):
    assert answer(alice, question, True).settled == 0
    assert answer(bob, question, True).settled == 0, "two who agree may both be wrong"
    assert answer(mallory, question, True).settled == 0, "and nobody knows Mallory"
    adam, eve = proven("adam"), proven("eve")
    assert answer(adam, question, True).settled == 0, "one who is known is not enough"
    assert answer(eve, question, True).settled == 1
    assert question.state == State.SETTLED and question.priority == 0
    assert question.settled_at is not None
    assert eve.labels_count == 1


def test_nobody_settles_a_question_alone(alice, question):
    Question.objects.filter(pk=question.pk).update(probability=0.999, prior=0.999)
    answer(alice, question, True)
    assert question.state == State.OPEN


def test_it_becomes_ambiguous_at_the_cap(shapes, question, alice, bob):
    shapes.answers_cap = 2
    shapes.save()
    answer(bob, question, True)
    answer(alice, question, False)
    assert question.state == State.AMBIGUOUS and question.priority == 0


def test_a_late_answer_is_stored_and_counted(alice, bob, mallory, question):
    answer(alice, question, True)
    answer(bob, question, True)
    settled_at = question.settled_at
    answer(mallory, question, True)
    assert question.answers_count == 3 and question.settled_at == settled_at


def test_a_settled_question_reopens_when_it_is_contradicted(alice, bob, mallory, question):
    answer(bob, question, True)
    answer(mallory, question, True)
    Question.objects.filter(pk=question.pk).update(state=State.SETTLED, probability=0.96)
    answer(alice, question, False)
    assert question.state == State.OPEN and question.settled_at is None and question.priority > 0


def test_the_same_person_counts_once(alice, question):
    answer(alice, question, True)
    before = question.probability
    assert answer(alice, question, False).recorded == 0
    assert question.probability == before and question.answers.get().value is True
    assert alice.answers_count == 1


def test_gold_shows_how_reliable_somebody_is(bob, mallory, gold):
    before = bob.reliability
    assert answer(bob, gold, True).passed is True
    assert bob.reliability > before and bob.gold_right == 31
    before = mallory.reliability
    assert answer(mallory, gold, False).passed is False
    assert mallory.reliability < before and (mallory.gold_count, mallory.gold_right) == (1, 0)
    assert gold.state == State.GOLD and gold.probability == 1


def test_gold_changes_what_an_open_question_of_the_same_challenge_changes(
    alice, bob, mallory, gold, question
):
    adam, eve = proven("adam"), proven("eve")
    outcomes = [
        answers.record(
            annotator=annotator,
            values={gold.pk: True, question.pk: value},
            reasons={gold.pk: Answer.Reason.GOLD, question.pk: Answer.Reason.WANTED},
        )
        for annotator, value in ((alice, True), (bob, True), (adam, True), (eve, True))
    ]
    changes = [(outcome.settled, outcome.disputed) for outcome in outcomes]
    assert changes == [(0, 0), (0, 0), (0, 0), (2, 0)]


def test_a_blocked_annotator_is_stored_and_counts_for_nothing(alice, mallory, question, ada):
    review.block(annotator=mallory, by=ada)
    before = question.probability
    outcome = answer(mallory, question, True)
    assert outcome.recorded == 1 and question.answers.count() == 1
    assert question.probability == before and question.answers_count == 0
    answer(alice, question, True)
    assert question.answers_count == 1


def wrong_on_gold(shapes, annotator) -> None:
    open_questions = Question.objects.filter(state=State.GOLD)
    values = {question.pk: not question.verdict for question in open_questions}
    answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "gold"))
    annotator.refresh_from_db()


def test_whoever_turns_bad_is_suspect_and_weighs_nothing(shapes, alice, question):
    wrong_on_gold(shapes, alice)
    (spell,) = alice.suspect_spells.all()
    assert alice.suspect and spell.stop is None
    assert spell.start == alice.answers.order_by("pk").first().pk
    before = question.probability
    answer(alice, question, True)
    assert question.probability == before and question.answers_count == 1


def test_whoever_is_found_out_calls_for_a_recomputation_once(
    shapes, alice, question, django_capture_on_commit_callbacks
):
    """Their earlier answers may be bad, too: nobody waits for the next sweep."""
    row, _ = Recomputation.objects.get_or_create(project=shapes)
    with django_capture_on_commit_callbacks(execute=True):
        wrong_on_gold(shapes, alice)
    row.refresh_from_db()
    assert alice.suspect and row.requested
    Recomputation.objects.update(requested=False)
    with django_capture_on_commit_callbacks(execute=True):
        answer(alice, question, True)
    row.refresh_from_db()
    assert not row.requested


def test_the_suspect_prove_themselves_again_on_gold(shapes, alice, question):
    wrong_on_gold(shapes, alice)
    assert alice.suspect
    open_questions = Question.objects.filter(kind="concept").exclude(pk=question.pk)
    more = [pk for pk in open_questions.values_list("pk", flat=True) if not known(alice, pk)][:30]
    Question.objects.filter(pk__in=more).update(state=State.GOLD, verdict=True, probability=1)
    answers.record(
        annotator=alice, values=dict.fromkeys(more, True), reasons=dict.fromkeys(more, "gold")
    )
    alice.refresh_from_db()
    (spell,) = alice.suspect_spells.all()
    assert not alice.suspect and spell.start < spell.stop
    answer(alice, question, True)
    assert question.probability > 0.6


def answer_gold(annotator, pool: list[Question], *, right: bool, until_suspect: bool) -> None:
    """Answer gold questions, one after the other, until the annotator is suspect or is not."""
    annotator.refresh_from_db()
    while annotator.suspect is not until_suspect:
        question = pool.pop()
        answer(annotator, question, question.verdict is right)


def test_whoever_turns_bad_twice_is_forgiven_neither_time(shapes, alice):
    for question in Question.objects.filter(kind="concept"):
        Question.objects.filter(pk=question.pk).update(
            state=State.GOLD, verdict=truth(question.pk), probability=truth(question.pk)
        )
    pool = list(Question.objects.filter(kind="concept"))
    answer_gold(alice, pool, right=False, until_suspect=True)
    answer_gold(alice, pool, right=True, until_suspect=False)
    answer_gold(alice, pool, right=False, until_suspect=True)
    first, second = alice.suspect_spells.all()
    assert first.start < first.stop < second.start and second.stop is None
    bad = set(alice.answers.filter(pk__gte=first.start, pk__lt=first.stop))
    assert bad and not bad & set(Answer.objects.trusted())
    assert all(first.stop <= answer.pk < second.start for answer in Answer.objects.trusted()[9:])


def test_a_suspect_annotator_is_taken_to_guess(shapes, alice, bob, mallory):
    """As soon as they are suspect, though their counts stay as they were."""
    open_questions = Question.objects.filter(kind="concept", state=State.OPEN)
    for question in open_questions:
        for annotator in (bob, mallory):
            answer(annotator, question, True)
    alice.refresh_from_db()
    for question in open_questions:
        if not alice.suspect:
            counts = alice.confusion_counts
            answer(alice, question, False)
    assert alice.suspect and alice.reliability == drift.GUESSING
    assert alice.confusion_counts == counts


def known(annotator, question: int) -> bool:
    return Answer.objects.filter(annotator=annotator, question=question).exists()


def test_what_it_reads_does_not_grow_with_what_is_stored(
    shapes, alice, question, gold, django_assert_num_queries
):
    people = Annotator.objects.bulk_create(Annotator(pseudonym=f"p {n}") for n in range(150))
    Answer.objects.bulk_create(
        Answer(question=answered, annotator=annotator, value=True, reason="imported")
        for answered in (question, gold)
        for annotator in people
    )
    Question.objects.update(answers_count=150, yes_count=150)
    values = {question.pk: True, gold.pk: True}
    checks.has_gold(shapes)  # which is remembered
    with django_assert_num_queries(9):
        answers.record(annotator=alice, values=values, reasons=dict.fromkeys(values, "wanted"))
    ratios = evidence.by_question(Question.objects.filter(pk__in=values))
    assert {pk: len(each) for pk, each in ratios.items()} == {question.pk: evidence.MAX_ANSWERS}


def test_recomputing_gives_nearly_the_same_posterior(alice, bob, shapes):
    open_questions = Question.objects.filter(kind="concept", state=State.OPEN)[:4]
    for question in open_questions:
        answer(alice, question, True)
        answer(bob, question, False)
    changed = question_posteriors.recompute([question.pk for question in open_questions])
    assert changed == 0
    for question in open_questions:
        before = question.probability
        question.refresh_from_db()
        assert question.probability == pytest.approx(before, abs=0.1)


def test_questions_that_are_gone_are_left_out(alice, question):
    outcome = answers.record(
        annotator=alice,
        values={question.pk: True, 10**12: True},
        reasons={question.pk: "wanted", 10**12: "wanted"},
    )
    assert outcome.recorded == 1
