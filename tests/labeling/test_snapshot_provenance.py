"""A snapshot says what it was made from, and its hash covers that."""

import pytest

from labeling import snapshot_folder, snapshots
from labeling.models import Answer, Question
from labeling.snapshots import local_folder
from tests.cast import answer

pytestmark = pytest.mark.django_db


def test_it_names_the_answers_up_to_which_it_was_made_the_settings_and_the_aggregation(
    shapes, alice
):
    question = shapes.questions.filter(kind="concept", state="open").first()
    answer(alice, {question.pk: True})
    frozen = snapshots.freeze(project=shapes)
    newest = Answer.objects.latest("pk")
    made_from = snapshot_folder.read_manifest(local_folder(frozen))["made_from"]
    assert made_from == frozen.made_from
    assert made_from["answers"]["newest_id"] == newest.pk
    assert made_from["answers"]["until"] == newest.created_at.isoformat(timespec="seconds")
    assert made_from["answers"]["count"] == Answer.objects.count()
    assert made_from["settings"]["settle_at"] == shapes.settle_at
    assert made_from["settings"]["include_generated"] is False
    assert made_from["aggregation"]["version"] >= 1
    assert [concept["name"] for concept in made_from["concepts"]] == ["circle", "square"]


def test_the_same_rows_made_by_other_settings_have_another_hash(shapes):
    first = snapshots.freeze(project=shapes)
    assert snapshots.freeze(project=shapes).sha256 == first.sha256
    shapes.settle_at = 0.99
    shapes.save()
    assert snapshots.freeze(project=shapes).sha256 != first.sha256


def test_answers_about_generated_pictures_count_where_these_are_taken_in(shapes, alice):
    question = shapes.questions.filter(kind="concept", state="open").first()
    answer(alice, {question.pk: True})
    Question.objects.filter(pk=question.pk).update(source="model")
    counts = [
        snapshots.freeze(project=shapes, include_generated=both).made_from["answers"]["count"]
        for both in (False, True)
    ]
    assert counts[1] == counts[0] + 1
