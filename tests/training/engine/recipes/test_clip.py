"""The clip recipe: small, adapted to an open_clip model, or all of one tuned."""

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.engine.conftest import RunMaker
from tests.training.engine.runs import square
from training.__main__ import main
from training.engine.encoders import efficientnet, text
from training.engine.encoders.clip_models import load_clip
from training.engine.encoders.open_clip_models import load_open_clip
from training.engine.encoders.text import WIDTH
from training.engine.evaluation.model_config import read_model_config
from training.engine.recipes import diffusion_model, load_generator

WHITE = np.full((1, 32, 32, 3), 255, np.uint8)


def test_the_small_clip_learns_a_text_tower_where_the_sentence_encoder_is_missing(
    monkeypatch: pytest.MonkeyPatch, make_run: RunMaker
) -> None:
    monkeypatch.setattr(text, "SENTENCE_WHEEL", "no_such_wheel")
    folder = make_run(recipe="clip", options={"steps": 2})
    assert main(["fit", str(folder)]) == 0
    about = json.loads((folder / "model" / "config.json").read_text())
    assert about["network"]["text"] == "own"
    assert load_clip(folder / "model").encode_texts(["a cat"]).shape == (1, WIDTH)


def test_a_head_learns_on_frozen_encoders(make_run: RunMaker) -> None:
    options = {"tower": "frozen", "steps": 30, "batch": 32, "learning_rate": 1e-3}
    folder = make_run(recipe="clip", options=options)
    assert main(["fit", str(folder)]) == 0
    about = json.loads((folder / "model" / "config.json").read_text())
    assert (about["network"]["kind"], about["network"]["text"]) == ("frozen", "sentence")
    clip = load_clip(folder / "model")
    pictures = [Image.open(io.BytesIO(square(colour, left=5, top=5))) for colour in ("red", "blue")]
    pixels = [np.asarray(each.resize((clip.size, clip.size))) for each in pictures]
    images = clip.encode_images(np.stack(pixels))
    red, blue = (images @ clip.encode_texts(["a red square", "a blue square"]).T).T
    assert red[0] > red[1] and blue[1] > blue[0]


def test_all_of_the_image_tower_learns_where_the_frozen_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(efficientnet, "WHEEL", "no_such_wheel")
    efficientnet.load_efficientnet.cache_clear()
    folder = make_run(recipe="clip", options={"tower": "frozen", "steps": 2})
    assert main(["fit", str(folder)]) == 0
    assert "pip install" in capsys.readouterr().out
    about = json.loads((folder / "model" / "config.json").read_text())
    assert about["network"]["kind"] == "small"


def test_a_given_open_clip_model_conditions_the_diffusion(
    tiny: tuple[str, str], make_run: RunMaker
) -> None:
    folder = make_run(clip_model=tiny[0], clip_pretrained=tiny[1])
    assert main(["fit", str(folder)]) == 0
    model = diffusion_model.load(folder / "model")
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


def test_a_diffusion_run_takes_its_text_tower_from_a_clip_run_along(
    contrasted: Path, make_run: RunMaker, tmp_path: Path
) -> None:
    """The model's folder can be carried to another machine, where that run is not."""
    shutil.copytree(contrasted / "model", tmp_path / "clip")
    folder = make_run(init=str(tmp_path / "clip"))
    assert main(["fit", str(folder)]) == 0
    shutil.rmtree(tmp_path / "clip")
    carried = (folder / "model").rename(tmp_path / "carried")
    assert read_model_config(carried)["clip"]["path"] == str(carried / "clip")
    assert str(tmp_path) not in (carried / "config.json").read_text()
    assert load_generator(carried).sample(["a red square"], [1]).shape[-1] == 3


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
