"""The training loop, the same for every recipe."""

import math
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.engine.device import device
from training.engine.ema import PowerEMA
from training.engine.files import TrainingError, under
from training.engine.loop import checkpoints, distributed, parallel
from training.engine.loop.checkpoints import Checkpoint
from training.engine.loop.parallel import Alone, Replicated, Work
from training.engine.optimizers import AdamW
from training.engine.ranks import alone, rank, size
from training.engine.recipes.base import Config, Training
from training.engine.seeds import seed_of

CHECK_INTERVAL = 10  # steps between checks of the loss on a GPU, which waits for each
LATER = 3  # tensors of a parameter's size that come with the first step: two moments, a message


class Loop:
    """Train one step at a time. Randomness is a function of (seed, step) and needs no saving.

    Several processes that ``divide`` the work learn from the same batches as one alone, but for
    what is left over where a batch cannot be divided by their number, and for a network's own
    dropout and batch normalisation. Without ``time_limit`` (seconds of training) a resumed run
    equals an uninterrupted one. With it, the learning rate decays with steps or time, whichever is
    used up first.
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
        self.stopping = False  # whether any process was asked to stop
        self.check_interval = CHECK_INTERVAL if device().type == "cuda" else 1
        self.losses: dict[str, float] = {}  # of each phase, when last checked
        self.ema = PowerEMA(training.network)
        self.work: Work = Alone(training.phases)
        self.structure: nn.Module | None = None  # of a network that is divided itself
        self._add_optimizers()
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

    def divide(self) -> None:
        """Divide each step's work among the processes, in all of which the state is the same."""
        if size() < 2:
            return
        if distributed.share_object(parallel.divides(self.config, self.training.phases)):
            self._shard()
            return
        with distributed.together():
            unused = [self._try(index) for index in range(len(self.parameters))]
        self.parts, _ = distributed.largest(self.parts)
        self.work = Replicated(self.training.phases, unused)

    def advance(self, stop: bool = False) -> float:
        """Make one step and return the loss; raise ``TrainingError`` where it is no number.

        On a GPU the loss is checked at every ``check_interval``-th step only. ``stop`` says that
        this process was asked to stop, and ``stopping`` then that one of them was.
        """
        start = time.monotonic()
        self.training.network.train()
        for index in range(len(self.parameters)):
            self._step(index)
        self.step += 1
        self.ema.update(self.training.network, self.step)
        elapsed = self.elapsed + time.monotonic() - start
        self.elapsed, stopping, *losses = distributed.mean(elapsed, stop, *self.losses.values())
        self.losses = dict(zip(self.losses, losses, strict=True))
        self.stopping = stopping > 0
        return self.loss

    def _step(self, index: int) -> None:
        """Make a phase's step."""
        optimizer = self.optimizers[index]
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self._schedule()
        batch = self._draw(index)
        optimizer.zero_grad(set_to_none=True)
        if size() < 2:
            loss = self._fitting_gradient(self.work, index, batch)
        else:
            loss = self._gradient(self.work, index, batch)
        norm = self.work.clip(self.parameters[index])
        self._check_loss(self.training.phases[index].name, loss, norm)
        optimizer.step()

    def _draw(self, index: int) -> Any:
        """Return this process's part of a phase's batch, which all of them draw alike."""
        torch.manual_seed(seed_of(self.seed, self.step, index, 0))
        batch = self.training.phases[index].draw(max(self.config.batch, size()))
        if size() < 2:
            return batch
        each = parallel.length(batch) // size()
        if not each:
            raise TrainingError(
                f"There are fewer pictures than the {size()} processes: start fewer of them."
            )
        torch.manual_seed(seed_of(self.seed, self.step, index, 1 + rank()))  # for dropout
        return parallel.cut(batch, rank() * each, (rank() + 1) * each)

    def _fitting_gradient(self, work: Work, index: int, batch: Any) -> Tensor:
        """Make a phase's gradient; cut a batch that a GPU cannot hold in parts."""
        while True:
            try:
                return self._gradient(work, index, batch)
            except torch.OutOfMemoryError:
                self.optimizers[index].zero_grad(set_to_none=True)
                self._split_batch(parallel.length(batch))

    def _gradient(self, work: Work, index: int, batch: Any) -> Tensor:
        """Accumulate the gradient of a batch's mean loss, part by part; return the loss."""
        count = parallel.length(batch)
        ends = [count * (i + 1) // self.parts for i in range(self.parts)]
        total = torch.zeros((), device=device())
        for start, stop in zip([0, *ends], ends, strict=False):
            part = parallel.cut(batch, start, stop)
            with nullcontext() if stop == count else work.unsent(index):
                with torch.autocast(device().type, torch.bfloat16, enabled=self.bf16):
                    loss = work.loss(index, part) * ((stop - start) / count)
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _try(self, index: int) -> bool:
        """Make a phase's gradient without the others, which would wait for one short of memory.

        Find out how many parts a batch goes in, and return whether the loss leaves parameters
        without a gradient. Nothing else is left of it.
        """
        network, parameters = self.training.network.train(), self.parameters[index]
        buffers = [buffer.clone() for buffer in network.buffers()]
        later = [torch.empty_like(p) for p in parameters for _ in range(LATER)]
        batch = self._draw(index)
        with alone():
            self._fitting_gradient(Alone(self.training.phases), index, batch)
        del later
        unused = any(parameter.grad is None for parameter in parameters)
        self.optimizers[index].zero_grad(set_to_none=True)
        for buffer, before in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(before)
        return unused

    def _shard(self) -> None:
        """Leave a part of every tensor in each process: of weights, average and moments."""
        from training.engine.loop import sharding

        whole = self.state().tensors
        self.structure = parallel.structure_of(self.ema.network)
        for phase in self.training.phases:
            phase.module._compiled_call_impl = None  # gathering a layer would break its graph
        over = sharding.mesh()
        sharding.shard(self.training.network, over)
        sharding.shard(self.ema.network, over)
        self._add_optimizers()
        self._load(whole)
        self.work = sharding.Sharded(self.training.phases)

    def _add_optimizers(self) -> None:
        self.parameters = [_trainable(phase.module) for phase in self.training.phases]
        self.optimizers = [
            AdamW(
                parameters,
                lr=self.config.learning_rate,
                betas=(self.config.beta1, 0.99),
                weight_decay=self.config.weight_decay,
                fused=True,
            )
            for parameters in self.parameters
        ]

    def _split_batch(self, count: int) -> None:
        if self.parts * 2 > count:
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
        """Return the network's weights, their average, the optimisers' moments and the step.

        Where the network is divided, all processes have to ask, and the first one gets it.
        """
        return Checkpoint(self._whole(self._held()), self.step, self.elapsed, self.parts)

    def averaged(self) -> nn.Module:
        """Return the network with averaged weights.

        Where it is divided, all processes have to ask, and the first one gets it.
        """
        if self.structure is None:
            return self.ema.network
        tensors = self._whole(self.ema.network.state_dict())
        if rank():
            return self.structure
        return parallel.filled(self.structure, tensors).to(device()).eval()

    def _held(self) -> dict[str, Tensor]:
        """Return the state's tensors as this process holds them."""
        tensors = {f"network.{k}": v for k, v in self.training.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.network.state_dict().items()}
        for phase, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{phase}.{index}.{k}": v for k, v in state.items()}
        return tensors

    def _whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors in whole; where they are divided, on the first process's CPU alone."""
        if self.structure is None:
            return dict(tensors)
        from training.engine.loop import sharding

        whole = {}
        for name, tensor in tensors.items():
            gathered = sharding.whole_of(tensor)
            if not rank():
                whole[name] = gathered.cpu()
        return whole

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint; raise ``TrainingError`` where it does not fit."""
        try:
            self._load(checkpoint.tensors)
        except (RuntimeError, KeyError, ValueError):
            raise checkpoint.unreadable from None
        self.step, self.elapsed = checkpoint.step, checkpoint.elapsed
        self.parts = checkpoint.parts

    def save(self, path: Path) -> None:
        """Write a checkpoint; raise ``TrainingError`` where a weight is no number."""
        checkpoints.write(path, self.state())

    def load(self, path: Path) -> None:
        """Continue from the file; raise ``BrokenCheckpointError`` or ``TrainingError``."""
        self.restore(checkpoints.read(path))

    def share(self, source: int = 0) -> None:
        """Give every process the state of one, so that all make the same steps."""
        own = self.step, self.elapsed, self.parts
        step, elapsed, parts = distributed.share_object(own, source)
        tensors = distributed.share(self.state().tensors, source)
        with distributed.together():
            if rank() != source:
                self._take(Checkpoint(tensors, step, elapsed, parts))

    def _take(self, checkpoint: Checkpoint) -> None:
        """Go on from another process's state; raise ``TrainingError`` where it is of another."""
        try:
            self.restore(checkpoint)
        except TrainingError:
            raise TrainingError(
                "The network of this process, or the autoencoder before it, is not that of the "
                "first one: give all machines the same code, and one folder as the cache."
            ) from None

    def _load(self, tensors: dict[str, Tensor]) -> None:
        """Load whole tensors, or this process's parts of them where the network is divided."""
        for prefix, network in (("network.", self.training.network), ("ema.", self.ema.network)):
            own = network.state_dict()
            weights = under(prefix, tensors)
            known = own.keys() & weights.keys()
            weights |= {name: self._part_of(weights[name], own[name]) for name in known}
            network.load_state_dict(weights)
        for phase, optimizer in enumerate(self.optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in under(f"optimizer.{phase}.", tensors).items():
                index, key = name.split(".", 1)
                state.setdefault(int(index), {})[key] = tensor
            self._check_shapes(phase, state)
            for number, moments in state.items():
                like = self.parameters[phase][number]
                for key in ("exp_avg", "exp_avg_sq"):
                    moments[key] = self._part_of(moments[key], like)
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _part_of(self, whole: Tensor, like: Tensor) -> Tensor:
        """Return what this process holds of a tensor that all hold whole."""
        if self.structure is None:
            return whole
        from training.engine.loop import sharding

        return sharding.part_of(whole, like)

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
