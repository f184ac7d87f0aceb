"""The loop around a recipe, and its checkpoints: the same for every recipe."""

import hashlib
import json
import math
import time
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from training.ema import PowerEMA
from training.files import TrainingError, write_tensors


class Settings(Protocol):
    """What the loop asks of a recipe's config."""

    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warmup(self) -> int: ...
    @property
    def weight_decay(self) -> float: ...


class Trainee(Protocol):
    """What the loop trains: a network and the loss of a batch that it draws itself."""

    @property
    def network(self) -> nn.Module: ...
    def loss(self) -> Tensor: ...


class Loop:
    """One step at a time. Randomness is a function of (seed, step), so nothing of it is saved.

    Without ``time_limit`` (seconds of training) a run that resumes equals one that never
    stopped. With it, the learning rate decays with whichever is used up first, steps or time.
    """

    def __init__(
        self, trainee: Trainee, settings: Settings, seed: int, time_limit: float | None = None
    ) -> None:
        self.trainee = trainee
        self.settings = settings
        self.seed = seed
        self.time_limit = time_limit
        self.step = 0
        self.elapsed = 0.0
        self.ema = PowerEMA(trainee.network)
        self.parameters = [p for p in trainee.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=settings.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    @property
    def progress(self) -> float:
        """The share done, of the steps or of the time."""
        share = self.step / self.settings.steps
        return max(share, self.elapsed / self.time_limit) if self.time_limit else share

    @property
    def finished(self) -> bool:
        return self.progress >= 1

    @property
    def seconds_left(self) -> float | None:
        return self.elapsed / self.progress - self.elapsed if self.step and self.elapsed else None

    def advance(self) -> float:
        """One step; the loss, or a ``TrainingError`` where it is no longer a number."""
        start = time.monotonic()
        torch.manual_seed(mixed(self.seed, self.step))
        self.trainee.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._schedule()
        loss = self.trainee.loss()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss is no longer a number at step {self.step + 1}: "
                "lower the option learning_rate."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.step += 1
        self.ema.update(self.trainee.network, self.step)
        self.elapsed += time.monotonic() - start
        return value

    def _schedule(self) -> float:
        """Warm-up, flat to 60 %, then linear decay."""
        warm = min(1.0, (self.step + 1) / max(1, self.settings.warmup))
        return warm * min(1.0, max(0.0, (1 - self.progress) / 0.4))

    def save(self, path: Path) -> None:
        """One file with everything that ``load`` needs, whole or not at all."""
        tensors = {f"network.{k}": v for k, v in self.trainee.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
        clock = json.dumps({"step": self.step, "elapsed": self.elapsed, "seed": self.seed})
        write_tensors(path, tensors, {"state": clock})

    def load(self, path: Path) -> None:
        """Continue from ``path``; raises ``TrainingError`` where it is of another network."""
        try:
            with safe_open(path, "pt") as file:
                state = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self._restore(tensors)
            self.step, self.elapsed = int(state["step"]), float(state["elapsed"])
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError):
            raise TrainingError(
                f"The checkpoint {path} does not fit this run's config: "
                "delete the folder checkpoints to start afresh."
            ) from None

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        self.trainee.network.load_state_dict(_under("network.", tensors))
        self.ema.network.load_state_dict(_under("ema.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer.", tensors).items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def mixed(seed: int, step: int) -> int:
    """32 bits, all that torch's generator heeds, that differ for another seed or step."""
    return int.from_bytes(hashlib.sha256(f"{seed} {step}".encode()).digest()[:4], "big")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
