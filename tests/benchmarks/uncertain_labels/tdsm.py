"""Learning from noisy labels by transition-aware weights, beside which belief is measured.

TDSM: B. Na et al., "Label-Noise Robust Diffusion Models", ICLR 2024, arXiv 2402.17517. A label that
may be wrong stands for all classes y that it may have been meant for: the network's predictions for
them are averaged with weights w(y) = p(y | noisy picture, label), and that mean is fitted to the
picture. The weights depend on picture and time, by a classifier of noisy pictures, and on the
transitions p(label | class). These are known, or estimated with the classifier by volume
minimisation (X. Li et al., "Provably End-to-end Label-Noise Learning without Anchor Points", ICML
2021, arXiv 2102.02400).

As in the paper: objective, weights, the forward correction by which the classifier learns from
noisy labels, its being trained first and frozen, and the estimated transitions. What differs:

- The network is the benchmark's flow, which predicts clean latents; the classifier is an MLP on the
  same noisy latents at the same times.
- The paper's code computes the mean over all classes of a weight above .01, and differentiates the
  label's own class alone, to spare memory. Here classes are drawn by their weights: one that is
  differentiated, and others for the mean. The gradient is that of the paper's objective in
  expectation, in a third of the time.
- Where the class is dropped for guidance, all predictions are the same, and so is the objective.
"""

from functools import partial

import torch
from torch import Tensor, nn

from tests.benchmarks.uncertain_labels.arms import Conditioning, NoisyLabels
from tests.benchmarks.uncertain_labels.flow import Batch, FlowTraining, Unsaved, draw
from training.engine.loop.loop import Loop
from training.engine.networks.mlp import FREQUENCIES, fourier_features
from training.engine.recipes.base import Config, Phase

WIDTH = 512  # of the classifier
RARE = -2.0  # logit of a slip from one class to another, relative to no slip, to start from
VOLUME_WEIGHT = 1e-4  # of the transitions' log-determinant
OTHERS = 3  # classes a picture that the mean prediction is estimated from


class NoisyPictureClassifier(nn.Module):
    """Classify noisy latents (B, K) at times (B,), and know how labels come of true classes."""

    def __init__(self, components: int, classes: int, transitions: Tensor | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(components + 2 * FREQUENCIES, WIDTH),
            nn.LayerNorm(WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.LayerNorm(WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, classes),
        )
        self.slips = nn.Parameter(torch.full((classes, classes), RARE))
        self.known = transitions

    def forward(self, noisy: Tensor, t: Tensor) -> Tensor:
        """Return the probabilities (B, C) of the true classes without any label."""
        logits: Tensor = self.layers(torch.cat([noisy, fourier_features(t)], 1))
        return logits.softmax(1)

    def transitions(self) -> Tensor:
        """Return p(label | true class), (C, C), as known or as estimated so far."""
        if self.known is not None:
            return self.known
        none = torch.eye(len(self.slips))
        odds = none + (1 - none) * self.slips.sigmoid()
        return odds / odds.sum(1, keepdim=True)

    def weights(self, noisy: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """Return w(y), (B, C), of pictures with labels (B,); rows sum to 1.

        The paper has S[label, y]·(S⁻¹r)[y]/r[label] with S = p(class | label) and
        r = p(label | picture)/p(label). As the classifier's labels are its classes after the
        transitions T, S⁻¹r is p(class | picture)/p(class), and that is Bayes's rule with T.
        """
        joint = self(noisy, t) * self.transitions().T[labels]
        chances: Tensor = joint / joint.sum(1, keepdim=True)
        return chances


class ClassifierTraining(Unsaved):
    """Learn from noisy labels by forward correction: true classes, through the transitions."""

    def __init__(self, noisy: NoisyLabels, latents: Tensor, seed: int) -> None:
        self.labels = noisy.labels
        torch.manual_seed(seed)
        classifier = NoisyPictureClassifier(latents.shape[2], len(noisy.names), noisy.transitions)
        self.network: nn.Module = classifier
        self.phases = (Phase("classifier", classifier, partial(draw, latents), self.loss),)

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of a batch's labels, and the transitions' volume."""
        assert isinstance(self.network, NoisyPictureClassifier)
        transitions = self.network.transitions()
        chances = self.network(batch.noisy, batch.t) @ transitions  # (B, C)
        given = chances.gather(1, self.labels[batch.rows, None])
        loss: Tensor = -given.clamp(min=1e-12).log().mean()
        return loss + VOLUME_WEIGHT * torch.logdet(transitions)


class TransitionAwareTraining(FlowTraining):
    """The flow's training where labels are corrected by a classifier that was trained before."""

    def __init__(
        self,
        conditioning: Conditioning,
        latents: Tensor,
        scale: Tensor,
        seed: int,
        classifier: NoisyPictureClassifier,
    ) -> None:
        super().__init__(conditioning, latents, scale, seed)
        self.classifier = classifier.eval().requires_grad_(False)

    def loss(self, batch: Batch) -> Tensor:
        """Return an estimate of the objective ‖Σ w(y)·error(y)‖², with its gradient."""
        noisy = self.conditioning.noisy
        assert noisy is not None
        weights = self.classifier.weights(batch.noisy, batch.t, noisy.labels[batch.rows])
        first, *others = torch.multinomial(weights, 1 + OTHERS, replacement=True).T  # (B,) each
        error = self.error(batch, noisy.names[first])
        with torch.no_grad():
            mean = sum(self.error(batch, noisy.names[other]) for other in others) / OTHERS
        product = (error * mean).mean()  # of independent draws of one mean
        return 2 * product - product.detach()


def classifier_for(
    noisy: NoisyLabels, latents: Tensor, config: Config, seed: int
) -> NoisyPictureClassifier:
    """Return a classifier that was trained on noisy labels as long as the flow will be."""
    loop = Loop(ClassifierTraining(noisy, latents, seed), config, seed)
    while not loop.finished:
        loop.advance()
    network = loop.ema.network
    assert isinstance(network, NoisyPictureClassifier)
    return network
