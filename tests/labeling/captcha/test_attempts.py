"""What a visitor of a site is asked, and who passes."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.captcha import attempts, composing, decks, limits, passing
from labeling.captcha.attempts import Outcome
from labeling.captcha.errors import AlreadyAnswered, DoorClosed, Expired, Invalid
from labeling.models import Attempt, Project, Question, Site
from tests.labeling.captcha import birds


def test_both_rounds_show_different_pictures_most_of_them_known(shop: Site) -> None:
    attempt = birds.begin(shop)
    assert len(attempt.tiles) == len(set(attempt.tiles)) == 2 * composing.TILES
    for number in (1, 2):
        known = [k for k in attempt.known[attempts.part_of_round(attempt, number)] if k >= 0]
        assert passing.KNOWN_TILES[0] <= len(known) <= passing.KNOWN_TILES[1]
    asked = Question.objects.filter(pk__in=attempt.questions)
    assert set(asked.values_list("concept", flat=True)) == set(attempt.concepts)


def test_each_round_is_about_another_concept_where_there_are_several(shop: Site) -> None:
    birds.add_known(shop.project, yes=10, no=20, name="fish")
    decks.forget()
    attempt = birds.begin(shop)
    for concept, number in zip(attempt.concepts, (1, 2), strict=True):
        shown = attempt.questions[attempts.part_of_round(attempt, number)]
        assert set(Question.objects.filter(pk__in=shown).values_list("concept", flat=True)) == {
            concept
        }
    assert len(set(attempt.concepts)) == 2


def test_places_tell_nothing_of_what_is_known(shop: Site) -> None:
    places = [0] * composing.TILES
    for number in range(60):
        attempt = birds.begin(shop, f"192.0.2.{number}")
        for place, known in enumerate(attempt.known[: composing.TILES]):
            places[place] += known >= 0
    assert min(places) > 30  # of 60, where 49 are expected


def test_who_looks_passes(shop: Site) -> None:
    assert birds.pass_at(shop)
    (attempt,) = Attempt.objects.all()
    assert attempt.state == "passed" and attempt.passed_at and attempt.evidence
    assert attempt.evidence > attempt.threshold and not attempt.suspected


def test_what_is_said_of_unknown_pictures_plays_no_part(shop: Site) -> None:
    attempt = birds.begin(shop)
    right, evidence = birds.truth(attempt), []
    for said in (False, True):
        Attempt.objects.filter(pk=attempt.pk).update(state="asked", values=[], round_seconds=[])
        again = Attempt.objects.get(pk=attempt.pk)
        birds.answer(again, lambda place, s=said: s if attempt.known[place] < 0 else right(place))
        again.refresh_from_db()
        evidence.append(again.evidence)
    assert evidence[0] == evidence[1]


@pytest.mark.parametrize("rule", ["always", "never", "at random"])
def test_who_does_not_look_fails(shop: Site, rule: str) -> None:
    dice = random.Random(7)
    says = {
        "always": lambda _: True,
        "never": lambda _: False,
        "at random": lambda _: dice.random() < 0.5,
    }
    for number in range(10):
        attempt = birds.begin(shop, f"192.0.2.{number}")
        step = birds.answer(attempt, says[rule])
        if step.outcome is Outcome.ANOTHER:
            attempt.refresh_from_db()
            step = birds.answer(attempt, says[rule], 2)
        assert step.outcome is Outcome.FAILED and not step.response


def test_a_slip_is_mended_by_a_second_round(shop: Site) -> None:
    attempt = birds.begin(shop)
    right = birds.truth(attempt)
    slip = next(place for place in range(16) if attempt.known[place] == 1)
    step = birds.answer(attempt, lambda place: right(place) and place != slip)
    assert step.outcome is Outcome.ANOTHER
    attempt.refresh_from_db()
    step = birds.answer(attempt, right, 2)
    assert step.outcome is Outcome.PASSED


def test_who_is_quicker_than_eyes_fails_and_is_suspected(shop: Site) -> None:
    attempt = birds.begin(shop)
    selected = [n for n, known in enumerate(attempt.known[:16], 1) if known > 0.5]
    assert attempts.answer(attempt, number=1, selected=selected).outcome is Outcome.FAILED
    attempt.refresh_from_db()
    assert attempt.suspected


def test_a_round_is_answered_once_and_in_its_order(shop: Site) -> None:
    attempt = birds.begin(shop)
    with pytest.raises(Invalid, match="one round after the other"):
        attempts.answer(attempt, number=2, selected=[])
    birds.answer(attempt, birds.truth(attempt))
    attempt.refresh_from_db()
    with pytest.raises(AlreadyAnswered):
        attempts.answer(attempt, number=1, selected=[])


@pytest.mark.parametrize("selected", [[0], [17], [1, 1], None])
def test_what_fits_no_tile_changes_nothing(shop: Site, selected: list[int] | None) -> None:
    attempt = birds.begin(shop)
    with pytest.raises(Invalid):
        attempts.answer(attempt, number=1, selected=selected)
    attempt.refresh_from_db()
    assert attempt.state == "asked" and attempt.values == []


def test_time_runs_out_and_can_be_extended_for_two_hours(shop: Site) -> None:
    attempt = birds.begin(shop)
    assert attempts.extend(attempt) > attempt.expires_at
    long_ago = timezone.now() - timedelta(hours=2)
    Attempt.objects.filter(pk=attempt.pk).update(created_at=long_ago)
    attempt.refresh_from_db()
    assert attempts.extend(attempt) < timezone.now() + timedelta(seconds=5)
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=long_ago)
    attempt.refresh_from_db()
    for act in (lambda: attempts.extend(attempt), lambda: birds.answer(attempt, lambda _: True)):
        with pytest.raises(Expired):
            act()


def test_an_address_is_not_shown_a_tile_twice_while_there_are_others(shop: Site) -> None:
    first = birds.begin(shop)
    second = birds.begin(shop)
    assert len(set(first.tiles) & set(second.tiles)) < len(second.tiles)
    birds.add_known(shop.project, yes=30, no=40)
    birds.add_open(shop.project, 20)
    decks.forget()
    elsewhere = birds.begin(shop, "198.51.100.7")
    again = birds.begin(shop, "198.51.100.7")
    assert not set(elsewhere.tiles) & set(again.tiles)


def test_without_enough_gold_the_grid_is_not_offered(shop: Site) -> None:
    Question.objects.filter(state="gold", verdict=True).update(state="open", verdict=None)
    decks.forget()
    assert attempts.doors(shop) == ["work"]
    with pytest.raises(DoorClosed) as refused:
        birds.begin(shop)
    assert refused.value.doors == ["work"]


@pytest.mark.parametrize("change", [{"state": "draft"}, {"state": "archived"}, {"private": True}])
def test_a_project_that_is_not_for_everybody_shows_no_pictures(
    shop: Site, change: dict[str, object]
) -> None:
    Project.objects.filter(pk=shop.project_id).update(**change)
    shop.project.refresh_from_db()
    assert attempts.doors(shop) == ["work"]


def test_a_site_that_fails_open_lets_pass_while_nothing_can_be_asked(shop: Site) -> None:
    shop.fail_open = True
    assert "open" not in attempts.doors(shop)
    Question.objects.filter(state="gold").update(state="open", verdict=None)
    decks.forget()
    assert attempts.doors(shop) == ["open"]
    assert birds.begin(shop, door="open").state == "passed"


def test_an_attack_raises_what_passes(shop: Site) -> None:
    calm = birds.begin(shop).threshold
    for number in range(limits.LEVEL_LEAST):
        limits.count_end(shop.pk, "failed", f"bot {number}")
    limits.forget()
    assert birds.begin(shop).threshold > calm + 3 * limits.LEVEL_EVIDENCE - 0.01


def test_what_people_settled_counts_as_known(wood: Project, shop: Site) -> None:
    gold = Question.objects.filter(state="gold", verdict=True).order_by("pk")
    assert decks.readiness(wood)[0].yes == 30
    Question.objects.filter(pk__in=gold.values("pk")[:5]).update(
        state="settled", verdict=None, probability=0.97, answers_count=3, disagreement=0.0
    )
    assert decks.readiness(wood)[0].yes == 30


def test_a_deck_holds_all_that_is_known_where_that_is_little(wood: Project) -> None:
    for _ in range(5):
        decks.forget()
        (concept,) = decks.ready(wood)
        deck = decks.deck(wood, concept)
        assert (len(deck.yes), len(deck.no), len(deck.wanted)) == (30, 40, 20)


def test_pictures_that_the_model_misjudges_are_shown_more(shop: Site) -> None:
    known = Question.objects.filter(state="gold", verdict=False).order_by("pk")
    Question.objects.filter(state="gold").update(model_probability=0.02)
    Question.objects.filter(state="gold", verdict=True).update(model_probability=0.98)
    hard = set(known.values_list("pk", flat=True)[:3])
    Question.objects.filter(pk__in=hard).update(model_probability=0.9)
    decks.forget()
    begun = [birds.begin(shop, f"192.0.2.{number}") for number in range(20)]
    shown = sum(len(hard & set(attempt.questions)) for attempt in begun)
    assert shown > 1.4 * 20 * 3 * 16 / 40  # of forty that show no bird, about sixteen are shown


def test_near_duplicates_are_one_picture(shop: Site) -> None:
    from labeling.models import Image

    first = Image.objects.order_by("pk")[0]
    Image.objects.filter(pk__in=range(first.pk + 1, first.pk + 10)).update(near_duplicate_of=first)
    attempt = birds.begin(shop)
    images = list(
        Question.objects.filter(pk__in=attempt.questions).values_list("tile__image", flat=True)
    )
    assert len([pk for pk in images if first.pk <= pk < first.pk + 10]) <= 1
