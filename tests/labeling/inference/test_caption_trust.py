"""Captions are believed by who wrote them, as far as people's judgements bear that out."""

import pytest

from labeling import gold, questions, review
from labeling.inference import model_prior, recompute
from labeling.models import (
    Annotator,
    CaptionTrust,
    Import,
    Question,
    Recomputation,
    TextSource,
    Tile,
)
from tests.cast import answer, truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def judges(shapes) -> list[Annotator]:
    """Three people who were right about all that is shown on the pictures."""
    people = [Annotator.objects.create(pseudonym=name) for name in ("amy", "ben", "cho")]
    shown = Question.objects.filter(kind="concept").values_list("pk", flat=True)
    for person in people:
        answer(person, {pk: truth(pk) for pk in shown})
    return people


def deliver(project, vendor: str, *, batch: str = "", words: str = "") -> list[Question]:
    """Import a caption for each picture of a project, as a vendor's."""
    record = Import.objects.create(project=project, kind="pictures", vendor=vendor, batch=batch)
    origin = TextSource.objects.create(imported_by=record, layout="table", digest=str(record.pk))
    tiles = list(Tile.objects.filter(image__project=project, grid=1).order_by("pk"))
    texts = [(tile, f"{words or vendor} {record.pk} of {tile.pk}") for tile in tiles]
    questions.ask_captions(
        captions=texts,
        source=Question.Source.IMPORT,
        prior=0.9,
        text_sources={(tile.pk, text): origin.pk for tile, text in texts},
    )
    return list(Question.objects.filter(text_source=origin).order_by("pk"))


def write(project, author: Annotator) -> list[Question]:
    """Let somebody describe each picture of a project."""
    tiles = list(Tile.objects.filter(image__project=project, grid=1).order_by("pk"))
    questions.ask_captions(
        captions=[(tile, f"by {author.pseudonym}: {tile.pk}") for tile in tiles],
        source=Question.Source.ANNOTATOR,
        author=author,
        prior=0.6,
    )
    return list(Question.objects.filter(author=author).order_by("pk"))


def judge(people, captions, value: bool) -> None:
    for person in people:
        answer(person, {each.pk: value for each in captions})


def priors(captions) -> list[float]:
    """Return the priors of those that nobody judged."""
    rows = Question.objects.filter(pk__in=[each.pk for each in captions], answers_count=0)
    return list(rows.order_by("pk").values_list("prior", flat=True))


def test_without_judgements_captions_are_believed_as_before(shapes, judges):
    own, written = deliver(shapes, "Acme"), write(shapes, judges[0])
    recompute.run(project=shapes)
    assert set(priors(own)) == {0.9} and set(priors(written)) == {0.6}
    assert not CaptionTrust.objects.exists()


def test_a_bad_vendor_is_found_after_a_dozen_judgements(shapes, judges):
    good, bad = deliver(shapes, "Good"), deliver(shapes, "Bad")
    judge(judges[:2], good[:12], True)
    judge(judges[:2], bad[:10], False)
    judge(judges[:2], bad[10:12], True)
    recompute.run(project=shapes)
    assert max(priors(bad)) < 0.35 and min(priors(good)) > 0.9
    unjudged = Question.objects.get(pk=bad[-1].pk)
    assert unjudged.stated == 0.9 and unjudged.probability == unjudged.prior
    assert unjudged.priority > Question.objects.get(pk=good[-1].pk).priority
    row = CaptionTrust.objects.get(scope="vendor", vendor="Bad")
    assert row.judged == 12 and row.right == pytest.approx(2, abs=1) and row.expected == 0.9


def test_the_next_batch_of_a_bad_vendor_begins_lower_and_another_vendors_hardly(shapes, judges):
    bad = deliver(shapes, "Bad", batch="May")
    judge(judges[:2], bad[:15], False)
    recompute.run(project=shapes)
    recompute.run(project=shapes)
    again, other = deliver(shapes, "Bad", batch="June"), deliver(shapes, "Other")
    assert max(priors(bad)) < max(priors(again)) < 0.6 < min(priors(other)) < 0.9
    assert Question.objects.get(pk=again[0].pk).stated == 0.9
    before = priors(again), priors(other)
    recompute.run(project=shapes)
    assert priors(again) == pytest.approx(before[0], abs=0.03)
    assert priors(other) == pytest.approx(before[1], abs=0.03)


def test_imports_that_name_no_vendor_are_known_each_by_itself(shapes, judges):
    first, second = deliver(shapes, "", words="one"), deliver(shapes, "", words="two")
    judge(judges[:2], first[:12], False)
    judge(judges[:2], second[:12], True)
    recompute.run(project=shapes)
    assert max(priors(first)) < 0.3 < 0.85 < min(priors(second))
    assert not CaptionTrust.objects.filter(scope="vendor").exists()


