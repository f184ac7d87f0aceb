"""A model moves the priors of questions, as far as people's answers bear it out."""

import random
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, default_storage
from scipy.special import expit

from labeling import answers, features, local_files, predictions, questions, review
from labeling.inference import model_prior, priors, recompute
from labeling.models import Annotator, Concept, Project, Question, Tile
from tests.labeling.field import WIDTH, is_duck, see

pytestmark = pytest.mark.django_db


def crowd(size: int, right: float) -> list[tuple[Annotator, random.Random, float]]:
    return [(Annotator.objects.create(), random.Random(n), right) for n in range(size)]


def ask(
    project: Project, people, *, first: int = 0, last: int = 160, only_open: bool = False
) -> int:
    """Let everybody answer, one after the other; return how many answers it took."""
    count = 0
    asked = list(Question.objects.filter(project=project).select_related("tile__image"))[first:last]
    for annotator, dice, right in people:
        values = {q.pk: is_duck(q) == (dice.random() < right) for q in asked}
        if only_open:
            open_ones = Question.objects.filter(state="open", pk__in=values)
            values = {pk: values[pk] for pk in open_ones.values_list("pk", flat=True)}
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))
        count += len(values)
    return count


def right(project: Project) -> float:
    asked = Question.objects.filter(project=project).select_related("tile__image")
    return float(np.mean([question.label == is_duck(question) for question in asked]))


def test_without_features_nothing_is_learned(field):
    ask(field, crowd(2, 0.9), last=40)
    recompute.run(project=field)
    assert set(Question.objects.values_list("model_probability", "prior_shift", "prior")) == {
        (None, 0.0, 0.5)
    }
    assert Concept.objects.get().known_when_fitted == 0


def test_a_good_model_is_trusted_and_knows_what_nobody_was_asked(field, tmp_path):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=3.0)
    recompute.run(project=field)
    assert Concept.objects.get().model_weight > 0.7
    asked = list(Question.objects.filter(answers_count=0).select_related("tile__image"))
    assert len(asked) == 100 and all(question.state == "open" for question in asked)
    assert np.mean([question.label == is_duck(question) for question in asked]) > 0.95


def until_settled(project: Project, path: Path, *, tells: float | None) -> float:
    """Return the answers a question takes to settle once sixty others are known."""
    people = crowd(9, 0.85)
    ask(project, people, last=60)
    recompute.run(project=project)
    if tells is not None:
        see(project, path, tells=tells)
        recompute.run(project=project)
    taken = ask(project, people, first=60, only_open=True) / 100
    assert right(project) > 0.93
    return taken


def test_without_a_model_a_question_takes_its_time(field, tmp_path):
    assert until_settled(field, tmp_path / "seen", tells=None) > 3.5


def test_a_good_model_saves_answers(field, tmp_path):
    assert until_settled(field, tmp_path / "seen", tells=3.0) < 2.8


def test_a_bad_model_is_ignored(field, tmp_path):
    assert until_settled(field, tmp_path / "seen", tells=0.0) > 3.5
    shifts = np.array(Question.objects.values_list("prior_shift", flat=True))
    assert np.abs(shifts).mean() < 0.3 and Concept.objects.get().model_weight < 0.5


def test_what_a_model_was_trained_on_does_not_speak_for_it(field, tmp_path):
    """It knows those answers by heart, so that agreeing with them shows nothing."""
    ask(field, crowd(3, 0.9), last=60)
    known = np.array(Question.objects.filter(answers_count__gt=0).values_list("pk", flat=True))
    see(field, tmp_path / "seen", tells=3.0, learned=known)
    recompute.run(project=field)
    assert Concept.objects.get().model_weight == pytest.approx(0.5, abs=1e-3)


def test_with_few_answers_the_predictions_of_the_clip_stay(field, tmp_path):
    ask(field, crowd(2, 0.9), last=6)
    clip = np.linspace(-2, 2, 160).astype(np.float16)
    see(field, tmp_path / "seen", log_odds={"duck": clip})
    before = Concept.objects.get().predictions.name
    recompute.run(project=field)
    assert Concept.objects.get().predictions.name == before
    predicted = Question.objects.order_by("tile_id").values_list("model_probability", flat=True)
    assert list(predicted) == pytest.approx(expit(clip.astype(float)).tolist())


