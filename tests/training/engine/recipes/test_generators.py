"""What holds for every generator: seeds, confidence, guidance, interpolation, loading."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.engine.runs import write_run
from training.__main__ import main
from training.engine.files import TrainingError
from training.engine.recipes import RECIPES, load_generator
from training.engine.recipes.base import DrawsInOneCall, ImageGenerator

# To learn long enough that prompts and seeds make a difference.
OPTIONS = {
    "diffusion": {"steps": 120, "grid_steps": 0},
    "autoregressive": {"steps": 120, "grid_steps": 0},
    "gan": {"steps": 120, "grid_steps": 0},
}
RUNS = {
    **{name: (name, options) for name, options in OPTIONS.items() if RECIPES[name].generative},
    "autoencoder": (
        "diffusion",
        {
            **OPTIONS["diffusion"],
            "space": "autoencoder",
            "autoencoder_steps": 40,
            "one_call_steps": 40,
        },
    ),
}


@pytest.fixture(scope="module", params=RUNS)
def model_folder(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    snapshot_folder: Path,
    cache: Path,
) -> Path:
    """Train a model of each generative recipe for a moment."""
    recipe, options = RUNS[request.param]
    folder = tmp_path_factory.mktemp("generators") / request.param
    write_run(folder, snapshot_folder, cache, recipe=recipe, options=options)
    assert main(["fit", str(folder)]) == 0
    return folder / "model"


@pytest.fixture(scope="module")
def generator(model_folder: Path) -> ImageGenerator:
    return load_generator(model_folder)


def far(first: np.ndarray, second: np.ndarray) -> bool:
    return float(np.abs(first.astype(float) - second.astype(float)).mean()) > 0.5


def near(first: np.ndarray, second: np.ndarray) -> bool:
    return float(np.abs(first.astype(float) - second.astype(float)).max()) <= 2


def test_it_draws_squares_of_its_own_size(generator: ImageGenerator) -> None:
    pictures = generator.sample(["a red square", ""], [0, 1])
    assert pictures.shape == (2, generator.size, generator.size, 3)
    assert pictures.dtype == np.uint8


def test_one_seed_is_one_picture(generator: ImageGenerator) -> None:
    first = generator.sample(["a red square"], [7])
    assert (first == generator.sample(["a red square"], [7])).all()
    assert far(first, generator.sample(["a red square"], [8]))


def test_a_prompt_makes_a_difference(generator: ImageGenerator) -> None:
    assert far(generator.sample(["a red square"], [7]), generator.sample(["a blue square"], [7]))


def test_a_student_draws_the_same_kind_of_picture_in_one_call(generator: ImageGenerator) -> None:
    if not (isinstance(generator, DrawsInOneCall) and generator.draws_in_one_call):
        pytest.skip("draws in many calls")
    red, blue = (
        generator.sample([f"a {colour} square"] * 4, [0, 1, 2, 3], steps=1).astype(float)
        for colour in ("red", "blue")
    )
    finished = generator.sample(["a red square"] * 4, [0, 1, 2, 3]).astype(float)
    assert np.abs(red - finished).mean() < np.abs(blue - finished).mean()


def test_belief_nought_is_the_unconditional_model(generator: ImageGenerator) -> None:
    unconditional = generator.sample(["a red square"], [1], confidence=0.0)
    assert (unconditional == generator.sample([""], [1])).all()
    assert far(unconditional, generator.sample(["a red square"], [1]))


def test_a_picture_does_not_depend_on_what_is_drawn_beside_it(generator: ImageGenerator) -> None:
    alone = generator.sample(["a red square"], [7])
    among = generator.sample(["a blue square", "a red square", ""], [1, 7, 2])
    assert near(alone[0], among[1])


def test_a_strip_goes_from_one_picture_to_the_other(generator: ImageGenerator) -> None:
    strip = generator.interpolate(("a red square", "a blue square"), (3, 4), 5)
    assert strip.shape == (5, generator.size, generator.size, 3)
    assert near(strip[0], generator.sample(["a red square"], [3])[0])
    assert near(strip[-1], generator.sample(["a blue square"], [4])[0])
    assert not (strip[0] == strip[2]).all()


def test_it_reports_progress_and_can_be_cancelled(generator: ImageGenerator) -> None:
    shares: list[float] = []
    generator.sample(["a red square"], [0], on_progress=shares.append)
    assert shares
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)

    def cancel(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator.sample(["a red square"], [0], on_progress=cancel)


@pytest.mark.parametrize("options", [{"nonsense": 1}, {"steps": 3}, {"guidance": "much"}])
def test_it_refuses_options_that_it_does_not_have(
    generator: ImageGenerator, options: dict[str, int]
) -> None:
    with pytest.raises(TrainingError):
        generator.with_options(options)


def test_it_takes_another_guidance_as_its_own(generator: ImageGenerator) -> None:
    assert generator.with_options({"guidance": 3}).guidance == 3


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "config"])
def test_a_damaged_model_is_refused_by_name(
    model_folder: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    (weights,) = [path for path in folder.glob("*.safetensors") if path.stem != "neighbours"][:1]
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "foreign":
        shutil.copy(folder / "neighbours.safetensors", weights)
    else:
        about = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(about | {"network": {"size": "huge"}}))
    with pytest.raises(TrainingError, match=str(folder)):
        load_generator(folder)
