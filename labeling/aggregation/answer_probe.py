"""A probe that learns from people's answers, not from what is concluded of them.

V. Raykar et al., "Learning from crowds", JMLR 11 (2010): of each row the likelihood of its answers
is known by class, and the probe maximises that of all answers, log Σ_k p_k L_k. A probe that learns
a posterior instead learns people's doubts, too, and is never surer than they are.
"""

import numpy as np

from labeling.aggregation.answers import Floats
from labeling.aggregation.probe import Probe, Singles

LEAST = 1e-30  # likelihood
SHARE_STEPS = 20  # of EM in the frequencies of the classes


class AnswerProbe(Probe):
    """A probe whose targets are likelihoods (n, K) of each row's answers by class."""

    def __init__(
        self, rows: Singles, likelihood: Floats, *, hints: int = 0, folds: int = 5, seed: int = 0
    ) -> None:
        """likelihood: each row up to a factor, with more than zero in it."""
        likelihood = likelihood / likelihood.max(1, keepdims=True)
        self._likelihood = likelihood.astype(np.float32)
        ones = np.ones(len(rows))
        super().__init__(rows, _posterior(likelihood), ones, hints=hints, folds=folds, seed=seed)
        del self._likelihood

    def _log_loss(self, weights: Floats) -> float:
        """Return the mean negative log-likelihood of the answers, out of fold, in nats."""
        chances = (self._predict_out_of_fold(weights) * self._likelihood).sum(1)
        return -float(np.log(chances.clip(min=LEAST)).mean())

    def _losses(self, scores: Singles) -> tuple[Singles, Singles]:
        """Return the answers' negative log-likelihood (n, F) by logits (n, F, K); its gradient."""
        scores -= scores.max(2, keepdims=True)
        chances = np.exp(scores)
        chances /= chances.sum(2, keepdims=True)
        joint = chances * self._likelihood[:, None]
        total = joint.sum(2, keepdims=True).clip(min=LEAST)
        joint /= total
        return -np.log(total[..., 0]), chances - joint


def _posterior(likelihood: Floats) -> Floats:
    """Return each row's posterior (n, K) by the likeliest frequencies of the classes."""
    share = np.full(likelihood.shape[1], 1 / likelihood.shape[1])
    posterior = likelihood
    for _ in range(SHARE_STEPS):
        posterior = share * likelihood
        posterior /= posterior.sum(1, keepdims=True)
        share = posterior.mean(0)
    return posterior
