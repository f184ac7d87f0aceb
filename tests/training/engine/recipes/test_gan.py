"""The gan recipe: its loss, both networks, confidence, and what the discriminator is good for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.engine.runs import square, write_run
from training.__main__ import main
from training.engine.data.pictures import Pixels, load
from training.engine.data.rows import Snapshot
from training.engine.encoders.conditions import Condition
from training.engine.files import TrainingError
from training.engine.loop.loop import Loop
from training.engine.networks.gan import PixelDiscriminator, PixelGenerator
from training.engine.recipes import configure, load_generator
from training.engine.recipes.base import Source
from training.engine.recipes.gan import (
    GANConfig,
    GANTraining,
    Model,
    discriminator_loss,
    frozen,
    generator_loss,
    gradient_penalty,
    random_negatives,
)

WORDS = {"kind": "words"}


def prepare(snapshot: Snapshot, cache: Path, **options: object) -> GANTraining:
    config = configure("gan", "smoke", options)
    assert isinstance(config, GANConfig)
    return GANTraining(config, Source(snapshot, cache, 3, WORDS))


@pytest.fixture(scope="module")
def model_folder(
    tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path
) -> Path:
    folder = tmp_path_factory.mktemp("gan") / "run"
    options = {"steps": 400, "checkpoint_steps": 400, "grid_steps": 400}
    write_run(folder, snapshot_folder, cache, recipe="gan", options=options)
    assert main(["fit", str(folder)]) == 0
    return folder / "model"


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Model:
    generator = load_generator(model_folder)
    assert isinstance(generator, Model)
    return generator


@pytest.fixture(scope="module")
def real(snapshot: Snapshot) -> Pixels:
    return np.concatenate([load(row.path, [None], 16) for row in snapshot.test])


class Curved(torch.nn.Module):
    """A score whose slope is known: Σ a·x² has 2·a·x."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))

    def forward(self, samples: Tensor, condition: Condition) -> Tensor:
        return (self.a * samples.square()).sum(1)


def some_condition(count: int, confidence: float = 1.0) -> Condition:
    return Condition(torch.zeros(count, 4), torch.full((count,), confidence), torch.zeros(count, 0))


def test_the_penalty_is_the_squared_slope_at_each_sample() -> None:
    network, x = Curved(), torch.randn(5, 3, requires_grad=True)
    penalty = gradient_penalty(network(x, some_condition(5)), x)
    expected = (2 * network.a * x).square().sum(1)
    assert torch.allclose(penalty, expected)
    (gradient,) = torch.autograd.grad(penalty.sum(), network.a)
    assert torch.allclose(gradient, (8 * network.a * x.square()).sum(0))


def test_the_penalties_slope_of_a_real_network_agrees_with_finite_differences(
    snapshot: Snapshot, cache: Path
) -> None:
    training = prepare(snapshot, cache)
    network = training.network.discriminator.double()
    batch = training.draw(4)
    real, condition = batch.real.double(), batch.condition
    real = real.requires_grad_()
    condition = Condition(*(part.double() for part in condition))
    torch.nn.init.normal_(network.blocks[0].fc2.weight, std=0.1)
    exact = gradient_penalty(network(real, condition), real)
    step, measured = 1e-5, torch.zeros(4, dtype=torch.double)
    with torch.no_grad():
        for k in range(real.shape[1]):
            move = torch.zeros_like(real)
            move[:, k] = step
            rise = network(real + move, condition) - network(real - move, condition)
            measured += (rise / (2 * step)).square()
    assert torch.allclose(exact, measured, rtol=1e-3)


def test_both_penalties_and_the_comparison_make_the_discriminators_loss() -> None:
    network, real, fake = Curved(), torch.randn(6, 3), torch.randn(6, 3)
    above, below = network(real, some_condition(6)), network(fake, some_condition(6))
    flat = sum((2 * network.a * x).square().sum(1) for x in (real, fake))
    expected = torch.log1p((below - above).exp()) + 0.15 * flat
    loss = discriminator_loss(network, real, fake, some_condition(6), penalty=0.3)
    assert torch.allclose(loss, expected.mean())


