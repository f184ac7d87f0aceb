"""The ways of a model out of here: its card, its log, a hub, and ONNX."""

import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from huggingface_hub import ModelCard, constants
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labeling import marks
from tests.training.engine.publishing import hub as stand_in
from tests.training.engine.publishing.hub import Hub
from tests.training.engine.runs import write_run
from training.__main__ import main
from training.engine.data.rows import Snapshot
from training.engine.files import TrainingError
from training.engine.latents.neighbours import Neighbours
from training.engine.metric_names import figure
from training.engine.publishing import card, onnx
from training.engine.publishing.card import Facts
from training.engine.recipes import load_generator
from training.engine.sampling.distillation import NOISE
from training.engine.sampling.samplers import seeded_noise

PROMPTS = ["a red square", "a blue square", ""]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path) -> Path:
    """Fit a GAN for a moment, and log it to TensorBoard; return the run's folder."""
    folder = tmp_path_factory.mktemp("published") / "gan"
    options = {"steps": 20, "grid_steps": 10}
    changes = {"recipe": "gan", "options": options, "tracker": "tensorboard"}
    write_run(folder, snapshot_folder, cache, **changes)
    assert main(["fit", str(folder)]) == 0
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"{prompt}\n" for prompt in PROMPTS))
    return path


# The card


def test_the_card_states_what_was_measured_and_read(run: Path, snapshot: Snapshot) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    config = json.loads((run / "model" / "config.json").read_text())
    read = ModelCard((run / "model" / "README.md").read_text())
    data = read.data.to_dict()
    assert (data["pipeline_tag"], data["tags"]) == ("text-to-image", ["tessera", "gan"])
    assert "license" not in data, "which its owner has to state"
    results = {each.metric_type: each.metric_value for each in read.data.eval_results}
    assert results
    for name, value in results.items():
        assert value == round(metrics[name], 4)
        assert f"| `{name}` |" in read.text and figure(name, metrics[name]) in read.text
    assert config["data_sha256"] in read.text
    assert f"| Pictures to learn from | {len(snapshot.train)} |" in read.text
    assert "| Seed | 0 |" in read.text and "nearly copy one" in read.text
    assert str(snapshot.folder) not in read.text and "a red square" not in read.text


def test_a_card_says_how_many_verdicts_taught_and_why_not_the_others(snapshot: Snapshot) -> None:
    left_out = {"not_judged": 1200, "gone": 1}
    drawings = {"used": 3, "left_out": left_out, "pairs": 2, "preferences": True}
    text = card.render(
        Facts({"recipe": "diffusion", "drawings": drawings}, {}, {}, snapshot, Counter())
    )
    assert (
        "| learnt from 3 of 1,204; 1,201 left out: too few people have judged 1,200, the "
        "pictures of 1 are gone; by preference from 2 pairs |" in text
    )


def test_names_in_a_card_are_no_markup(snapshot: Snapshot) -> None:
    evil = "evil](http://x) <script>\n# Title | `a`"
    facts = Facts(
        config={"recipe": "diffusion", "preset": "cpu", "network": {"base": "/home/ada/sd"}},
        metrics={},
        manifest={"about": {"name": evil, "attribution": evil, "language": "pt-br"}},
        snapshot=snapshot,
        licenses=Counter({evil: 2, "": 1}),
    )
    text = card.render(facts)
    front, _, body = text.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front)["language"] == ["pt"]
    assert "<script>" not in body.replace("\\<script\\>", "") and "\n# Title" not in body
    assert "/home/ada" not in text
    assert "| none is stated | 1 |" in text


# The log


def test_tensorboard_reads_the_run(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    names = set(events.Tags()["scalars"])
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"loss", "generator_loss", "discriminator_loss", "images_per_second"} <= names
    assert metrics.keys() <= names | {k for k, v in metrics.items() if v is None}
    assert [event.step for event in events.Images("samples")] == [10, 20]
    assert events.Scalars("near_copies")[0].value == pytest.approx(metrics["near_copies"])


# ONNX


