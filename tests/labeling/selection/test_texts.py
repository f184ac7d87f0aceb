"""Text questions: which captions they ask about, and that an answer says no more than the text."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling import challenges, skip_debts, wording
from labeling.models import Annotator, Answer, Challenge, Project, Question
from labeling.selection import candidates, known, selector, texts
from labeling.selection.picks import Selection
from labeling.selection.reader import Reader
from tests.cast import answer, in_other_words

pytestmark = pytest.mark.django_db
State = Question.State


def choose(annotator, project: Project) -> Selection | None:
    return selector.Selector(annotator=annotator, project=project).choose("text")


def sentences(selection: Selection) -> list[Question]:
    """Return the reference, the caption that is asked about, and the distractor."""
    rows = Question.objects.select_related("tile__image").in_bulk(selection.sentences)
    reference, *options = (rows[pk] for pk in selection.sentences)
    asked = selection.picks[0].question
    return [reference, *sorted(options, key=lambda each: each.pk != asked)]


def test_it_asks_one_open_caption_beside_a_sentence_about_another_picture(alice, described):
    for _ in range(20):
        selection = choose(alice, described)
        reference, asked, distractor = sentences(selection)
        assert len(selection.picks) == 1 and selection.concept is None
        assert asked.state == State.OPEN and selection.picks[0].reason == "wanted"
        assert reference.tile == asked.tile != distractor.tile
        assert reference.verdict and distractor.verdict


def test_the_caption_may_stand_first_or_second(alice, described):
    places = Counter()
    for _ in range(40):
        selection = choose(alice, described)
        places[selection.sentences.index(selection.picks[0].question)] += 1
    assert places.keys() == {1, 2} and min(places.values()) >= 5


def test_the_other_sentence_has_no_word_of_the_picture(alice, described):
    for _ in range(40):
        reference, _asked, distractor = sentences(choose(alice, described))
        assert not set(reference.text.split()[1:]) & set(distractor.text.split()[1:])


def test_the_other_picture_is_no_near_duplicate(alice, described):
    first, *others = described.images.order_by("pk")
    described.images.exclude(pk=first.pk).update(near_duplicate_of=first)
    assert choose(alice, described) is None
    described.images.filter(pk__in=[each.pk for each in others[12:]]).update(near_duplicate_of=None)
    for _ in range(10):
        reference, _asked, distractor = sentences(choose(alice, described))
        images = [each.tile.image for each in (reference, distractor)]
        assert len({image.near_duplicate_of_id or image.pk for image in images}) == 2


def test_a_picture_that_shows_other_things_is_preferred(alice, described):
    circles = described.images.filter(source__contains="circle")
    circles.update(stated_keys=["round"])
    for _ in range(10):
        reference, _asked, distractor = sentences(choose(alice, described))
        assert ("circle" in reference.text) != ("circle" in distractor.text)


def test_nothing_is_compared_with_what_is_not_known(alice, described):
    described.questions.filter(state=State.SETTLED, kind="caption").update(
        verdict=None, probability=0.99
    )
    assert choose(alice, described) is None  # nobody has answered


def test_a_reference_rests_on_people_who_saw_the_picture(alice, bob, mallory, described):
    settled = described.questions.filter(state=State.SETTLED, kind="caption")
    settled.update(verdict=None, probability=0.99, random_key=0.2)
    challenge = Challenge.objects.create(
        project=described, annotator=alice, kind="text", expires_at=timezone.now()
    )
    for annotator in (alice, bob, mallory):
        for question in settled:
            Answer.objects.create(
                annotator=annotator, question=question, value=True, challenge=challenge
            )
    assert choose(alice, described) is None
    Answer.objects.exclude(annotator=alice).update(challenge=None)
    assert choose(alice, described) is not None
    assert texts.supply(described) == (24, 24, 0)


def test_nothing_is_compared_with_what_no_import_states_any_more(alice, described):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    assert texts.holds(challenge)
    described.questions.filter(state=State.SETTLED, kind="caption").update(stated=None)
    assert choose(alice, described) is None and not texts.holds(challenge)
    assert texts.supply(described).pictures == 0


def test_gold_is_never_what_is_compared_with(alice, described):
    described.questions.filter(state=State.SETTLED, kind="caption").update(state=State.GOLD)
    assert choose(alice, described) is None


def test_a_share_of_them_is_about_gold(alice, described, monkeypatch):
    captions = described.questions.filter(kind="caption", state=State.OPEN).order_by("pk")
    gold = [each.pk for each in captions[:12]]
    described.questions.filter(pk__in=gold).update(state=State.GOLD, verdict=True, probability=1)
    reasons = Counter(choose(alice, described).picks[0].reason for _ in range(60))
    assert 5 <= reasons["gold"] <= 30 and reasons["gold"] + reasons["wanted"] == 60
    monkeypatch.setattr(texts, "TEXT_GOLD", 1)
    assert choose(alice, described).picks[0].question in gold


def test_gold_is_as_often_true_as_what_else_is_asked(alice, described, monkeypatch):
    captions = described.questions.filter(kind="caption", state=State.OPEN).order_by("pk")
    marked = list(captions.values_list("pk", flat=True)[:16])
    for value, pks in ((True, marked[::2]), (False, marked[1::2])):
        gold = described.questions.filter(pk__in=pks)
        gold.update(state=State.GOLD, verdict=value, probability=value)
    monkeypatch.setattr(texts, "TEXT_GOLD", 1)
    picks = [choose(alice, described).picks[0] for _ in range(80)]
    false = set(marked[1::2])
    assert 0 < sum(pick.question in false for pick in picks) < 20
    assert {pick.reason for pick in picks} == {"gold"}


def test_gold_is_not_shown_where_nothing_else_is_left(alice, described, monkeypatch):
    monkeypatch.setattr(texts, "TEXT_GOLD", 1)
    described.questions.filter(kind="caption", state=State.OPEN).update(
        state=State.GOLD, verdict=True, probability=1
    )
    assert choose(alice, described) is None


def test_nobody_is_asked_twice_or_about_their_own_words(alice, described):
    asked = described.questions.filter(kind="caption", state=State.OPEN).order_by("pk")
    own, answered = asked[0], asked[1]
    asked.exclude(pk__in=[own.pk, answered.pk]).delete()
    assert choose(alice, described) is not None
    Question.objects.filter(pk=own.pk).update(author=alice)
    answer(alice, {answered.pk: True})
    assert choose(alice, described) is None


def test_generated_pictures_are_left_out(alice, described):
    described.questions.filter(kind="caption").update(source="model")
    assert choose(alice, described) is None


def test_with_few_pictures_nothing_is_asked(alice, described):
    rest = described.images.order_by("pk")[texts.ENOUGH - 1 :]
    described.questions.filter(tile__image__in=[each.pk for each in rest]).delete()
    assert not texts.supply(described).is_enough
    assert choose(alice, described) is None


def test_mixed_challenges_hold_none(alice, described, monkeypatch):
    monkeypatch.setattr(skip_debts, "FREE", 100)
    kinds = {challenges.issue(annotator=alice, project=described).kind for _ in range(30)}
    assert "text" not in kinds


def test_it_needs_few_queries(alice, described):
    choose(alice, described)
    with CaptureQueriesContext(connection) as queries:
        choose(alice, described)
    assert len(queries) <= 6


def test_somebody_else_may_reserve_it_first(alice, bob, described):
    described.answers_min, described.answers_cap = 1, 1
    described.save()
    issued = [
        challenges.issue(annotator=each, project=described, kind="text")
        for each in (alice, bob) * 4
    ]
    assert len({challenge.questions[0] for challenge in issued if challenge}) == 8


@pytest.mark.parametrize(("choice", "value"), [("caption", True), ("other", False), (0, False)])
def test_an_answer_says_of_the_caption_what_the_text_says(alice, described, choice, value):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    number = challenge.sentences.index(challenge.questions[0])
    if choice:
        choice = number if choice == "caption" else 3 - number
    outcome = challenges.answer(challenge=challenge, choice=choice, seconds=4)
    given = Answer.objects.get()
    assert outcome.recorded == 1
    assert (given.question_id, given.value) == (challenge.questions[0], value)
    assert given.reason == "wanted" and given.probability_before == pytest.approx(0.9)
    assert not Question.objects.get(pk=given.question_id).reservations


def test_whoever_reads_well_labels_every_caption_right(alice, described):
    """Whatever is asked, an answer labels nothing that the sentences do not say."""
    false = described.questions.filter(kind="caption", state=State.OPEN).order_by("pk")[:6]
    for question in false:
        Question.objects.filter(pk=question.pk).update(text=f"a {question.pk} legged animal")
    wrong = {question.pk for question in false}
    while challenge := challenges.issue(annotator=alice, project=described, kind="text"):
        rows = Question.objects.in_bulk(challenge.sentences)
        reference, *options = (rows[pk].text for pk in challenge.sentences)
        same = [n for n, text in enumerate(options, 1) if text == in_other_words(reference)]
        challenges.answer(challenge=challenge, choice=same[0] if same else 0)
    given = dict(Answer.objects.values_list("question", "value"))
    assert len(given) == 24
    assert {question for question, value in given.items() if not value} == wrong


def test_what_is_in_doubt_by_now_labels_nothing(alice, described):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    reference = Question.objects.filter(pk=challenge.sentences[0])
    reference.update(state=State.OPEN, verdict=None, probability=0.5)
    with pytest.raises(challenges.Expired, match="in doubt"):
        challenges.answer(challenge=challenge, choice=1)
    assert not Answer.objects.exists()


@pytest.mark.parametrize("choice", [None, -1, 3])
def test_a_choice_that_is_none_changes_nothing(alice, described, choice):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    with pytest.raises(challenges.Invalid, match="choice"):
        challenges.answer(challenge=challenge, choice=choice)
    challenges.answer(challenge=challenge, choice=0)


@pytest.mark.parametrize(
    ("truth", "choice", "passed"),
    [(True, 1, True), (True, 0, False), (False, 0, True), (False, 1, False)],
)
def test_gold_decides_whether_it_is_passed(alice, described, monkeypatch, truth, choice, passed):
    monkeypatch.setattr(texts, "TEXT_GOLD", 1)
    monkeypatch.setattr(known, "draw_truth", lambda _: truth)
    captions = described.questions.filter(kind="caption", state=State.OPEN).order_by("pk")
    gold = [each.pk for each in captions[:12]]
    described.questions.filter(pk__in=gold).update(
        state=State.GOLD, verdict=truth, probability=float(truth)
    )
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    assert challenge.reasons == ["gold"]
    number = challenge.sentences.index(challenge.questions[0]) if choice else 0
    assert challenges.answer(challenge=challenge, choice=number).passed is passed


def test_a_name_is_asked_for_otherwise_than_a_sentence(alice, described):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    assert wording.of_challenge(challenge).before.endswith("is about the same thing as")
    reference = Question.objects.filter(pk=challenge.sentences[0])
    reference.update(text="a red circle on a white ground")
    assert wording.of_challenge(challenge).before.endswith("sentences says the same as")


def test_what_was_removed_is_asked_no_more(alice, described):
    challenge = challenges.issue(annotator=alice, project=described, kind="text")
    Question.objects.filter(pk=challenge.sentences[1]).delete()
    with pytest.raises(challenges.Expired, match="removed"):
        wording.of_challenge(challenge)


def test_of_many_sentences_a_bounded_number_is_counted(described, monkeypatch):
    few = texts._SUPPLY.replace(f"LIMIT {texts.COUNTED}", "LIMIT 4")
    monkeypatch.setattr(texts, "_SUPPLY", few)
    supply = texts.supply(described)
    assert supply.pictures == 4 and 4 <= supply.open <= 8


def test_what_is_shown_as_true_never_checks_anybody(alice, bob, mallory, described):
    settled = described.questions.filter(kind="caption", state=State.SETTLED)
    for person in (bob, Annotator.objects.create(true_positives=20, true_negatives=20)):
        answer(person, dict.fromkeys(settled.values_list("pk", flat=True), True))
    settled.update(verdict=None, probability=0.99, state=State.SETTLED, disagreement=0)
    window = candidates.settled_captions(described.pk, mallory.pk, "check", verdict=True)
    read = candidates.read(window, annotator=mallory, project=described, exclude=[])
    shown = {pk for _ in range(4) for pk in references(mallory, described)}
    assert read and shown and not shown & {candidate.question for candidate in read}


def references(annotator, project) -> set[int]:
    """Return the sentences that text questions may show as true."""
    reader = Reader(annotator=annotator, project=project)
    rows = texts._Texts(reader).references
    return {row.question for row in rows}
