"""A new CLIP's features and predictions are taken in whole, or not at all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection

from labeling import (
    excluding,
    features,
    pools,
    predictions,
    question_posteriors,
    question_state,
    questions,
)
from labeling.beliefs import Beliefs
from labeling.inference import (
    exclusions,
    intake,
    posteriors,
    priors,
    recompute,
    schedule,
    writing,
)
from labeling.models import (
    Annotator,
    Answer,
    Concept,
    ExclusiveGroup,
    Project,
    Question,
    Recomputation,
    Tile,
)
from tests.at_once import run_at_once
from tests.cast import answer
from tests.labeling.field import disbelieved, pictures, see

pytestmark = pytest.mark.django_db


@pytest.fixture
def goose(field) -> Concept:
    """A second concept, of which nothing is stored."""
    return Concept.objects.create(project=field, name="goose", phrase="a goose", prevalence=0.1)


def draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, 160).astype(np.float16)


def everything(project: Project) -> list[object]:
    """Return all that an intake changes."""
    project.refresh_from_db()
    concepts = list(project.concepts.order_by("pk").values())
    return [project.features.name, concepts, list(Question.objects.order_by("pk").values())]


def test_all_pairs_are_predicted_and_what_rests_on_them_follows(field, duck, goose, tmp_path):
    log_odds = {"duck": draw(1), "goose": draw(2)}
    see(field, tmp_path / "seen", log_odds=log_odds)
    for concept in field.concepts.all():
        assert (predictions.load(concept, field) == log_odds[concept.name]).all()
        assert (concept.embedded_phrase, concept.known_when_fitted) == (concept.phrase, 0)
        assert disbelieved(concept) == [] and not concept.priors_stale
    assert Question.objects.filter(concept=goose, reason="likely").exists()
    assert schedule.due() == [field], "so that weights are fitted to what people say"


def test_what_rules_what_out_follows_a_new_model(field, duck, goose, alice, tmp_path, monkeypatch):
    """What a picture's geese say of its ducks rests on what the model says of both."""
    group = ExclusiveGroup.objects.create(project=field, overlap=0.03)
    group.concepts.set(field.concepts.all())
    field.concepts.update(exclusive=True)
    Recomputation.objects.create(project=field, learned_from=1_000)
    monkeypatch.setattr(exclusions, "CHANGE", 1)  # so it stays
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(1)})
    tiles = list(Tile.objects.order_by("pk"))
    questions.ask_concepts(tiles=tiles, concepts=[goose])
    asked = Question.objects.filter(concept=goose).values_list("pk", flat=True)[:20]
    answer(alice, dict.fromkeys(asked, True))
    recompute.run(project=field)
    assert Question.objects.filter(concept=duck).exclude(exclusion_shift=0).exists()
    assert disbelieved(duck) == disbelieved(goose) == []
    earlier = Project.objects.get(pk=field.pk)  # as somebody read it who is slow
    see(field, tmp_path / "seen", log_odds={"duck": draw(2), "goose": draw(2)})
    recompute.run(project=field)
    assert disbelieved(duck) == disbelieved(goose) == []
    excluding.update(earlier, [tile.pk for tile in tiles])
    assert disbelieved(duck) == disbelieved(goose) == []


def test_the_files_of_the_earlier_model_go(field, duck, goose, tmp_path):
    for seed in (1, 2):
        see(field, tmp_path / "seen", log_odds={"duck": draw(seed), "goose": draw(seed)})
    stem = Path(field.features.name).stem
    stored = [n for n in default_storage.listdir("features")[1] if n.startswith(f"{field.pk}-")]
    assert stored == [f"{stem}.safetensors"]
    folders = default_storage.listdir("predictions")[0]
    assert [name for name in folders if name.startswith(f"{field.pk}-")] == [stem]
    assert len(default_storage.listdir(f"predictions/{stem}")[1]) == 2


def test_a_concept_that_the_model_did_not_know_loses_the_predictions_of_the_last(
    field, duck, goose, tmp_path
):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(1)})
    see(field, tmp_path / "seen", log_odds={"duck": draw(2)})
    goose.refresh_from_db()
    assert not goose.predictions and not goose.embedded_phrase and disbelieved(goose) == []
    assert set(Question.objects.filter(concept=goose).values_list("prior", flat=True)) == {0.1}


