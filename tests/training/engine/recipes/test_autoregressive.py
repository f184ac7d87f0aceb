"""The autoregressive recipe: codebook, cache, sampling, completion."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot, digest
from training.engine.encoders.conditions import Condition
from training.engine.files import TrainingError
from training.engine.latents.codebook import Codebook, fit, fitted, kmeans
from training.engine.loop.loop import Loop
from training.engine.networks.transformer import Transformer
from training.engine.recipes import configure, load_generator
from training.engine.recipes.autoregressive import (
    AutoregressiveConfig,
    AutoregressiveTraining,
    Model,
)
from training.engine.recipes.base import Source
from training.engine.sampling.next_token import choose, sample_tokens

WORDS = {"kind": "words"}


def configured(**options: Any) -> AutoregressiveConfig:
    config = configure("autoregressive", "smoke", options)
    assert isinstance(config, AutoregressiveConfig)
    return config


@pytest.fixture(scope="module", params=["patches", "palette"])
def folder(
    request: pytest.FixtureRequest,
    snapshot: Snapshot,
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of a model that was trained for some seconds."""
    size = 16 if request.param == "patches" else 8
    config = configured(tokens=request.param, size=size, steps=120)
    training = AutoregressiveTraining(config, Source(snapshot, cache, 0, WORDS))
    loop = Loop(training, config, seed=0)
    while not loop.finished:
        loop.advance()
    folder = tmp_path_factory.mktemp(request.param) / "model"
    training.save(loop.ema.network, folder, {"format": 1, "recipe": "autoregressive"})
    return folder


@pytest.fixture
def model(folder: Path) -> Model:
    generator = load_generator(folder)
    assert isinstance(generator, Model)
    return generator


@pytest.fixture
def squares(model: Model, snapshot: Snapshot, cache: Path) -> Pixels:
    """The snapshot's test pictures."""
    return pack(snapshot.test, model.size, cache, digest(snapshot.test))


# The codebook


def test_a_codebook_gives_back_what_it_was_fitted_to() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 1, 1, 3), np.uint8)
    pixels = np.broadcast_to(colours, (5, 8, 8, 3)).copy()
    codebook = fit(pixels, patch=4, levels=2, count=16)
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    assert codebook.count == 5  # there are no more different patches
    tokens = codebook.encode(pictures)
    assert tokens.shape == (5, 4, 2)
    assert torch.allclose(codebook.decode(tokens), pictures, atol=1e-3)


def test_a_codebook_is_made_once_and_always_the_same(
    snapshot: Snapshot, cache: Path, tmp_path: Path
) -> None:
    pixels = pack(snapshot.train, 16, cache, digest(snapshot.train))
    shape = {"patch": 4, "levels": 2, "count": 8}
    first = fitted(pixels, tmp_path, "squares", **shape)
    assert torch.equal(first.codes, fit(pixels, 4, 2, 8).codes)
    again = fitted(np.zeros_like(pixels), tmp_path, "squares", **shape)
    assert torch.equal(first.seam_weight, again.seam_weight)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"not a codebook")
    with pytest.raises(TrainingError, match="delete it"):
        fitted(pixels, tmp_path, "squares", **shape)


