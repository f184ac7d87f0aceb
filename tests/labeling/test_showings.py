"""What an address is shown is counted, so that known questions are shown as open ones are."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from labeling import challenges, checks, showings, tasks
from labeling.models import AddressDay, Annotator, Answer, Project, Question, Showing
from labeling.selection import candidates, known
from labeling.selection.candidates import Candidate
from labeling.selection.selector import Selector
from labeling.showings import ANYWHERE, Showings, Shown

pytestmark = pytest.mark.django_db
SCHOOL, OFFICE = "192.0.2.1", "192.0.2.2"
State = Question.State


def newcomer() -> Annotator:
    return Annotator.objects.create()


def gold_shown(project, address: str, *, people: int) -> list[int]:
    """Return the gold that so many newcomers at an address are shown, a grid each."""
    shown: list[int] = []
    for _ in range(people):
        challenge = challenges.issue(
            annotator=newcomer(), project=project, kind="grid", address=address
        )
        if challenge is not None:
            reasons = zip(challenge.questions, challenge.reasons, strict=True)
            shown += [question for question, reason in reasons if reason == "gold"]
    return shown


def test_gold_is_shown_once_at_an_address_where_open_questions_are(shapes):
    first = gold_shown(shapes, SCHOOL, people=3)
    assert first
    day = AddressDay.objects.get()
    AddressDay.objects.update(seconds=0, elsewhere=10_000)
    assert day.firsts > 0
    for _ in range(6):
        again = gold_shown(shapes, SCHOOL, people=1)
        AddressDay.objects.update(seconds=0, elsewhere=10_000)
        assert not set(again) & set(first)
        first += again


def test_what_is_skipped_was_shown(alice, shapes):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid", address=SCHOOL)
    challenges.skip(challenge=challenge, address=SCHOOL)
    counted = set(Showing.objects.values_list("question", flat=True))
    assert counted == set(challenge.questions)
    assert AddressDay.objects.get().skips == 1


def test_other_addresses_are_shown_it_all_the_same(shapes):
    at_school = set(gold_shown(shapes, SCHOOL, people=8))
    assert at_school & set(gold_shown(shapes, OFFICE, people=8))


def test_gold_is_shown_again_where_open_questions_are(shapes, monkeypatch):
    """Open ones come back after ten challenges in the mean; sixteen have passed."""
    monkeypatch.setattr(known, "count", lambda places, share: 3)
    pair = Question.objects.filter(state=State.GOLD).first()
    at_school = showings.open_day(SCHOOL, shapes)
    showings.note(at_school, [Shown(pair.tile_id, pair.pk, known=True)])
    AddressDay.objects.update(asked=16, firsts=10, seconds=10_000, lags=100_000, truths=5)
    assert pair.pk in gold_shown(shapes, SCHOOL, people=14)


def test_the_address_itself_is_nowhere_and_its_key_changes_by_the_day(alice, shapes):
    now = timezone.now()
    challenges.issue(annotator=alice, project=shapes, kind="grid", address=SCHOOL)
    day = AddressDay.objects.get()
    assert SCHOOL not in day.key and day.key == showings.key(SCHOOL, shapes.pk, now=now)
    assert day.key != showings.key(SCHOOL, shapes.pk, now=now + timedelta(days=1))


def test_another_secret_makes_other_keys(monkeypatch):
    now = timezone.now()
    before = showings.key(SCHOOL, now=now)
    monkeypatch.setattr(settings, "SECRET_KEY", "another")
    assert showings.key(SCHOOL, now=now) != before


def test_what_was_shown_is_forgotten_a_day_later(alice, shapes):
    challenges.issue(annotator=alice, project=shapes, kind="grid", address=SCHOOL)
    tasks.forget_visitors()
    assert AddressDay.objects.exists() and Showing.objects.exists()
    AddressDay.objects.update(day=timezone.now().date() - timedelta(days=2))
    tasks.forget_visitors()
    assert not AddressDay.objects.exists() and not Showing.objects.exists()


def test_it_costs_two_queries_a_challenge(shapes, django_assert_num_queries):
    shown = [Shown(tile=n, question=n, known=n < 3) for n in range(9)]
    with django_assert_num_queries(2):
        showings.note(showings.open_day(SCHOOL, shapes), shown)


@pytest.mark.django_db(transaction=True)
def test_a_class_that_asks_at_once_is_shown_nothing_too_often(shapes):
    """Each gold question once, as no open one has been shown twice."""
    people = [newcomer() for _ in range(12)]

    def ask(annotator: Annotator) -> None:
        try:
            challenges.issue(annotator=annotator, project=shapes, kind="grid", address=SCHOOL)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(ask, people))
    day = AddressDay.objects.get()
    shown = list(Showing.objects.values_list("known", "shown"))
    assert day.asked == len(people)
    assert day.firsts == sum(not is_known for is_known, _ in shown)
    again = [count for is_known, count in shown if is_known and count > 1]
    assert not again or day.seconds, "gold came again though nothing open did"


@pytest.fixture
def settled(shapes) -> list[Question]:
    """Squares and circles that two people of one mind have settled."""
    rows = list(Question.objects.filter(kind="concept", state=State.OPEN)[:20])
    people = [newcomer(), newcomer()]
    for row in rows:
        value = row.tile.image.source.split()[1] == row.concept.name
        Answer.objects.bulk_create(
            Answer(question=row, annotator=person, value=value, reason="wanted")
            for person in people
        )
        Question.objects.filter(pk=row.pk).update(
            state=State.SETTLED,
            probability=0.99 if value else 0.01,
            answers_count=2,
            yes_count=2 * value,
            settled_at=timezone.now(),
        )
    return rows


def checks_of(annotator: Annotator, project, at: Showings = ANYWHERE) -> set[int]:
    """Return the checks of twenty grids that somebody could be shown next."""
    grids = [
        Selector(annotator=annotator, project=project, showings=at, accept_short=True).choose(
            "grid"
        )
        for _ in range(20)
    ]
    return {
        pick.question for grid in grids if grid for pick in grid.picks if pick.reason == "check"
    }


def test_without_gold_settled_questions_check_people(alice, shapes, settled):
    Question.objects.filter(state=State.GOLD).delete()
    found = checks_of(alice, shapes)
    assert found and found <= {row.pk for row in settled}
    assert not any(checks.is_revealed(question) for question in found)


@pytest.mark.parametrize(
    "change",
    [{"disagreement": 0.5}, {"answers_wanted": 3}, {"probability": 0.9}, {"answers_count": 9}],
)
def test_what_is_in_doubt_or_was_asked_often_checks_nobody(alice, shapes, settled, change):
    Question.objects.filter(state=State.GOLD).delete()
    Question.objects.filter(pk__in=[row.pk for row in settled]).update(**change)
    assert not checks_of(alice, shapes)


def test_what_somebody_flagged_or_only_suspects_answered_checks_nobody(alice, bob, shapes, settled):
    Question.objects.filter(state=State.GOLD).delete()
    tiles = {row.tile_id: row.tile for row in settled[:10]}
    for tile in tiles.values():
        tile.comments.create(project=shapes, annotator=bob, kind="broken")
    flagged = set(tiles)
    found = checks_of(alice, shapes)
    assert not found & {row.pk for row in settled if row.tile_id in flagged}
    Annotator.objects.exclude(pk__in=[alice.pk, bob.pk]).update(blocked=True)
    assert not checks_of(alice, shapes)


def test_a_wrong_answer_to_a_check_fails_and_good_people_open_it_again(alice, bob, shapes, settled):
    row = next(row for row in settled if row.tile.image.source.split()[1] == row.concept.name)
    for annotator, outcome in ((alice, False), (bob, None)):
        challenge = challenges.issue(annotator=annotator, project=shapes, kind="verify")
        challenge.kind, challenge.questions, challenge.reasons = "verify", [row.pk], ["check"]
        answer = challenges.answer(challenge=challenge, yes=False)
        assert answer.passed is outcome or outcome is None
        assert answer.settled == 0
    row.refresh_from_db()
    assert row.state != State.SETTLED and row.answers_count == 4
    assert row.pk not in checks_of(newcomer(), shapes)


def test_a_check_was_settled_before_the_address_came(shapes, settled):
    """Else it would have been shown there as open, and there would be more of them by the hour."""
    Question.objects.filter(state=State.GOLD).delete()
    early = showings.open_day(OFFICE, shapes)
    later = timezone.now() + timedelta(hours=1)
    Question.objects.filter(pk__in=[row.pk for row in settled]).update(settled_at=later)
    assert not checks_of(newcomer(), shapes, early)
    late = showings.open_day(SCHOOL, shapes, now=later + timedelta(minutes=11))
    assert checks_of(newcomer(), shapes, late)


def test_what_is_known_lasts_as_long_as_the_tiles_of_a_day(shapes, settled):
    """A gold picture and a check of eight are a quarter; there are never more than a third."""
    concept = settled[0].concept
    at_school = showings.open_day(SCHOOL, shapes, now=timezone.now() + timedelta(hours=1))
    gold = Question.objects.filter(concept=concept, grid=1, state=State.GOLD).count()
    checking = sum(row.concept_id == concept.pk for row in settled)
    stock = known.stock(concept.pk, shapes, at_school)
    assert stock == (gold, checking, shapes.images.count())
    assert stock.share == min((stock.gold + stock.checks) / stock.tiles, known.LARGEST_SHARE)
    assert known.Stock(1, 1, 8).share == 0.25
    assert known.Stock(9, 9, 18).share == known.LARGEST_SHARE
    assert known.Stock(0, 0, 0).share == 0


def test_an_address_is_shown_as_many_of_all_tiles_as_one_picture_once_of_each_concept(
    shapes, monkeypatch
):
    concepts = shapes.concepts.filter(active=True).count()
    assert known.tiles_a_day(shapes) == shapes.images.count()
    cache.clear()
    monkeypatch.setattr(showings, "MOST_TILES", 5 * concepts)
    assert known.tiles_a_day(shapes) == 5


def test_known_questions_are_shown_again_as_soon_as_open_ones_and_no_later(shapes):
    """Where open ones come back after ten challenges in the mean, and all of them do."""
    gold = list(Question.objects.filter(state=State.GOLD, grid=1, kind="concept"))
    at_school = showings.open_day(SCHOOL, shapes)
    showings.note(at_school, [Shown(pair.tile_id, pair.pk, known=True) for pair in gold])
    shown_after = [
        len(shown_again(shapes, at_school._replace(repeats=[1.0], firsts=1, lags=10, asked=1 + n)))
        for n in (0, 2, 5, 8, 10, 30, 31)
    ]
    assert shown_after == [*sorted(shown_after[:-1]), 0]
    assert shown_after[0] == 0 < shown_after[2] < shown_after[4] == shown_after[5] == len(gold)


def shown_again(project, at: Showings) -> set[int]:
    """Return the gold that the address of these showings may be shown again.

    It is read from some random points, each of which may be followed by a part of it.
    """
    windows = [
        candidates.again(candidates.gold(concept.pk, 1, verdict, "gold"), at)
        for concept in project.concepts.all()
        for verdict in (True, False)
    ]
    nobody = Annotator(pk=0)
    reads = [
        candidates.read(*windows, annotator=nobody, project=project, exclude=[], showings=at)
        for _ in range(10)
    ]
    return {candidate.question for read in reads for candidate in read}


def test_another_project_is_counted_by_itself(shapes):
    showings.open_day(SCHOOL, shapes)
    assert showings.open_day(SCHOOL, Project.objects.create(name="x", slug="x")).asked == 1


@pytest.mark.parametrize(("known_elsewhere", "may"), [(1, True), (5, False)])
def test_a_known_tile_comes_for_another_concept_as_often_as_open_ones(known_elsewhere, may):
    """A fifth of the open ones has, and of nineteen known ones one or five."""
    at = Showings(address=1, firsts=100, elsewhere=20, known=19, known_elsewhere=known_elsewhere)
    assert at.parameters()["elsewhere"] is may


def known_pool(*, yes: int, no: int) -> list[Candidate]:
    roles = [known.YES] * yes + [known.NO] * no
    return [candidate(role, n) for n, role in enumerate(roles)]


def candidate(role: str, number: int) -> Candidate:
    true = role in {known.YES, known.CHECK_YES}
    return Candidate(role, number, number, number, 1, float(true), 0, 0, 0.0, 0.0, 1.0)


STOCK = known.Stock(gold=100, checks=0, tiles=300)


def test_known_tiles_are_true_as_often_as_open_ones_at_the_address():
    yes = total = 0
    for _ in range(2_000):
        at = Showings(address=1, firsts=400, truths=100, known=total, known_truths=yes)
        chosen = known.choose(known_pool(yes=5, no=5), 3, at=at, true_share=0.25, of=STOCK)
        total += len(chosen)
        yes += sum(candidate.role == known.YES for candidate in chosen)
    assert yes / total == pytest.approx(0.25, abs=0.01)
    assert total / 2_000 == pytest.approx(3, abs=0.2)


def test_what_lacks_of_a_truth_is_seldom_made_up_by_the_other():
    at = Showings(address=1, firsts=400, truths=100)
    pool = known_pool(yes=5, no=0)
    counts = [len(known.choose(pool, 3, at=at, true_share=0.25, of=STOCK)) for _ in range(500)]
    assert 0.2 < sum(counts) / 500 < 1


def test_gold_and_checks_are_shown_in_the_proportion_in_which_there_are_any():
    roles = [known.YES] * 5 + [known.CHECK_YES] * 5
    pool = [candidate(role, 2 * n) for n, role in enumerate(roles, 1)]
    pool = [each for each in pool if not checks.is_revealed(each.question)]
    stock = known.Stock(gold=100, checks=300, tiles=1_000)
    firsts = [known.in_order(pool, True, stock)[0].role for _ in range(2_000)]
    assert firsts.count(known.YES) / 2_000 == pytest.approx(0.25, abs=0.04)


def test_the_number_of_known_tiles_varies_around_their_share():
    counts = [known.count(9, 1 / 3) for _ in range(3_000)]
    assert {0, 1, 2, 3, 4, 5, 6} <= set(counts)
    assert 2.9 < sum(counts) / len(counts) < 3.1
