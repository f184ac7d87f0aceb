"""Write ``progress.jsonl``, which ``training.engine.progress`` reads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from training.engine.files import append_line
from training.engine.loop.loop import Loop
from training.engine.loop.tracking import Tracking

INTERVAL = 0.7  # seconds between lines


class ProgressWriter:
    """Append a line of progress every ``INTERVAL`` seconds, from a thread."""

    def __init__(self, path: Path | None, steps: int, tracking: Tracking | None = None) -> None:
        """``path`` is None where another process writes; ``tracking`` gets what is written."""
        self.path, self.steps = path, steps
        self.tracking = tracking or Tracking(None, Path(), {})
        self.fields: dict[str, Any] = {
            "step": 0,
            "steps": steps,
            "loss": None,
            "images_per_second": None,
            "seconds_left": None,
            "stage": "prepare",
        }
        self._losses: list[float] = []
        self._phases: dict[str, float] = {}
        self._since = time.monotonic()
        self._begun = time.monotonic(), 0  # when, and at which step, what else is fitted began
        self._before: dict[str, Any] = {}  # what the next stage begins with
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write while the block runs."""
        self.write()
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def stage(self, name: str) -> None:
        """Begin a stage: prepare, autoencoder, train, one call, evaluate or done."""
        self._track()
        self.fields |= self._before | {"stage": name, "seconds_left": None}
        self._before = {}
        self.write()

    def start_training(self, loop: Loop) -> None:
        """Begin the stage train at the loop's step."""
        self._before = {"step": loop.step, "steps": self.steps, "images_per_second": None}
        self.stage("train")

    def fitting(self, stage: str, done: int, steps: int, batch: int) -> None:
        """Record a step of what is fitted before the network is trained, or after it."""
        if self.fields["stage"] != stage:
            self._begun, before = (time.monotonic(), done), dict(self.fields)
            self.stage(stage)
            self._before = before
        seconds, since = time.monotonic() - self._begun[0], done - self._begun[1]
        self.fields |= {"step": done, "steps": steps}
        if since:
            self.fields |= {
                "images_per_second": round(since * batch / seconds, 1),
                "seconds_left": (steps - done) * seconds / since,
            }

    def stepped(self, loop: Loop, loss: float) -> None:
        """Record a step; loss and speed are means since the last line."""
        if len(loop.losses) > 1:
            self._phases = {f"{name}_loss": value for name, value in loop.losses.items()}
        losses = self._losses  # the other thread may begin a new list at any moment
        losses.append(loss)
        seconds = max(time.monotonic() - self._since, 1e-6)
        self.fields |= {
            "step": loop.step,
            "loss": sum(losses) / len(losses),
            "seconds_left": loop.seconds_left,
        }
        if seconds > INTERVAL / 2 or self.fields["images_per_second"] is None:
            speed = len(losses) * loop.config.batch / seconds  # of few steps it says nothing
            self.fields["images_per_second"] = round(speed, 1)

    def write(self) -> None:
        if self.path:
            append_line(self.path, {"time": time.time(), **self.fields})
        self._track()

    def _track(self) -> None:
        """Tell the tracker of the steps since it was told last, and begin new means."""
        if self.fields["stage"] == "train" and self._losses:
            values = {name: self.fields[name] for name in ("loss", "images_per_second")}
            self.tracking.numbers(self.fields["step"], values | self._phases)
        self._losses, self._since = [], time.monotonic()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            with suppress(OSError):  # the main thread reports a full disk
                self.write()
