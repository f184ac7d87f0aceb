"""What labels are corrected by is the paper's formula, and what is learned is its objective."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.benchmarks.uncertain_labels import flow, tdsm
from tests.benchmarks.uncertain_labels.arms import corrected
from tests.benchmarks.uncertain_labels.tdsm import (
    NoisyPictureClassifier,
    TransitionAwareTraining,
    classifier_for,
)
from training.engine.recipes.base import Config

CLASSES, COMPONENTS, PICTURES = 4, 6, 50


def _transitions() -> Tensor:
    odds = torch.rand(CLASSES, CLASSES) + 2 * torch.eye(CLASSES)
    return odds / odds.sum(1, keepdim=True)


def test_weights_are_those_of_the_paper_by_the_inverse_transitions() -> None:
    torch.manual_seed(0)
    transitions = _transitions()
    classifier = NoisyPictureClassifier(COMPONENTS, CLASSES, transitions)
    noisy, t, labels = torch.randn(7, COMPONENTS), torch.rand(7), torch.randint(CLASSES, (7,))
    prior = torch.full((CLASSES,), 1 / CLASSES)
    of_labels = prior @ transitions
    reverse = (prior[:, None] * transitions / of_labels).T  # p(class | label)
    with torch.no_grad():
        ratios = classifier(noisy, t) @ transitions / of_labels
        inverse = torch.linalg.solve(reverse, ratios.T).T
        expected = reverse[labels] * inverse / ratios.gather(1, labels[:, None])
        assert torch.allclose(classifier.weights(noisy, t, labels), expected, atol=1e-5)


def test_drawn_classes_have_the_gradient_of_the_mean_over_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow, "WIDTH", 16)
    torch.manual_seed(0)
    labels = np.random.default_rng(0).integers(CLASSES, size=PICTURES)
    names, latents = torch.randn(CLASSES, 5), torch.randn(2, PICTURES, COMPONENTS)
    classifier = NoisyPictureClassifier(COMPONENTS, CLASSES, _transitions())
    noisy = corrected(labels, names, _transitions())
    training = TransitionAwareTraining(noisy, latents, torch.ones(COMPONENTS), 0, classifier)
    for parameter in training.network.parameters():
        nn.init.normal_(parameter, std=0.3)
    batch = flow.draw(latents, 256)
    weights = classifier.weights(batch.noisy, batch.t, torch.from_numpy(labels)[batch.rows])
    errors = torch.stack([training.error(batch, name.expand(256, -1)) for name in names], 1)
    exact = (weights[..., None] * errors).sum(1).square().mean()
    losses = torch.stack([training.loss(batch) for _ in range(60)])
    wanted, drawn = (_gradient(loss, training.network) for loss in (exact, losses.mean()))
    assert losses.mean().item() == pytest.approx(exact.item(), rel=0.02)
    assert torch.cosine_similarity(wanted, drawn, 0) > 0.99
    assert drawn.norm().item() == pytest.approx(wanted.norm().item(), rel=0.05)


def test_transitions_are_estimated_from_noisy_labels_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tdsm, "WIDTH", 32)
    dice = np.random.default_rng(0)
    truth = dice.integers(CLASSES, size=600)
    slips = dice.random(600) < 0.3  # each to the next class
    labels = np.where(slips, (truth + 1) % CLASSES, truth)
    latents = 8 * torch.eye(CLASSES)[truth].expand(2, -1, -1)
    noisy = corrected(labels, torch.randn(CLASSES, 5)).noisy
    assert noisy is not None
    config = Config(steps=150, batch=128, learning_rate=3e-2, warmup=10)
    found = classifier_for(noisy, latents, config, 0).transitions()
    assert found.sum(1).tolist() == pytest.approx([1] * CLASSES)
    assert found.diagonal().tolist() == pytest.approx([0.7] * CLASSES, abs=0.1)
    assert found.roll(-1, 1).diagonal().tolist() == pytest.approx([0.3] * CLASSES, abs=0.1)


def _gradient(loss: Tensor, network: nn.Module) -> Tensor:
    loss.backward()  # type: ignore[no-untyped-call]
    parts = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    return torch.cat(parts)