@pytest.mark.parametrize(
    ("log_odds", "why"),
    [
        (np.zeros((2, 159), np.float16), "must be float16"),
        (np.zeros((1, 160), np.float16), "must be float16"),
        (np.zeros((2, 160), np.float32), "must be float16"),
        (np.full((2, 160), np.inf, np.float16), "infinite"),
        (np.array([[{}]]), "no predictions"),
        (None, "no predictions"),
    ],
)
def test_predictions_that_do_not_fit_are_refused_and_nothing_changes(
    field, duck, goose, tmp_path, log_odds, why
):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(1)})
    before = everything(field)
    path = tmp_path / "wrong.npy"
    if log_odds is None:
        path.write_bytes(b"")
    else:
        np.save(path, log_odds, allow_pickle=True)
    with pytest.raises(ValueError, match=why):
        intake.replace(project=field, file=tmp_path / "seen", log_odds=path)
    assert everything(field) == before
    assert predictions.load(duck.__class__.objects.get(pk=duck.pk), field) is not None


@pytest.mark.parametrize("what", ["tiles", "concepts"])
def test_predictions_of_another_project_are_refused(field, duck, tmp_path, what):
    changes = {what: np.arange(10**9, 10**9 + {"tiles": 160, "concepts": 1}[what])}
    before = everything(field)
    with pytest.raises(ValueError, match=f"another project: none of their {what}"):
        see(field, tmp_path / "seen", log_odds={"duck": draw(1)}, **changes)
    assert everything(field) == before


def test_what_has_gone_meanwhile_is_left_out(field, duck, goose, tmp_path, caplog):
    tiles = np.array([*Tile.objects.order_by("pk").values_list("pk", flat=True)[:159], 10**9])
    see(field, tmp_path / "seen", log_odds={"duck": draw(1)}, tiles=np.sort(tiles))
    assert "1 tiles of the features are no longer" in caplog.text
    assert Question.objects.filter(concept=duck, model_probability=None).count() == 1


def test_a_tile_of_which_nothing_is_predicted_is_believed_at_the_prevalence(field, duck, tmp_path):
    log_odds = draw(1)
    log_odds[7] = np.nan
    see(field, tmp_path / "seen", log_odds={"duck": log_odds})
    assert Question.objects.get(model_probability=None).prior == duck.prevalence
    assert disbelieved(duck) == []


def test_whoever_is_killed_before_the_switch_leaves_the_earlier_model(
    field, duck, goose, tmp_path, monkeypatch
):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(1)})
    before = everything(field)
    with monkeypatch.context() as patch:
        patch.setattr(intake, "_switch", killed)
        with pytest.raises(SystemExit):
            see(field, tmp_path / "seen", log_odds={"duck": draw(2), "goose": draw(2)})
    assert everything(field) == before
    duck.refresh_from_db()
    assert (predictions.load(duck, field) == draw(1)).all()
    see(field, tmp_path / "seen", log_odds={"duck": draw(3), "goose": draw(3)})
    lost = [n for n in default_storage.listdir("predictions")[0] if n.startswith(f"{field.pk}-")]
    assert lost == [Path(field.features.name).stem], "what it left is cleared up"


@pytest.mark.parametrize("step", ["features.delete_others", "priors.update", "pools.renew"])
def test_what_whoever_is_killed_after_the_switch_left_is_finished(
    field, duck, goose, tmp_path, monkeypatch, alice, step
):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(1)})
    module, name = step.split(".")
    with monkeypatch.context() as patch:
        patch.setattr(
            {"features": features, "priors": priors, "pools": pools}[module], name, killed
        )
        with pytest.raises(SystemExit):
            see(field, tmp_path / "seen", log_odds={"duck": draw(2), "goose": draw(2)})
    field.refresh_from_db()
    assert field.concepts.filter(priors_stale=True).exists() and schedule.due() == [field]
    answer(alice, {Question.objects.filter(concept=goose).first().pk: True})
    recompute.run(project=field)
    assert not field.concepts.filter(priors_stale=True).exists()
    for concept in field.concepts.all():
        assert (predictions.load(concept, field) == draw(2)).all() and disbelieved(concept) == []


