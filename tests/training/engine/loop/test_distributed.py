"""Runs as several processes, started by torchrun or by hand, on one machine or on several."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
from torch.distributed.launcher.api import LaunchConfig
from torch.nn.functional import cross_entropy

from tests.processes import listening
from tests.training.engine.conftest import RunMaker
from tests.training.engine.forks import fork, run_command, wait
from tests.training.engine.loop.test_loop import CONFIG, Line
from tests.training.engine.runs import LONG, write_run
from tests.waiting import wait_until
from training.engine import progress
from training.engine.files import PeerError, TrainingError
from training.engine.loop import checkpoints, distributed
from training.engine.loop.launch import _status, launch
from training.engine.loop.loop import Loop
from training.engine.loop.stop import PEER_FAILED, STOPPED
from training.engine.ranks import gathered, rank, size
from training.engine.recipes.base import Config


def two_machines() -> list[dict[str, str]]:
    """Return the environments of two processes that find each other at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    return [shared | {"RANK": str(rank)} for rank in range(2)]


class Meeting(Line):
    """Each number is to meet its own triple among those of all processes."""

    def loss(self, x: Tensor) -> Tensor:
        self.counts.append(len(x))
        logits = gathered(self.network(x)) @ gathered(3 * x).T
        return cross_entropy(logits, torch.arange(len(logits)))


KINDS: dict[str, tuple[type[Line], Config]] = {
    "ddp": (Line, CONFIG),
    "ddp, contrast": (Meeting, CONFIG),
    "fsdp": (Line, replace(CONFIG, parallel="fsdp")),
    "fsdp, contrast": (Meeting, replace(CONFIG, parallel="fsdp")),
}


def steps(kind: str, folder: Path) -> Loop:
    """Make three steps after a fourth that a checkpoint keeps; write one more at the end."""
    training, config = KINDS[kind]
    line = training()
    if rank():
        line.network.weight.data.fill_(9.0)
    loop = Loop(line, config, seed=0)
    if not rank():
        loop.load(folder / "before.safetensors")
    loop.share()
    loop.divide()
    for _ in range(3):
        loop.advance()
    state = loop.state()
    if not rank():
        checkpoints.write(folder / f"after-{size()}.safetensors", state)
    return loop


def join_steps(kind: str, folder: Path, environment: dict[str, str]) -> None:
    """Make the steps as one of two processes, and write what this one saw of it."""
    os.environ.update(environment)
    distributed.join()
    loop = steps(kind, folder)
    assert isinstance(loop.training, Line)
    results = {"counts": loop.training.counts, "loss": loop.loss, "step": loop.step}
    (folder / f"{rank()}.json").write_text(json.dumps(results))
    distributed.leave_together()


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_make_the_steps_of_one_from_halves_of_its_batches(
    tmp_path: Path, kind: str
) -> None:
    before = Loop(KINDS[kind][0](), CONFIG, seed=0)
    before.advance()
    before.save(tmp_path / "before.safetensors")
    processes = [fork(join_steps, kind, tmp_path, environment) for environment in two_machines()]
    assert [wait(process) for process in processes] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    trial = [5] if kind.startswith("ddp") else []  # whether memory holds it
    assert first["counts"] == second["counts"] == [*trial, 5, 5, 5]
    assert first["loss"] == second["loss"]

    alone = steps(kind, tmp_path)
    assert first["loss"] == pytest.approx(alone.loss, rel=1e-5)
    one, two = (checkpoints.read(tmp_path / f"after-{number}.safetensors") for number in (1, 2))
    assert one.step == two.step == 4
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(two.tensors[name], tensor, rtol=1e-5, atol=1e-6)


def test_two_processes_make_one_model(make_run: RunMaker) -> None:
    folder = make_run()
    errors = folder / "errors.txt"
    starter = fork(run_command, ["fit", str(folder), "--processes", "2"], {}, errors)
    progress_file = folder / "progress.jsonl"
    wait_until(lambda: progress_file.exists() or not starter.is_alive())
    reached_at = listening(starter.pid or 0)
    assert wait(starter, limit=300) == 0, errors.read_text()
    assert reached_at == {"127.0.0.1"}, "nobody beyond this machine reaches it"
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
    with failed, distributed.peers(anything=True):
        raise RuntimeError


def test_a_signal_to_one_process_stops_all_at_the_same_step(machines: Machines) -> None:
    folders = [machines.run("first", options=LONG), machines.run("second", options=LONG)]
    processes = [
        fork(run_command, ["fit", str(folder)], environment, folder / "errors.txt")
        for folder, environment in zip(folders, two_machines(), strict=True)
    ]
    while not progress.latest(folders[0]).get("step"):
        time.sleep(0.02)
    assert processes[1].pid
    os.kill(processes[1].pid, signal.SIGTERM)
    assert [wait(process) for process in processes] == [STOPPED, STOPPED]
    (*_, last) = checkpoints.paths(folders[0])
    assert checkpoints.read(last).step == progress.latest(folders[0])["step"] < 400


def failure(rank: int, exitcode: int, words: Path, said: Exception | None = None) -> ProcessFailure:
    """Return what torchrun knows of a process that failed, and perhaps said why."""
    path = words / str(rank) / "error.json"
    path.parent.mkdir()
    if said:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(distributed.ERROR_FILE, str(path))
            distributed.record(said)
    return ProcessFailure(rank, 1000 + rank, exitcode, str(path))


def test_the_sentence_of_the_one_that_cannot_go_on_outlives_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = [
        failure(0, PEER_FAILED, tmp_path, PeerError("Connection reset by peer")),
        failure(1, 1, tmp_path, TrainingError("The picture 7.png cannot be read.")),
        failure(2, STOPPED, tmp_path),
    ]
    assert _status(failures, tmp_path) == 1
    assert capsys.readouterr().err == "error: The picture 7.png cannot be read.\n"


def test_a_process_that_a_signal_ended_ends_its_starter_by_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    failures = [failure(0, PEER_FAILED, tmp_path), failure(1, -signal.SIGKILL, tmp_path)]
    _status(failures, tmp_path)
    assert sent == [signal.SIGKILL]


def test_no_more_processes_are_started_than_there_are_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[int] = []

    def elastic_launch(config: LaunchConfig, command: str) -> Callable[..., None]:
        started.append(config.nproc_per_node)
        return lambda *arguments: None

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("training.engine.loop.launch.elastic_launch", elastic_launch)
    monkeypatch.setattr("logging.disable", lambda level: None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        assert launch(tmp_path, 8) == 0
    assert started == [2]
    assert "there are 2 GPUs here" in capsys.readouterr().out
