"""Encoders: the sentence encoder, hashed words, and any open_clip model."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.training.engine.conftest import RunMaker
from training.__main__ import main
from training.engine.encoders import text
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.libraries import open_clip
from training.engine.encoders.open_clip_models import load_open_clip
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.encoders.text import WIDTH
from training.engine.files import TrainingError
from training.engine.recipes import diffusion

TINY = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 16,
        "layers": 1,
        "width": 32,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


WHITE = np.full((1, 32, 32, 3), 255, np.uint8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An open_clip model of random weights: its description and its checkpoint."""
    folder = tmp_path_factory.mktemp("tiny")
    description, weights = folder / "tiny-clip.json", folder / "weights.safetensors"
    description.write_text(json.dumps(TINY))
    module = open_clip()
    module.add_model_config(description)
    torch.manual_seed(0)
    save_file(module.create_model("tiny-clip").state_dict(), weights)
    return str(description), str(weights)


def test_open_clip_loads_on_this_build_of_torchvision() -> None:
    assert hasattr(open_clip(), "ClipLoss")


def test_the_sentence_encoder_knows_that_a_lorry_is_a_truck() -> None:
    rows = load_text_encoder({"kind": "sentence"}).encode(["a lorry", "a truck", "a violin"])
    assert torch.allclose(rows.norm(dim=1), torch.ones(3), atol=1e-4)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_a_text_is_encoded_alike_alone_and_among_longer_ones() -> None:
    encode = load_text_encoder({"kind": "sentence"}).encode
    among = encode(["a cat", "a very long sentence about nothing at all, really " * 4])
    assert torch.allclose(encode(["a cat"])[0], among[0], atol=1e-4)


def test_words_stand_in_where_the_sentence_encoder_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "SENTENCE_WHEEL", "no_such_wheel")
    encoder = load_text_encoder(default_spec())
    rows = encoder.encode(["a red apple", "a green apple", "seven clocks", ""])
    assert encoder.identity == "words"
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    assert not rows[3].any()


def test_the_small_clip_learns_a_text_tower_where_the_sentence_encoder_is_missing(
    monkeypatch: pytest.MonkeyPatch, make_run: RunMaker
) -> None:
    monkeypatch.setattr(text, "SENTENCE_WHEEL", "no_such_wheel")
    folder = make_run(recipe="clip", options={"steps": 2})
    assert main(["fit", str(folder)]) == 0
    about = json.loads((folder / "model" / "config.json").read_text())
    assert about["network"]["text"] == "own"
    assert load_clip(folder / "model").encode_texts(["a cat"]).shape == (1, WIDTH)


def test_a_local_open_clip_model_encodes_texts_and_images(tiny: tuple[str, str]) -> None:
    model = load_open_clip(*tiny)
    assert (model.width, model.size) == (24, 32)
    assert model.encode_texts(["a cat", "a dog"]).shape == (2, 24)
    images = model.encode_images(np.zeros((3, 32, 32, 3), np.uint8))
    assert torch.allclose(images.norm(dim=1), torch.ones(3), atol=1e-4)


def test_a_given_open_clip_model_conditions_the_diffusion(
    tiny: tuple[str, str], make_run: RunMaker
) -> None:
    folder = make_run(clip_model=tiny[0], clip_pretrained=tiny[1])
    assert main(["fit", str(folder)]) == 0
    model = diffusion.load(folder / "model")
    assert model.prompt_encoder.encoder.width == 24
    assert model.sample(["a red square"], [0]).shape == (1, 16, 16, 3)


def test_a_given_open_clip_model_takes_the_small_ones_place(
    tiny: tuple[str, str], make_run: RunMaker
) -> None:
    folder = make_run(recipe="clip", clip_model=tiny[0], clip_pretrained=tiny[1])
    assert main(["fit", str(folder)]) == 0
    about = json.loads((folder / "model" / "config.json").read_text())
    assert about["network"]["kind"] == "adapted"
    assert load_clip(folder / "model").width == 24


def test_all_of_a_given_open_clip_model_can_be_tuned(
    tiny: tuple[str, str], make_run: RunMaker
) -> None:
    options = {"tune": "all", "learning_rate": 1e-3, "steps": 20}
    folder = make_run(recipe="clip", clip_model=tiny[0], clip_pretrained=tiny[1], options=options)
    assert main(["fit", str(folder)]) == 0
    tuned, before = load_clip(folder / "model"), load_open_clip(*tiny)
    assert (tuned.width, tuned.size) == (24, 32)
    assert tuned.identity != before.identity
    for shown in (lambda c: c.encode_texts(["red"]), lambda c: c.encode_images(WHITE)):
        assert not torch.allclose(shown(tuned), shown(before), atol=1e-2)


def test_tuning_wants_a_model_to_tune(
    make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(make_run(recipe="clip", options={"tune": "all"}))]) == 1
    assert "name one as clip_model" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["NoSuchModel", "/nowhere/model.json", "local-dir:/nowhere"])
def test_an_unknown_open_clip_model_is_refused_by_name(model: str) -> None:
    with pytest.raises(TrainingError, match="open_clip cannot load the model"):
        load_open_clip(model, None)


def test_a_checkpoint_that_is_none_is_refused(tiny: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="open_clip cannot load the model"):
        load_open_clip(tiny[0], str(tmp_path / "bad.safetensors"))


def test_a_diffusion_run_takes_its_text_tower_from_a_clip_run(
    contrasted: Path, make_run: RunMaker
) -> None:
    folder = make_run(init=str(contrasted / "model"))
    assert main(["fit", str(folder)]) == 0
    about = json.loads((folder / "model" / "config.json").read_text())
    assert about["clip"]["path"] == str(contrasted / "model")


def test_a_clip_run_starts_from_the_weights_of_another(
    contrasted: Path, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(recipe="clip", init=str(contrasted / "model"), options={"steps": 1})
    assert main(["fit", str(folder)]) == 0


def test_the_torch_core_knows_no_django() -> None:
    import subprocess

    code = (
        "import sys, training.engine.run, training.engine.generation.sample;"
        "import training.engine.evaluation.predictions, training.engine.report.report;"
        "sys.exit('django' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
