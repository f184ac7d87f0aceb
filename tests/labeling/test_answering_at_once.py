"""Eight people at once: nothing is lost, nothing is counted twice, nobody waits for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models import Count, F

from labeling import answers, challenges, review
from labeling.inference import recompute
from labeling.models import Annotator, Answer, Challenge, Project, Question

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 8


def at_once(work, items) -> list:
    def alone(item):
        try:
            return work(item)
        finally:
            connection.close()

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(alone, items))


def take_part(number: int) -> int:
    annotator = Annotator.objects.create(pseudonym=f"crowd {number}")
    project = Project.objects.get()
    given = 0
    for _ in range(6):
        challenge = challenges.issue(annotator=annotator, project=project, kind="grid")
        if challenge is None:
            break
        chosen = [n for n in range(1, len(challenge.tiles) + 1) if (n + number) % 3]
        given += challenges.answer(challenge=challenge, selected=chosen).recorded
    return given


def test_all_answers_of_a_crowd_are_counted(shapes):
    given = sum(at_once(take_part, range(CROWD)))
    assert Answer.objects.count() == given > 0
    wrong = Question.objects.annotate(given=Count("answers")).exclude(answers_count=F("given"))
    assert not wrong.exists()
    assert sum(Annotator.objects.values_list("answers_count", flat=True)) == given


def test_of_many_answers_to_one_challenge_one_wins(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")

    def answer(number: int) -> bool:
        try:
            fresh = Challenge.objects.select_related("annotator").get(pk=challenge.pk)
            challenges.answer(challenge=fresh, selected=[number])
        except challenges.AlreadyAnswered:
            return False
        return True

    assert sum(at_once(answer, range(1, CROWD + 1))) == 1
    assert Answer.objects.count() == 9 and Answer.objects.filter(value=True).count() == 1


def test_answers_and_recomputations_do_not_block_each_other(shapes, ada):
    wanted = list(Question.objects.filter(kind="concept").values_list("pk", flat=True))
    people = [Annotator.objects.create(pseudonym=f"person {n}") for n in range(CROWD)]

    def work(number: int) -> None:
        if number % 4 == 3:
            recompute.run(project=shapes)
        elif number % 4 == 2:
            review.block(annotator=people[number], by=ada)
            review.unblock(annotator=people[number], by=ada)
        mixed = sorted(wanted, key=lambda pk: hash((pk, number)))
        for start in range(0, len(mixed), 12):
            part = mixed[start : start + 12]
            answers.record(
                annotator=people[number],
                values={pk: (pk + number) % 2 == 0 for pk in part},
                reasons=dict.fromkeys(part, "wanted"),
            )

    at_once(work, range(CROWD))
    recompute.run(project=shapes)
    counts = Question.objects.filter(kind="concept").values_list("answers_count", flat=True)
    assert set(counts) == {CROWD}
