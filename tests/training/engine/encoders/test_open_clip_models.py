"""Any model of open_clip's encodes texts and pictures, or is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.engine.encoders.libraries import open_clip
from training.engine.encoders.open_clip_models import load_open_clip
from training.engine.files import TrainingError


def test_open_clip_loads_on_this_build_of_torchvision() -> None:
    assert hasattr(open_clip(), "ClipLoss")


def test_a_local_open_clip_model_encodes_texts_and_images(tiny: tuple[str, str]) -> None:
    model = load_open_clip(*tiny)
    assert (model.width, model.size) == (24, 32)
    assert model.encode_texts(["a cat", "a dog"]).shape == (2, 24)
    images = model.encode_images(np.zeros((3, 32, 32, 3), np.uint8))
    assert torch.allclose(images.norm(dim=1), torch.ones(3), atol=1e-4)


@pytest.mark.parametrize("model", ["NoSuchModel", "/nowhere/model.json", "local-dir:/nowhere"])
def test_an_unknown_open_clip_model_is_refused_by_name(model: str) -> None:
    with pytest.raises(TrainingError, match="open_clip cannot load the model"):
        load_open_clip(model, None)


def test_a_checkpoint_that_is_none_is_refused(tiny: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="open_clip cannot load the model"):
        load_open_clip(tiny[0], str(tmp_path / "bad.safetensors"))