def test_other_real_pictures_count_as_far_as_the_text_is_believed() -> None:
    """Without confidence, a discriminator contrasts with noise alone; with full, with both."""
    far = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])  # alike to the score, but not mixed
    network, seen = Curved(), []
    network.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    for confidence in (0.0, 1.0):
        for seed in range(40):
            torch.manual_seed(seed)
            condition = some_condition(2, confidence)
            discriminator_loss(
                network,
                far,
                far,
                condition,
                penalty=1.0,
                contrast=1.0,
                negatives=random_negatives(far, condition),
            )
    swapped = [bool((other == far.roll(1, 0)).all(1).any()) for other in seen[2::3]]
    assert sum(swapped[:40]) < 20 < sum(swapped[40:])


def test_the_generator_descends_where_the_discriminator_stays_as_it_is(
    snapshot: Snapshot, cache: Path
) -> None:
    training = prepare(snapshot, cache)
    training.generate(training.draw_without(8)).backward()  # type: ignore[no-untyped-call]
    moved = [p.grad is not None for p in training.network.generator.parameters()]
    assert all(moved)
    assert all(p.grad is None for p in training.network.discriminator.parameters())
    assert all(p.requires_grad for p in training.network.discriminator.parameters())


def test_the_discriminator_learns_nothing_into_the_generator(
    snapshot: Snapshot, cache: Path
) -> None:
    training = prepare(snapshot, cache)
    training.discriminate(training.draw(8)).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in training.network.generator.parameters())


def test_it_draws_the_colour_that_it_is_asked_for(model: Model) -> None:
    for colour, channel in (("red", 0), ("blue", 2)):
        pictures = model.sample([f"a {colour} square"] * 8, list(range(8)))
        ink = 255 - pictures.reshape(8, -1, 3).mean(1)  # what is missing from white
        assert (ink.argmin(1) == channel).sum() >= 7, colour


def test_it_learns_a_few_pictures_by_heart(snapshot: Snapshot, cache: Path) -> None:
    few = Snapshot(snapshot.folder, snapshot.concepts, snapshot.train[-2:], (), "few")
    training = prepare(few, cache, steps=300, flip_prob=0.0)
    loop = Loop(training, training.config, seed=1)
    while not loop.finished:
        loop.advance()
    prompts = [row.captions[0][0] for row in few.train]
    drawn = training.model(loop.ema.network).sample(prompts, [0, 1])
    known = np.concatenate([load(row.path, [None], 16) for row in few.train])
    away = np.abs(drawn.astype(float) - known).mean((1, 2, 3))
    apart = np.abs(known[0].astype(float) - known[1]).mean()
    assert away.max() < 0.3 * apart


