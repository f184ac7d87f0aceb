"""The text door: what it asks, who passes, and that nothing tells what is known."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from labeling.captcha import passing, text_decks, text_rounds
from labeling.captcha.errors import Expired, Invalid
from labeling.captcha.passing import Outcome
from labeling.models import Annotator, Comment, Project, Question, Site
from tests.cast import answer
from tests.labeling.captcha import sentences
from tests.labeling.captcha.sentences import attempt_of, read

pytestmark = pytest.mark.django_db
THRESHOLD = passing.THRESHOLDS["normal"]
PICTURES = 70


@pytest.fixture(autouse=True)
def no_deck():
    text_decks.forget()
    yield
    text_decks.forget()


@pytest.fixture
def letters(db) -> Project:
    """A project of pictures with two true sentences each, some of which are still to be judged."""
    project = Project.objects.create(state="open", slug="letters", name="Letters")
    tiles = sentences.describe(project, PICTURES + 20)
    sentences.add_true(tiles[:PICTURES])
    sentences.add_open(tiles[PICTURES - 10 :])
    sentences.add_false(tiles[PICTURES - 20 : PICTURES])
    return project


@pytest.fixture
def shop(letters) -> Site:
    return Site.objects.create(project=letters, name="Shop", hosts=["shop.example"])


@pytest.fixture
def attempt(letters, shop):
    return attempt_of(text_rounds.compose(letters), shop)


def outcome(attempt, *rounds: list[int]) -> Outcome:
    """Return what follows from the choices of one round or both."""
    attempt.values = []
    for number, choices in enumerate(rounds, 1):
        attempt.values += text_rounds.parse(attempt, number, choices)
    return passing.decide(
        text_rounds.evidence(attempt), threshold=THRESHOLD, last_round=len(rounds) == 2
    )


def right(attempt, place: int) -> int | None:
    """Return the right choice of an item, as the tests know it; None where it is not judged."""
    question = attempt.questions[place]
    if attempt.reasons[place] == "shown":
        return 0
    if attempt.known[place] != 1:
        return None
    return attempt.sentences[3 * place : 3 * place + 3].index(question)


def test_whoever_reads_passes_with_the_first_round(letters, shop):
    for _ in range(5):
        attempt = attempt_of(text_rounds.compose(letters), shop)
        assert outcome(attempt, read(attempt, 1)) == Outcome.PASSED


def test_a_few_mistakes_are_made_up_for_by_the_second_round(attempt):
    first = read(attempt, 1)
    judged = [place for place in range(len(first)) if right(attempt, place) is not None]
    for place in judged[: text_rounds.MISTAKES]:
        first[place] = (first[place] + 1) % 3
    assert outcome(attempt, first) == Outcome.ANOTHER
    assert outcome(attempt, first, read(attempt, 2)) == Outcome.PASSED


def test_whoever_always_answers_the_same_fails(attempt):
    for choice in (0, 1, 2):
        rounds = [[choice] * len(text_rounds.items(attempt, number)) for number in (1, 2)]
        assert outcome(attempt, *rounds) == Outcome.FAILED


def test_a_round_is_hard_to_guess_and_short_to_read():
    first, second = text_rounds.sizes(THRESHOLD)
    assert (first, second) == (10, 9)
    assert 3.0**-first < 5e-5
    assert text_rounds.sizes(passing.THRESHOLDS["easy"]) < (first, second)
    assert text_rounds.sizes(passing.THRESHOLDS["hard"]) > (first, second)
    assert sum(text_rounds.sizes(99.0)) <= text_rounds.MOST_JUDGED + 1


def test_each_choice_is_right_as_often_whatever_the_deck_holds(letters, shop):
    drawn: Counter[int] = Counter()
    for _ in range(40):
        attempt = attempt_of(text_rounds.compose(letters), shop)
        places = range(len(attempt.questions))
        drawn.update(r for place in places if (r := right(attempt, place)) is not None)
    total = sum(drawn.values())
    assert total == 40 * 19
    assert all(abs(drawn[choice] / total - 1 / 3) < 0.06 for choice in range(3))


def test_no_sentence_is_shown_twice(letters):
    for _ in range(20):
        shown = text_rounds.compose(letters).sentences
        assert len(set(shown)) == len(shown) == 3 * 21


def test_each_round_has_one_item_that_is_not_judged_anywhere_in_it(letters, shop):
    places, kinds = Counter(), Counter()
    for _ in range(60):
        attempt = attempt_of(text_rounds.compose(letters), shop)
        for first, last in ((0, attempt.first_round), (attempt.first_round, 21)):
            (place,) = (p for p in range(first, last) if right(attempt, p) is None)
            places[place - first] += 1
            kinds[attempt.reasons[place], attempt.known[place]] += 1
    assert set(places) == set(range(11))
    assert set(kinds) == {("wanted", -1.0), ("gold", 0.0)}


def test_what_is_right_about_an_item_is_what_the_sentences_say(letters, shop):
    for _ in range(10):
        attempt = attempt_of(text_rounds.compose(letters), shop)
        chosen = [*read(attempt, 1), *read(attempt, 2)]
        for place, choice in enumerate(chosen):
            assert right(attempt, place) in {None, choice}


def test_an_answer_says_of_the_caption_what_the_text_says(letters, attempt):
    chosen = [*read(attempt, 1), *read(attempt, 2)]
    values = [
        value
        for number, part in ((1, slice(0, 11)), (2, slice(11, None)))
        for value in text_rounds.parse(attempt, number, chosen[part])
    ]
    texts = Question.objects.in_bulk(attempt.questions)
    for question, value in zip(attempt.questions, values, strict=True):
        if question:
            assert value == (not texts[question].text.startswith("no "))
        else:
            assert value is False


def test_to_choose_the_other_sentence_is_to_say_no(attempt):
    place = next(p for p in range(attempt.first_round) if right(attempt, p))
    choices = [0] * attempt.first_round
    choices[place] = 3 - right(attempt, place)
    assert text_rounds.parse(attempt, 1, choices)[place] is False
    choices[place] = right(attempt, place)
    assert text_rounds.parse(attempt, 1, choices)[place] is True


def test_what_is_no_choice_is_refused(attempt):
    wrong = [None, 1, "11111111111", {"0": 1}, [1] * 10, [1] * 12]
    wrong += [[each] * 11 for each in (3, -1, 1.0, True, None, "1", [1])]
    for choices in wrong:
        with pytest.raises(Invalid):
            text_rounds.parse(attempt, 1, choices)


def test_items_say_in_which_language_they_stand(letters, attempt):
    Project.objects.filter(pk=letters.pk).update(language="ar")
    attempt.site.project.refresh_from_db()
    with translation.override("de"):
        item, *_ = text_rounds.items(attempt, 1)
    assert item.keys() == {"before", "subject", "after", "options", "lang", "dir"}
    assert (item["lang"], item["dir"]) == ("ar", "rtl")
    assert item["before"].startswith("Welche") and len(item["options"]) == 2


def test_what_was_removed_is_asked_no_more(attempt):
    Question.objects.filter(pk=attempt.sentences[1]).delete()
    with pytest.raises(Expired):
        text_rounds.items(attempt, 1)
    assert text_rounds.items(attempt, 2)


def test_what_is_in_doubt_by_now_labels_nothing(attempt):
    asked = {question for question in attempt.questions if question}
    assert text_rounds.still_hold(attempt) == asked
    place = next(p for p, question in enumerate(attempt.questions) if question)
    Question.objects.filter(pk=attempt.sentences[3 * place]).update(
        state="open", verdict=None, probability=0.5
    )
    assert text_rounds.still_hold(attempt) == asked - {attempt.questions[place]}


def test_an_open_caption_is_not_asked_without_end(letters, shop, monkeypatch):
    monkeypatch.setattr(text_rounds, "FALSE_SHARE", 0)
    asked: Counter[int] = Counter()
    for _ in range(40):
        rounds = text_rounds.compose(letters)
        asked.update(
            q
            for q, reason in zip(rounds.questions, rounds.reasons, strict=True)
            if reason == "wanted"
        )
    assert max(asked.values()) == text_decks.HANDED_OUT and len(asked) >= 20


def test_what_was_shown_at_the_address_is_not_shown_again_as_long_as_there_is_other(letters):
    tiles = sentences.describe(letters, PICTURES)
    sentences.add_true(tiles)
    exclude = {tile.pk for tile in tiles}
    text_decks.forget()
    assert not exclude & set(text_rounds.compose(letters, exclude).tiles)
    everything = set(Question.objects.values_list("tile", flat=True))
    assert text_rounds.compose(letters, everything) is not None


def test_sixty_pictures_are_enough_and_fewer_are_not(db):
    project = Project.objects.create(state="open", slug="few", name="Few")
    tiles = sentences.describe(project, text_decks.LEAST)
    sentences.add_true(tiles[1:])
    assert not text_rounds.is_ready(project) and text_rounds.compose(project) is None
    sentences.add_true(tiles[:1])
    text_decks.forget()
    assert text_rounds.is_ready(project)
    composed = [text_rounds.compose(project) for _ in range(20)]
    assert all(rounds and len(rounds.questions) == 19 for rounds in composed)
    hardest = text_rounds.compose(project, threshold=99.0)
    assert hardest and len(hardest.questions) == text_rounds.MOST_JUDGED + 1


def test_without_gold_it_rests_on_what_people_settled(alice, db):
    project = Project.objects.create(state="open", slug="no-gold", name="No gold")
    tiles = sentences.describe(project, text_decks.LEAST)
    known = sentences.add_true(tiles, state="settled", verdict=None)
    ids = [each.pk for each in known]
    Question.objects.filter(pk__in=ids).update(random_key=0.7)
    text_decks.forget()
    assert not text_rounds.is_ready(project)  # nobody who is trusted has answered
    other = Annotator.objects.create(true_positives=20, true_negatives=20)
    for person in (alice, other):
        answer(person, dict.fromkeys(ids, True))
    Question.objects.filter(pk__in=ids).update(state="settled", probability=0.98, answers_wanted=0)
    text_decks.forget()
    assert text_rounds.is_ready(project)
    reasons = set(text_rounds.compose(project).reasons)
    assert reasons == {"check", "shown"}


def test_the_owner_reads_how_much_there_is(letters):
    assert text_rounds.readiness(letters) == (PICTURES + 20, PICTURES, 20, 30)
    assert text_rounds.readiness(letters).is_ready
    assert not text_rounds.readiness(letters).is_ample


def test_a_project_without_captions_offers_none(db):
    project = Project.objects.create(state="open", slug="bare", name="Bare")
    assert text_rounds.readiness(project) == (0, 0, 0, 0)
    assert not text_rounds.is_ready(project)


def test_generated_pictures_and_gold_in_use_are_no_references(letters):
    references = Question.objects.filter(project=letters, text__contains="is standing")
    references.update(state="gold")
    assert text_rounds.readiness(letters).pictures == 0
    references.update(state="settled", source="model")
    assert text_rounds.readiness(letters).pictures == 0


def test_what_a_visitor_wrote_is_not_shown_on_other_sites_before_somebody_confirmed_it(letters):
    written = letters.questions.filter(text__endswith="today")
    written.update(source="annotator")
    assert text_rounds.readiness(letters) == (PICTURES + 20, PICTURES, 20, 0)
    written.update(state="gold", verdict=True, probability=1)
    assert text_rounds.readiness(letters) == (PICTURES + 20, PICTURES + 20, 20, 0)


def test_what_was_flagged_is_not_shown(letters, mallory):
    tile = letters.questions.filter(state="gold", verdict=True).order_by("tile").first().tile
    flag = Comment.objects.create(
        project=letters, tile=tile, annotator=mallory, kind=Comment.Kind.OFFENSIVE
    )
    assert text_rounds.readiness(letters) == (PICTURES + 19, PICTURES - 1, 20, 30)
    flag.resolved_at = timezone.now()
    flag.save()
    assert text_rounds.readiness(letters).pictures == PICTURES + 20


def test_near_duplicates_are_not_set_against_each_other(letters):
    first, *_others = letters.images.order_by("pk")
    letters.images.exclude(pk=first.pk).update(near_duplicate_of=first)
    assert text_rounds.compose(letters) is None


def test_to_begin_costs_no_query_once_the_deck_is_read(letters):
    with CaptureQueriesContext(connection) as reading:
        text_rounds.compose(letters)
    assert len(reading) <= 3
    with CaptureQueriesContext(connection) as queries:
        text_rounds.compose(letters)
    assert not len(queries)


def test_a_large_deck_reads_a_bounded_number(letters, monkeypatch):
    monkeypatch.setattr(text_decks, "READ", 5)
    deck = text_decks.read(letters, most=5)
    assert 5 <= deck.pictures <= 5 * 5


def test_items_of_known_and_open_captions_look_alike(letters, shop):
    attempt = attempt_of(text_rounds.compose(letters), shop)
    items = [*text_rounds.items(attempt, 1), *text_rounds.items(attempt, 2)]
    shapes = {
        (*item, len(item["options"]), item["after"], item["lang"], item["dir"]) for item in items
    }
    assert len(shapes) == 1
