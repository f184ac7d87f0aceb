"""Texts are put right while people answer about them: no answer is lost, and nothing hangs."""

import pytest

from labeling.imports import jobs, source
from labeling.models import Answer, Import, Project, Question
from tests.at_once import run_at_once
from tests.cast import answer
from tests.labeling.imports.sources import write
from tests.pictures import png

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = range(6)


@pytest.fixture
def project():
    return Project.objects.create(slug="birds", name="Birds", state="open")


def take(project: Project, folder, text: str) -> Import:
    """Import pictures that all have a caption of that kind."""
    for number in NUMBERS:
        write(folder, f"{number}.png", png(number, (32, 32)))
        write(folder, f"{number}.txt", f"a {text} in a tree, no. {number}")
    record = Import.objects.create(project=project, name=folder.name, state="importing")
    jobs.execute(record, source.find(folder), concepts=[], renew=lambda done: None)
    return record


def test_answers_that_come_meanwhile_keep_their_captions(project, tmp_path, alice):
    take(project, tmp_path / "wrong", "dog")
    wrong = list(Question.objects.order_by("pk").values_list("pk", flat=True))

    def answer_all() -> None:
        for pk in reversed(wrong):
            answer(alice, {pk: True})

    outcomes = run_at_once(answer_all, lambda: take(project, tmp_path / "right", "bird"))
    assert not [each for each in outcomes if isinstance(each, Exception)]
    kept = Question.objects.filter(pk__in=wrong)
    assert all(each.stated is None and each.answers_count == 1 for each in kept)
    assert Answer.objects.count() == kept.count()
    assert Question.objects.filter(text__contains="bird", stated=0.9).count() == len(NUMBERS)


def test_two_corrections_at_once_leave_one_of_them(project, tmp_path):
    take(project, tmp_path / "wrong", "dog")
    outcomes = run_at_once(
        lambda: take(project, tmp_path / "one", "bird"),
        lambda: take(project, tmp_path / "two", "cat"),
    )
    assert not [each for each in outcomes if isinstance(each, Exception)]
    texts = list(Question.objects.order_by("tile").values_list("text", flat=True))
    assert len(texts) == len(NUMBERS) and len({text.split(" in ")[0] for text in texts}) == 1