def test_recomputing_again_gives_the_model_no_more_weight(field, tmp_path):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=3.0)
    rounds = []
    for _ in range(4):
        Concept.objects.update(known_when_fitted=0)
        recompute.run(project=field)
        shifts = Question.objects.order_by("pk").values_list("prior_shift", flat=True)
        rounds.append(np.array(shifts))
    assert 2 < np.abs(rounds[0]).mean() < 3
    assert np.abs(rounds[3] - rounds[2]).mean() < 0.02
    assert np.abs(rounds[3]).mean() < np.abs(rounds[1]).mean() + 0.05


def test_it_is_fitted_again_once_a_fifth_more_is_known(field, tmp_path):
    people = crowd(3, 0.9)
    ask(field, people, last=60)
    see(field, tmp_path / "seen", tells=3.0)
    recompute.run(project=field)
    for last, known in ((66, 60), (80, 80)):
        ask(field, people, last=last)
        recompute.run(project=field)
        assert Concept.objects.get().known_when_fitted == known


def test_a_picture_without_features_is_not_predicted(field, tmp_path):
    ask(field, crowd(3, 0.9), last=60)
    tiles = np.array(Tile.objects.order_by("pk").values_list("pk", flat=True))[:100]
    dice = np.random.default_rng(0).standard_normal((100, WIDTH)).astype(np.float16)
    see(field, tmp_path / "seen", tells=3.0, tiles=tiles, images=dice)
    recompute.run(project=field)
    assert Question.objects.filter(model_probability=None).count() == 60
    assert set(
        Question.objects.filter(model_probability=None).values_list("prior_shift", flat=True)
    ) == {0.0}


def test_features_that_are_no_numbers_predict_nothing(field, tmp_path):
    ask(field, crowd(3, 0.9), last=60)
    rows = np.random.default_rng(0).standard_normal((160, WIDTH)).astype(np.float16)
    rows[3] = np.nan
    rows[150] = np.inf
    see(field, tmp_path / "seen", tells=0.0, images=rows)
    recompute.run(project=field)
    assert Question.objects.filter(model_probability=None).count() == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95\x10\x00\x00\x00",  # a pickle
        b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",  # a header as long as it likes
        b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    ],
)
def test_a_hostile_file_of_features_is_left_alone(field, tmp_path, caplog, content):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=3.0)
    Path(default_storage.path(field.features.name)).write_bytes(content)
    assert recompute.run(project=field) is not None
    assert "cannot be used" in caplog.text
    assert set(Question.objects.values_list("model_probability", flat=True)) == {None}


def test_a_truncated_or_missing_file_of_features_is_left_alone(field, tmp_path, caplog):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=3.0)
    path = Path(default_storage.path(field.features.name))
    path.write_bytes(path.read_bytes()[:-10])
    recompute.run(project=field)
    path.unlink()
    recompute.run(project=field)
    assert caplog.text.count("cannot be used") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.zeros((3, WIDTH), np.float16)},
        {"images": np.zeros((160, WIDTH), np.float32)},
        {"images": np.zeros(160, np.float16)},
        {"texts": np.zeros((1, WIDTH + 1), np.float16)},
        {"tiles": np.zeros(160, np.int64)},
        {"learned": np.zeros((1, 1), np.int64)},
    ],
)
def test_features_of_another_shape_are_refused(field, tmp_path, changes):
    with pytest.raises(ValueError, match="its"):
        see(field, tmp_path / "seen", tells=3.0, **changes)
    field.refresh_from_db()
    assert not field.features


class Bucket(Storage):
    """A storage on another machine."""

    opened = 0

    def _open(self, name: str, mode: str = "rb") -> File:
        self.opened += 1
        return default_storage.open(name)


def test_features_that_are_stored_elsewhere_are_fetched_once(field, tmp_path, monkeypatch):
    see(field, tmp_path / "seen", tells=3.0)
    bucket = Bucket()
    monkeypatch.setattr(local_files, "default_storage", bucket)
    fetched, again = features.load(field), features.load(field)
    assert fetched is not None and again is not None and bucket.opened == 1
    assert fetched.path == again.path and len(again.tiles) == 160
    assert fetched.path.is_relative_to(settings.CACHE_ROOT)


def test_new_features_take_the_place_of_the_old(field, tmp_path):
    see(field, tmp_path / "seen", tells=3.0)
    old = field.features.name
    see(field, tmp_path / "seen", tells=3.0)
    assert field.features.name != old and not default_storage.exists(old)


