"""Visitors of sites who err together weigh less in a recomputation, everybody else does not."""

import random

import numpy as np
import pytest
from django.utils import timezone

from labeling import answers
from labeling.inference import arrays, recompute, weights
from labeling.models import Annotator, Answer, Challenge, Question, Site

pytestmark = pytest.mark.django_db

KNOWN, VISITORS, EACH = 100, 12, 24


def says(question: Question) -> bool:
    """Return what the program says: it is wrong about one question in eight."""
    return bool(question.verdict) ^ (question.pk % 8 == 0)


@pytest.fixture
def crowd(field):
    """Record the same errors of twelve: as visitors of a site, or as annotators of the project."""
    rows = list(Question.objects.filter(project=field).order_by("pk"))
    known, unknown = rows[:KNOWN], rows[KNOWN : KNOWN + 8]
    for number, question in enumerate(known):
        question.verdict, question.state = bool(number % 2), Question.State.GOLD
    Question.objects.bulk_update(known, ["verdict", "state"])
    site = Site.objects.create(project=field, name="Shop", hosts=["shop.example"])

    def record(*, of_site: bool) -> list[Answer]:
        draw = random.Random(1)
        for _ in range(VISITORS):
            annotator = Annotator.objects.create(site=site if of_site else None)
            asked = [*draw.sample(known, EACH), *unknown]
            values = {q.pk: says(q) for q in asked}
            reasons = {q.pk: "wanted" if q in unknown else "gold" for q in asked}
            challenge = Challenge.objects.create(
                project=field,
                annotator=annotator,
                questions=list(values),
                expires_at=timezone.now(),
            )
            answers.record(annotator=annotator, values=values, reasons=reasons, challenge=challenge)
        recompute.run(project=field)
        return list(Answer.objects.filter(question__in=unknown))

    return record


def test_visitors_who_err_together_count_as_few(crowd):
    stored = crowd(of_site=True)
    assert sum(answer.weight for answer in stored) / 8 < 2


def test_copies_of_the_projects_model_add_nothing(crowd, field):
    for question in Question.objects.filter(project=field):
        question.model_probability = 0.9 if says(question) else 0.1
        question.save(update_fields=["model_probability"])
    stored = crowd(of_site=True)
    assert sum(answer.weight for answer in stored) / 8 < 0.3


def test_the_weights_of_others_do_not_change(crowd, field):
    stored = crowd(of_site=False)
    assert min(answer.weight for answer in stored) > 0.5
    newest = Answer.objects.order_by("-pk").values_list("pk", flat=True)[0]
    questions, read = arrays.read(field, newest=newest)
    assert not read.visitor.any()
    assert np.allclose(weights.infer(field, questions, read).challenge, read.weight, atol=0.03)