def test_onnxruntime_draws_what_torch_draws(run: Path, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "gan.onnx"
    arguments = ["onnx", str(run / "model"), str(out), "--prompts", str(prompts)]
    assert main([*arguments, "--guidance", "1.5"]) == 0
    session = onnxruntime.InferenceSession(str(out))
    generator = load_generator(run / "model")
    embedded = dict(np.load(out.with_suffix(".npz")))
    assert list(embedded.pop("prompts")) == PROMPTS
    seeds = [3, 4, 5]
    noise = seeded_noise(seeds, (generator.config.noise,), torch.device("cpu"))().numpy()
    for count in (3, 1):
        inputs = {name: part[:count] for name, part in {"noise": noise, **embedded}.items()}
        (drawn,) = session.run(None, inputs)
        expected = generator.sample(PROMPTS[:count], seeds[:count], guidance=1.5)
        assert drawn.dtype == np.uint8 and drawn.shape == expected.shape
        assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1
    facts = session.get_modelmeta().custom_metadata_map
    weights = (run / "model" / "model.safetensors").read_bytes()
    assert facts["model_sha256"] == hashlib.sha256(weights).hexdigest()
    assert (facts["recipe"], facts["guidance"]) == ("gan", "1.5")


def test_a_student_of_a_flow_is_exported_at_its_own_guidance(
    tmp_path: Path, snapshot_folder: Path, cache: Path
) -> None:
    options = {"steps": 10, "grid_steps": 0, "one_call_steps": 4}
    run = write_run(tmp_path / "run", snapshot_folder, cache, options=options)
    assert main(["fit", str(run)]) == 0
    assert '"stage": "one call"' in (run / "progress.jsonl").read_text()
    assert "r_precision_one_call@lsa-linear" in json.loads((run / "metrics.json").read_text())
    generator = load_generator(run / "model")
    out = tmp_path / "flow.onnx"
    onnx.write_onnx(run / "model", out, prompts=PROMPTS)
    embedded = dict(np.load(out.with_suffix(".npz")))
    embedded.pop("prompts")
    noise = seeded_noise([3, 4, 5], (NOISE,), torch.device("cpu"))().numpy()
    (drawn,) = onnxruntime.InferenceSession(str(out)).run(None, {"noise": noise, **embedded})
    expected = generator.sample(PROMPTS, [3, 4, 5], steps=1)
    assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1
    with pytest.raises(TrainingError, match=r"at guidance 2\.0 only"):
        onnx.write_onnx(run / "model", out, guidance=4.0)


def test_a_model_that_draws_in_many_calls_is_not_exported(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "load_generator", lambda folder: object())
    with pytest.raises(TrainingError, match="in many calls"):
        onnx.write_onnx(run / "model", tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_without_its_packages_it_says_how_to_install_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(TrainingError, match="onnxscript"):
        onnx.write_onnx(run / "model", tmp_path / "out.onnx")


# A hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # which the stand-in lacks
    with stand_in.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", stand_in.TOKEN)
        yield hub


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """A model folder with files in it that are none of a model's."""
    folder = Path(shutil.copytree(run / "model", tmp_path / "model"))
    (folder / "optimizer.pt").write_bytes(b"a pickle")
    (folder / ".netrc.json").write_text("secrets")
    (folder / "link.json").symlink_to("/etc/passwd")
    return folder


def test_a_model_is_pushed_privately_and_without_what_could_run(
    hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", str(model), "ada/squares"]) == 0
    files = hub.repositories["ada/squares"]
    assert files.keys() == {"README.md", "config.json", "model.safetensors"}
    assert all((model / name).read_bytes() == data for name, data in files.items())
    assert hub.private["ada/squares"]
    left_out = {".netrc.json", "link.json", "optimizer.pt", "neighbours.json"}
    printed = capsys.readouterr().out
    assert all(f"left out: {name}\n" in printed for name in left_out)
    assert f"3 files in {hub.address}/ada/squares" in printed


def test_a_pushed_model_draws_without_its_neighbours(
    hub: Hub, model: Path, prompts: Path, tmp_path: Path
) -> None:
    assert main(["push", str(model), "ada/squares"]) == 0
    pulled, out = tmp_path / "pulled", tmp_path / "out"
    pulled.mkdir()
    for name, data in hub.repositories["ada/squares"].items():
        (pulled / name).write_bytes(data)
    assert main(["sample", str(pulled), "--prompts", str(prompts), "--out", str(out)]) == 0
    lines = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [line["nearest"] for line in lines] == [[], [], []]
    assert marks.of_bytes((out / "0000-00.png").read_bytes()) is not None


def test_neighbours_go_where_they_are_asked_for(hub: Hub, model: Path) -> None:
    arguments = ["push", str(model), "ada/squares", "--public", "--with-neighbours"]
    assert main(arguments) == 0
    assert {"neighbours.json", "neighbours.safetensors"} <= hub.repositories["ada/squares"].keys()
    assert not hub.private["ada/squares"]
    assert Neighbours.is_in(model)


def test_a_push_that_failed_sends_nothing_twice(
    hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.failing_commits = 1
    assert main(["push", str(model), "ada/squares"]) == 1
    assert "400" in capsys.readouterr().err
    assert hub.repositories["ada/squares"] == {} and len(hub.sent) == 1
    assert main(["push", str(model), "ada/squares"]) == 0
    assert len(hub.repositories["ada/squares"]) == 3 and len(hub.sent) == 1


def test_a_public_repository_is_not_pushed_to_by_mistake(
    hub: Hub, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.repositories["ada/squares"], hub.private["ada/squares"] = {}, False
    assert main(["push", str(model), "ada/squares"]) == 1
    assert "--public" in capsys.readouterr().err
    assert hub.repositories["ada/squares"] == {}


@pytest.mark.parametrize(
    ("variables", "repository", "message"),
    [
        ({"HF_TOKEN": ""}, "ada/squares", "Set HF_TOKEN"),
        ({"HF_TOKEN": "hf_wrong"}, "ada/squares", "refuses the token"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "ada/squares", "Push again"),
        ({}, "a/b/c", "no name of a repository"),
    ],
)
def test_what_keeps_a_model_from_the_hub_is_said(
    hub: Hub,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    repository: str,
    message: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["push", str(run / "model"), repository]) == 1
    assert message in capsys.readouterr().err
    assert not hub.repositories


def test_a_folder_without_a_model_is_not_pushed(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", str(run), "ada/squares"]) == 1
    assert "is not a model folder" in capsys.readouterr().err