def test_features_that_come_while_the_old_ones_are_fitted_are_fitted_next(
    field, tmp_path, monkeypatch
):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=3.0)
    fit = model_prior.fit_model_weight

    def fit_slowly(*columns):
        see(field, tmp_path / "newer", tells=0.0)
        return fit(*columns)

    with monkeypatch.context() as patch:
        patch.setattr(model_prior, "fit_model_weight", fit_slowly)
        recompute.run(project=field)
    assert Concept.objects.get().known_when_fitted == 0
    recompute.run(project=field)
    assert Concept.objects.get().known_when_fitted == 60
    assert Concept.objects.get().model_weight < 0.5


def test_where_nothing_is_known_nothing_is_done_twice(field, tmp_path, monkeypatch):
    see(field, tmp_path / "seen", log_odds={"duck": np.zeros(160)})
    updated = []
    monkeypatch.setattr(priors, "update", lambda concept, *rest: updated.append(concept) or 0)
    recompute.run(project=field)
    concept = Concept.objects.get()
    assert (concept.model_weight, concept.known_when_fitted) == (0.5, 1) and not updated


def test_the_probe_of_each_concept_is_its_own(field, tmp_path):
    """They are scored together, in one pass over the features."""
    goose = Concept.objects.create(project=field, name="goose", phrase="a goose", prevalence=0.5)
    questions.ask_concepts(tiles=Tile.objects.all(), concepts=[goose])
    people = crowd(3, 0.9)
    asked = list(Question.objects.order_by("tile_id").select_related("tile__image", "concept"))
    for annotator, dice, right in people:
        truths = {q.pk: is_duck(q) == (q.concept.name == "duck") for q in asked[:120]}
        values = {pk: value == (dice.random() < right) for pk, value in truths.items()}
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))
    see(field, tmp_path / "seen", tells=3.0)
    recompute.run(project=field)
    ducks, geese = (predictions.load(each, field) for each in field.concepts.order_by("name"))
    even = [int(tile.image.source) % 2 == 0 for tile in Tile.objects.select_related("image")]
    assert np.mean((ducks > 0) == even) > 0.95 and np.mean((geese < 0) == even) > 0.95
    assert expit(ducks.astype(float)).mean() == pytest.approx(0.5, abs=0.01)


def test_answered_tiles_are_scored_by_the_fold_that_did_not_learn_from_them(field, tmp_path):
    ask(field, crowd(3, 0.9), last=60)
    see(field, tmp_path / "seen", tells=0.0)
    recompute.run(project=field)
    scores = predictions.load(Concept.objects.get(), field)
    even = np.arange(160) % 2 == 0
    assert np.mean((scores[:60] > 0) == even[:60]) < 0.75, "which it would know by heart"


def test_a_prediction_moves_probability_and_priority(shapes):
    question = caption_of(shapes)
    assert model_prior.store({question.pk: 0.1}) == 1
    question.refresh_from_db()
    assert question.model_probability == 0.1
    assert 0.6 < question.probability < 0.9 and question.prior == question.probability
    assert 0.6 < question.priority < 1


def test_a_prediction_never_settles_a_caption_alone(shapes):
    question = caption_of(shapes)
    model_prior.store({question.pk: 1.0})
    question.refresh_from_db()
    assert question.state == "open" and question.prior_shift == 1.5


def test_a_new_prediction_takes_the_place_of_the_old(shapes):
    question = caption_of(shapes)
    for predicted in (0.99, 0.01, 0.5):
        model_prior.store({question.pk: predicted})
    question.refresh_from_db()
    assert question.model_probability == 0.5 and question.probability == pytest.approx(0.9)


def test_a_prediction_leaves_a_decided_caption_alone(shapes, ada):
    question = caption_of(shapes)
    review.decide(question=question, value=False, by=ada)
    model_prior.store({question.pk: 0.99})
    question.refresh_from_db()
    assert question.model_probability == 0.99
    assert question.probability == 0 and question.state == "settled"


def test_predictions_of_questions_that_are_gone_or_no_captions_are_left_out(shapes):
    about_a_concept = Question.objects.filter(kind="concept").first()
    assert model_prior.store({10**12: 0.3, about_a_concept.pk: 0.3}) == 0


@pytest.mark.parametrize("predicted", [-0.1, 1.1, float("nan"), float("inf")])
def test_it_refuses_a_prediction_that_is_no_probability(shapes, predicted):
    with pytest.raises(ValueError, match="between 0 and 1"):
        model_prior.store({caption_of(shapes).pk: predicted})


def caption_of(project: Project) -> Question:
    """Return a caption of the project, believed at .9."""
    question = Question.objects.filter(project=project, kind="caption").first()
    assert question is not None and question.probability == 0.9
    return question