def test_a_second_level_and_mended_seams_come_nearer_to_the_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)
    smooth = (pixels.cumsum(1) // np.arange(1, 9)[:, None, None]).astype(np.uint8)
    pictures = torch.from_numpy(smooth).permute(0, 3, 1, 2) / 127.5 - 1

    def error(codebook: Codebook) -> float:
        return float((codebook.decode(codebook.encode(pictures)) - pictures).square().mean())

    one, two, bare = (fit(smooth, 4, levels, 8) for levels in (1, 2, 2))
    bare.seam_weight.zero_()
    bare.seam_bias.zero_()
    assert error(two) < error(bare) < error(one) + 1
    assert error(two) < error(one)


def test_codes_run_from_dark_to_bright() -> None:
    codes = kmeans(torch.rand(200, 12), 16, seed=0)
    assert (codes.mean(1).diff() >= 0).all()


# The network


@pytest.fixture
def network() -> Transformer:
    torch.manual_seed(0)
    network = Transformer(
        codes=7,
        levels=2,
        side=4,
        text_width=5,
        ratings=0,
        width=16,
        depth=2,
        heads=2,
        dropout=0.0,
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


@pytest.fixture
def condition() -> Condition:
    torch.manual_seed(1)
    return Condition(torch.randn(3, 5), torch.tensor([1.0, 0.5, 0.0]), torch.zeros(3, 0))


def test_no_token_is_predicted_from_itself_or_later_ones(
    network: Transformer, condition: Condition
) -> None:
    tokens = torch.randint(7, (3, 16, 2))
    before = network(tokens, condition)
    for place, level in ((0, 0), (5, 1), (15, 0)):
        changed = tokens.clone()
        changed[:, place, level] = (changed[:, place, level] + 1) % 7
        flat = (network(changed, condition) - before).abs().amax((0, 3)).flatten()  # (T·L,)
        same = place * 2 + level + 1
        assert (flat[:same] < 1e-6).all()
        assert (flat[same : same + 2] > 0).any() or same == 31


def test_hidden_states_with_a_cache_equal_those_without(
    network: Transformer, condition: Condition
) -> None:
    tokens = torch.randint(7, (3, 16, 2))
    c = network.embed_condition(condition)
    whole = network.hidden_states(tokens[:, :-1], c)
    cache = network.new_cache(3)
    parts = [network.hidden_states(tokens[:, :6], c, cache)]  # a prefix in one go
    parts += [network.hidden_states(tokens[:, :i], c, cache) for i in range(7, 16)]
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


def test_belief_nought_leaves_nothing_of_the_text(
    network: Transformer, condition: Condition
) -> None:
    tokens = torch.randint(7, (3, 16, 2))
    other = condition._replace(text=torch.randn(3, 5))
    assert torch.equal(network(tokens, condition)[2], network(tokens, other)[2])


# Choosing a token


@pytest.mark.parametrize(
    "options", [{"top_k": 1}, {"top_p": 1e-9}, {"top_p": 0.0}, {"temperature": 0.0}]
)
def test_greedy_settings_choose_the_likeliest(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    logits = torch.randn(64, 9)
    chosen = choose(logits, torch.rand(64), replace(configured(), **options))
    assert torch.equal(chosen, logits.argmax(1))


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])
    noise = torch.linspace(0, 1, 10_001)
    for options, expected in (
        ({}, p),
        ({"top_k": 2}, torch.tensor([0, 0, 3, 4]) / 7),
        ({"top_p": 0.8}, torch.tensor([0, 2, 3, 4]) / 9),
        ({"temperature": 0.5}, p.square() / p.square().sum()),
    ):
        chosen = choose(
            p.log().expand(len(noise), 4),
            noise,
            replace(configured(top_p=1.0), **options),
        )
        shares = torch.bincount(chosen, minlength=4) / len(noise)
        assert torch.allclose(shares, expected.float(), atol=1e-3)


def test_guidance_moves_away_from_what_no_text_would_give(
    network: Transformer, condition: Condition
) -> None:
    noise = torch.rand(3, 16, 2, generator=torch.Generator().manual_seed(0))
    drawn = {
        g: sample_tokens(network, condition, noise, configured(guidance=g)) for g in (0.0, 1.0, 3.0)
    }
    unconditional = sample_tokens(network, condition.unconditional(), noise, configured())
    assert torch.equal(drawn[0.0], unconditional)
    assert not torch.equal(drawn[1.0][0], drawn[3.0][0])
    assert torch.equal(drawn[3.0][2], unconditional[2])  # of which nothing is believed


# The model


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_it_draws_the_colour_that_it_is_asked_for(model: Model, colour: str, channel: int) -> None:
    pictures = model.sample([f"a {colour} square"] * 8, list(range(8)))
    assert pictures.shape == (8, model.size, model.size, 3)
    ink = 255 - pictures.reshape(-1, 3).mean(0)  # what is missing from white
    assert np.argmin(ink) == channel


def test_inpainting_keeps_the_upper_half_and_goes_on_from_it(
    model: Model, snapshot: Snapshot, cache: Path
) -> None:
    half = model.size // 2
    squares = pack(snapshot.train, model.size, cache, digest(snapshot.train))[:60]
    drawn = model.inpaint(squares, [""] * len(squares), list(range(len(squares))))
    assert np.array_equal(drawn[:, :half], squares[:, :half])
    assert np.array_equal(model.inpaint(squares[:1], [""], [0])[0], drawn[0])
    ink, expected = (255 - pictures[:, half:].mean((1, 2)) for pictures in (drawn, squares))
    assert np.corrcoef(np.ravel(ink), np.ravel(expected))[0, 1] > 0.3


def test_inpainting_wants_pictures_of_the_models_size(model: Model) -> None:
    with pytest.raises(TrainingError, match=f"{model.size} pixels"):
        model.inpaint(np.zeros((1, 12, 12, 3), np.uint8), [""], [0])


def test_a_strip_begins_and_ends_with_what_its_ends_draw(model: Model) -> None:
    prompts, seeds = ("a red square", "a blue square"), (3, 4)
    strip = model.interpolate(prompts, seeds, 4)
    assert strip.shape == (4, model.size, model.size, 3)
    assert np.array_equal(strip[[0, -1]], model.sample(prompts, seeds))
    same = model.interpolate((prompts[0],) * 2, (3, 3), 3)
    assert (same == same[:1]).all()


def test_right_words_surprise_it_less_than_wrong_ones(
    model: Model, squares: Pixels, snapshot: Snapshot
) -> None:
    captions = [row.captions[0][0] if row.captions else "" for row in snapshot.test]
    wrong = [
        text.replace("red", "blue") if "red" in text else "a red square" * bool(text)
        for text in captions
    ]
    right = model.nats_per_token(squares, captions)
    assert right.shape == (len(squares),)
    assert right.mean() < 0.6 * model.chance
    assert right.mean() < model.nats_per_token(squares, wrong).mean()


def test_sampling_options_are_checked(model: Model) -> None:
    greedy = model.with_options({"top_k": 1})
    assert np.array_equal(greedy.sample([""], [1]), greedy.sample([""], [2]))
    for options in ({"top_p": 1.5}, {"top_k": -1}, {"temperature": "hot"}, {"width": 3}):
        with pytest.raises(TrainingError):
            model.with_options(options)


@pytest.mark.parametrize("options", [{"size": 20}, {"heads": 3}, {"dropout": 1.0}, {"tokens": "x"}])
def test_options_that_do_not_fit_together_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="option"):
        configured(**options)


