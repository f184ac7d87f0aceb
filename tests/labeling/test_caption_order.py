"""The best of a picture's captions comes first, wherever they are shown."""

import pytest
from django.urls import reverse

from labeling import caption_order, questions, snapshot_rows
from labeling.inference import recompute
from labeling.models import Annotator, Import, Question, Recomputation, TextSource, Tile
from tests.cast import answer, member, truth

pytestmark = pytest.mark.django_db

WORDS = "one {} in {}", "the {}, {} all over", "a {} that is {}"
ELSEWHERE = "a boat lies in the harbour"


@pytest.fixture
def several(shapes):
    """Of each shape three more captions of a vendor, and one of another picture."""
    record = Import.objects.create(project=shapes, kind="pictures", vendor="Acme", state="done")
    origin = TextSource.objects.create(imported_by=record, layout="table", digest="1")
    for tile in Tile.objects.filter(image__project=shapes, grid=1).select_related("image"):
        colour, shape, _ = tile.image.source.split()
        texts = [ELSEWHERE, *(each.format(shape, colour) for each in WORDS)]
        questions.ask_captions(
            captions=[(tile, text) for text in texts],
            source=Question.Source.IMPORT,
            prior=0.9,
            text_sources={(tile.pk, text): origin.pk for text in texts},
        )
    return shapes


def captions(project) -> list[list[dict]]:
    """Return the captions of a snapshot's rows."""
    concepts = snapshot_rows.concepts_of(project)
    rows = snapshot_rows.build(project=project, concepts=concepts, include_generated=False)
    return [each.row["captions"] for each in rows]


def judge(people, texts: str, value: bool, *, first: int = 0, last: int = 24) -> None:
    asked = Question.objects.filter(kind="caption", text__contains=texts).order_by("pk")
    for person in people:
        answer(person, {each.pk: value for each in asked[first:last]})


@pytest.fixture
def judges(shapes) -> list[Annotator]:
    """Two people who were right about all that is shown on the pictures."""
    people = [Annotator.objects.create(pseudonym=name) for name in ("amy", "ben")]
    shown = Question.objects.filter(kind="concept").values_list("pk", flat=True)
    for person in people:
        answer(person, {pk: truth(pk) for pk in shown})
    return people


def test_the_caption_with_which_the_others_agree_is_the_pictures_text(several):
    assert {each["confidence"] for row in captions(several) for each in row} == {0.9}
    assert [row[-1]["text"] for row in captions(several)] == [ELSEWHERE] * 24


def test_what_people_judged_right_comes_first_whatever_others_say(several, judges):
    judge(judges, ELSEWHERE, True, last=1)
    Question.objects.filter(text=ELSEWHERE).exclude(answers_count=2).update(probability=0.9)
    right = Question.objects.get(text=ELSEWHERE, answers_count=2)
    Question.objects.filter(tile=right.tile, kind="caption").exclude(pk=right.pk).update(
        probability=0.55
    )
    ranked = caption_order.Reader(several).of([right.tile.image_id])[right.tile.image_id]
    assert ranked[0].pk == right.pk and ranked[0].stands == "apart"
    assert ranked[-1].score < ranked[0].score


def test_agreement_changes_no_probability(several):
    before = list(Question.objects.order_by("pk").values_list("probability", flat=True))
    recompute.run(project=several)
    assert list(Question.objects.order_by("pk").values_list("probability", flat=True)) == before
    assert Recomputation.objects.get().agreement_weight == 0.5


def test_agreement_weighs_what_peoples_judgements_bear_out(several, judges):
    judge(judges, ELSEWHERE, False, last=12)
    judge(judges, "one ", True, last=12)
    recompute.run(project=several)
    borne_out = Recomputation.objects.get().agreement_weight
    assert borne_out > 0.6


def test_agreement_that_misleads_weighs_nothing(several, judges):
    judge(judges, ELSEWHERE, True, last=12)
    judge(judges, "one ", False, last=12)
    judge(judges, "the ", False, last=12)
    recompute.run(project=several)
    assert Recomputation.objects.get().agreement_weight < 0.1


def test_the_same_rows_come_out_again(several):
    assert captions(several) == captions(several)


def test_a_pictures_page_shows_its_captions_with_the_best_first(several, olga, client):
    client.force_login(olga)
    tile = Tile.objects.filter(image__project=several, grid=1).select_related("image").first()
    page = client.get(reverse("project-picture", args=[several.slug, tile.image_id]))
    ranked = page.context["captions"]
    assert [each.text for each in ranked][-1] == ELSEWHERE
    _, shown = page.content.decode().split("Captions, the best first")
    assert "Other questions" in shown
    assert shown.index(ranked[0].text) < shown.index(ELSEWHERE)
    assert "the others agree with it" in shown and "unlike the others" in shown
    assert not {each.pk for each in page.context["questions"]} & {each.pk for each in ranked}


def test_a_pictures_only_caption_is_one_of_its_questions(shapes, olga, client):
    client.force_login(olga)
    image = shapes.images.first()
    page = client.get(reverse("project-picture", args=[shapes.slug, image.pk]))
    assert (
        page.context["captions"] == [] and "Captions, the best first" not in page.content.decode()
    )


def test_an_imports_page_says_how_far_its_captions_are_believed(several, judges, bea):
    judge(judges, ELSEWHERE, False, last=12)
    judge(judges, "one ", True, last=12)
    recompute.run(project=several)
    record = Import.objects.get()
    client = member(several, bea, "viewer")
    shown = client.get(reverse("project-import", args=[several.slug, record.pk])).content.decode()
    print(shown[shown.index("<main") :])
    assert "People have judged 24 of its captions by <bdi>Acme</bdi>: 1" in shown
    assert "(90 % were expected)" in shown
