"""Runs as processes: finished, killed, stopped, refused."""

import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.engine.conftest import RunMaker
from tests.training.engine.forks import ForkServerProcess, fork, run_command, wait
from tests.training.engine.runs import LONG
from tests.waiting import wait_until
from training.__main__ import main
from training.engine import progress
from training.engine.loop.stop import TEMPORARY


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def start(folder: Path) -> ForkServerProcess:
    """Start to fit in a process of its own, and wait for its first checkpoint."""
    process = fork(run_command, ["fit", str(folder)], {}, folder / "errors.txt")
    wait_until(lambda: list(folder.glob("checkpoints/0*.safetensors")))
    return process


def test_a_diffusion_run_ends_with_a_model_metrics_and_grids(drawn: Path) -> None:
    assert [line["stage"] for line in lines(drawn)][-1] == "done"
    assert lines(drawn)[-1]["step"] == LONG["steps"]
    metrics = json.loads((drawn / "metrics.json").read_text())
    assert metrics["steps"] == LONG["steps"]
    assert {"nearest_train", "near_copies"} <= metrics.keys()
    prompts = json.loads((drawn / "prompts.json").read_text())
    with Image.open(drawn / "samples" / "000400.png") as grid:
        assert grid.size == (2 * 16, len(prompts) * 16)
    about = json.loads((drawn / "model" / "config.json").read_text())
    assert about["recipe"] == "diffusion"
    assert about["prompts"] == prompts
    assert "a red square" in (drawn / "report.html").read_text()


def test_a_clip_run_ends_with_a_model_and_metrics(contrasted: Path) -> None:
    assert lines(contrasted)[-1]["stage"] == "done"
    metrics = json.loads((contrasted / "metrics.json").read_text())
    assert metrics["recall@10_chance"] == pytest.approx(10 / 16)
    assert (contrasted / "model" / "calibration.safetensors").exists()


def test_progress_tells_the_stages_in_order(drawn: Path) -> None:
    stages = [line["stage"] for line in lines(drawn)]
    assert list(dict.fromkeys(stages)) == ["prepare", "train", "one call", "evaluate", "done"]
    times = [line["time"] for line in lines(drawn)]
    assert max(b - a for a, b in pairwise(times)) < 10


def test_old_checkpoints_are_pruned(drawn: Path) -> None:
    kept = sorted(path.name for path in (drawn / "checkpoints").iterdir())
    assert kept == ["000350.safetensors", "000400.safetensors"]


def test_a_killed_run_goes_on_and_ends_as_if_it_had_never_stopped(
    drawn: Path, make_run: RunMaker
) -> None:
    folder = make_run(options=LONG)
    process = start(folder)
    process.kill()
    assert wait(process) == -signal.SIGKILL
    assert not (folder / "metrics.json").exists()
    assert main(["fit", str(folder)]) == 0
    for name in ("model/model.safetensors", "samples/000200.png", "samples/000400.png"):
        assert (folder / name).read_bytes() == (drawn / name).read_bytes()


def test_a_resumed_run_shows_no_grids_of_steps_that_it_has_not_made(
    drawn: Path, make_run: RunMaker
) -> None:
    folder = make_run(options=LONG)
    for name in ("checkpoints/000350.safetensors", "samples/000200.png", "samples/000400.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((drawn / name).read_bytes())
    (folder / "samples" / "000412.png").write_bytes(b"of a machine that was faster")
    assert main(["fit", str(folder)]) == 0
    assert progress.samples(folder) == ["000200.png", "000400.png"]


def test_a_stopped_run_leaves_a_checkpoint_and_says_so_by_its_status(make_run: RunMaker) -> None:
    folder = make_run(options={"steps": 100_000, "checkpoint_steps": 100, "grid_steps": 0})
    process = start(folder)
    process.terminate()
    assert wait(process) == 143
    last = max(int(path.stem) for path in (folder / "checkpoints").iterdir())
    assert last == lines(folder)[-1]["step"]


def test_a_finished_run_is_left_alone(drawn: Path) -> None:
    before = (drawn / "progress.jsonl").read_bytes()
    assert main(["fit", str(drawn)]) == 0
    assert (drawn / "progress.jsonl").read_bytes() == before


def test_a_time_limit_ends_the_training_early(make_run: RunMaker) -> None:
    options = {"steps": 1_000_000, "grid_steps": 0}
    folder = make_run(options=options, time_limit=0.5)
    assert main(["fit", str(folder)]) == 0
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] < 1_000_000
    assert metrics["training_seconds"] < 2


def test_a_run_that_is_being_fitted_is_not_fitted_twice(
    make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    folder = make_run()
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["fit", str(folder)]) == TEMPORARY
    assert "Another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "alchemy"}, "no recipe 'alchemy'"),
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"options": {"stepz": 3}}, "no option 'stepz'"),
        ({"options": {"steps": "many"}}, "steps must be a whole number"),
        ({"options": {"steps": 0}}, "steps must be"),
        ({"options": {"sampler": "magic"}}, "sampler"),
        ({"seed": -1}, "seed must be"),
        ({"seed": "x"}, "seed has a wrong value"),
        ({"snapshot": "/nowhere"}, "/nowhere"),
        ({"snapshot": None}, "snapshot is missing"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"time_limit": 10**400}, "time_limit must be"),
        ({"options": {"beta1": 10**400}}, "beta1 must be a number"),
        ({"options": {"prompts": ["\ud800"]}}, "prompts must be a list of texts"),
        ({"snapshot": "\0"}, "snapshot has a wrong value"),
        ({"init": "\ud800"}, "init has a wrong value"),
        ({"threads": 0}, "threads must be"),
        ({"surprise": 1}, "surprise is not known"),
        ({"init": "/nowhere"}, "/nowhere"),
        ({"clip_model": "NoSuchCLIP"}, "NoSuchCLIP"),
        ({"options": {"learning_rate": 1e30}}, "no longer a number"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(
    make_run: RunMaker, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    assert main(["fit", str(make_run(**changes))]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last
    assert last.startswith("error: ")


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00\xff", '{"recipe": 3}'])
def test_a_config_broken_by_hand_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    assert main(["fit", str(tmp_path)]) == 1
    assert "config.json" in capsys.readouterr().err


def test_a_folder_without_a_config_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(tmp_path / "nothing")]) == 1
    assert "config.json is missing" in capsys.readouterr().err


def test_a_checkpoint_of_another_shape_is_refused(
    drawn: Path, make_run: RunMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(options={"width": 32})
    (folder / "checkpoints").mkdir()
    checkpoint = (drawn / "checkpoints" / "000350.safetensors").read_bytes()
    (folder / "checkpoints" / "000005.safetensors").write_bytes(checkpoint)
    assert main(["fit", str(folder)]) == 1
    assert "does not fit this run's config" in capsys.readouterr().err
