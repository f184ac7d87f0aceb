"""Learn what people prefer: Diffusion-DPO (arXiv 2311.12908) with the errors of velocities.

A pair is a drawing that shows its prompt and one of the same prompt that does not. At the same time
t and noise, the network is to grow better than the reference, the model that the run goes on from,
at the first rather than at the second:

    Δ = (e_better − e_better,ref) − (e_worse − e_worse,ref),    ℓ = −log σ(−β Δ)

where e is the weighted mean squared error of the velocity, as in the recipe's own loss (for flows:
arXiv 2501.13918). People may be wrong: the loss is its expectation under their posterior,
q ℓ(Δ) + (1 − q) ℓ(−Δ), where q is the probability that the pair is not the other way round.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from training.engine.data.preferences import Preferences
from training.engine.device import device
from training.engine.encoders.conditions import Condition

BETA = 200.0  # how dearly the network pays for leaving the reference
WEIGHT = 0.02  # of this loss beside the recipe's own
SHARE = 8  # one pair for so many pictures of a batch

Errors = Callable[[nn.Module, Tensor, Tensor, Tensor, Condition], Tensor]
"""(network, x₀ (B, …), ε (B, …), t (B,), condition) → each picture's mean squared error (B,)"""


class PairBatch(NamedTuple):
    """Pairs beside a batch of B pictures, of which every ``SHARE``-th is used."""

    numbers: Tensor  # (B,) which pairs
    t: Tensor  # (B,) times, from 0 to 1
    noise: Tensor  # (B, …)


class PreferenceLoss:
    """The loss of pairs (p,) of drawings (d, …), relative to a frozen copy of the network."""

    def __init__(
        self,
        network: nn.Module,
        preferences: Preferences,
        latents: Callable[[Tensor], Tensor],
        prompts: Condition,
        errors: Errors,
    ) -> None:
        """Take what each of d drawings was asked for, and the way from numbers to latents."""
        self.reference = deepcopy(network).eval().requires_grad_(False)
        self.latents, self.prompts, self.errors = latents, prompts, errors
        self.better, self.worse = _indices(preferences.better), _indices(preferences.worse)
        self.certainty, self.reverse, self.weights = (
            torch.from_numpy(part).float().to(device())
            for part in (preferences.certainty, preferences.reverse, preferences.weights)
        )

    def draw(self, t: Tensor, noise: Tensor) -> PairBatch:
        """Return random pairs beside B pictures, at times (B,) and with noise (B, …)."""
        return PairBatch(torch.multinomial(self.weights, len(t), replacement=True), t, noise)

    def __call__(self, network: nn.Module, batch: PairBatch) -> Tensor:
        """Return the weighted mean loss of some pairs."""
        pairs, t, noise = (part[::SHARE] for part in batch)
        rows = torch.cat([self.better[pairs], self.worse[pairs]])  # (2 · pairs,)
        x0 = self.latents(rows)  # (2 · pairs, …)
        condition = Condition(*(part[rows] for part in self.prompts))
        inputs = x0, torch.cat([noise, noise]), torch.cat([t, t]), condition
        with torch.no_grad():
            before = self.errors(self.reference, *inputs)
        better, worse = (self.errors(network, *inputs) - before).chunk(2)  # (pairs,) each
        return WEIGHT * expected_loss(better - worse, self.certainty[pairs], self.reverse[pairs])


def expected_loss(difference: Tensor, certainty: Tensor, reverse: Tensor) -> Tensor:
    """Return the mean of ``certainty`` · ℓ(Δ) + ``reverse`` · ℓ(−Δ), of three tensors (p,).

    Where people say that both drawings show the prompt, or neither, there is nothing to prefer:
    that much of a pair weighs nothing.
    """
    scaled = BETA * difference
    loss = certainty * softplus(scaled) + reverse * softplus(-scaled)
    return loss.float().mean()


def _indices(values: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(values).to(device())
