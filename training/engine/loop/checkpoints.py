"""Checkpoints of a run: files that are whole or absent, and hold finite numbers only."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.engine.files import TrainingError, write_tensors
from training.engine.version import READABLE, RUN_FORMAT, code_version

KEEP = 2
NAME = re.compile(r"\d{1,12}\.safetensors")


class BrokenCheckpointError(Exception):
    """A file that is not a whole checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after ``step`` steps.

    ``tensors`` holds the network's weights, their average and the optimisers' moments; ``code`` is
    the version of the code that wrote it.
    """

    tensors: dict[str, Tensor]
    step: int
    elapsed: float  # seconds of training
    parts: int  # that a batch is cut into, for want of a GPU's memory
    code: str = field(default_factory=code_version)

    @property
    def unreadable(self) -> TrainingError:
        """Return what to say where this code cannot go on from it."""
        return unreadable(self.step, self.code)

    def check_finite(self) -> None:
        """Raise ``TrainingError`` where a tensor holds NaN or infinity."""
        if name := first_non_finite(self.tensors):
            raise TrainingError(
                f"The weights are no longer numbers at step {self.step} ({name}) and are not "
                "saved: lower the option learning_rate. The checkpoints before are kept."
            )


def unreadable(step: object, code: str) -> TrainingError:
    """Return what to say of a checkpoint that does not fit this code, or this run's config."""
    if code == code_version():
        return TrainingError(
            f"The checkpoint of step {step} does not fit this run's config: "
            "delete the folder checkpoints to start afresh."
        )
    return TrainingError(
        f"The checkpoint of step {step} was written by version {code} of the program, and version "
        f"{code_version()} cannot read it: have a worker with that version go on with the run, or "
        "start another run. The checkpoint is kept."
    )


def first_non_finite(tensors: dict[str, Tensor]) -> str | None:
    """Return the name of a tensor that holds NaN or infinity, or None."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            return name
    return None


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; raise ``TrainingError`` where it holds NaN or infinity."""
    checkpoint.check_finite()
    state: dict[str, object] = {
        "step": checkpoint.step,
        "elapsed": checkpoint.elapsed,
        "parts": checkpoint.parts,
    }
    state |= {"format": RUN_FORMAT, "code": checkpoint.code}
    write_tensors(path, checkpoint.tensors, {"state": json.dumps(state)})


def read(path: Path) -> Checkpoint:
    """Read a checkpoint; raise ``BrokenCheckpointError`` where it is not whole and finite.

    Raises ``TrainingError`` where other code has written it in a format that this does not know.
    """
    try:
        with safe_open(path, "pt") as file:
            state = json.loads(file.metadata()["state"])
            if state["format"] not in READABLE:
                raise unreadable(state["step"], str(state["code"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        step, elapsed, parts = int(state["step"]), float(state["elapsed"]), int(state["parts"])
        code = str(state["code"])
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, OSError):
        raise BrokenCheckpointError(f"The checkpoint {path} is broken.") from None
    if first_non_finite(tensors):
        raise BrokenCheckpointError(f"The checkpoint {path} holds what is no number.")
    return Checkpoint(tensors, max(0, step), max(0.0, elapsed), max(1, parts), code)


def paths(run: Path) -> list[Path]:
    """Return a run's checkpoints, oldest first."""
    files = (run / "checkpoints").glob("*.safetensors")
    return sorted((p for p in files if NAME.fullmatch(p.name)), key=lambda p: int(p.stem))


def save(run: Path, checkpoint: Checkpoint) -> None:
    """Write a run's next checkpoint and delete all but the last ``KEEP``."""
    write(run / "checkpoints" / f"{checkpoint.step:06}.safetensors", checkpoint)
    for path in paths(run)[:-KEEP]:
        path.unlink()


def latest(run: Path) -> Checkpoint | None:
    """Return a run's last whole checkpoint; pass over broken ones with a note."""
    for path in reversed(paths(run)):
        try:
            return read(path)
        except BrokenCheckpointError as error:
            print(f"note: {error} It is passed over.", file=sys.stderr)
    return None
