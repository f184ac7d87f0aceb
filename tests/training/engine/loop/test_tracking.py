"""One callback for every place where runs are logged; none of them costs a run."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.pictures import plain
from training.engine.files import TrainingError
from training.engine.loop.tracking import Tracking

ABOUT = {"name": "7", "recipe": "gan", "seed": 3}


class WandbRun(SimpleNamespace):
    """What `wandb.init` returns."""

    def define_metric(self, *names: str, **more: str) -> None:
        pass

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.logged.append("finished")


class Wandb(SimpleNamespace):
    """Stands for the module."""

    def __init__(self) -> None:
        super().__init__(started=[], run=WandbRun(id="abc", logged=[]), Image=lambda image: image)

    def Settings(self, **settings: Any) -> dict[str, Any]:  # noqa: N802 (wandb's name)
        return settings

    def init(self, **arguments: Any) -> WandbRun:
        self.started.append(arguments)
        return self.run


class MlflowClient:
    """Stands for MLflow's client, and keeps what it is told in a list."""

    calls: list[tuple[Any, ...]] = []

    def __init__(self, tracking_uri: str) -> None:
        self.calls.append(("at", tracking_uri))

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_run(self, experiment: str, run_name: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        self.calls.append((run, name, value, step))

    def log_image(self, run: str, image: Any, artifact_file: str) -> None:
        self.calls.append((run, artifact_file, image.size))

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **more: self.calls.append((name, *values))


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    module = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)  # type: ignore[arg-type]
    return module


def log(tracking: Tracking) -> None:
    with tracking:
        tracking.numbers(10, {"loss": 0.5, "kid@a": float("nan"), "kid@b": 0.1, "why": "because"})
        tracking.picture(10, plain())


def test_weights_and_biases_gets_the_run_and_goes_on_with_it(wandb: Wandb, tmp_path: Path) -> None:
    for _ in range(2):
        log(Tracking("wandb", tmp_path, ABOUT))
    first, second = wandb.started
    assert (first["id"], second["id"]) == (None, "abc")
    assert first["config"] == ABOUT and first["project"] == "tessera"
    numbers, picture, finished = wandb.run.logged[:3]
    assert numbers == {"step": 10, "loss": 0.5, "kid@b": 0.1}
    assert picture["step"] == 10 and picture["samples"].size == (32, 32)
    assert finished == "finished"


def test_mlflow_gets_the_run_and_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = SimpleNamespace(MlflowClient=MlflowClient)
    monkeypatch.setitem(sys.modules, "mlflow", module)  # type: ignore[arg-type]
    monkeypatch.setattr(MlflowClient, "calls", [])
    for _ in range(2):
        log(Tracking("mlflow", tmp_path, ABOUT))
    calls = MlflowClient.calls
    assert calls[0] == ("at", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert calls.count(("r1", "loss", 0.5, 10)) == calls.count(("r1", "kid.b", 0.1, 10)) == 2
    assert ("r1", "samples/000010.png", (32, 32)) in calls
    assert [call for call in calls if call[0] == "update_run"] == [("update_run", "r1")]
    assert calls[-1] == ("set_terminated", "r1")


def test_a_tracker_that_fails_is_left_behind(
    wandb: Wandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fail(values: dict[str, Any]) -> None:
        raise ConnectionError("The server has gone.")

    monkeypatch.setattr(wandb.run, "log", fail)
    log(Tracking("wandb", tmp_path, ABOUT))
    assert capsys.readouterr().err.count("The server has gone.") == 1
    monkeypatch.setattr(wandb, "init", fail)
    log(Tracking("wandb", tmp_path, ABOUT))


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TrainingError, match=f"pip install {name}"):
        Tracking(name, tmp_path, ABOUT)


def test_a_tracker_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no tracker 'comet'"):
        Tracking("comet", tmp_path, ABOUT)
    log(Tracking(None, tmp_path, ABOUT))
