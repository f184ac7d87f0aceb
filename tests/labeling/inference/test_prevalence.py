"""How frequent concepts are, learned; and their questions moved, a batch at a time."""

import pytest

from labeling import answers, questions
from labeling.inference import prevalence, schedule
from labeling.models import Answer, Concept, Question, Recomputation, Tile

pytestmark = pytest.mark.django_db


@pytest.fixture
def rare(shapes, alice, monkeypatch) -> Concept:
    """Half of its questions were drawn at random, and are not so."""
    monkeypatch.setattr(prevalence, "MIN_QUESTIONS", 5)
    monkeypatch.setattr(prevalence, "BATCH", 5)
    rare = Concept.objects.create(project=shapes, name="cat", phrase="a cat", prevalence=0.5)
    questions.ask_concepts(tiles=list(Tile.objects.all()), concepts=[rare])
    drawn = Question.objects.filter(concept=rare).order_by("pk").values_list("pk", flat=True)[::2]
    reasons = dict.fromkeys(drawn, Answer.Reason.RANDOM)
    answers.record(annotator=alice, values=dict.fromkeys(drawn, False), reasons=reasons)
    return rare


def test_all_questions_move_with_their_concept(shapes, rare):
    with schedule.claim(shapes) as recomputation:
        assert prevalence.update(recomputation) == 1
    rare.refresh_from_db()
    assert rare.prevalence < 0.3
    priors = Question.objects.filter(concept=rare).values_list("prior", flat=True)
    assert list(priors) == pytest.approx([rare.prevalence] * len(priors))


def test_a_move_that_was_cut_short_goes_on_where_it_was_left(shapes, rare, monkeypatch):
    renew, renewals = Recomputation.renew, []

    def dies(self, **fields):
        renewals.append(fields)
        if len(renewals) == 4:
            raise ConnectionError("the worker is gone")
        renew(self, **fields)

    with monkeypatch.context() as patch, schedule.claim(shapes) as recomputation:
        patch.setattr(Recomputation, "renew", dies)
        with pytest.raises(ConnectionError):
            prevalence.update(recomputation)
    rare.refresh_from_db()
    half = Question.objects.filter(concept=rare, prior__lt=0.49).count()
    assert 0 < half < Question.objects.filter(concept=rare).count()
    with schedule.claim(shapes) as recomputation:
        prevalence.update(recomputation)
        assert Recomputation.objects.get().prevalence_shift is None
    rare.refresh_from_db()
    priors = Question.objects.filter(concept=rare).values_list("prior", flat=True)
    assert list(priors) == pytest.approx([rare.prevalence] * len(priors))
