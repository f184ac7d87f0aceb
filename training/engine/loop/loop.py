"""The training loop, the same for every recipe."""

import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from training.engine.device import device
from training.engine.ema import PowerEMA
from training.engine.files import TrainingError, under
from training.engine.loop import checkpoints, distributed
from training.engine.loop.checkpoints import Checkpoint
from training.engine.recipes.base import Config, Phase, Training
from training.engine.seeds import seed_of

CHECK_INTERVAL = 10  # steps between checks of the loss on a GPU, which waits for each


class Loop:
    """Train one step at a time. Randomness is a function of (seed, step) and needs no saving.

    Without ``time_limit`` (seconds of training) a resumed run equals an uninterrupted one. With
    it, the learning rate decays with steps or time, whichever is used up first.
    """

    def __init__(
        self, training: Training, config: Config, seed: int, time_limit: float | None = None
    ) -> None:
        self.training = training
        self.config = config
        self.seed = seed
        self.time_limit = time_limit
        self.step = 0
        self.elapsed = 0.0
        self.parts = 1  # that a batch is cut into, for want of a GPU's memory
        self.check_interval = CHECK_INTERVAL if device().type == "cuda" else 1
        self.losses: dict[str, float] = {}  # of each phase, when last checked
        self.ema = PowerEMA(training.network)
        self.parameters = [_trainable(phase.module) for phase in training.phases]
        self.optimizers = [
            torch.optim.AdamW(
                parameters,
                lr=config.learning_rate,
                betas=(config.beta1, 0.99),
                weight_decay=config.weight_decay,
                fused=True,
            )
            for parameters in self.parameters
        ]
        self.bf16 = config.precision == "bf16" or (
            config.precision == "auto" and device().type == "cuda"
        )
        if config.compile and device().type == "cuda":
            for phase in training.phases:
                phase.module.compile()

    @property
    def progress(self) -> float:
        """The share done of the steps or the time, whichever is larger."""
        share = self.step / self.config.steps
        return max(share, self.elapsed / self.time_limit) if self.time_limit else share

    @property
    def finished(self) -> bool:
        return self.progress >= 1

    @property
    def seconds_left(self) -> float | None:
        return self.elapsed / self.progress - self.elapsed if self.step and self.elapsed else None

    @property
    def loss(self) -> float:
        """The sum of the phases' losses, when last checked."""
        return sum(self.losses.values())

    def advance(self) -> float:
        """Make one step and return the loss; raise ``TrainingError`` where it is no number.

        On a GPU the loss is checked at every ``check_interval``-th step only.
        """
        start = time.monotonic()
        self.training.network.train()
        for index in range(len(self.parameters)):
            self._step(index)
        self.step += 1
        self.ema.update(self.training.network, self.step)
        (self.elapsed,) = distributed.mean(self.elapsed + time.monotonic() - start)
        return self.loss

    def _step(self, index: int) -> None:
        """Make a phase's step; cut a batch that a GPU cannot hold in parts."""
        phase, optimizer = self.training.phases[index], self.optimizers[index]
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self._schedule()
        while True:
            torch.manual_seed(seed_of(self.seed, self.step, index, distributed.rank()))
            optimizer.zero_grad(set_to_none=True)
            try:
                loss = self._gradient(phase)
                break
            except torch.OutOfMemoryError:
                self._split_batch()
        distributed.average(parameter.grad for parameter in self.parameters[index])
        norm = nn.utils.clip_grad_norm_(self.parameters[index], 1.0)
        self._check_loss(phase.name, loss, norm)
        optimizer.step()

    def _gradient(self, phase: Phase) -> Tensor:
        """Accumulate the gradient of a batch's mean loss, part by part; return the loss."""
        count = max(1, self.config.batch // distributed.size())
        counts = [
            count * (i + 1) // self.parts - count * i // self.parts for i in range(self.parts)
        ]
        total = torch.zeros((), device=device())
        for part in counts:
            with torch.autocast(device().type, torch.bfloat16, enabled=self.bf16):
                loss = phase.loss(part) * (part / count)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _split_batch(self) -> None:
        if self.parts * 2 > max(1, self.config.batch // distributed.size()):
            raise TrainingError(
                "The GPU's memory does not even hold one picture at a time: "
                "choose a smaller preset, or end what else is running there."
            ) from None
        self.parts *= 2
        torch.cuda.empty_cache()
        print(
            f"note: the GPU's memory is full at step {self.step + 1}: "
            f"from here on a batch goes in {self.parts} parts.",
            file=sys.stderr,
        )

    def _check_loss(self, name: str, loss: Tensor, norm: Tensor) -> None:
        """Check loss and gradient before a step, which would spoil the weights."""
        if self.step % self.check_interval and name in self.losses:
            return
        value = float(loss)
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise TrainingError(
                f"The loss is no longer a number at step {self.step + 1}: "
                "lower the option learning_rate."
            )
        self.losses[name] = value

    def _schedule(self) -> float:
        """Return the learning rate's factor: warm-up, flat to 60 %, then linear decay to 0."""
        warm = min(1.0, (self.step + 1) / max(1, self.config.warmup))
        return warm * min(1.0, max(0.0, (1 - self.progress) / 0.4))

    def state(self) -> Checkpoint:
        """Return the network's weights, their average, the optimisers' moments and the step."""
        tensors = {f"network.{k}": v for k, v in self.training.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.network.state_dict().items()}
        for phase, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{phase}.{index}.{k}": v for k, v in state.items()}
        return Checkpoint(tensors, self.step, self.elapsed, self.parts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint; raise ``TrainingError`` where it is of another network."""
        try:
            self._load(checkpoint.tensors)
        except (RuntimeError, KeyError, ValueError):
            raise TrainingError(
                f"The checkpoint of step {checkpoint.step} does not fit this run's config: "
                "delete the folder checkpoints to start afresh."
            ) from None
        self.step, self.elapsed = checkpoint.step, checkpoint.elapsed
        self.parts = checkpoint.parts

    def save(self, path: Path) -> None:
        """Write a checkpoint; raise ``TrainingError`` where a weight is no number."""
        checkpoints.write(path, self.state())

    def load(self, path: Path) -> None:
        """Continue from the file; raise ``BrokenCheckpointError`` or ``TrainingError``."""
        self.restore(checkpoints.read(path))

    def share(self) -> None:
        """Give every process the first one's state, so that all make the same steps."""
        first = self.state()
        step, elapsed, parts = distributed.share_object((self.step, self.elapsed, self.parts))
        tensors = distributed.share(first.tensors)
        if distributed.rank():
            self.restore(Checkpoint(tensors, step, elapsed, parts))

    def _load(self, tensors: dict[str, Tensor]) -> None:
        self.training.network.load_state_dict(under("network.", tensors))
        self.ema.network.load_state_dict(under("ema.", tensors))
        for phase, optimizer in enumerate(self.optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in under(f"optimizer.{phase}.", tensors).items():
                index, key = name.split(".", 1)
                state.setdefault(int(index), {})[key] = tensor
            self._check_shapes(phase, state)
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _check_shapes(self, phase: int, state: dict[int, dict[str, Tensor]]) -> None:
        """Check the moments' shapes, which torch's optimisers do not check themselves."""
        for index, moments in state.items():
            shape = (
                self.parameters[phase][index].shape if index < len(self.parameters[phase]) else ()
            )
            if set(moments) != {"step", "exp_avg", "exp_avg_sq"} or any(
                moments[key].shape != shape for key in ("exp_avg", "exp_avg_sq")
            ):
                raise ValueError(index)


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
