"""Annotators are updated by all their answers."""

import pytest

from labeling.inference import annotators as inferred_annotators
from labeling.inference import recompute, schedule
from labeling.inference.arrays import read
from labeling.models import Annotator, Question
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def truths(shapes) -> dict[int, bool]:
    questions = Question.objects.filter(kind="concept").order_by("pk")
    return {pk: truth(pk) for pk in questions.values_list("pk", flat=True)}


def test_the_counts_give_the_inferred_accuracies(shapes, truths, alice, bob, monkeypatch):
    for annotator in (alice, bob):
        answer(annotator, truths)
    answer(Annotator.objects.create(pseudonym="carol"), dict.fromkeys(truths, True))
    seen = []
    update = inferred_annotators.update_accuracies

    def watched(questions, answers, aggregate, **options):
        seen.append((answers.annotators, aggregate))
        update(questions, answers, aggregate, **options)

    monkeypatch.setattr(inferred_annotators, "update_accuracies", watched)
    recompute.run(project=shapes)
    ((annotators, aggregate),) = seen
    for annotator in Annotator.objects.filter(pk__in=[alice.pk, bob.pk]):
        place = annotators.tolist().index(annotator.pk)
        counts = annotator.confusion_counts
        assert counts.sensitivity == pytest.approx(aggregate.sensitivity[place], abs=0.06)
        assert counts.specificity == pytest.approx(aggregate.specificity[place], abs=0.06)
        assert annotator.reliability == pytest.approx((counts.sensitivity + counts.specificity) / 2)


def test_few_annotators_are_locked_at_a_time(shapes, truths, monkeypatch):
    for number in range(7):
        answer(Annotator.objects.create(pseudonym=f"person {number}"), truths)
    monkeypatch.setattr(inferred_annotators, "BATCH", 3)
    sizes = []
    write = inferred_annotators._write
    monkeypatch.setattr(
        inferred_annotators,
        "_write",
        lambda tallies, *rest: (sizes.append(len(tallies)), write(tallies, *rest)),
    )
    recompute.run(project=shapes)
    assert sizes == [3, 3, 1]


def test_later_answers_are_added(shapes, truths, alice):
    first, *rest = truths
    answer(alice, {first: truths[first]})
    newest, _ = schedule.newest_answer()
    answer(alice, {pk: truths[pk] for pk in rest})
    questions, stored = read(shapes, newest=newest)
    assert len(stored.id) == 1 and first in questions.id
    tallies = {alice.pk: [1.0, 0.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5]}
    inferred_annotators._write(tallies, {}, {}, newest)
    alice.refresh_from_db()
    assert alice.answers_count == len(truths)
    assert alice.true_positives + alice.true_negatives > 10
