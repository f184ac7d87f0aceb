"""What holds for every recipe: it learns, resumes exactly, and repeats itself under one seed."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from training.engine.data.rows import Snapshot
from training.engine.loop.loop import Loop
from training.engine.presets import OPTIONS
from training.engine.recipes import RECIPES, configure
from training.engine.recipes.base import Config, Source, Training
from training.engine.recipes.pairs import PairsConfig


def test_the_table_names_every_option_of_every_recipe() -> None:
    for name, recipe in RECIPES.items():
        assert OPTIONS[name] == {field.name for field in fields(recipe.config)}


AUTOENCODER = {"space": "autoencoder", "autoencoder_steps": 4}
CONFIGS: dict[str, tuple[str, dict[str, object]]] = {
    "autoregressive": ("autoregressive", {}),
    "clip": ("clip", {"text": "words"}),
    "diffusion": ("diffusion", {}),
    "diffusion of an autoencoder's latents": ("diffusion", AUTOENCODER),
    "gan": ("gan", {}),
    "gan of an autoencoder's latents": ("gan", AUTOENCODER),
    "pairs": ("pairs", {}),
}


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def config(request: pytest.FixtureRequest) -> Config:
    recipe, options = request.param
    return configure(recipe, "smoke", {"steps": 40, "learning_rate": 3e-3, **options})


@pytest.fixture
def snapshot(config: Config, snapshot: Snapshot, pairs: Snapshot) -> Snapshot:
    """What the recipe learns from."""
    return pairs if isinstance(config, PairsConfig) else snapshot


def prepare(config: Config, snapshot: Snapshot, cache: Path) -> Training:
    (recipe,) = (recipe for recipe in RECIPES.values() if recipe.config is type(config))
    encoder = {"kind": "words"} if recipe.generative or recipe.translates else None
    return recipe.training(config, Source(snapshot, cache, 3, encoder))


def advance(loop: Loop, steps: int) -> list[float]:
    return [loop.advance() for _ in range(steps)]


def weights(loop: Loop) -> list[torch.Tensor]:
    return [*loop.training.network.state_dict().values(), *loop.ema.network.state_dict().values()]


def test_it_learns_one_batch_by_heart(config: Config, snapshot: Snapshot, cache: Path) -> None:
    training = prepare(config, snapshot, cache)
    optimizer = torch.optim.AdamW(training.phases[0].module.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        torch.manual_seed(0)  # the same batch each time
        phase = training.phases[0]
        loss = phase.loss(phase.draw(config.batch))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_resumed_run_equals_an_uninterrupted_one(
    config: Config, snapshot: Snapshot, cache: Path, tmp_path: Path
) -> None:
    whole = Loop(prepare(config, snapshot, cache), config, seed=5)
    advance(whole, 9)

    first = Loop(prepare(config, snapshot, cache), config, seed=5)
    advance(first, 4)
    first.save(tmp_path / "000004.safetensors")
    second = Loop(prepare(config, snapshot, cache), config, seed=5)
    second.load(tmp_path / "000004.safetensors")
    advance(second, 5)

    assert second.step == whole.step
    assert all(torch.equal(a, b) for a, b in zip(weights(second), weights(whole), strict=True))


def test_another_seed_is_another_run(config: Config, snapshot: Snapshot, cache: Path) -> None:
    losses = [
        advance(Loop(prepare(config, snapshot, cache), config, seed=seed), 2) for seed in (1, 2, 1)
    ]
    assert losses[0] == losses[2] != losses[1]


def test_the_learning_rate_ends_at_nothing(config: Config, snapshot: Snapshot, cache: Path) -> None:
    loop = Loop(prepare(config, snapshot, cache), config, seed=0)
    while not loop.finished:
        loop.advance()
    assert loop.step == config.steps
    assert loop.optimizers[0].param_groups[0]["lr"] < 0.1 * config.learning_rate
