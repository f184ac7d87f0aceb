"""Which questions are chosen for whom."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling import answers, challenges, questions
from labeling.images import tiles
from labeling.models import Answer, Concept, Image, Project, Question
from labeling.selection import candidates, known, selector, verifications
from labeling.selection.picks import Selection

pytestmark = pytest.mark.django_db
State = Question.State


def choose(annotator, project: Project, kind: str) -> Selection | None:
    return selector.Selector(annotator=annotator, project=project).choose(kind)


def questions_of(selection: Selection) -> list[Question]:
    rows = Question.objects.select_related("tile").in_bulk([p.question for p in selection.picks])
    return [rows[pick.question] for pick in selection.picks]


def answer(annotator, asked: list[Question], value: bool = True) -> None:
    ids = [question.pk for question in asked]
    answers.record(
        annotator=annotator,
        values=dict.fromkeys(ids, value),
        reasons=dict.fromkeys(ids, Answer.Reason.WANTED),
    )


def test_a_grid_has_a_few_gold_tiles_of_both_truths(alice, shapes):
    counts, verdicts = [], Counter[bool | None]()
    for _ in range(60):
        selection = choose(alice, shapes, "grid")
        gold = [question for question in questions_of(selection) if question.state == State.GOLD]
        counts.append(len(gold))
        assert len(selection.picks) == 9 and len(gold) <= 8
        verdicts.update(question.verdict for question in gold)
        assert {question.concept_id for question in questions_of(selection)} == {selection.concept}
        assert [p.reason for p in selection.picks].count("gold") == len(gold)
    assert {2, 3, 4} <= set(counts) and 1.5 < sum(counts) / len(counts) < 3.7
    assert min(verdicts[True], verdicts[False]) > 10


def test_it_does_not_repeat_an_image_in_a_grid(alice, shapes):
    for _ in range(5):
        images = [
            question.tile.image_id for question in questions_of(choose(alice, shapes, "grid"))
        ]
        assert len(set(images)) == 9


def test_it_repeats_a_picture_by_no_near_duplicate_while_there_are_others(alice, shapes):
    """Gold and checks apart: how often a truth is known must not depend on the pictures."""
    Question.objects.filter(state=State.GOLD).update(state=State.OPEN, verdict=None)
    first, *copies = Image.objects.filter(project=shapes).order_by("pk")[:6]
    Image.objects.filter(pk__in=[copy.pk for copy in copies]).update(near_duplicate_of=first)
    family = {first.pk, *(copy.pk for copy in copies)}
    for _ in range(8):
        shown = [each.tile.image_id for each in questions_of(choose(alice, shapes, "grid"))]
        assert len(shown) == 9 and len(family.intersection(shown)) <= 1


def test_who_is_suspect_is_shown_the_same_mixture(alice, mallory, shapes):
    """A quarter of the pictures is gold, so that is a quarter of 540 tiles: 135, give or take 40.

    They are somewhat fewer, since a truth that has no gold left is seldom made up by the other.
    """
    mallory.suspect_since = timezone.now()

    def gold_of(annotator) -> Counter[int]:
        grids = [choose(annotator, shapes, "grid") for _ in range(60)]
        return Counter([pick.reason for pick in grid.picks].count("gold") for grid in grids)

    for counts in (gold_of(mallory), gold_of(alice)):
        assert 80 < sum(number * times for number, times in counts.items()) < 175
        assert len(counts) > 3


def test_gold_may_stand_anywhere(alice, shapes):
    places = Counter(
        number
        for _ in range(40)
        for number, pick in enumerate(choose(alice, shapes, "grid").picks)
        if pick.reason == "gold"
    )
    assert len(places) == 9


def test_it_works_without_gold(alice, shapes):
    Question.objects.filter(state=State.GOLD).delete()
    selection = choose(alice, shapes, "grid")
    assert len(selection.picks) == 9 and "gold" not in {p.reason for p in selection.picks}


def test_it_never_asks_the_same_person_twice(alice, shapes):
    asked: set[int] = set()
    while selection := choose(alice, shapes, "grid"):
        new = {pick.question for pick in selection.picks}
        assert not asked & new
        asked |= new
        answer(alice, questions_of(selection))
    assert (
        Question.objects.filter(kind="concept", state=State.OPEN).exclude(pk__in=asked).count() == 0
    )


def test_it_never_asks_what_the_annotator_is_being_asked(alice, shapes):
    first = challenges.issue(annotator=alice, project=shapes, kind="grid")
    second = choose(alice, shapes, "grid")
    assert not {pick.question for pick in second.picks} & set(first.questions)


def test_it_asks_open_questions_only(alice, shapes):
    closed = Question.objects.filter(kind="concept", state=State.OPEN)[:10]
    for number, question in enumerate(closed):
        state = State.SETTLED if number % 2 else State.AMBIGUOUS
        Question.objects.filter(pk=question.pk).update(state=state, priority=0)
    while selection := choose(alice, shapes, "grid"):
        states = {question.state for question in questions_of(selection)}
        assert states <= {State.OPEN, State.GOLD}
        answer(alice, questions_of(selection))


def test_it_asks_what_is_most_wanted(alice, shapes, monkeypatch):
    monkeypatch.setattr(known, "count", lambda places, share: 3)
    shapes.random_share = 0
    wanted = Question.objects.filter(kind="concept", state=State.OPEN, concept__name="circle")
    Question.objects.filter(kind="concept", state=State.OPEN).update(priority=0.01)
    best = list(wanted.order_by("pk")[:6])
    wanted.filter(pk__in=[question.pk for question in best]).update(priority=1)
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", 6)
    monkeypatch.setattr(candidates, "MAX_CANDIDATES_EACH", 6)
    grids = [choose(alice, shapes, "grid") for _ in range(20)]
    circles = [g for g in grids if g.concept == best[0].concept_id]
    assert len(circles) > 10  # a concept that is wanted more is asked for more often
    for grid in circles:
        asked = {pick.question for pick in grid.picks if pick.reason == "wanted"}
        assert len(asked) >= 4 and asked <= {q.pk for q in best}


def test_it_draws_a_share_at_random_and_says_so(alice, shapes):
    shapes.random_share = 1
    reasons = {pick.reason for _ in range(5) for pick in choose(alice, shapes, "grid").picks}
    assert reasons == {"gold", "random"}
    shapes.random_share = 0
    reasons = {pick.reason for _ in range(5) for pick in choose(alice, shapes, "grid").picks}
    assert reasons == {"gold", "wanted"}


def test_it_mixes_likely_yes_with_likely_no(alice, shapes):
    shapes.random_share = 0
    for question in Question.objects.filter(kind="concept", state=State.OPEN):
        probability = 0.7 if question.pk // 2 % 2 else 0.3
        Question.objects.filter(pk=question.pk).update(probability=probability)
    asked = [q for q in questions_of(choose(alice, shapes, "grid")) if q.state == State.OPEN]
    likely = sum(question.probability > 0.5 for question in asked)
    assert likely == len(asked) // 2


def test_a_split_shows_all_tiles_of_one_picture_in_their_order(alice, scenes):
    selection = choose(alice, scenes.project, "split")
    asked = questions_of(selection)
    assert [question.tile.position for question in asked] == list(range(16))
    assert len({question.tile.image_id for question in asked}) == 1
    assert [p.reason == "gold" for p in selection.picks] == [q.state == State.GOLD for q in asked]


def test_a_split_that_was_answered_is_not_shown_again(alice, scenes):
    for _ in range(4):  # two pictures, two concepts
        answer(alice, questions_of(choose(alice, scenes.project, "split")))
    assert choose(alice, scenes.project, "split") is None


def test_it_asks_whether_a_drawn_picture_shows_what_it_should(alice, shapes, monkeypatch):
    image = Image.objects.filter(project=shapes).first()
    image.pk, image.sha256, image.generated = None, "f" * 64, True
    image.save()
    concept = Concept.objects.get(project=shapes, name="circle")
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=[concept])
    drawn = Question.objects.get(tile__image=image)
    assert drawn.source == Question.Source.MODEL
    monkeypatch.setattr(verifications, "VERIFY_MIX", {"generated": 1.0})
    seen = [choose(alice, shapes, "verify").picks[0] for _ in range(40)]
    assert {pick.question for pick in seen} == {drawn.pk}, "gold is no generated picture"
    for _ in range(10):
        assert drawn.pk not in {pick.question for pick in choose(alice, shapes, "grid").picks}


def test_a_caption_that_is_gold_is_as_often_true_as_open_ones_are(alice, shapes, monkeypatch):
    """Half of the gold is false, and open captions hardly ever: or what is false would be gold."""
    captions = Question.objects.filter(kind="caption").order_by("pk")
    marked = list(captions.values_list("pk", flat=True)[:16])
    for value, pks in ((True, marked[::2]), (False, marked[1::2])):
        captions.filter(pk__in=pks).update(state=State.GOLD, verdict=value, probability=value)
    captions.filter(state=State.OPEN).update(prior=0.9, probability=0.9)
    monkeypatch.setattr(verifications, "VERIFY_MIX", {"caption": 1.0})
    monkeypatch.setattr(known, "CAPTIONS", known.Stock(1, 1, 2))
    shown = Counter(choose(alice, shapes, "verify").picks[0].question for _ in range(300))
    truths = dict(captions.filter(pk__in=shown).values_list("pk", "verdict"))
    true, false = (sum(n for pk, n in shown.items() if truths[pk] is v) for v in (True, False))
    assert true > 40 and false < true / 4


def test_nobody_judges_their_own_caption(alice, bob, shapes, monkeypatch):
    Question.objects.filter(kind="caption").delete()
    tile = Question.objects.first().tile
    questions.ask_captions(
        captions=[(tile, "a shape")], source="annotator", author=alice, prior=0.6
    )
    monkeypatch.setattr(verifications, "VERIFY_MIX", {"caption": 1.0})
    assert choose(alice, shapes, "verify") is None
    assert questions_of(choose(bob, shapes, "verify"))[0].text == "a shape"


def test_nobody_is_asked_about_a_caption_that_no_import_states(alice, shapes, monkeypatch):
    Question.objects.filter(kind="caption").delete()
    tile = Question.objects.first().tile
    questions.ask_captions(captions=[(tile, "a shape")], source="import", prior=0.6)
    monkeypatch.setattr(verifications, "VERIFY_MIX", {"caption": 1.0})
    assert choose(alice, shapes, "verify") is not None
    Question.objects.filter(kind="caption").update(stated=None)
    assert choose(alice, shapes, "verify") is None


def test_it_has_those_pictures_described_that_have_few_captions(alice, bob, shapes):
    bare = Question.objects.filter(kind="caption").first().tile_id
    Question.objects.filter(kind="caption", tile=bare).delete()
    assert choose(alice, shapes, "write").picks[0].tile == bare
    challenge = challenges.issue(annotator=alice, project=shapes, kind="write")
    challenges.answer(challenge=challenge, text="something round or square")
    assert choose(alice, shapes, "write").picks[0].tile != bare


def test_it_says_when_nothing_is_left(alice, shapes):
    Question.objects.exclude(state=State.GOLD).delete()
    for kind in ("grid", "split", "verify"):
        assert choose(alice, shapes, kind) is None


def test_an_inactive_concept_is_not_asked(alice, shapes):
    Concept.objects.filter(name="circle").update(active=False)
    square = Concept.objects.get(name="square").pk
    assert {choose(alice, shapes, "grid").concept for _ in range(10)} == {square}


def test_an_inactive_project_asks_nothing(alice, shapes):
    shapes.state = "archived"
    with pytest.raises(challenges.Closed):
        challenges.issue(annotator=alice, project=shapes)


@pytest.mark.parametrize(("kind", "most"), [("grid", 5), ("split", 6), ("verify", 8), ("write", 4)])
def test_it_needs_few_queries(alice, scenes, kind, most):
    choose(alice, scenes.project, "grid")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert choose(alice, scenes.project, kind)
    assert len(queries) <= most


def test_it_asks_where_an_answer_tells_most(alice, shapes):
    shapes.random_share = 0
    asked = Question.objects.filter(kind="concept", state=State.OPEN)
    for number, question in enumerate(asked.order_by("concept", "pk")):
        probability = 0.4 if number % 2 else 0.02
        asked.filter(pk=question.pk).update(probability=probability)
    grid = choose(alice, shapes, "grid")
    assert {q.probability for q in questions_of(grid) if q.state == State.OPEN} == {0.4}


def test_it_finishes_some_of_what_was_begun(alice, bob, shapes):
    shapes.random_share = 0
    begun = list(Question.objects.filter(state=State.OPEN, concept__name="circle")[:2])
    Question.objects.filter(concept__name="square").delete()
    answer(bob, begun, value=False)
    Question.objects.filter(pk__in=[q.pk for q in begun]).update(probability=0.01, random_key=0.1)
    assert {q.pk for q in begun} <= {pick.question for pick in choose(alice, shapes, "grid").picks}


def test_who_answered_all_that_is_most_wanted_is_asked_for_the_rest(alice, shapes, monkeypatch):
    monkeypatch.setattr(known, "count", lambda places, share: 3)
    shapes.random_share = 0
    monkeypatch.setattr(candidates, "MAX_ROWS", 4)
    about = Question.objects.filter(kind="concept", state=State.OPEN, concept__name="circle")
    Question.objects.filter(concept__name="square").delete()
    best = list(about.order_by("pk")[:8])
    answer(alice, best)
    about.update(priority=0.5)
    about.filter(pk__in=[question.pk for question in best]).update(priority=1, probability=0.5)
    left = set(about.values_list("pk", flat=True)) - {question.pk for question in best}
    for _ in range(2):  # the second time from where the first one found something
        alice.refresh_from_db()
        grid = choose(alice, shapes, "grid")
        wanted = {pick.question for pick in grid.picks if pick.reason == "wanted"}
        assert min(4, len(left)) <= len(wanted) <= min(8, len(left)) and wanted <= left
        answer(alice, Question.objects.filter(pk__in=[p.question for p in grid.picks]))
        left -= wanted
    Answer.objects.filter(question__in=best).delete()
    assert choose(alice, shapes, "grid") is not None
