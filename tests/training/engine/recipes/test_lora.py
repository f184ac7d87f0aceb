"""A LoRA of a tiny random Stable Diffusion: learnt, resumed, drawn with, and read by diffusers."""

import json
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.training.engine.runs import write_run
from tests.training.engine.stable import write_base
from training.__main__ import main
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.files import TrainingError
from training.engine.loop.loop import Loop
from training.engine.networks.kohya import LAYERS
from training.engine.networks.stable_diffusion import SAMPLERS, diffusers, encode_texts
from training.engine.recipes import configure, load_generator
from training.engine.recipes.base import Source
from training.engine.recipes.lora import FILE, LoraConfig, LoraTraining, Model, load

PRECISIONS = ("bf16", "float32")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("bases") / "tiny")


def configured(base: Path | str, **options: Any) -> LoraConfig:
    config = configure(
        "lora", "smoke", {"base": str(base), "size": 32, "min_snr_gamma": 0.0, **options}
    )
    assert isinstance(config, LoraConfig)
    return config


@pytest.fixture(scope="session")
def source(snapshot: Snapshot, cache: Path) -> Source:
    return Source(snapshot, cache, seed=3)


@pytest.fixture(scope="module")
def learnt(base: Path, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose LoRA is in every kind of layer and changes what is drawn."""
    config = configured(base, layers="all", steps=6, learning_rate=0.03, warmup=0)
    training = LoraTraining(config, source)
    loop = Loop(training, config, seed=0)
    while not loop.finished:
        loop.advance()
    folder = tmp_path_factory.mktemp("models") / "lora"
    training.save(loop.ema.network, folder, {"recipe": "lora", "steps": 6, "seed": 0})
    return folder


@pytest.fixture(scope="module")
def model(learnt: Path) -> Model:
    return load(learnt)


@pytest.fixture
def copy(learnt: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(learnt, tmp_path / "copy"))


# Training


def test_it_learns_one_batch_by_heart(base: Path, source: Source) -> None:
    training = LoraTraining(configured(base, rank=8, layers="all"), source)
    optimizer = torch.optim.AdamW(training.network.parameters(), lr=0.04)
    losses = []
    for _ in range(25):
        torch.manual_seed(0)  # the same batch each time
        loss = training.loss(training.draw(2))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_resumed_run_equals_an_uninterrupted_one(
    base: Path, source: Source, tmp_path: Path
) -> None:
    config = configured(base, learning_rate=3e-3)

    def loop() -> Loop:
        return Loop(LoraTraining(config, source), config, seed=5)

    whole, first, second = loop(), loop(), loop()
    for _ in range(5):
        whole.advance()
    for _ in range(2):
        first.advance()
    first.save(tmp_path / "2.safetensors")
    second.load(tmp_path / "2.safetensors")
    for _ in range(3):
        second.advance()
    for one, other in [
        (whole.training.network, second.training.network),
        (whole.ema.network, second.ema.network),
    ]:
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_only_the_lora_is_trained_and_kept(base: Path, source: Source, tmp_path: Path) -> None:
    config = configured(base, learning_rate=3e-3, layers="attention")
    training = LoraTraining(config, source)
    unet = training.base.unet
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    loop = Loop(training, config, seed=0)
    for _ in range(2):
        loop.advance()
    loop.save(tmp_path / "2.safetensors")
    changed = {name for name, value in unet.state_dict().items() if not value.equal(before[name])}
    assert changed and all("lora_" in name for name in changed)
    assert all("to_" in name for name in changed)
    with safe_open(tmp_path / "2.safetensors", "pt") as file:
        names = set(file.keys())
    assert names and all("lora_unet_" in name or "optimizer" in name for name in names)


def test_latents_and_hidden_states_are_made_once(
    base: Path, source: Source, snapshot: Snapshot, tmp_path: Path
) -> None:
    def prepare() -> tuple[LoraTraining, dict[str, int]]:
        training = LoraTraining(configured(base), Source(snapshot, tmp_path, seed=3))
        return training, {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    training, made = prepare()
    assert {name.split("-")[0] for name in made} == {"images", "latents", "hidden"}
    again, same = prepare()
    assert same == made
    torch.manual_seed(1)
    first = training.loss(training.draw(2))
    torch.manual_seed(1)
    assert again.loss(again.draw(2)).equal(first)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_what_is_predicted_follows_the_base(
    prediction: str, source: Source, tmp_path: Path, base: Path
) -> None:
    other = Path(shutil.copytree(base, tmp_path / "base"))
    path = other / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": prediction}))
    training = LoraTraining(configured(other, min_snr_gamma=5.0), source)
    scheduler = diffusers().DDPMScheduler.from_pretrained(other, subfolder="scheduler")

    torch.manual_seed(1)
    batch = training.draw(3)
    loss = training.loss(batch)
    x0, hidden = training.read(batch)
    t, noise = batch.t, batch.noise
    predicted = training.base.unet(scheduler.add_noise(x0, noise, t), t, hidden).sample
    velocity = scheduler.get_velocity(x0, noise, t)
    target = {"epsilon": noise, "v_prediction": velocity, "sample": x0}[prediction]
    alpha = scheduler.alphas_cumprod[t]
    snr = alpha / (1 - alpha)
    weight = {"epsilon": 1 / snr, "v_prediction": 1 / (snr + 1), "sample": torch.ones(3)}
    error = (predicted - target).square().mean((1, 2, 3))
    expected = (snr.clamp(max=5) * weight[prediction] * error).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-5)


def test_it_trains_and_draws_in_half_precision(base: Path, source: Source) -> None:
    config = configured(base, precision="bf16", learning_rate=3e-3)
    training = LoraTraining(config, source)
    losses = [Loop(training, replace(config, precision=p), seed=0).advance() for p in PRECISIONS]
    assert losses[0] == pytest.approx(losses[1], rel=0.05) and losses[0] != losses[1]
    assert {tensor.dtype for tensor in training.network.parameters()} == {torch.float32}
    half = Model(config, training.base, 1.0)
    assert half.sample(["a"], [1], steps=1).shape == (1, 32, 32, 3)


# The layout, and diffusers


def test_the_file_is_in_kohyas_layout(learnt: Path) -> None:
    tensors = load_file(learnt / FILE)
    with safe_open(learnt / FILE, "pt") as file:
        metadata = file.metadata()
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 16)
    assert tensors[f"{name}.lora_up.weight"].shape == (16, 4)
    assert tensors[f"{name}.alpha"] == 4
    convolution = "lora_unet_mid_block_resnets_0_conv1"
    assert tensors[f"{convolution}.lora_down.weight"].shape == (4, 32, 3, 3)
    assert tensors[f"{convolution}.lora_up.weight"].shape == (32, 4, 1, 1)
    assert {key.rsplit(".lora_")[0].removesuffix(".alpha") for key in tensors} == {
        key.removesuffix(".alpha") for key in tensors if key.endswith(".alpha")
    }
    assert metadata["ss_network_module"] == "networks.lora"
    assert metadata["ss_network_dim"] == "4"
    assert metadata["ss_network_alpha"] == "4.0"
    assert metadata["ss_base_model_version"] == "sd_v1"
    assert json.loads(metadata["ss_tag_frequency"])["pictures"]["square"] > 0


def pipeline(base: Path, sampler: str) -> Any:
    module = diffusers()
    made = module.StableDiffusionPipeline.from_pretrained(
        base, safety_checker=None, requires_safety_checker=False
    )
    made.scheduler = getattr(module, SAMPLERS[sampler]).from_config(made.scheduler.config)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_diffusers_draws_the_same_pictures_with_it(
    base: Path, learnt: Path, model: Model, sampler: str
) -> None:
    diffuser = pipeline(base, sampler)
    settings = {"num_inference_steps": 3, "guidance_scale": 3.0, "output_type": "np"}

    def drawn() -> Any:
        noise = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(7))
        images = diffuser("a red square", latents=noise, height=32, width=32, **settings).images
        return (images * 255).round().astype(np.uint8)

    without = drawn()
    diffuser.load_lora_weights(learnt, weight_name=FILE)
    own = model.with_options({"sampler": sampler}).sample(
        ["a red square"], [7], confidence=1.0, guidance=3.0, steps=3
    )
    assert np.abs(own.astype(int) - drawn()).max() <= 1  # rounding alone
    assert np.abs(own.astype(int) - without).max() > 20


def test_the_unet_in_diffusers_gives_the_same_numbers(
    base: Path, learnt: Path, model: Model
) -> None:
    diffuser = pipeline(base, "ddim")
    diffuser.load_lora_weights(learnt, weight_name=FILE)
    noise, hidden = torch.randn(2, 4, 16, 16), encode_texts(model.base, ["a", "b"])
    with torch.no_grad():
        own = model.base.unet(noise, torch.tensor([5, 500]), hidden).sample
        theirs = diffuser.unet(noise, torch.tensor([5, 500]), hidden).sample
    assert own.equal(theirs)


@pytest.mark.parametrize("layers", list(LAYERS))
def test_every_choice_of_layers_is_read_by_diffusers(
    base: Path, source: Source, tmp_path: Path, layers: str
) -> None:
    training = LoraTraining(configured(base, layers=layers), source)
    training.save(training.network, tmp_path, {})
    diffuser = pipeline(base, "ddim")
    diffuser.load_lora_weights(tmp_path, weight_name=FILE)
    read = sum("lora_A" in name for name, _ in diffuser.unet.named_parameters())
    assert read == len(training.network)


def test_another_alpha_scales_the_weights(copy: Path, model: Model) -> None:
    tensors = load_file(copy / FILE)
    halved = {
        key: tensor / 2 if key.endswith(".alpha") else tensor for key, tensor in tensors.items()
    }
    save_file(halved, copy / FILE)
    scaled = load(copy).base.network.state_dict()
    for key, tensor in model.base.network.state_dict().items():
        factor = 0.5 if "lora_up" in key else 1.0
        torch.testing.assert_close(scaled[key], factor * tensor)


# Drawing


def test_one_seed_is_one_picture_in_any_company(model: Model) -> None:
    alone = model.sample(["a red square"], [1], steps=2)
    together = model.sample(["x", "a red square", ""], [3, 1, 1], steps=2)
    assert alone.shape == (1, 32, 32, 3)
    assert np.array_equal(alone[0], together[1])
    assert not np.array_equal(together[1], together[2])
    assert not np.array_equal(alone, model.sample(["a red square"], [2], steps=2))


def test_belief_0_is_the_unconditional_model(model: Model) -> None:
    ignored = model.sample(["a red square"], [1], confidence=0.0, steps=2, guidance=4.0)
    unconditional = model.sample([" "], [1], steps=2, guidance=1.0)
    assert np.array_equal(ignored, unconditional)
    assert np.array_equal(
        unconditional, model.sample(["a blue square"], [1], steps=2, guidance=0.0)
    )


def test_prompts_may_be_long_and_of_any_script(model: Model) -> None:
    prompts = ["猫，橙色", "кошка", "قطة", "🐈", "word " * 2000]
    hidden = encode_texts(model.base, prompts)
    assert hidden.shape == (5, 77, 32)
    assert len(hidden.flatten(1).unique(dim=0)) == 5
    assert model.sample(prompts[-1:], [1], steps=1).shape == (1, 32, 32, 3)


def test_a_strip_begins_and_ends_with_the_pictures_themselves(model: Model) -> None:
    prompts, seeds = ("a red square", "a blue square"), (1, 2)
    strip = model.interpolate(prompts, seeds, 3, steps=2)
    assert np.array_equal(strip[[0, 2]], model.sample(prompts, seeds, steps=2))
    assert not np.array_equal(strip[1], strip[0])


def test_it_tells_how_far_it_is_and_stops_when_told_to(model: Model) -> None:
    shares: list[float] = []
    model.sample(["a", "b"], [1, 2], steps=2, on_progress=shares.append)
    assert shares == sorted(shares) and shares[0] == 0 and 0.5 < shares[-1] < 1

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.sample(["a"], [1], on_progress=stop)


def test_the_grid_is_of_the_averaged_weights(base: Path, source: Source) -> None:
    config = configured(base, steps=4, learning_rate=0.03, sampling_steps=2)
    training = LoraTraining(config, source)
    loop = Loop(training, config, seed=0)
    first = training.sample_grid(loop.ema.network, ("a red square",))
    for _ in range(3):
        loop.advance()
    own = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    assert training.sample_grid(loop.ema.network, ("a red square",)) != first
    assert all(own[k].equal(v) for k, v in training.network.state_dict().items())


# Beside the snapshot: a folder, and what cannot be


def test_a_run_on_a_plain_folder_ends_with_a_model(
    base: Path, snapshot: Snapshot, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    for number, row in enumerate(snapshot.train[:3]):
        shutil.copy(row.path, tmp_path / "mine" / f"{number}.png")
        (tmp_path / "mine" / f"{number}.txt").write_text("square, red, on white")
    options: dict[str, Any] = {"base": str(base), "size": 32, "steps": 2, "sampling_steps": 2}
    options["prompts"] = ["square"]
    run = write_run(tmp_path / "run", tmp_path / "mine", cache, recipe="lora", options=options)
    assert main(["fit", str(run)]) == 0
    assert (run / "model" / FILE).exists()
    assert load_generator(run / "model").sample(["square"], [1]).shape == (1, 32, 32, 3)


def test_one_picture_of_which_nothing_is_said_is_enough(
    base: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    shutil.copy(snapshot.train[0].path, tmp_path / "only.png")
    alone = Source(read_snapshot(tmp_path), tmp_path / "cache", seed=0)
    training = LoraTraining(configured(base), alone)
    assert training.loss(training.draw(2)).isfinite()


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_it_says_how_to_install_it(base: Path, source: Source) -> None:
    with pytest.raises(TrainingError, match=r"needs diffusers and peft: run .*\[lora\]"):
        LoraTraining(configured(base), source)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody/nothing", "is no folder here, and cannot be had from the hub"),
        ("/nowhere/at/all", "holds no Stable Diffusion in the layout of diffusers"),
        ("not a name!", "is no folder here, and cannot be had from the hub"),
    ],
)
def test_a_base_that_cannot_be_had_is_named(
    name: str, sentence: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingError, match=sentence):
        LoraTraining(configured(name), source)


def test_a_hub_that_never_answers_is_not_waited_for(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("training.engine.networks.stable_diffusion.HUB_TIMEOUT", 0.1)
        with pytest.raises(TrainingError, match="cannot be had from the hub"):
            LoraTraining(configured("nobody/nothing"), source)


def test_a_folder_without_a_model_is_no_base(source: Source, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no Stable Diffusion"):
        LoraTraining(configured(tmp_path), source)


def test_a_size_that_the_base_cannot_draw_is_refused(base: Path, source: Source) -> None:
    with pytest.raises(TrainingError, match="size must be a multiple of 4 here, not 30"):
        LoraTraining(configured(base, size=30), source)


def spoil(path: Path, damage: str) -> None:
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    key = next(name for name in tensors if name.endswith("lora_up.weight"))
    match damage:
        case "gone":
            path.unlink()
        case "pickle":
            torch.save(tensors, path)
        case "cut off":
            path.write_bytes(path.read_bytes()[:1000])
        case "endless header":
            path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
        case "foreign":
            save_file({"model.diffusion_model.weight": torch.zeros(3)}, path)
        case "stranger":
            save_file({**tensors, "lora_te_text_model.alpha": torch.ones(())}, path)
        case "lacking":
            save_file({name: value for name, value in tensors.items() if name != key}, path)
        case "shape":
            save_file({**tensors, key: torch.zeros(3, 3)}, path)
        case "no number":
            save_file({**tensors, key: tensors[key] * torch.nan}, path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("gone", "is missing"),
        ("pickle", "is no whole safetensors file"),
        ("cut off", "is no whole safetensors file"),
        ("endless header", "is no whole safetensors file"),
        ("foreign", "is no LoRA for these layers"),
        ("stranger", "lora_te_text_model.alpha is not among them"),
        ("lacking", "is missing"),
        ("shape", r"is of the shape \[3, 3\], not"),
        ("no number", "holds what is no number"),
    ],
)
def test_a_file_that_is_no_lora_for_the_base_is_refused(
    copy: Path, damage: str, sentence: str
) -> None:
    spoil(copy / FILE, damage)
    with pytest.raises(TrainingError, match=sentence):
        load(copy)


@pytest.mark.parametrize(
    "change",
    [{"rank": 0}, {"layers": "none"}, {"size": "big"}, {"sampling_confidence": None}, {"base": ""}],
)
def test_a_config_edited_by_hand_is_refused(copy: Path, change: dict[str, Any]) -> None:
    about = json.loads((copy / "config.json").read_text())
    about["network"] |= change
    (copy / "config.json").write_text(json.dumps(about))
    with pytest.raises(TrainingError, match="does not describe a LoRA"):
        load(copy)


def test_a_base_that_has_changed_is_noticed(copy: Path, tmp_path: Path) -> None:
    about = json.loads((copy / "config.json").read_text())
    about["network"]["base"] = str(write_base(tmp_path / "other", seed=1))
    (copy / "config.json").write_text(json.dumps(about))
    with pytest.raises(TrainingError, match="was trained on another base"):
        load(copy)