def test_a_writer_who_copies_one_sentence_is_believed_less_than_another(shapes, judges, bob):
    careful, copyist = write(shapes, judges[0]), write(shapes, bob)
    judge(judges[1:], careful[:10], True)
    judge(judges[1:], copyist[:10], False)
    recompute.run(project=shapes)
    assert max(priors(copyist)) < 0.25 and min(priors(careful)) > 0.75
    assert CaptionTrust.objects.get().scope == "all"  # nothing is kept of each writer


def test_a_friend_who_approves_of_everything_does_not_make_a_writer_trusted(shapes, judges, bob):
    praised, judged = write(shapes, bob), write(shapes, judges[0])
    judge(judges[1:2], praised[:20], True)
    judge(judges[1:], judged[:20], True)
    recompute.run(project=shapes)
    one, two = max(priors(praised)), min(priors(judged))
    assert one < two


def test_a_model_alone_makes_nobody_trusted(shapes, judges):
    own = deliver(shapes, "Acme")
    model_prior.store({each.pk: 0.01 for each in own})
    recompute.run(project=shapes)
    assert not CaptionTrust.objects.exists()
    assert {each.stated for each in own} == {0.9}
    judge(judges[:2], own[:1], True)
    recompute.run(project=shapes)
    assert CaptionTrust.objects.get(scope="vendor").trust > 0.9  # it was doubted, and is right


def test_gold_tells_nothing_of_its_source(shapes, judges, ada):
    own = deliver(shapes, "Acme")
    for each in own[:12]:
        gold.mark_caption(question=each, value=False, by=ada)
    judge(judges[:2], own[:12], False)
    recompute.run(project=shapes)
    assert priors(own) == pytest.approx([0.9] * 12)
    review.decide(question=own[20], value=False, by=ada)
    recompute.run(project=shapes)
    assert priors(own)[0] < 0.8


def test_a_model_is_believed_of_captions_as_far_as_people_bear_it_out(shapes, judges):
    own = deliver(shapes, "Acme")
    likely, unlikely = own[::2], own[1::2]
    says = {each.pk: 0.95 for each in likely} | {each.pk: 0.05 for each in unlikely}
    model_prior.store(says)
    shifts = [Question.objects.get(pk=pk).prior_shift for pk in says]
    assert shifts == pytest.approx([1.47] * 12 + [-1.47] * 12, abs=0.01)
    judge(judges[:2], likely[:10], False)
    judge(judges[:2], unlikely[:10], True)
    recompute.run(project=shapes)
    weight = Recomputation.objects.get().caption_model_weight
    assert weight < 0.3
    model_prior.store({unlikely[-1].pk: 0.05})
    shift = Question.objects.get(pk=unlikely[-1].pk).prior_shift
    assert shift == pytest.approx(-2.94 * weight, abs=0.01)


def test_what_was_judged_does_not_raise_its_own_prior(shapes, judges):
    (own,) = deliver(shapes, "Acme")[:1]
    judge(judges[:2], [own], False)
    recompute.run(project=shapes)
    own.refresh_from_db()
    assert own.prior == 0.9 and own.probability < 0.5


def test_recomputing_again_changes_nothing_more(shapes, judges):
    bad = deliver(shapes, "Bad")
    judge(judges, bad[:12], False)
    assert [recompute.run(project=shapes) for _ in range(4)][-1] == 0
    before = list(Question.objects.order_by("pk").values())
    assert recompute.run(project=shapes) == 0
    assert list(Question.objects.order_by("pk").values()) == before


def test_judgements_that_are_taken_back_leave_captions_as_they_were(shapes, judges):
    bad = deliver(shapes, "Bad")
    judge(judges, bad[:12], False)
    recompute.run(project=shapes)
    assert max(priors(bad)) < 0.3
    for person in judges:
        person.answers.all().delete()
    recompute.run(project=shapes)
    recompute.run(project=shapes)
    assert priors(bad) == pytest.approx([0.9] * 24)


def test_a_retracted_caption_follows_no_source(shapes, judges):
    bad = deliver(shapes, "Bad")
    judge(judges, bad[:12], False)
    Question.objects.filter(pk=bad[-1].pk).update(stated=None, prior=0.1, probability=0.1)
    recompute.run(project=shapes)
    retracted = Question.objects.get(pk=bad[-1].pk)
    assert retracted.prior == pytest.approx(0.5) and priors(bad)[0] < 0.3