def test_a_changed_or_foreign_model_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    network = config["network"]
    for number, values in enumerate(
        [
            {**config, "recipe": "diffusion"},
            {**config, "network": {**network, "patch": 2**12, "size": 2**14}},
            {**config, "network": {**network, "width": 128}},
            {**config, "network": {**network, "width": 10**9, "heads": 1}},
            {**config, "network": {**network, "depth": 10**9}},
            {**config, "network": {**network, "depth": 1}},
            {**config, "network": {**network, "text_width": -1}},
            {**config, "network": {**network, "size": 2**30}},
            {**config, "network": {**network, "top_p": None}},
            {**config, "network": []},
            {**config, "clip": {"kind": "words", "identity": "others"}},
        ]
    ):
        changed = shutil.copytree(folder, tmp_path / str(number))
        (changed / "config.json").write_text(json.dumps(values))
        with pytest.raises(TrainingError, match=str(changed)):
            load_generator(changed)
    for name, tensor in (
        ("codebook.codes", torch.zeros(3)),
        ("codebook.seam_bias", torch.zeros(1)),
    ):
        changed = shutil.copytree(folder, tmp_path / name)
        save_file({**tensors, f"codebook.{name}": tensor}, changed / "model.safetensors")
        with pytest.raises(TrainingError):
            load_generator(changed)
    (changed / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(TrainingError):
        load_generator(changed)
