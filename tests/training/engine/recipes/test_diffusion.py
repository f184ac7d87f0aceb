"""The diffusion recipe: confidence, guidance, samplers, seeds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.engine.runs import write_run
from training.__main__ import main
from training.engine.data.rows import Snapshot
from training.engine.encoders.conditions import Condition, prompt_condition
from training.engine.files import TrainingError
from training.engine.loop.loop import Loop
from training.engine.networks.dit import DiT
from training.engine.recipes import configure
from training.engine.recipes.base import Source
from training.engine.recipes.diffusion import DiffusionTraining
from training.engine.recipes.diffusion_model import DiffusionConfig, Model, build_network, load
from training.engine.sampling.samplers import SAMPLERS, guided

PIXELS = {
    "network": "dit",
    "patch": 4,
    "batch": 48,
    "learning_rate": 3e-3,
    "time_mean": -0.8,
    "time_clamp": 0.05,
    "sampler": "heun",
    "grid_steps": 0,
    "one_call_steps": 5,
    "move_prob": 0.1,
}


@pytest.fixture(scope="module")
def model(drawn: Path) -> Model:
    return load(drawn / "model")


@pytest.fixture(scope="module")
def pixel_model(
    tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path
) -> Model:
    """A small transformer on pixels, trained for seconds."""
    folder = tmp_path_factory.mktemp("pixel_model") / "run"
    write_run(folder, snapshot_folder, cache, options={**PIXELS, "steps": 260})
    assert main(["fit", str(folder)]) == 0
    return load(folder / "model")


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_it_draws_the_colour_that_it_is_asked_for(model: Model, colour: str, channel: int) -> None:
    pictures = model.sample([f"a {colour} square"] * 8, list(range(8)))
    ink = 255 - pictures.reshape(-1, 3).mean(0)  # what is missing from white
    assert np.argmin(ink) == channel


def test_guidance_one_is_the_conditional_model(model: Model) -> None:
    x, t = torch.randn(2, *model.space.shape), torch.full((2,), 0.5)
    condition = prompt_condition(model.prompt_encoder.encoder, ["a", "b"], 1.0)
    with torch.no_grad():
        plain = guided(model.network, condition, 1.0)(x, t)
        assert torch.equal(plain, model.network(x, t, condition))
        assert torch.allclose(guided(model.network, condition, 1.0001)(x, t), plain, atol=1e-2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_ends_where_a_sure_network_points(name: str) -> None:
    target = torch.tensor([[1.0, -2.0, 0.5]])
    ended = SAMPLERS[name](lambda x, t: target.expand_as(x), lambda: torch.randn(4, 3), 6)
    assert torch.allclose(ended, target.expand(4, 3), atol=1e-5)


def test_a_snapshot_without_any_text_trains_the_unconditional_model(
    snapshot: Snapshot, cache: Path
) -> None:
    mute = Snapshot(
        snapshot.folder,
        (),
        tuple(type(row)(row.path, (), (), {}) for row in snapshot.train),
        (),
        "mute",
    )
    config = configure("diffusion", "smoke", {})
    assert isinstance(config, DiffusionConfig)
    training = DiffusionTraining(config, Source(mute, cache, 0, {"kind": "words"}))
    *_, condition = training.sample_batch(8)
    assert not condition.confidence.any()
    assert torch.isfinite(training.loss(training.draw(8)))


# On pixels


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_a_transformer_on_pixels_learns_colours(
    pixel_model: Model, colour: str, channel: int
) -> None:
    pictures = pixel_model.sample([f"a {colour} square"] * 8, list(range(8)))
    ink = 255 - pictures.reshape(-1, 3).mean(0)
    assert np.argmin(ink) == channel


def test_a_transformer_repeats_itself_and_ignores_text_at_confidence_nought(
    pixel_model: Model,
) -> None:
    conditional, again = (pixel_model.sample(["a red square"], [5]) for _ in range(2))
    assert (conditional == again).all()
    unconditional = pixel_model.sample(["a red square"], [5], confidence=0.0)
    assert (unconditional == pixel_model.sample([""], [5])).all()
    assert (unconditional != conditional).any()


def test_a_transformer_leaves_out_what_is_of_the_other_network(pixel_model: Model) -> None:
    assert not pixel_model.draws_in_one_call
    assert pixel_model.config.one_call_steps == 0, "so that nobody is promised drafts"


def test_a_strip_on_pixels_begins_and_ends_with_its_pictures(pixel_model: Model) -> None:
    strip = pixel_model.interpolate(("a red square", "a blue square"), (3, 4), 3).astype(int)
    assert np.abs(strip[0] - pixel_model.sample(["a red square"], [3])[0]).max() <= 2
    assert np.abs(strip[-1] - pixel_model.sample(["a blue square"], [4])[0]).max() <= 2


def test_a_resumed_transformer_equals_an_uninterrupted_one(
    snapshot: Snapshot, cache: Path, tmp_path: Path
) -> None:
    config = configure("diffusion", "smoke", {**PIXELS, "steps": 20})
    assert isinstance(config, DiffusionConfig)
    source = Source(snapshot, cache, 3, {"kind": "words"})
    whole, first, second = (Loop(DiffusionTraining(config, source), config, 5) for _ in range(3))
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    first.save(tmp_path / "000002.safetensors")
    second.load(tmp_path / "000002.safetensors")
    for _ in range(2):
        second.advance()
    states = [loop.training.network.state_dict().values() for loop in (whole, second)]
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


@pytest.mark.parametrize(("preset", "millions"), [("gpu-s", 32), ("gpu-m", 57), ("gpu-l", 127)])
def test_a_preset_has_as_many_parameters_as_it_says(preset: str, millions: int) -> None:
    config = configure("diffusion", preset, {})
    assert isinstance(config, DiffusionConfig)
    with torch.device("meta"):
        network = build_network(config, 0, text_width=512, ratings=0)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.03)


def test_a_transformer_sees_where_a_patch_is() -> None:
    torch.manual_seed(0)
    network = DiT(8, 4, text_width=3, width=16, depth=1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    condition = Condition(torch.zeros(1, 3), torch.zeros(1), torch.zeros(1, 0))
    x = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        turned = network(x.roll((4, 4), (2, 3)), torch.zeros(1), condition).roll((4, 4), (2, 3))
        assert not torch.allclose(turned, network(x, torch.zeros(1), condition), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"network": "dit", "size": 30, "patch": 4}, "size must be a multiple of patch"),
        ({"network": "dit", "width": 100}, "width must be a multiple"),
        ({"time_clamp": 0}, "time_clamp must be above 0"),
        ({"dropout": 1}, "dropout must be below 1"),
        ({"network": "unet"}, "network must be one of mlp, dit"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(TrainingError, match=reason):
        configure("diffusion", "cpu", options)


# Recoloured pictures


def test_it_trains_on_other_hues_too(snapshot: Snapshot, cache: Path) -> None:
    config = configure("diffusion", "smoke", {"hue_prob": 0.5})
    assert isinstance(config, DiffusionConfig)
    training = DiffusionTraining(config, Source(snapshot, cache, 0, {"kind": "words"}))
    assert training.recoloured
    assert torch.isfinite(training.loss(training.draw(16)))