def test_people_are_asked_and_answer_while_priors_follow(
    field, duck, goose, tmp_path, monkeypatch, alice
):
    """Between the switch and the update questions are stored and answered, with the new priors."""
    update_stale = priors.update_stale
    tiles = Tile.objects.order_by("pk").values_list("pk", flat=True)

    def ask_and_answer_first(project, *rest, **how):
        questions.ask_pairs(project=project, pairs=[(tiles[3], goose.pk), (tiles[4], goose.pk)])
        answer(alice, {Question.objects.get(concept=goose, tile=tiles[4]).pk: True})
        answer(alice, {Question.objects.get(concept=duck, tile=tiles[4]).pk: True})
        return update_stale(project, *rest, **how)

    monkeypatch.setattr(priors, "update_stale", ask_and_answer_first)
    see(field, tmp_path / "seen", log_odds={"duck": draw(1), "goose": draw(2)})
    recompute.run(project=field)  # which answered questions wait for
    assert disbelieved(duck) == disbelieved(goose) == []
    assert Question.objects.filter(answers_count=1).count() == 2


@pytest.fixture
def answered(field, duck, goose, alice, tmp_path) -> Question:
    """A question that somebody has answered when a new model comes in."""
    recompute.run(project=field)
    question = Question.objects.filter(concept=duck).order_by("pk").first()
    answer(alice, {question.pk: True})
    question.refresh_from_db()
    see(field, tmp_path / "seen", log_odds={"duck": np.full(160, -2.0), "goose": draw(2)})
    return question


def test_an_answered_question_follows_a_new_model_in_the_recomputation_alone(
    field, duck, answered, monkeypatch
):
    """Its prior, posterior and state are written together, once."""
    duck.refresh_from_db()
    assert duck.priors_stale and disbelieved(duck) == [answered.pk]
    assert Question.objects.get(pk=answered.pk).prior == answered.prior
    written, save = [], question_state.save
    monkeypatch.setattr(question_state, "save", lambda rows: written.extend(rows) or save(rows))
    recompute.run(project=field)
    assert [row.pk for row in written] == [answered.pk]
    question = Question.objects.get(pk=answered.pk)
    duck.refresh_from_db()
    assert question.model_probability == pytest.approx(1 / (1 + np.exp(2)))
    assert question.prior < answered.prior and question.probability < answered.probability
    assert not duck.priors_stale and disbelieved(duck) == []


def test_what_dies_between_a_new_model_and_what_follows_is_gone_on_with(
    field, duck, answered, monkeypatch
):
    """An answered question is not left at the model of before, whoever was killed and when."""

    def die(*_arguments):
        raise SystemExit("killed")

    for step in (writing, "_write_batch"), (priors, "_clear_mark"):
        with monkeypatch.context() as patch:
            patch.setattr(*step, die)
            with pytest.raises(SystemExit):
                recompute.run(project=field)
        duck.refresh_from_db()
        assert duck.priors_stale and schedule.is_due(field)
    recompute.run(project=field)
    question = Question.objects.get(pk=answered.pk)
    duck.refresh_from_db()
    assert question.prior < answered.prior and not duck.priors_stale
    assert question.model_probability is not None and disbelieved(duck) == []


def test_an_answer_that_is_taken_back_while_labels_are_inferred_leaves_no_stale_prior(
    field, duck, answered, monkeypatch
):
    """It was to be written with its posterior, and has none any more when that is read."""
    read = posteriors.read

    def take_back_and_read(*arguments, **known):
        Answer.objects.filter(question=answered).delete()
        question_posteriors.recompute([answered.pk])
        return read(*arguments, **known)

    monkeypatch.setattr(posteriors, "read", take_back_and_read)
    recompute.run(project=field)
    assert disbelieved(duck) == []
    assert Question.objects.get(pk=answered.pk).prior < answered.prior


def test_the_priors_of_all_pairs_are_those_of_the_new_model(field, duck, tmp_path):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1)})
    duck.refresh_from_db()
    assert Beliefs(field, [duck])._predictions[0] is not None
    other = Project.objects.create(state="open", slug="other", name="Other")
    assert predictions.tile_ids(other).tolist() == []


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_tried_again(field, duck, tmp_path, monkeypatch):
    set_files, attempts = intake._set_files, []

    def meet_a_deadlock_first(*arguments):
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise OperationalError("deadlock detected")
        set_files(*arguments)

    monkeypatch.setattr(intake, "_set_files", meet_a_deadlock_first)
    see(field, tmp_path / "seen", log_odds={"duck": draw(1)})
    assert len(attempts) == 3
    duck.refresh_from_db()
    assert predictions.load(duck, field) is not None


