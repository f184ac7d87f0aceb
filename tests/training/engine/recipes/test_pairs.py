"""A model of pairs draws the other half of any picture, and of pairs never seen the right one."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling import marks
from tests.pictures import encoded, patchwork
from tests.training.engine.recipes.test_generators import far, near
from tests.training.engine.runs import COLOURS, square, write_run
from training.__main__ import main
from training.engine.data import warps
from training.engine.data.pairs import of_pairs
from training.engine.data.pictures import Pixels, load_whole
from training.engine.data.snapshot import read_snapshot
from training.engine.evaluation import translators
from training.engine.files import TrainingError
from training.engine.generation import server
from training.engine.recipes import load_generator, load_translator
from training.engine.recipes.base import Translator

OPTIONS = {"steps": 400, "grid_steps": 200, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pairs_folder: Path, cache: Path) -> Path:
    """Fit a run on the pairs of squares."""
    folder = tmp_path_factory.mktemp("pairs") / "run"
    write_run(folder, pairs_folder, cache, recipe="pairs", options=OPTIONS)
    assert main(["fit", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def translator(run: Path) -> Translator:
    return load_translator(run / "model")


def picture(folder: Path, content: bytes, size: int = 16) -> Pixels:
    path = folder / "picture.png"
    path.write_bytes(content)
    return load_whole(path, size)[None]


def test_it_finds_the_other_halves_of_pairs_that_it_never_saw(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["other_half"] > 0.8
    assert metrics["other_half_chance"] == 0.05
    assert metrics["other_half_error"] < 0.7 * metrics["other_half_error_of_first"]


def test_a_run_says_what_it_was_watched_by_and_shows_it(run: Path) -> None:
    names = json.loads((run / "prompts.json").read_text())
    with Image.open(run / "samples" / "000400.png") as grid:
        assert grid.size == ((1 + 2 + 1) * 16, len(names) * 16)
    page = (run / "report.html").read_text()
    assert "Beside the true halves" in page
    assert "80 pairs to learn from, 20 held out" in page
    assert "nearest training pictures" not in page
    card = (run / "model" / "README.md").read_text()
    assert "| Pairs to learn from | 80 |" in card and "fitted to 80 pairs" in card


def test_one_seed_is_one_picture_whatever_is_drawn_beside_it(
    translator: Translator, tmp_path: Path
) -> None:
    red = picture(tmp_path, square("red", 5, 8))
    alone = translator.translate(red, [""], [7])
    assert (alone == translator.translate(red, [""], [7])).all()
    among = translator.translate(np.concatenate([255 - red, red]), ["", ""], [1, 7])
    assert near(alone[0], among[1])
    assert far(alone, translator.translate(255 - red, [""], [7]))


def test_a_text_and_guidance_make_a_difference(translator: Translator, tmp_path: Path) -> None:
    grey = picture(tmp_path, encoded(Image.new("RGB", (32, 32), "grey"), "PNG"))
    plain = translator.translate(grey, [""], [7])
    assert far(plain, translator.translate(grey, ["a red square"], [7]))
    assert far(plain, translator.translate(grey, [""], [7], guidance=4))


@pytest.mark.parametrize("kind", ["photograph", "emoji", "noise", "one colour", "one pixel"])
def test_any_picture_has_another_half(translator: Translator, tmp_path: Path, kind: str) -> None:
    emoji = Image.new("RGBA", (31, 47))
    emoji.paste("orange", (3, 5, 20, 30))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    inputs = {
        "photograph": patchwork(3, (640, 213)),
        "emoji": emoji,
        "noise": Image.fromarray(noise),
        "one colour": Image.new("CMYK", (9, 9), (9, 200, 30, 4)).convert("RGB"),
        "one pixel": Image.new("1", (1, 1)),
    }
    drawn = translator.translate(picture(tmp_path, encoded(inputs[kind], "PNG")), [""], [0])
    assert drawn.shape == (1, 16, 16, 3)
    assert drawn.dtype == np.uint8


def test_a_strip_as_long_as_files_can_be_is_scaled_before_it_is_squared(tmp_path: Path) -> None:
    strip = Image.new("RGB", (40_000, 4), "navy")  # squared, it would be 5 GB
    shown = picture(tmp_path, encoded(strip, "PNG"))[0]
    assert (shown[7] == (0, 0, 128)).all() and (shown[[0, 15]] == 255).all()


def test_the_process_that_draws_for_people_draws_other_halves(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, out = tmp_path / "source-image", tmp_path / "out"
    given.write_bytes(encoded(patchwork(3, (40, 20)), "WEBP"))
    request = {"id": "1", "model": str(run / "model"), "out": str(out), "image": str(given)}
    request |= {"prompts": ["a red square", "a red square"], "seeds": [0, 7], "guidance": 1.5}
    lines = [request, {**request, "image": None}, {**request, "frames": 4}]
    replies = io.StringIO()
    monkeypatch.setattr(server.Inbox, "is_cancelled", lambda *_: False)  # its client waits
    server.serve(io.StringIO("".join(json.dumps(line) + "\n" for line in lines)), replies)
    ended = [json.loads(line) for line in replies.getvalue().splitlines()]
    drawn, bare, strip = (reply for reply in ended if "progress" not in reply)
    assert [each["seed"] for each in drawn["pictures"]] == [0, 7]
    mark = marks.of_bytes((out / "01.png").read_bytes())
    assert mark and mark.model_sha256 and mark.source_type == marks.GENERATED
    for refused in (bare, strip):
        assert "give it one" in refused["error"]


def test_a_folder_is_translated_file_by_file(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for colour in COLOURS:
        (images / f"{colour}.png").write_bytes(square(colour, 5, 8))
    (images / "red.txt").write_text("a red square\n")
    arguments = ["translate", str(run / "model"), "--images", str(images), "--out", str(out)]
    assert main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{c}.png" for c in COLOURS)
    assert "4 pictures in" in capsys.readouterr().out
    mark = marks.of_bytes((out / "red.png").read_bytes())
    assert mark and mark.model_sha256
    first = (out / "red.png").read_bytes()
    assert main([*arguments, "--seed", "1"]) == 0
    assert (out / "red.png").read_bytes() != first


def test_a_picture_that_cannot_be_read_keeps_no_other_from_being_drawn(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    arguments = ["translate", str(run / "model"), "--images", str(images), "--out", str(out)]
    assert main(arguments) == 1
    assert "holds no pictures" in capsys.readouterr().err
    (images / "red.png").write_bytes(square("red", 5, 8))
    (images / "cut.png").write_bytes(square("red", 5, 8)[:60])
    assert main(arguments) == 1
    assert "1 of 2 pictures were drawn; these cannot be read" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["red.png"]
    (images / "red.jpg").write_bytes(square("red", 5, 8))
    assert main(arguments) == 1
    assert "two pictures that are called red" in capsys.readouterr().err


def test_a_run_on_a_folder_of_pairs_needs_no_project(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for colour in COLOURS:
        for side, shown in (("a", colour), ("b", "black")):
            (tmp_path / "mine" / side).mkdir(parents=True, exist_ok=True)
            (tmp_path / "mine" / side / f"{colour}.png").write_bytes(square(shown, 4, 6))
    options = {"steps": 3}
    run = write_run(tmp_path / "run", tmp_path / "mine", cache, recipe="pairs", options=options)
    assert main(["fit", str(run)]) == 0
    assert "other_half" not in json.loads((run / "metrics.json").read_text())
    (tmp_path / "mine" / "b" / "red.png").unlink()
    shutil.rmtree(run)
    write_run(run, tmp_path / "mine", cache, recipe="pairs", options=options)
    assert main(["fit", str(run)]) == 1
    assert "without another half: a/red.png" in capsys.readouterr().err


def test_a_better_model_is_told_from_a_worse_one(
    run: Path, tmp_path: Path, pairs_folder: Path, cache: Path
) -> None:
    options = {"steps": 5}
    worse = write_run(tmp_path / "run", pairs_folder, cache, recipe="pairs", options=options)
    assert main(["fit", str(worse)]) == 0
    verdicts = {}
    for name, folder in (("better", run), ("worse", worse)):
        current = worse if name == "better" else run
        for against in (str(current / "model"), "-"):
            out = tmp_path / "verdict.json"
            snapshot = str(pairs_folder)
            command = ["compare", str(folder / "model"), against, snapshot, "--out", str(out)]
            assert main(command) == 0
            verdicts[name, against == "-"] = json.loads(out.read_text())["promoted"]
    assert verdicts["better", False]
    assert verdicts["better", True]
    assert not verdicts["worse", False]


def test_a_handful_of_held_out_pairs_decides_nothing(
    run: Path, pairs_folder: Path, cache: Path
) -> None:
    snapshot = of_pairs(read_snapshot(pairs_folder))
    few = replace(snapshot, test=snapshot.test[: translators.FEWEST - 1])
    with pytest.raises(TrainingError, match="of these pairs 9 are held out"):
        translators.judge(run / "model", None, few, cache)
    enough = replace(snapshot, test=snapshot.test[: translators.FEWEST])
    assert translators.judge(run / "model", None, enough, cache)


@pytest.mark.parametrize("damage", ["missing", "cut", "another", "config"])
def test_a_damaged_model_is_refused_by_name(run: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(run / "model", folder)
    weights = folder / "model.safetensors"
    about = json.loads((folder / "config.json").read_text())
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "another":
        network = about["network"] | {"width": 32}
        (folder / "config.json").write_text(json.dumps(about | {"network": network}))
    else:
        (folder / "config.json").write_text(json.dumps(about | {"network": {"size": "huge"}}))
    with pytest.raises(TrainingError, match=str(folder)):
        load_translator(folder)


def test_a_model_of_pairs_and_a_generator_are_not_mistaken_for_each_other(
    run: Path, drawn: Path
) -> None:
    with pytest.raises(TrainingError, match="cannot draw from a text: give it pictures"):
        load_generator(run / "model")
    with pytest.raises(TrainingError, match="one of the recipe pairs"):
        load_translator(drawn / "model")


@pytest.mark.parametrize("recipe", ["diffusion", "pairs"])
def test_a_snapshot_without_what_a_recipe_learns_from_is_refused(
    recipe: str,
    pairs_folder: Path,
    snapshot_folder: Path,
    tmp_path: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = pairs_folder if recipe == "diffusion" else snapshot_folder
    run = write_run(tmp_path / "run", folder, cache, recipe=recipe)
    assert main(["fit", str(run)]) == 1
    expected = "holds pairs alone" if recipe == "diffusion" else "holds no pairs"
    assert expected in capsys.readouterr().err


def test_both_halves_are_warped_alike_and_many_pairs_need_no_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 256, (3, 1, 16, 16, 3), np.uint8)
    halves = np.concatenate([one, 255 - one], 1)
    pairs = warps.with_warped(halves, 2, seed=0)
    assert (pairs[:3] == halves).all() and len(pairs) == 9
    first, second = pairs[3:, 0].astype(int), pairs[3:, 1].astype(int)
    assert np.abs(first + second - 255).max() <= 1, "each is still the other's negative"
    assert far(first[:3].astype(np.uint8), one[:, 0])
    assert (pairs == warps.with_warped(halves, 2, seed=0)).all()
    monkeypatch.setattr(warps, "PAIRS_MAX", 5)
    assert (warps.with_warped(halves, 2, seed=0) == halves).all()
