"""What all answers show about those who gave them."""

import pytest

from labeling import answers
from labeling.inference import annotators as rating
from labeling.inference import recompute, schedule
from labeling.inference.arrays import read
from labeling.models import Annotator, Question
from tests.cast import truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def truths(shapes) -> dict[int, bool]:
    asked = Question.objects.filter(kind="concept").order_by("pk")
    return {pk: truth(pk) for pk in asked.values_list("pk", flat=True)}


def say(annotator: Annotator, values: dict[int, bool]) -> None:
    answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))


def test_the_counts_are_such_that_the_coins_are_those_found(
    shapes, truths, alice, bob, monkeypatch
):
    for annotator in (alice, bob):
        say(annotator, truths)
    say(Annotator.objects.create(pseudonym="carol"), dict.fromkeys(truths, True))
    seen = []
    update = rating.update_accuracies

    def looked_at(asked, given, found, **how):
        seen.append((given.annotators, found.inferred))
        update(asked, given, found, **how)

    monkeypatch.setattr(rating, "update_accuracies", looked_at)
    recompute.run(project=shapes)
    ((annotators, inferred),) = seen
    for annotator in Annotator.objects.filter(pk__in=[alice.pk, bob.pk]):
        place = annotators.tolist().index(annotator.pk)
        counts = answers.counts_of(annotator)
        assert counts.sensitivity == pytest.approx(inferred.sensitivity[place], abs=0.06)
        assert counts.specificity == pytest.approx(inferred.specificity[place], abs=0.06)
        assert annotator.reliability == pytest.approx((counts.sensitivity + counts.specificity) / 2)


def test_few_annotators_are_held_at_a_time(shapes, truths, monkeypatch):
    for number in range(7):
        say(Annotator.objects.create(pseudonym=f"person {number}"), truths)
    monkeypatch.setattr(answers, "BATCH", 3)
    sizes = []
    write = rating._write
    monkeypatch.setattr(
        rating, "_write", lambda figures, *rest: (sizes.append(len(figures)), write(figures, *rest))
    )
    recompute.run(project=shapes)
    assert sizes == [3, 3, 1]


def test_what_came_since_is_put_on_top(shapes, truths, alice):
    first, *rest = truths
    say(alice, {first: truths[first]})
    newest, _ = schedule.newest_answer()
    say(alice, {pk: truths[pk] for pk in rest})
    asked, given = read(shapes, newest=newest)
    assert len(given.id) == 1 and first in asked.id
    figures = {alice.pk: [1.0, 0.0, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5]}
    rating._write(figures, {}, newest)
    alice.refresh_from_db()
    assert alice.answers_count == len(truths)
    assert alice.true_positives + alice.true_negatives > 10
