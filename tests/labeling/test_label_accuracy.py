"""How often labels are right is said with an interval, of a project and of each snapshot."""

import json
from collections.abc import Iterable, Sequence

import pytest
from django.db.models import QuerySet

from labeling import label_accuracy, quality, review, snapshots
from labeling.images import tiles
from labeling.inference import recompute
from labeling.models import (
    Annotator,
    Answer,
    Concept,
    GoldMark,
    PracticeQuestion,
    Project,
    Question,
    Tile,
)
from labeling.snapshots import local_folder
from tests.labeling.garden import add_many
from tests.labeling.meadow import add_cut_pictures, add_pictures

pytestmark = pytest.mark.django_db
State = Question.State
NOT_KNOWN = {"accuracy": None, "low": None, "high": None}


@pytest.fixture
def stripe(garden: Project) -> Concept:
    return Concept.objects.create(project=garden, name="stripe", phrase="a stripe")


@pytest.fixture
def known(db: None) -> Annotator:
    """Somebody of whom much is known: right nine times in ten."""
    counts = {"true_positives": 900, "false_negatives": 100}
    counts |= {"true_negatives": 900, "false_positives": 100}
    return Annotator.objects.create(pseudonym="known", **counts)


def ask(
    concept: Concept, count: int, tiles: Sequence[Tile] = (), **fields: object
) -> QuerySet[Question]:
    """Store so many answered questions, about these tiles or pictures of their own."""
    fields = {"probability": 0.9, "answers_count": 2, "yes_count": 2, **fields}
    rows = Question.objects.bulk_create(
        Question(
            project=concept.project,
            tile=tile,
            kind=Question.Kind.CONCEPT,
            concept=concept,
            random_key=0.5,
            **fields,
        )
        for tile in tiles or add_pictures(concept.project, count)
    )
    return Question.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk")


def gold(
    concept: Concept, count: int, *, right: int, tiles: Sequence[Tile] = ()
) -> QuerySet[Question]:
    """Store gold whose labels would be yes, of which so many are."""
    rows = ask(concept, count, tiles, state=State.GOLD, verdict=False, held_out=0.9)
    rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:right])).update(verdict=True)
    return rows


def answer(
    annotator: Annotator, rows: Iterable[Question], *, yes: int, reason: str, before: float = 0.9
) -> None:
    """Let somebody answer these questions, so many of them with yes."""
    Answer.objects.bulk_create(
        Answer(
            question=question,
            annotator=annotator,
            value=number < yes,
            reason=reason,
            probability_before=before,
        )
        for number, question in enumerate(rows)
    )


def test_gold_judges_the_labels_that_people_made(garden, stripe):
    ask(stripe, 500)
    gold(stripe, 50, right=45)
    measured = label_accuracy.measure(garden)
    (row,) = measured["concepts"]
    assert (row["concept"], row["name"]) == (stripe.pk, "stripe")
    assert (row["labels"], row["covered"], row["judged"], row["by"]) == (500, 500, 50, "gold")
    assert row["low"] < row["accuracy"] < row["high"]
    assert row["accuracy"] == pytest.approx(0.9, abs=0.001)
    assert measured["whole"] == row | {"concept": None, "name": ""}
    assert label_accuracy.sentence(row) == (
        f"Labels are right in 90.0 % (95 % interval {100 * row['low']:.1f} to "
        f"{100 * row['high']:.1f}): of 500 labels that people answered about, judged by 50 gold "
        "questions."
    )


def test_too_little_gold_says_so(garden, stripe):
    ask(stripe, 100)
    gold(stripe, 19, right=19)
    row = label_accuracy.measure(garden)["whole"]
    assert row | NOT_KNOWN == row and (row["judged"], row["by"]) == (19, "gold")
    assert "19 gold questions are too few to tell" in label_accuracy.sentence(row)
    assert (
        label_accuracy.measure(Project.objects.create(name="Void", slug="void"))["whole"]["labels"]
        == 0
    )


def test_labels_whose_truth_was_told_prove_nothing(garden, stripe, ada):
    """They are neither spoken of, nor do they judge: gold judges by the label without its truth."""
    ask(stripe, 100)
    gold(stripe, 30, right=20)
    decided = ask(stripe, 40)
    for question in decided:
        review.decide(question=question, value=True, by=ada)
    row = label_accuracy.measure(garden)["whole"]
    assert (row["labels"], row["judged"]) == (100, 30)
    assert row["accuracy"] == pytest.approx(2 / 3, abs=1e-3)