def test_a_project_without_concepts_or_pictures_takes_in_nothing(db, tmp_path):
    project = Project.objects.create(state="open", slug="empty", name="Empty")
    see(project, tmp_path / "seen", log_odds={})
    assert features.load(project) is not None and project.features
    pictures(project, 1)
    see(project, tmp_path / "seen", log_odds={})
    seen = features.load(project)
    assert seen is not None and len(seen.tiles) == 1


def test_a_concept_that_is_added_later_has_predictions_and_a_text_of_its_own(
    field, duck, goose, tmp_path
):
    see(field, tmp_path / "seen", log_odds={"duck": draw(1)})
    seen = features.load(field)
    text = np.full(seen.width, 0.25, np.float16)
    given = {"phrase": "a goose", "features_name": seen.name, "text": text}
    assert intake.add(concept=goose, log_odds=draw(2), **given)
    goose.refresh_from_db()
    assert (predictions.load(goose, field) == draw(2)).all() and disbelieved(goose) == []
    assert (features.load(field).texts[goose.pk] == 0.25).all()
    assert Question.objects.filter(concept=goose, reason="likely").exists()
    for wrong in ({"log_odds": draw(2)[:9]}, {"log_odds": np.full(160, -np.inf)}):
        with pytest.raises(ValueError, match=r"do not fit|infinite"):
            intake.add(concept=goose, **given | wrong)
    assert not intake.add(concept=goose, log_odds=draw(3), **given | {"features_name": "other"})
    assert not intake.add(concept=goose, log_odds=draw(3), **given | {"phrase": "a swan"})
    goose.refresh_from_db()
    assert (predictions.load(goose, field) == draw(2)).all()


def test_the_text_of_an_earlier_phrase_is_no_hint(field, duck, tmp_path):
    see(field, tmp_path / "seen")
    assert set(features.load(field).texts) == {duck.pk}
    Concept.objects.filter(pk=duck.pk).update(phrase="a mallard")
    assert features.load(field).texts == {}


@pytest.mark.django_db(transaction=True)
def test_models_come_in_while_questions_are_stored_answered_and_recomputed(
    field, duck, goose, tmp_path
):
    """Each on a connection of its own; in the end nobody can tell which pairs are stored."""
    tiles = list(Tile.objects.order_by("pk").values_list("pk", flat=True))
    stop = threading.Event()

    def until_stopped(step: Callable[[int], object]) -> int:
        turns = 0
        try:
            while not stop.is_set():
                step(turns)
                turns += 1
        finally:
            connection.close()
        return turns

    def ask(turn: int) -> None:
        questions.ask_pairs(project=field, pairs=[(tiles[turn % 160], goose.pk)])

    def answer_somebody(turn: int) -> None:
        annotator = Annotator.objects.create(pseudonym=f"person {turn}")
        asked = Question.objects.order_by("pk").values_list("pk", flat=True)[turn % 100 :: 7]
        answer(annotator, {pk: pk % 3 == 0 for pk in asked[:20]})

    def look(turn: int) -> None:
        recompute.run(project=Project.objects.get(pk=field.pk))

    with ThreadPoolExecutor(3) as pool:
        turns = [pool.submit(until_stopped, step) for step in (ask, answer_somebody, look)]
        try:
            for seed in range(4):
                see(field, tmp_path / "seen", log_odds={"duck": draw(seed), "goose": draw(seed)})
        finally:
            stop.set()
    assert all(turn.result() for turn in turns)
    look(0)  # answers since the last one say something of the pictures' other concepts, too
    assert disbelieved(duck) == disbelieved(goose) == []
    assert not field.concepts.filter(priors_stale=True).exists()


@pytest.mark.django_db(transaction=True)
def test_two_machines_that_take_in_at_once_leave_the_files_of_one(field, duck, goose, tmp_path):
    """Neither deletes what the other has stored and is about to name."""

    def take_in(seed: int) -> None:
        project = Project.objects.get(pk=field.pk)
        see(project, tmp_path / str(seed), log_odds={"duck": draw(seed), "goose": draw(seed)})

    assert run_at_once(*[partial(take_in, seed) for seed in range(3)]) == [None] * 3
    field.refresh_from_db()
    assert features.load(field) is not None
    for concept in field.concepts.all():
        assert predictions.load(concept, field) is not None


def killed(*arguments: object, **options: object) -> None:
    raise SystemExit("killed")
