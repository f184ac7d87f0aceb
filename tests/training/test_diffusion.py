"""The diffusion recipe: belief, guidance, samplers, seeds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.conditions import asked
from training.data import Snapshot
from training.recipes import configure
from training.recipes.base import Source
from training.recipes.diffusion import DiffusionConfig, DiffusionTraining, Model, load
from training.samplers import SAMPLERS, guided


@pytest.fixture(scope="module")
def model(drawn: Path) -> Model:
    return load(drawn / "model")


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_it_draws_the_colour_that_it_is_asked_for(model: Model, colour: str, channel: int) -> None:
    pictures = model.draw([f"a {colour} square"] * 8, list(range(8)))
    ink = 255 - pictures.reshape(-1, 3).mean(0)  # what is missing from white
    assert np.argmin(ink) == channel


def test_guidance_one_is_the_conditional_model(model: Model) -> None:
    x, t = torch.randn(2, *model.space.shape), torch.full((2,), 0.5)
    told = asked(model.encoder, ["a", "b"], 1.0)
    with torch.no_grad():
        plain = guided(model.network, told, 1.0)(x, t)
        assert torch.equal(plain, model.network(x, t, told))
        assert torch.allclose(guided(model.network, told, 1.0001)(x, t), plain, atol=1e-2)


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
    *_, condition = training.draw_batch(8)
    assert not condition.belief.any()
    assert torch.isfinite(training.loss(8))