def test_gold_that_is_given_away_judges_nobody(garden, stripe):
    ask(stripe, 100)
    rows = gold(stripe, 30, right=25)
    PracticeQuestion.objects.create(project=garden, question=rows[0], position=0)
    stripe.examples.create(tile=rows[1].tile, kind="yes")
    assert label_accuracy.measure(garden)["whole"]["judged"] == 28


def test_labels_of_each_kind_are_judged_by_their_like(garden, stripe):
    """Half of the gold is yes; of the labels one in eleven is."""
    ask(stripe, 100)
    ask(stripe, 1000, probability=0.05, yes_count=0)
    gold(stripe, 30, right=15)
    ask(stripe, 30, state=State.GOLD, verdict=False, held_out=0.05)
    row = label_accuracy.measure(garden)["whole"]
    assert row["accuracy"] == pytest.approx((0.5 * 100 + 1000) / 1100, abs=0.01)


def test_without_gold_answers_judge_labels_that_others_made(garden, stripe, alice, known):
    """The first of each question, to open ones of the random slice and to settled ones."""
    ask(stripe, 500)
    tested = ask(stripe, 300)
    answer(alice, tested, yes=300, reason="wanted", before=0.5)
    for reason, half in (("random", list(tested)[:150]), ("check", list(tested)[150:])):
        answer(known, half, yes=130, reason=reason)
    answer(known, ask(stripe, 100), yes=0, reason="random", before=0.5)
    row = label_accuracy.measure(garden)["whole"]
    assert (row["by"], row["judged"]) == ("answers", 300)
    found = (260 / 300 - 0.1) / 0.8  # of them are right, where one in ten answers is wrong
    assert row["accuracy"] == pytest.approx(found, abs=0.01)
    assert "What most people get wrong alike is not found so." in label_accuracy.sentence(row)


def test_pictures_in_parts_generated_ones_and_merged_concepts_are_left_out(garden, stripe):
    ask(stripe, 20)
    ask(stripe, 5, source=Question.Source.MODEL)
    (cut,) = add_cut_pictures(garden, 1)
    Question.objects.filter(pk__in=ask(stripe, 1)).update(tile=tiles.whole(cut))
    other = Concept.objects.create(project=garden, name="band", merged_into=stripe, active=False)
    ask(other, 7)
    assert label_accuracy.measure(garden)["whole"]["labels"] == 20
    assert label_accuracy.measure(garden, include_generated=True)["whole"]["labels"] == 25


def test_a_recomputation_keeps_what_gold_would_be_without_its_truth(shapes, alice, bob):
    rows = Question.objects.filter(project=shapes, kind="concept", state=State.GOLD)
    question = rows[0]
    for annotator in (alice, bob):
        Answer.objects.create(
            question=question, annotator=annotator, value=not question.verdict, reason="gold"
        )
    recompute.run(project=shapes)
    question.refresh_from_db()
    assert question.probability == float(question.verdict)
    assert (question.held_out >= 0.5) is not question.verdict
    assert rows.exclude(held_out=None).get() == question
    assert quality.latest(project=shapes).accuracy["whole"]["judged"] == 1
    GoldMark.objects.create(
        tile=question.tile, concept=question.concept, value=True, origin=GoldMark.Origin.PROPOSAL
    )
    recompute.run(project=shapes)
    assert not rows.exclude(held_out=None).exists(), "it was chosen for what people answered"


def test_a_snapshot_says_how_often_its_labels_are_right_and_keeps_it(garden, stripe, known):
    pictures = [tiles.whole(image) for image in add_many(garden, range(66))]
    ask(stripe, 20, tiles=pictures[:20])
    gold(stripe, 20, right=18, tiles=pictures[20:40])
    drawn = ask(stripe, 20, tiles=pictures[40:60], prior=0.3, probability=0.3)
    answer(known, drawn, yes=5, reason="random", before=0.3)
    snapshot = snapshots.freeze(project=garden)
    folder = local_folder(snapshot)
    measured = json.loads((folder / "manifest.json").read_text())["accuracy"]
    whole, unanswered = measured["whole"], measured["unanswered"]
    assert (whole["labels"], whole["judged"], whole["by"]) == (40, 20, "gold")
    assert whole["low"] < 0.9 < whole["high"] and "concept" not in whole
    assert (unanswered["labels"], unanswered["judged"], unanswered["by"]) == (6, 20, "answers")
    card = " ".join((folder / "README.md").read_text().split())
    assert "## How often labels are right" in card
    for each in label_accuracy.sentences(measured):
        assert each in card
    Question.objects.filter(state=State.GOLD).update(verdict=False)
    assert snapshots.header(snapshot)["accuracy"] == measured
    assert snapshots.header(snapshots.freeze(project=garden))["accuracy"] != measured