@pytest.mark.parametrize("space", ["components", "pixels"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    snapshot: Snapshot, cache: Path, tmp_path: Path, space: str
) -> None:
    options = {"steps": 20, "batch": 8, "space": space, "width": 32, "group": 8}

    def start() -> Loop:
        training = prepare(snapshot, cache, **options)
        return Loop(training, training.config, seed=5)

    whole, first, second = start(), start(), start()
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    first.save(tmp_path / "000002.safetensors")
    second.load(tmp_path / "000002.safetensors")
    for _ in range(2):
        second.advance()
    for one, other in (
        (whole.training.network, second.training.network),
        (whole.ema.network, second.ema.network),
    ):
        pairs = zip(one.parameters(), other.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    states = [[o.state_dict()["state"] for o in loop.optimizers] for loop in (whole, second)]
    assert len(states[0]) == 2
    for ours, theirs in zip(*states, strict=True):
        assert all(torch.equal(ours[i]["exp_avg_sq"], theirs[i]["exp_avg_sq"]) for i in ours)


@pytest.mark.parametrize("space", ["components", "pixels"])
def test_belief_nought_is_the_unconditional_model_in_both_networks(
    snapshot: Snapshot, cache: Path, space: str
) -> None:
    training = prepare(snapshot, cache, space=space, width=32, group=8)
    for parameter in training.network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    network, texts = training.network, torch.randn(2, 3, 384)
    nothing = [Condition(text, torch.zeros(3), torch.zeros(3, 0)) for text in texts]
    noise = torch.randn(3, training.config.noise)
    drawn = [network.generator(noise, each) for each in nothing]
    assert torch.equal(*drawn)
    assert torch.equal(*(network.discriminator(drawn[0], each) for each in nothing))
    trusted = nothing[0]._replace(confidence=torch.ones(3))
    assert not torch.allclose(drawn[0], network.generator(noise, trusted))


def test_guidance_nought_is_no_prompt_and_one_is_as_in_training(model: Model) -> None:
    prompts, seeds = ["a red square", "a blue square"], [1, 2]
    assert (model.sample(prompts, seeds, guidance=0) == model.sample(["", ""], seeds)).all()
    plain = model.sample(prompts, seeds, guidance=1).astype(int)
    assert np.abs(plain - model.sample(prompts, seeds, guidance=1.001)).max() <= 2
    assert (plain != model.sample(prompts, seeds, guidance=2)).any()


def test_truncated_noise_varies_less(model: Model) -> None:
    def spread(generator: Model) -> float:
        return float(generator.sample(["a red square"] * 8, range(8)).std(0).mean())

    calm = model.with_options({"truncation": 0.3})
    assert spread(calm) < 0.6 * spread(model)


def test_it_scores_real_pictures_above_noise_of_their_pixels(model: Model, real: Pixels) -> None:
    rows = real.reshape(len(real), -1)
    noise = np.random.default_rng(0).permuted(rows, axis=0).reshape(real.shape)
    for prompts in ([""] * len(real), ["a red square"] * len(real)):
        assert model.score(real, prompts).mean() > model.score(noise, prompts).mean()


def test_it_scores_what_fits_above_what_does_not(model: Model, snapshot: Snapshot) -> None:
    captioned = [row for row in snapshot.test if row.captions]
    pictures = np.concatenate([load(row.path, [None], 16) for row in captioned])
    for colour in ("red", "blue"):
        scores = model.score(pictures, [f"a {colour} square"] * len(captioned))
        fits = torch.tensor([colour in row.captions[0][0] for row in captioned])
        assert scores[fits].min() > scores[~fits].median()
        assert scores[fits].mean() > scores[~fits].max()


def test_a_score_is_of_one_picture_alone_and_knows_its_size(model: Model, real: Pixels) -> None:
    prompts = ["a red square"] * len(real)
    alone = model.score(real[3:4], prompts[3:4])
    assert torch.allclose(alone, model.score(real, prompts)[3:4], atol=1e-3)
    assert model.score(real[:0], []).shape == (0,)
    with pytest.raises(TrainingError, match="16 pixels"):
        model.score(np.zeros((1, 8, 8, 3), np.uint8), [""])


def test_the_command_line_scores_a_folder_best_first(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    for name, colour in (("one.png", "blue"), ("two.png", "red")):
        (tmp_path / "pictures" / name).write_bytes(square(colour, 8, 8))
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a red square\n")
    arguments = ["score", str(model_folder), str(tmp_path / "pictures"), "--prompts", str(prompts)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["two.png", "one.png"]
    assert float(lines[0].split()[0]) > float(lines[1].split()[0])
    prompts.write_text("red\nblue\ngreen\n")
    assert main(arguments) == 1
    assert "3 lines for 2 pictures" in capsys.readouterr().err


def test_a_part_of_a_batch_has_a_loss_too(snapshot: Snapshot, cache: Path) -> None:
    training = prepare(snapshot, cache)
    for phase in training.phases:
        assert all(torch.isfinite(phase.loss(phase.draw(count))) for count in (1, 3))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"compile": True}, "compile"),
        ({"flip_prob": 0.8}, "flip_prob"),
        ({"space": "pixels", "size": 24}, "size"),
        ({"space": "pixels", "width": 8}, "width"),
        ({"space": "pixels", "width": 100}, "width"),
        ({"space": "nowhere"}, "space"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(TrainingError, match=f"The option {name}"):
        configure("gan", "smoke", options)


@pytest.mark.parametrize("size", [16, 32])
def test_the_convolutional_networks_draw_and_judge_any_power_of_two(size: int) -> None:
    shape = {"size": size, "text_width": 4, "ratings": 0, "width": 64, "depth": 1, "expansion": 2}
    generator = PixelGenerator(**shape, noise=8, group=16)
    discriminator = PixelDiscriminator(**shape, group=16)
    pictures = generator(torch.randn(2, 8), some_condition(2))
    assert pictures.shape == (2, 3, size, size)
    with frozen(discriminator):
        assert generator_loss(discriminator, pictures, pictures, some_condition(2)).isfinite()
    assert discriminator(pictures, some_condition(2)).shape == (2,)
