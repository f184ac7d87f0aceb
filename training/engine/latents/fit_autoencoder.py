"""Fit the autoencoder to a snapshot's pictures, once: it knows nothing of labels.

It is kept in the cache by the pictures' digest. Where pictures have come in, its successor starts
from it; one that was fitted to a picture that is no longer there is not built on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import relu
from torch.nn.utils import clip_grad_norm_

from training.engine.data.packing import PackedPictures
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row, digest
from training.engine.device import device
from training.engine.ema import PowerEMA
from training.engine.files import TrainingError, under, write_tensors
from training.engine.latents.autoencoder import BATCH, Autoencoder, channels_last, signed
from training.engine.latents.reconstruction import Distance, distance
from training.engine.optimizers import AdamW
from training.engine.seeds import seed_of

LEARNING_RATE = 2e-3
WARMUP = 50  # steps
PICTURES = 16  # in a batch
NOISE = 0.15  # at most, added to latents, so that the decoder forgives the flow's errors
PULL = 0.1  # the weight of what latents' variance has above 1
COLOURED = 0.2  # the share of pictures whose colour channels are exchanged
CHECKPOINT = 200  # steps between checkpoints
LEAST = 0.15  # of the steps that an earlier autoencoder's successor makes, at least
MEASURED = 4096  # pictures by which latents are standardised, at most
KEYS = "pictures"  # the tensor of an autoencoder's file that tells what it was fitted to

OnStep = Callable[[int, int, int], None]  # steps done, of so many, and the pictures in each


def no_report(done: int, steps: int, pictures: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Task:
    """What an autoencoder is fitted to, and for how long at most."""

    rows: Sequence[Row]
    pixels: Pixels  # (n, s, s, 3)
    cache: Path
    steps: int
    on_step: OnStep = no_report

    @property
    def kind(self) -> str:
        """What the names of files begin with that may take each other's place."""
        return f"autoencoder-{self.pixels.shape[1]}-{self.steps}"

    @property
    def path(self) -> Path:
        return self.cache / f"{self.kind}-{digest(self.rows)}.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.path.with_suffix(".checkpoint")

    @property
    def keys(self) -> NDArray[np.int64]:
        """A number for each picture's content, sorted."""
        return np.array(sorted(int(digest([row]), 16) >> 1 for row in self.rows), np.int64)


def fit(task: Task) -> Autoencoder:
    """Return the autoencoder of these pictures: as it was kept, or fitted now.

    A process that was killed goes on from its last checkpoint.
    """
    kept = _read(task.path)
    if kept is not None:
        return kept[0].to(device())
    autoencoder, share = _start(task)
    steps = max(1, round(task.steps * max(1 - share, LEAST)))
    averaged = _Fit(task, autoencoder.to(device()), steps).run()
    _standardise(averaged, task.pixels)
    tensors = {**averaged.state_dict(), KEYS: torch.from_numpy(task.keys)}
    write_tensors(task.path, tensors)
    task.checkpoint.unlink(missing_ok=True)
    return averaged


