"""Stored questions follow their concept: nobody can tell that they are stored."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from labeling import answers, pools, predictions, questions, review
from labeling.aggregation import online
from labeling.inference import priors, recompute
from labeling.models import Annotator, Concept, Question, Tile
from tests.cast import answer
from tests.concurrency import meanwhile
from tests.labeling.field import disbelieved, see
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db


@pytest.fixture
def predicted(field, duck, tmp_path) -> Concept:
    """The concept with predictions, some of which are missing, and priors that are up to date."""
    log_odds = np.random.default_rng(1).normal(0, 2, 160).astype(np.float16)
    log_odds[:5] = np.nan
    see(field, tmp_path / "seen", log_odds={"duck": log_odds})
    duck.refresh_from_db()
    return duck


def change(concept: Concept, **fields: object) -> None:
    Concept.objects.filter(pk=concept.pk).update(priors_stale=True, **fields)


def test_all_questions_without_an_answer_are_believed_as_if_they_were_not_stored(predicted):
    assert disbelieved(predicted) == []
    change(predicted, prevalence=0.2, model_weight=0.9)
    assert len(disbelieved(predicted)) == 160
    assert priors.update(predicted) == 160
    assert disbelieved(predicted) == []
    predicted.refresh_from_db()
    assert not predicted.priors_stale


def test_updating_again_changes_nothing(predicted):
    change(predicted, prevalence=0.3)
    priors.update(predicted)
    before = list(Question.objects.order_by("pk").values())
    assert priors.update(predicted) == 0
    assert list(Question.objects.order_by("pk").values()) == before


def test_what_an_import_stated_stays_the_base(field, duck):
    stated, other = Question.objects.order_by("pk")[:2]
    pair = {(stated.tile_id, duck.pk): 0.9}
    questions.ask_pairs(project=field, pairs=pair, stated=pair)
    change(duck, prevalence=0.05)
    priors.update(duck)
    stated.refresh_from_db()
    other.refresh_from_db()
    assert stated.prior == stated.probability == pytest.approx(0.9)
    assert other.prior == other.probability == 0.05


def test_a_posterior_moves_by_as_many_log_odds_as_its_prior(duck, alice):
    question = Question.objects.order_by("pk").first()
    answer(alice, {question.pk: True})
    question.refresh_from_db()
    evidence = online.log_odds(question.probability)
    change(duck, prevalence=0.1)
    priors.update(duck)
    question.refresh_from_db()
    assert question.prior == 0.1
    moved = evidence + online.log_odds(0.1)
    assert online.log_odds(question.probability) == pytest.approx(moved)


def test_a_settled_question_that_is_now_doubted_opens_again(duck, alice, bob):
    question = Question.objects.order_by("pk").first()
    change(duck, prevalence=0.9)
    priors.update(duck)
    for annotator in (alice, bob):
        answer(annotator, {question.pk: True})
    question.refresh_from_db()
    assert question.state == "settled"
    change(duck, prevalence=0.02)
    priors.update(duck)
    question.refresh_from_db()
    assert question.state == "open" and question.priority > 0


def test_a_known_truth_stays_known(field, duck, ada):
    gold, decided = Question.objects.order_by("pk")[:2]
    Question.objects.filter(pk=gold.pk).update(state="gold", verdict=True, probability=1.0)
    review.decide(question=decided, value=False, by=ada)
    change(duck, prevalence=0.2)
    priors.update(duck)
    known = Question.objects.filter(verdict__isnull=False).order_by("pk")
    assert list(known.values_list("prior", "probability", "state")) == [
        (0.2, 1.0, "gold"),
        (0.2, 0.0, "settled"),
    ]


def test_what_a_reviewer_wants_answered_keeps_its_priority(duck):
    question = Question.objects.order_by("pk").first()
    Question.objects.filter(pk=question.pk).update(answers_wanted=3, priority=1.0)
    change(duck, prevalence=0.1)
    priors.update(duck)
    wanted, other = Question.objects.order_by("pk")[:2]
    assert wanted.priority == 1.0 and 0.4 < other.priority < 0.5


def test_an_update_that_was_killed_is_finished_by_the_next_recomputation(
    field, duck, alice, monkeypatch
):
    """It died after some batches; meanwhile people are asked and answer."""
    monkeypatch.setattr(priors, "BATCH", 50)
    change(duck, prevalence=0.2)
    batches = []

    def die() -> None:
        batches.append(len(batches))
        if len(batches) == 2:
            raise SystemExit("killed")

    with pytest.raises(SystemExit):
        priors.update(duck, die)
    assert 0 < len(disbelieved(duck)) < 160
    duck.refresh_from_db()
    assert duck.priors_stale
    last = Question.objects.order_by("-pk").first()
    answer(alice, {last.pk: True})
    recompute.run(project=field)
    duck.refresh_from_db()
    assert disbelieved(duck) == [] and not duck.priors_stale


def test_an_answer_that_comes_while_they_are_updated_counts(duck, alice, monkeypatch):
    differing = priors._differing
    first = Question.objects.order_by("pk").first()

    def find_and_be_answered(of):
        found = differing(of)
        answer(alice, {first.pk: True})
        return found

    monkeypatch.setattr(priors, "_differing", find_and_be_answered)
    change(duck, prevalence=0.2)
    assert priors.update(duck) == 160
    first.refresh_from_db()
    assert first.answers_count == 1 and first.prior == 0.2
    assert first.probability > 0.4, "one person said yes"
    assert disbelieved(duck) == []


def test_a_concept_that_changes_meanwhile_stays_due(field, duck, monkeypatch):
    renew = pools.renew

    def change_and_renew(concept):
        change(duck, prevalence=0.1)
        return renew(concept)

    with monkeypatch.context() as patch:
        patch.setattr(pools, "renew", change_and_renew)
        change(duck, prevalence=0.2)
        priors.update(duck)
    duck.refresh_from_db()
    assert duck.priors_stale
    assert priors.update_stale(field) == 160 and disbelieved(duck) == []


def test_whoever_read_the_concept_before_it_changed_writes_nothing_more(duck, monkeypatch):
    """Meanwhile another process has updated all questions by what it is now."""
    monkeypatch.setattr(priors, "BATCH", 50)
    change(duck, prevalence=0.2)
    batches = []

    def overtake() -> None:
        batches.append(len(batches))
        if len(batches) == 1:
            change(duck, prevalence=0.1)
            priors.update(duck)

    assert priors.update(duck, overtake) == 50
    assert len(batches) == 1 and disbelieved(duck) == []
    duck.refresh_from_db()
    assert not duck.priors_stale


def test_pools_hold_what_is_now_doubtful(field, tmp_path):
    goose = Concept.objects.create(project=field, name="goose", phrase="a goose", prevalence=0.5)
    doubtful = np.full(160, 6.0)
    doubtful[40:90] = 0.0
    see(field, tmp_path / "seen", log_odds={"duck": np.zeros(160), "goose": doubtful})
    tiles = np.array(Tile.objects.order_by("pk").values_list("pk", flat=True))
    asked = Question.objects.filter(concept=goose).values_list("tile_id", flat=True)
    assert set(tiles[40:90]) <= set(asked) and len(asked) < 160
    assert disbelieved(goose) == []


def test_a_concept_that_is_gone_is_left_alone(duck):
    gone = Concept.objects.get(pk=duck.pk)
    duck.delete()
    assert priors.update(gone) == 0


@pytest.mark.parametrize("damage", ["missing", "truncated", "of another shape", "no numbers"])
def test_without_usable_predictions_the_prevalence_is_believed(predicted, caplog, damage):
    path = Path(predicted.predictions.path)
    match damage:
        case "missing":
            predicted.predictions.storage.delete(predicted.predictions.name)
        case "truncated":
            with path.open("r+b") as file:
                file.truncate(150)
        case "of another shape":
            np.save(path, np.zeros(7, np.float16))
        case "no numbers":
            path.write_bytes(b"\x80\x04\x95")
    priors.update(predicted)
    assert set(Question.objects.values_list("prior", "model_probability")) == {(0.5, None)}
    assert "cannot be used" in caplog.text


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("prevalence"), st.floats(0.01, 0.99)),
            st.tuples(st.just("model_weight"), st.floats(0, 1)),
            st.tuples(st.just("answer"), st.integers(0, 159)),
            st.tuples(st.just("forget"), st.integers(0, 159)),
        ),
        max_size=8,
    )
)
def test_whatever_happens_nobody_can_tell_what_is_stored(predicted, steps):
    for number, (step, value) in enumerate(steps):
        if step in ("prevalence", "model_weight"):
            change(predicted, **{step: value})
            priors.update(predicted)
            continue
        tile = Tile.objects.order_by("pk")[value]
        questions.ask_pairs(project=predicted.project, pairs=[(tile.pk, predicted.pk)])
        question = Question.objects.get(tile=tile, concept=predicted)
        if step == "answer":
            person = Annotator.objects.create(pseudonym=f"{number} {Annotator.objects.count()}")
            values = {question.pk: bool(value % 3)}
            answers.record(annotator=person, values=values, reasons={question.pk: "wanted"})
        elif not question.answers_count:
            question.delete()
    assert disbelieved(predicted) == []


@pytest.mark.django_db(transaction=True)
def test_a_question_that_is_stored_while_the_prevalence_changes_begins_at_the_new_one(
    field, duck, monkeypatch
):
    """Whoever stores it holds the concept until it is stored; whoever changes it waits for that."""
    waited = []

    def ask_slowly(rows):
        with pytest.raises(Exception, match="lock"):
            meanwhile(lambda: _change_at_once(duck))
        waited.append(True)
        return insert(rows)

    insert = questions.bulk_insert.insert
    Question.objects.all().delete()
    monkeypatch.setattr(questions.bulk_insert, "insert", ask_slowly)
    tile = Tile.objects.first()
    assert questions.ask_pairs(project=field, pairs=[(tile.pk, duck.pk)]) == 1
    assert waited
    change(duck, prevalence=0.1)
    priors.update(duck)
    assert disbelieved(duck) == []


def _change_at_once(concept: Concept) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    change(concept, prevalence=0.1)


@pytest.mark.django_db(transaction=True)
def test_what_somebody_changes_while_the_mark_is_cleared_stays_due(predicted, monkeypatch):
    """Whoever clears it waits for them, and then compares what they have written."""
    change(predicted)
    monkeypatch.setattr(pools, "renew", lambda concept: None)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change(predicted, predictions="another")
            cleared = pool.submit(_update_alone, predicted)
            wait_until_somebody_waits()
        cleared.result()
    predicted.refresh_from_db()
    assert predicted.priors_stale


def _update_alone(concept: Concept) -> None:
    try:
        priors.update(concept)
    finally:
        connection.close()


def test_predictions_are_of_the_project_s_features_alone(field, predicted, caplog):
    field.features.name = "features/1-other.safetensors"
    assert predictions.load(predicted, field) is None
    assert "other features" in caplog.text
