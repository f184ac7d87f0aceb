"""Log a run where its owner looks at runs: in TensorBoard, Weights & Biases or MLflow.

One callback gets all of it, `Tracking`; which library is behind it is a setting. The libraries are
imported only when they are asked for. A tracker that fails is left behind with a note: no training
is lost for want of its log.
"""

import io
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from PIL import Image

from training.engine import progress
from training.engine.files import TrainingError, write_json

PROJECT = "tessera"  # of runs in Weights & Biases and in MLflow, unless their own settings say
SAMPLES = "samples"  # the name of the grids
RUN_ID = "tracker.json"  # in a run's folder: by which it is gone on with


class Tracker(Protocol):
    """A place where runs are logged."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Log values of a step by their names."""

    def picture(self, step: int, png: bytes) -> None:
        """Log a grid of samples."""

    def close(self) -> None:
        """Send what is still held, and end."""


class Tracking:
    """The callback of a run: it holds a tracker as long as that works, or none.

    Its methods may be called from several threads.
    """

    def __init__(self, name: str | None, folder: Path, about: Mapping[str, Any]) -> None:
        """Open the tracker of that name for a run's folder; ``about`` holds the run's settings.

        Raises ``TrainingError`` for a name that is none, and where its package is missing.
        """
        self._name, self._lock = name, threading.Lock()
        self._tracker: Tracker | None = None
        if name is not None:
            opening = _opening(name)
            with self._leaving_behind():
                self._tracker = opening(folder, about)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._call(lambda tracker: tracker.close())
        self._tracker = None

    def numbers(self, step: int, values: Mapping[str, Any]) -> None:
        """Log those of the values that are finite numbers."""
        finite = {k: float(v) for k, v in values.items() if _is_finite(v)}
        if finite:
            self._call(lambda tracker: tracker.numbers(step, finite))

    def picture(self, step: int, png: bytes) -> None:
        """Log a grid of samples, a PNG."""
        self._call(lambda tracker: tracker.picture(step, png))

    def _call(self, call: Callable[[Tracker], None]) -> None:
        with self._lock:
            if self._tracker is not None:
                with self._leaving_behind():
                    call(self._tracker)

    @contextmanager
    def _leaving_behind(self) -> Iterator[None]:
        """Log nothing more once the block raises anything."""
        try:
            yield
        except Exception as error:
            self._tracker = None
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            print(
                f"note: {self._name} logs nothing of this run any more: {reason}", file=sys.stderr
            )


class TensorBoard:
    """Event files in the run's folder: ``tensorboard --logdir`` reads them."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("config", f"```json\n{json.dumps(about, indent=1)}\n```")

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, png: bytes) -> None:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        self._writer.add_image(SAMPLES, pixels, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, by its own settings: WANDB_API_KEY, WANDB_MODE, WANDB_PROJECT."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._library = import_module("wandb")
        quiet = self._library.Settings(console="off", silent=True, disable_git=True)
        self._run = self._library.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=_kept_id(folder, "wandb"),
            resume="allow",
            name=str(about["name"]),
            dir=str(folder),
            config=dict(about),
            save_code=False,
            settings=quiet,
        )
        write_json(folder / RUN_ID, {"wandb": str(self._run.id)})
        self._run.define_metric("*", step_metric="step")

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def picture(self, step: int, png: bytes) -> None:
        image = self._library.Image(Image.open(io.BytesIO(png)))
        self._run.log({"step": step, SAMPLES: image})

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of MLflow, by its own settings: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME.

    Without an address it is kept in the run's folder: ``mlflow ui --backend-store-uri`` shows it.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        own = os.environ.get("MLFLOW_TRACKING_URI")
        address = own or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        self._artifacts = None if own else (folder / "mlruns").resolve().as_uri()
        self._client = import_module("mlflow").MlflowClient(tracking_uri=address)
        self._run = self._earlier(folder) or self._new(folder, about)

    def _earlier(self, folder: Path) -> str | None:
        """Return the run that an earlier start of this one began, where it is still known."""
        run = _kept_id(folder, "mlflow")
        if run is not None:
            with suppress(Exception):  # it was deleted, or is of another server
                self._client.update_run(run, status="RUNNING")
                return run
        return None

    def _new(self, folder: Path, about: Mapping[str, Any]) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        known = self._client.get_experiment_by_name(name)
        experiment = (
            known.experiment_id
            if known
            else self._client.create_experiment(name, artifact_location=self._artifacts)
        )
        run = str(self._client.create_run(experiment, run_name=str(about["name"])).info.run_id)
        for key, value in about.items():
            self._client.log_param(run, key, value)
        write_json(folder / RUN_ID, {"mlflow": run})
        return run

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():  # "@" is none of MLflow's letters, "/" makes folders
            self._client.log_metric(self._run, name.replace("@", "."), value, step=step)

    def picture(self, step: int, png: bytes) -> None:
        image = Image.open(io.BytesIO(png))
        self._client.log_image(self._run, image, f"{SAMPLES}/{step:06}.png")

    def close(self) -> None:
        self._client.set_terminated(self._run)


Opening = Callable[[Path, Mapping[str, Any]], Tracker]

TRACKERS: dict[str, Opening] = {  # by the names of their packages
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


def _opening(name: str) -> Opening:
    if name not in TRACKERS:
        raise TrainingError(f"There is no tracker {name!r}: choose from {', '.join(TRACKERS)}.")
    try:
        import_module(name)
    except ImportError:
        raise TrainingError(
            f"The tracker {name} needs the package {name}, which is not installed: "
            f"pip install {name}"
        ) from None
    return TRACKERS[name]


def _kept_id(folder: Path, library: str) -> str | None:
    """Return the id by which a library knows a run that was started before."""
    kept = progress.read_json(folder / RUN_ID)
    value = kept.get(library) if isinstance(kept, dict) else None
    return value if isinstance(value, str) else None


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
