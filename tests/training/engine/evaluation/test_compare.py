"""Which model may take the place of the current one."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.engine.gallery import Painter, write_model
from training.__main__ import main
from training.engine.data.packing import pack
from training.engine.data.rows import Snapshot
from training.engine.evaluation import compare_generators
from training.engine.evaluation.clips import ConceptPrediction
from training.engine.evaluation.compare import compare
from training.engine.evaluation.compare_generators import distance_margin
from training.engine.evaluation.intervals import Estimate
from training.engine.evaluation.verdict import paired, verdict
from training.engine.files import TrainingError

JUDGE = "lsa-linear"
Verdict = dict[str, Any]
Decide = Callable[..., Verdict]


@pytest.fixture
def decide_on(
    gallery: Snapshot, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Decide:
    """Return the verdict on a new painter, held against the current one."""

    def decide(new: Painter, current: Painter | None = None, **options: Any) -> Verdict:
        painters = {tmp_path / "new": new, tmp_path / "current": current}
        folders = [write_model(f, gallery, cache) for f, painter in painters.items() if painter]
        monkeypatch.setattr(compare_generators, "load_generator", lambda folder: painters[folder])
        return compare(folders[0], [*folders, None][1], gallery, cache=cache, **options)

    return decide


def findings(verdict: Verdict) -> dict[str, str]:
    return {judge["name"]: judge["says"] for judge in verdict["judges"]}


def test_a_model_that_draws_better_is_promoted(decide_on: Decide) -> None:
    verdict = decide_on(Painter(), Painter(skill=0.2))
    assert verdict["promoted"]
    assert findings(verdict)[f"r_precision@{JUDGE}"] == "better"
    assert verdict["why"].startswith("Better by 27 points on how well pictures fit their words (±")
    assert "r_precision" not in verdict["why"]
    assert "a red square" in verdict["prompts"]
    assert verdict["seeds"] == [3, 4, 5, 6]
    json.dumps(verdict, allow_nan=False)


def test_a_model_that_draws_worse_is_not_and_the_sentence_says_by_how_much(
    decide_on: Decide,
) -> None:
    verdict = decide_on(Painter(skill=0.2), Painter())
    assert not verdict["promoted"]
    assert findings(verdict)[f"r_precision@{JUDGE}"] == "worse"
    judge = verdict["judges"][0]
    assert judge["difference"] == pytest.approx(judge["new"] - judge["current"])
    assert judge["low"] < judge["difference"] < judge["high"] < 0
    assert verdict["why"] == "Worse by 27 points on how well pictures fit their words (±6)."


def test_the_same_model_again_is_no_worse(decide_on: Decide) -> None:
    verdict = decide_on(Painter(), Painter())
    assert verdict["promoted"]
    assert set(findings(verdict).values()) == {"no worse"}
    assert all(judge["difference"] == 0 for judge in verdict["judges"])


def test_a_model_that_copies_is_not_promoted_however_well_it_fits(
    decide_on: Decide, gallery: Snapshot, cache: Path
) -> None:
    stock = np.array(pack(gallery.train, 32, cache, "gallery"))
    verdict = decide_on(Painter(stock=stock), Painter(skill=0.0))
    assert not verdict["promoted"]
    assert findings(verdict)["near_copies"] == "worse"
    copies = next(judge for judge in verdict["judges"] if judge["name"] == "near_copies")
    assert copies["new"] > copies["current"]
    assert copies["difference"] < 0


def test_a_floor_that_is_not_known_leaves_no_room_to_be_worse() -> None:
    """Of one or two training pictures nobody knows how far two lots of them are apart."""
    assert distance_margin(0.5, Estimate(0.1, 0.0, 0.3)) == pytest.approx(0.2)
    assert distance_margin(0.5, Estimate(0.1, -math.inf, math.inf)) == pytest.approx(0.05)


def test_without_a_current_model_one_that_beats_chance_is_promoted(decide_on: Decide) -> None:
    verdict = decide_on(Painter())
    assert verdict["promoted"]
    assert verdict["judges"][0]["new"] > verdict["judges"][0]["current"]
    assert verdict["why"].startswith("Better than chance by ")


def test_without_a_current_model_one_that_draws_anything_is_not(decide_on: Decide) -> None:
    verdict = decide_on(Painter(skill=0.0))
    assert not verdict["promoted"]
    assert verdict["why"].startswith("Not shown to be better than chance on how well pictures fit")


def test_a_model_that_draws_one_picture_whatever_is_asked_is_never_promoted(
    decide_on: Decide, gallery: Snapshot, cache: Path
) -> None:
    stock = np.array(pack(gallery.train, 32, cache, "gallery"))[:1]
    verdict = decide_on(Painter(stock=stock))
    assert not verdict["promoted"]
    assert "one and the same picture" in verdict["why"]


def test_people_who_find_it_worse_have_a_veto(decide_on: Decide, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"new": [0.3, 0.4] * 15, "current": [0.8, 0.9] * 15}))
    verdict = decide_on(Painter(), Painter(), answers=answers)
    assert not verdict["promoted"]
    assert findings(verdict)["people"] == "worse"
    assert verdict["why"].startswith("Worse by 50 points on whether people find")


def test_people_who_cannot_tell_or_are_few_do_not_block(decide_on: Decide, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"new": [0.0, 1.0] * 15, "current": [1.0, 0.0] * 15}))
    verdict = decide_on(Painter(), Painter(), answers=answers)
    assert verdict["promoted"]
    assert findings(verdict)["people"] == "cannot tell"
    answers.write_text(json.dumps({"new": [0.1] * 19, "current": [0.9] * 30}))
    assert "people" not in findings(decide_on(Painter(), Painter(), answers=answers))


@pytest.mark.parametrize("text", ["[]", '{"new": [2], "current": [0]}', '{"new": 3}', "{"])
def test_answers_that_are_none_end_in_a_sentence(
    decide_on: Decide, tmp_path: Path, text: str
) -> None:
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(TrainingError, match=r"answers\.json"):
        decide_on(Painter(), Painter(), answers=tmp_path / "answers.json")


def test_a_clip_model_is_held_against_another_by_held_out_pictures(
    contrasted: Path, snapshot_folder: Path, snapshot: Snapshot, cache: Path, tmp_path: Path
) -> None:
    model, out = str(contrasted / "model"), tmp_path / "verdict.json"
    options = ["--out", str(out), "--cache", str(cache)]
    assert main(["compare", model, model, str(snapshot_folder), *options]) == 0
    verdict = json.loads(out.read_text())
    assert verdict["promoted"]
    assert set(findings(verdict)) == {"recall@10", "caption_among_ten", "concept_log_loss"}
    assert main(["compare", model, "-", str(snapshot_folder), *options]) == 0
    alone = json.loads(out.read_text())
    assert "points on how often a caption finds its picture among ten" in alone["why"]
    chance = {judge["name"]: judge["current"] for judge in alone["judges"]}
    assert chance["recall@10"] == pytest.approx(10 / 16)
    assert chance["caption_among_ten"] == pytest.approx(0.1)
    assert 0 < chance["concept_log_loss"] < math.log(2)


def test_a_first_clip_model_must_not_fall_behind_what_the_frozen_encoder_predicts(
    contrasted: Path, snapshot_folder: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    standing, cache = tmp_path / "standing.json", tmp_path / "cache"

    def decide(*, knows: float) -> Verdict:
        """Return the verdict beside an encoder that gives each truth this probability."""
        pairs = {
            row.path.name: {n: knows if p > 0.5 else 1 - knows for n, p in row.concepts.items()}
            for row in snapshot.test
        }
        standing.write_text(json.dumps(pairs))
        return compare(contrasted / "model", None, snapshot, cache=cache, standing=standing)

    worse = decide(knows=0.9999)
    assert not worse["promoted"]
    assert findings(worse)["concept_log_loss"] == "worse"
    assert worse["why"].startswith("Worse than the image encoder by ")
    assert [each["rival"] for each in worse["judges"] if each["name"] == "concept_log_loss"] == [
        "encoder"
    ]
    better = decide(knows=0.5)
    assert better["promoted"] and "better than the image encoder by" in better["why"]
    standing.write_text("{}")
    unknown = compare(contrasted / "model", None, snapshot, cache=cache, standing=standing)
    assert not unknown["promoted"] and unknown["why"].startswith("No held-out picture")
    for wrong in ("[]", '{"a": 3}', '{"a": {"red": 7}}'):
        standing.write_text(wrong)
        with pytest.raises(TrainingError, match="must hold probabilities"):
            compare(contrasted / "model", None, snapshot, cache=cache, standing=standing)


def test_predictions_that_stand_are_no_reason_to_refuse_what_is_as_good() -> None:
    losses = np.array([0.1, 0.4, 0.3])
    same = paired("concept_log_loss", losses, losses, 0.02, up=False, rival="encoder")
    found = paired("recall@10", np.ones(3), np.zeros(3), 0.05)
    decision = verdict([found, same], has_current=False)
    assert decision["promoted"]
    assert decision["why"].endswith(
        ", and no worse than the image encoder on how well it foresees what people or imports say."
    )
    unsure = paired("concept_log_loss", losses, losses[::-1], 0.02, up=False, rival="encoder")
    decision = verdict([found, unsure], has_current=False)
    assert decision["why"].startswith("Not shown to be as good as the image encoder on ")


def test_a_concept_is_predicted_by_chance_as_often_as_held_out_pictures_show_it() -> None:
    shown = torch.tensor([True, False, False, False])
    quarter = torch.full((4,), 0.25)
    prediction = ConceptPrediction("red", torch.arange(4), shown, torch.zeros(4), quarter)
    losses = prediction.chance_log_losses
    assert losses.tolist() == pytest.approx([-math.log(0.25), *[-math.log(0.75)] * 3])
    assert prediction.log_losses.tolist() == pytest.approx(losses.tolist())


def test_a_first_model_that_knows_concepts_no_better_than_by_chance_is_not_promoted() -> None:
    losses = np.array([-math.log(0.25), *[-math.log(0.75)] * 3])
    judgement = paired("concept_log_loss", losses, losses, 0.02, up=False)
    decision = verdict([judgement], has_current=False)
    assert not decision["promoted"]
    assert decision["why"].startswith("Not shown to be better than chance on how well it foresees")


def test_what_cannot_be_compared_ends_in_a_sentence_and_writes_nothing(
    contrasted: Path,
    snapshot_folder: Path,
    gallery: Snapshot,
    cache: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawing = write_model(tmp_path / "drawing", gallery, cache)
    out = tmp_path / "verdict.json"
    for current in (drawing, tmp_path / "nowhere"):
        model = str(contrasted / "model")
        asked = ["compare", model, str(current), str(snapshot_folder), "--out", str(out)]
        assert main(asked) == 1
        assert capsys.readouterr().err.startswith("error: ")
    assert not out.exists()
