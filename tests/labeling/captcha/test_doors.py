"""The doors beside the grid, from the beginning of an attempt to what is recorded of it."""

from collections.abc import Iterator

import pytest

from labeling.captcha import attempts, intake, limits, text_decks, work
from labeling.captcha.attempts import Outcome
from labeling.captcha.errors import AlreadyAnswered, Invalid
from labeling.models import Annotator, Answer, Attempt, Question, Site
from tests.labeling.captcha import birds, sentences

pytestmark = pytest.mark.django_db


@pytest.fixture
def described(shop, light) -> Iterator[Site]:
    """The shop, whose project's pictures are described in two sentences; little is computed."""
    text_decks.forget()
    tiles = sentences.describe(shop.project, 70)
    sentences.add_true(tiles)
    sentences.add_open(tiles[:30])
    yield shop
    text_decks.forget()


@pytest.fixture
def light(monkeypatch) -> None:
    """Let little be computed."""
    monkeypatch.setattr(work, "MEMORY", 16)
    monkeypatch.setattr(work, "BLOCK_SIZE", 1)


def read(attempt: Attempt, number: int = 1) -> attempts.Step:
    attempt.refresh_from_db()
    birds.look(attempt, 60)
    choices = sentences.read(attempt, number)
    return attempts.answer(attempt, number=number, choices=choices, nonces=solve(attempt))


def solve(attempt: Attempt) -> list[int]:
    salt, wanted = work.salt_of(attempt.pk), work.Parameters(*attempt.work)
    return [
        next(
            nonce
            for nonce in range(10_000)
            if work._leading_zeros(work._hash(salt, wanted, nonce, number)) >= wanted.bits
        )
        for number in range(wanted.puzzles)
    ]


def test_all_doors_are_offered(described, wood):
    assert attempts.doors(described) == ["grid", "text", "work"]


def test_without_sentences_the_text_door_is_not(shop):
    text_decks.forget()
    assert attempts.doors(shop) == ["grid", "work"]


def test_whoever_reads_passes_and_labels_captions(described):
    attempt = birds.begin(described, door="text")
    assert read(attempt).outcome == Outcome.PASSED
    assert intake.take_in() == 1
    given = Answer.objects.values_list("question", "value", "reason")
    first = range(attempt.first_round)
    assert {question for question, _, _ in given} == {
        attempt.questions[place] for place in first if attempt.reasons[place] != "shown"
    }
    assert all(value for _, value, _ in given)  # each of these captions is true
    assert "wanted" in {reason for _, _, reason in given}
    annotator = Annotator.objects.get(site=described)
    assert annotator.gold_right == annotator.gold_count > 0


def test_nobody_learns_whether_a_guess_is_right_before_they_have_computed(described):
    attempt = birds.begin(described, door="text")
    birds.look(attempt, 60)
    right = sentences.read(attempt, 1)
    for choices in (right, [0] * len(right)):
        with pytest.raises(Invalid, match="Send what was found"):
            attempts.answer(attempt, number=1, choices=choices)
        attempt.refresh_from_db()
    step = attempts.answer(attempt, number=1, choices=[0] * len(right), nonces=[7] * 6)
    assert step.outcome == Outcome.FAILED


def test_whoever_reads_and_computes_nothing_fails(described):
    attempt = birds.begin(described, door="text")
    birds.look(attempt, 60)
    choices = sentences.read(attempt, 1)
    with pytest.raises(Invalid, match="Send what was found"):
        attempts.answer(attempt, number=1, choices=choices)
    attempt.refresh_from_db()
    step = attempts.answer(attempt, number=1, choices=choices, nonces=[7] * 6)
    assert step.outcome == Outcome.FAILED


def test_while_a_site_is_attacked_the_grid_takes_a_computation_too(described):
    assert birds.begin(described).work == []
    for number in range(limits.LEVEL_LEAST):
        limits.count_end(described.pk, "failed", f"bot {number}")
    limits.forget()
    attempt = birds.begin(described)
    assert attempt.work
    birds.look(attempt)
    right = [n for n, known in enumerate(attempt.known[:16], 1) if known == 1]
    attempts.answer(attempt, number=1, selected=right, nonces=solve(attempt))
    attempt.refresh_from_db()
    birds.look(attempt)
    right = [n for n, known in enumerate(attempt.known[16:], 1) if known == 1]
    step = attempts.answer(attempt, number=2, selected=right)
    assert step.outcome == Outcome.PASSED


def test_the_second_round_asks_the_rest(described):
    attempt = birds.begin(described, door="text")
    birds.look(attempt, 60)
    choices = sentences.read(attempt, 1)
    judged = [place for place in range(attempt.first_round) if attempt.known[place] >= 0]
    choices[judged[0]] = (choices[judged[0]] + 1) % 3
    step = attempts.answer(attempt, number=1, choices=choices, nonces=solve(attempt))
    assert step.outcome == Outcome.ANOTHER
    assert read(attempt, 2).outcome == Outcome.PASSED
    intake.take_in()
    asked = {q for q, why in zip(attempt.questions, attempt.reasons, strict=True) if why != "shown"}
    assert set(Answer.objects.values_list("question", flat=True)) == asked


def test_nothing_is_recorded_of_what_is_compared_with_a_sentence_in_doubt(described):
    attempt = birds.begin(described, door="text")
    read(attempt)
    Question.objects.filter(pk__in=attempt.sentences[::3]).update(
        state="open", verdict=None, probability=0.5
    )
    assert intake.take_in() == 1
    assert not Answer.objects.exists()


def test_whoever_computes_passes_without_a_question(shop, light):
    attempt = birds.begin(shop, door="work")
    step = attempts.answer(attempt, number=1, nonces=solve(attempt))
    assert step.outcome == Outcome.PASSED and step.response
    assert intake.take_in() == 0


def test_whoever_guesses_fails_and_cannot_try_again(shop, light):
    attempt = birds.begin(shop, door="work")
    right = solve(attempt)
    assert attempts.answer(attempt, number=1, nonces=[7] * 6).outcome == Outcome.FAILED
    attempt.refresh_from_db()
    with pytest.raises(AlreadyAnswered):
        attempts.answer(attempt, number=1, nonces=right)


def test_an_answer_through_another_door_is_refused(described, light):
    attempt = birds.begin(described, door="work")
    with pytest.raises(Invalid):
        attempts.answer(attempt, number=1, selected=[1])
    attempt = birds.begin(described, door="text")
    with pytest.raises(Invalid):
        attempts.answer(attempt, number=1, nonces=[1] * 6)