class _Fit:
    """An autoencoder in training. Randomness is a function of the step and needs no saving."""

    def __init__(self, task: Task, autoencoder: Autoencoder, steps: int) -> None:
        self.task, self.steps, self.step = task, steps, 0
        self.autoencoder = autoencoder.train().requires_grad_(True)
        self.pictures = PackedPictures(task.pixels, device())
        self.distance: Distance = distance()
        self.ema = PowerEMA(autoencoder)
        self.optimizer = AdamW(
            autoencoder.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), fused=True
        )

    def run(self) -> Autoencoder:
        """Train to the end; return the averaged weights."""
        self._restore()
        while self.step < self.steps:
            self._advance()
            if self.step % CHECKPOINT == 0:
                self._save()
        averaged = self.ema.network
        assert isinstance(averaged, Autoencoder)
        return averaged

    def _advance(self) -> None:
        torch.manual_seed(seed_of(0, self.step))
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * self._schedule()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._batch())
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(self.autoencoder.parameters(), 1.0)
        if not bool(loss.isfinite()):
            raise TrainingError(f"The autoencoder's loss is no number at step {self.step}.")
        self.optimizer.step()
        self.step += 1
        self.ema.update(self.autoencoder, self.step)
        self.task.on_step(self.step, self.steps, PICTURES)

    def _schedule(self) -> float:
        """Return the learning rate's factor: warm-up, flat to the half, then linear decay to 0."""
        return min(1.0, (self.step + 1) / WARMUP, 2 * (1 - self.step / self.steps))

    def _batch(self) -> Tensor:
        """Return pictures (B, 3, s, s), each mirrored or not, some in other colours."""
        pictures = self.pictures.batch(torch.randint(len(self.pictures), (PICTURES,)))
        order = torch.randperm(3, device=pictures.device)
        mirrored, coloured = torch.rand(2, PICTURES, 1, 1, 1, device=pictures.device)
        pictures = torch.where(mirrored < 0.5, pictures.flip(-1), pictures)
        return torch.where(coloured < COLOURED, pictures[:, order], pictures)

    def _loss(self, pictures: Tensor) -> Tensor:
        """Return the distance of decoded pictures, and the pull on latents that vary too much.

        Half of the latents are mirrored and are to be decoded as mirrored pictures, so that the
        space has the pictures' own symmetry (arXiv 2502.09509).
        """
        latents = self.autoencoder.raw_latents(pictures)
        pull = relu(latents.square().mean((0, 2, 3)) - 1).mean()
        mirrored, strength = torch.rand(2, PICTURES, 1, 1, 1, device=pictures.device)
        real = torch.where(mirrored < 0.5, pictures.flip(-1), pictures)
        latents = torch.where(mirrored < 0.5, latents.flip(-1), latents)
        noisy = latents + NOISE * strength * torch.randn_like(latents)
        return self.distance(self.autoencoder.decode_raw(noisy), real) + PULL * pull

    def _save(self) -> None:
        tensors = {f"network.{k}": v for k, v in self.autoencoder.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.network.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v for k, v in moments.items()}
        write_tensors(self.task.checkpoint, tensors, {"step": str(self.step)})

    def _restore(self) -> None:
        """Go on from the checkpoint, if there is a whole one."""
        try:
            with safe_open(self.task.checkpoint, "pt") as file:
                step = int(file.metadata()["step"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.autoencoder.load_state_dict(under("network.", tensors))
            self.ema.network.load_state_dict(under("ema.", tensors))
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError):
            return
        groups = self.optimizer.state_dict()["param_groups"]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in under("optimizer.", tensors).items():
            index, key = name.split(".", 1)
            moments.setdefault(int(index), {})[key] = channels_last(tensor)  # as the weights are
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step = step


def _start(task: Task) -> tuple[Autoencoder, float]:
    """Return what to start from, and the share of the pictures that it has seen.

    That is the autoencoder of most of these pictures, and of no other picture; else a new one.
    """
    best, share = None, 0.0
    for path in sorted(task.cache.glob(f"{task.kind}-*.safetensors")):
        kept = _read(path)
        if kept is not None and np.isin(kept[1], task.keys).all():
            seen = len(kept[1]) / len(task.rows)
            if seen > share:
                best, share = kept[0], seen
    if best is not None:
        return best, share
    torch.manual_seed(0)
    return Autoencoder(), 0.0


def _read(path: Path) -> tuple[Autoencoder, NDArray[np.int64]] | None:
    """Return a kept autoencoder and the numbers of its pictures; None without a whole one."""
    autoencoder = Autoencoder()
    try:
        tensors = load_file(path)
        keys: NDArray[np.int64] = tensors.pop(KEYS).numpy()
        autoencoder.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, KeyError):
        return None
    return autoencoder.eval().requires_grad_(False), keys


@torch.no_grad()
def _standardise(autoencoder: Autoencoder, pixels: Pixels) -> None:
    """Set the mean and the scale of the latents by the pictures, or by some of many."""
    some = pixels[:: -(-len(pixels) // MEASURED)]
    parts = [
        autoencoder.raw_latents(signed(some[start : start + BATCH]).to(device()))
        for start in range(0, len(some), BATCH)
    ]
    latents = torch.cat(parts)
    autoencoder.mean.copy_(latents.mean((0, 2, 3)).view(-1, 1, 1))
    autoencoder.scale.copy_(latents.std((0, 2, 3)).clamp(min=1e-4).view(-1, 1, 1))
