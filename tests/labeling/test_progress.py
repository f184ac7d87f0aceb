"""How far a project has come."""

from types import SimpleNamespace

import pytest

from labeling import answers, progress, project_stats
from labeling.images import tiles
from labeling.models import Concept, Image, Project, Question
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db


def test_it_counts_questions_by_state(shapes, alice):
    (first,) = Question.objects.filter(kind="concept", state="open")[:1]
    answers.record(annotator=alice, values={first.pk: True}, reasons={first.pk: "wanted"})
    measured = progress.measure(project=shapes)
    assert (measured.images, measured.questions, measured.gold) == (24, 72, 12)
    assert (measured.open, measured.settled, measured.ambiguous) == (60, 0, 0)
    assert (measured.answers, measured.annotators) == (1, 1)


def test_it_counts_one_project_alone(shapes, alice):
    first = Question.objects.first()
    answers.record(annotator=alice, values={first.pk: True}, reasons={first.pk: "wanted"})
    other = Project.objects.create(state="open", slug="other", name="Other")
    assert progress.measure(project=other).answers == 0


def test_a_pair_that_nothing_is_stored_of_is_implicit(shapes):
    before = progress.measure(project=shapes)
    assert (before.pairs, before.implicit) == (48, 0)
    Concept.objects.create(project=shapes, name="dog", phrase="a dog")
    after = progress.measure(project=shapes)
    assert (after.pairs, after.implicit, after.questions) == (72, 24, before.questions)


def test_pairs_of_a_concept_that_is_not_asked_are_not_counted(shapes):
    circle, square = Concept.objects.order_by("name")
    Concept.objects.filter(pk=circle.pk).update(active=False)
    assert progress.measure(project=shapes).pairs == 24
    Concept.objects.filter(pk=square.pk).update(merged_into=circle, active=False)
    measured = progress.measure(project=shapes)
    assert (measured.pairs, measured.implicit) == (0, 0)


def test_open_questions_of_a_concept_that_is_switched_off_are_not_to_be_done(shapes):
    before = progress.measure(project=shapes)
    of_circle = Question.objects.filter(concept__name="circle")
    settled = of_circle.filter(state="open").order_by("pk")[:3].values_list("pk", flat=True)
    Question.objects.filter(pk__in=list(settled)).update(state="settled")
    left = of_circle.filter(state="open").count()
    Concept.objects.filter(name="circle").update(active=False)
    measured = progress.measure(project=shapes)
    assert (measured.settled, measured.done) == (3, 3)
    assert measured.open == before.open - 3 - left
    assert measured.questions == before.questions - left
    assert measured.chosen == before.chosen - left
    Question.objects.filter(state="open").exclude(concept__name="circle").update(state="settled")
    finished = progress.measure(project=shapes)
    assert finished.done == finished.chosen


def test_questions_of_a_merged_concept_are_records(shapes):
    circle, square = Concept.objects.order_by("name")
    Question.objects.filter(concept=square).update(state="settled")
    others = Question.objects.exclude(concept=square).count()
    Concept.objects.filter(pk=square.pk).update(merged_into=circle, active=False)
    measured = progress.measure(project=shapes)
    assert (measured.questions, measured.settled) == (others, 0)


def test_a_cut_picture_counts_by_its_parts_and_a_generated_one_does_not(garden):
    add(garden, 1)
    tiles.cut(add(garden, 2), grid=4)
    add(garden, 3, generated=True)
    Concept.objects.create(project=garden, name="dog", phrase="a dog")
    measured = progress.measure(project=garden)
    assert (measured.images, measured.pairs, measured.implicit) == (3, 17, 17)


def test_the_pairs_are_those_that_are_stored_and_those_that_are_implicit(scenes):
    measured = progress.measure(project=scenes.project)
    beside = Question.objects.filter(kind="concept", grid=1, tile__image__cut_into=4).count()
    stored = Question.objects.filter(kind="concept").count() - beside
    assert measured.pairs == 2 * (24 + 32)
    assert measured.implicit == measured.pairs - stored


def test_pools_hold_open_questions_that_nobody_has_answered(shapes, alice):
    before = progress.measure(project=shapes).pooled
    nominated = Question.objects.filter(state="open", slice_key__isnull=False)
    assert before == nominated.count() > 0
    first = nominated[0].pk
    answers.record(annotator=alice, values={first: True}, reasons={first: "random"})
    after = progress.measure(project=shapes)
    assert (after.pooled, after.answered) == (before - 1, 1)


def test_nothing_waits_in_the_pools_of_a_concept_that_is_switched_off(shapes):
    before = progress.measure(project=shapes).pooled
    Concept.objects.filter(name="circle").update(active=False)
    after = progress.measure(project=shapes).pooled
    nominated = Question.objects.filter(state="open", slice_key__isnull=False)
    assert after == nominated.filter(concept__name="square").count() < before


def test_the_home_page_shows_a_project_only_where_there_are_pairs(garden, ada, client):
    add(garden, 1)
    assert "Garden" not in client.get("/").content.decode()
    Concept.objects.create(project=garden, name="dog", phrase="a dog")
    project_stats.forget_all()
    assert "Garden" in client.get("/").content.decode()


def test_a_project_without_pictures_has_nothing_to_count(garden):
    Concept.objects.create(project=garden, name="dog", phrase="a dog")
    assert set(vars(progress.measure(project=garden)).values()) == {0}


def test_it_is_measured_once_in_a_while(garden, monkeypatch):
    assert project_stats.progress(garden).images == 0
    add(garden, 1)
    assert project_stats.progress(garden).images == 0
    project_stats.forget_all()
    assert project_stats.progress(garden).images == Image.objects.count() == 1


def test_what_takes_long_to_measure_is_kept_longer(garden, monkeypatch):
    times, kept = iter([0.0, 3.0]), {}
    monkeypatch.setattr(
        project_stats, "time", SimpleNamespace(monotonic=lambda: next(times), time=lambda: 0.0)
    )
    monkeypatch.setattr(
        project_stats.cache, "set", lambda key, value, seconds: kept.update({key: seconds})
    )
    project_stats.progress(garden)
    assert list(kept.values()) == [150 * project_stats.STALE_FACTOR]
