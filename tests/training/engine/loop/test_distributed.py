"""Runs as several processes, started by torchrun or by hand, on one machine or on several."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.engine.conftest import RunMaker
from tests.training.engine.forks import fork, run_command, wait
from tests.training.engine.loop.test_loop import CONFIG, Line
from tests.training.engine.runs import LONG, ROOT, write_run
from training.engine.files import TrainingError
from training.engine.loop import distributed
from training.engine.loop.loop import Loop
from training.engine.ranks import rank


def torchrun(*arguments: str) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    ended = subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def two_machines() -> list[dict[str, str]]:
    """Return the environments of two processes that find each other at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    return [shared | {"RANK": str(rank)} for rank in range(2)]


def duel(folder: Path, environment: dict[str, str]) -> None:
    """Train a line for three steps, one of the two from other weights, and write what came of it.

    Runs in a process of its own.
    """
    os.environ.update(environment)
    distributed.join()
    line = Line()
    if rank():
        line.network.weight.data.fill_(9.0)
    loop = Loop(line, CONFIG, seed=0)
    loop.share()
    loop.divide()
    for _ in range(3):
        loop.advance()
    weights = [p.item() for p in line.network.parameters()]
    results = {"counts": line.counts, "weights": weights, "loss": loop.loss}
    (folder / f"{rank()}.json").write_text(json.dumps(results))
    distributed.leave_together()


def test_processes_see_different_pictures_and_keep_the_same_weights(tmp_path: Path) -> None:
    processes = [fork(duel, tmp_path, environment) for environment in two_machines()]
    assert [wait(process) for process in processes] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["weights"] == second["weights"]
    assert first["counts"] == second["counts"] == [5, 5, 5]
    assert first["loss"] != second["loss"]  # of their own halves of the batch


def test_two_processes_make_one_model(make_run: RunMaker) -> None:
    folder = make_run()
    torchrun("-m", "training", "fit", str(folder))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == 60
    assert (folder / "model" / "config.json").exists()
    lines = (folder / "progress.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert list(dict.fromkeys(stages)) == ["prepare", "train", "evaluate", "done"]


OTHERS = "error: Another process of this run has failed: see its own error."


def fit_on_two_machines(*folders: Path) -> list[tuple[int | None, str]]:
    """Fit one run by two processes with a folder each; the status and last line of each."""
    errors = [folder / "errors.txt" for folder in folders]
    processes = [
        fork(run_command, ["fit", str(folder)], environment, path)
        for folder, environment, path in zip(folders, two_machines(), errors, strict=True)
    ]
    statuses = [wait(process) for process in processes]
    lines = [(path.read_text().splitlines() or [""])[-1] for path in errors]
    return list(zip(statuses, lines, strict=True))


class Machines:
    """Run folders of one run on two machines."""

    def __init__(self, folder: Path, snapshot: Path, cache: Path) -> None:
        self.folder, self.snapshot, self.cache = folder, snapshot, cache

    def run(self, name: str, **changes: object) -> Path:
        return write_run(self.folder / name, self.snapshot, self.cache, **changes)


@pytest.fixture
def machines(tmp_path: Path, snapshot_folder: Path, cache: Path) -> Machines:
    return Machines(tmp_path, snapshot_folder, cache)


@pytest.mark.parametrize("broken", [0, 1])
def test_where_one_process_cannot_begin_both_end_with_an_error(
    machines: Machines, broken: int
) -> None:
    folders = [machines.run("whole"), machines.run("whole-too")]
    folders[broken] = machines.run("broken", snapshot="/nowhere")
    ended = fit_on_two_machines(*folders)
    assert all(status for status, _ in ended)  # gloo may abort where its peer hangs up
    assert "/nowhere" in ended[broken][1]
    assert OTHERS in ended[1 - broken][1]


def test_where_a_checkpoint_cannot_be_saved_both_end_with_an_error(machines: Machines) -> None:
    first, second = machines.run("first"), machines.run("second")
    (first / "checkpoints").write_text("in the way")
    ended = fit_on_two_machines(first, second)
    assert all(status for status, _ in ended)  # gloo may abort where its peer hangs up
    assert "checkpoints" in ended[0][1]
    assert OTHERS in ended[1][1]


def test_processes_resume_together_where_one_machine_has_the_checkpoints(
    machines: Machines, drawn: Path
) -> None:
    first, second = machines.run("first", options=LONG), machines.run("second", options=LONG)
    (first / "checkpoints").mkdir()
    checkpoint = Path("checkpoints", "000350.safetensors")
    (first / checkpoint).write_bytes((drawn / checkpoint).read_bytes())
    assert fit_on_two_machines(first, second) == [(0, ""), (0, "")]
    lines = (first / "progress.jsonl").read_text().splitlines()
    trained = [line["step"] for line in map(json.loads, lines) if line["stage"] == "train"]
    assert trained[0] == 350
    assert json.loads((first / "metrics.json").read_text())["steps"] == 400
    assert not (second / "model").exists()
    assert fit_on_two_machines(first, second) == [(0, ""), (0, "")]  # it is finished


def test_processes_with_different_settings_are_refused(machines: Machines) -> None:
    ended = fit_on_two_machines(machines.run("first"), machines.run("second", seed=1))
    assert all(status for status, _ in ended)  # gloo may abort where its peer hangs up
    assert "give all processes the same" in ended[1][1]


def test_a_backend_that_fails_without_a_word_is_still_told_in_one_sentence() -> None:
    failed = pytest.raises(TrainingError, match="Another process of this run has failed")
    with failed, distributed._peers():
        raise RuntimeError
