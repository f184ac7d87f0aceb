"""Figures of drawn pictures, each held against its slow and plain definition, and known cases."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.engine.evaluation import intervals, metrics


def features(seed: int, count: int, width: int = 8, shift: float = 0.0) -> Tensor:
    """Return unit rows around one point, which ``shift`` moves."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, width, generator=generator)
    rows[:, 0] += 1 + shift
    return normalize(rows, dim=1)


def cubic(a: Tensor, b: Tensor) -> float:
    width = len(a)
    x, y = a.double() * math.sqrt(width), b.double() * math.sqrt(width)
    return (float(x @ y) / width + 1) ** 3


def gaussian(a: Tensor, b: Tensor) -> float:
    return math.exp(-float((a.double() - b.double()).square().sum()) / (2 * 10**2))


def test_kid_is_the_unbiased_distance_of_its_definition() -> None:
    real, drawn = features(1, 13), features(2, 9, shift=1.0)
    n, m = len(real), len(drawn)
    within = sum(cubic(real[i], real[j]) for i in range(n) for j in range(n) if i != j)
    beside = sum(cubic(drawn[i], drawn[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(cubic(a, b) for a in real for b in drawn)
    plain = within / (n * (n - 1)) + beside / (m * (m - 1)) - 2 * across / (n * m)
    assert metrics.kid(real, drawn).value == pytest.approx(plain, rel=1e-6)


def test_cmmd_is_the_biased_distance_of_its_definition() -> None:
    real, drawn = features(1, 7), features(2, 5, shift=1.0)
    within = np.mean([gaussian(a, b) for a in real for b in real])
    beside = np.mean([gaussian(a, b) for a in drawn for b in drawn])
    across = np.mean([gaussian(a, b) for a in real for b in drawn])
    plain = 1000 * (within + beside - 2 * across)
    assert metrics.cmmd(real, drawn).value == pytest.approx(plain, rel=1e-6)


def test_distances_of_a_set_from_itself_are_nought_and_from_another_are_not() -> None:
    real, far = features(1, 200), features(3, 200, shift=1.0)
    assert metrics.cmmd(real, real).value == pytest.approx(0, abs=1e-9)
    like = metrics.kid(real, features(2, 200))
    assert like.low < 0 < like.high
    assert metrics.kid(real, far).low > like.high
    assert metrics.cmmd(real, far).low > metrics.cmmd(real, features(2, 200)).high


def test_the_interval_of_kid_holds_the_truth_about_as_often_as_it_says() -> None:
    """Nine times in ten: between sets from the same source the true distance is nought."""
    found = [metrics.kid(features(2 * i, 100), features(2 * i + 1, 100)) for i in range(100)]
    assert 0.8 <= np.mean([figure.low <= 0 <= figure.high for figure in found]) <= 0.97


def test_the_interval_of_kid_holds_the_truth_of_few_pictures_too() -> None:
    """Of five, a jackknife that left only two of them out would hold it half the time."""
    found = [metrics.kid(features(2 * i, 5), features(2 * i + 1, 5)) for i in range(200)]
    assert 0.85 <= np.mean([figure.low <= 0 <= figure.high for figure in found]) <= 0.98


def test_the_same_pictures_differ_by_nought_for_certain() -> None:
    real, drawn = features(1, 200), features(2, 200, shift=1.0)
    assert metrics.kid_difference(real, drawn, drawn) == (0, 0, 0)
    worse = metrics.kid_difference(real, drawn, features(3, 200))
    assert worse.low > 0


def test_density_and_coverage_are_those_of_their_definition() -> None:
    real, drawn = features(1, 20), features(2, 15, shift=0.5)
    apart = torch.cdist(real.double(), real.double())
    radius = [sorted(row.tolist())[5] for row in apart]  # itself comes first
    inside = [
        [float((a.double() - b.double()).norm()) < radius[i] for b in drawn]
        for i, a in enumerate(real)
    ]
    density, coverage = metrics.density_and_coverage(real, drawn)
    assert density.value == pytest.approx(np.sum(inside) / (5 * len(drawn)))
    assert coverage.value == pytest.approx(np.mean([any(row) for row in inside]))


def test_the_real_pictures_themselves_are_all_covered_and_those_far_away_cover_nothing() -> None:
    real = features(1, 100, shift=2.0)
    density, coverage = metrics.density_and_coverage(real, real)
    assert coverage.value == 1
    assert density.value == pytest.approx(1, abs=0.3)
    far = -features(2, 100, shift=5.0)
    assert [figure.value for figure in metrics.density_and_coverage(real, far)] == [0, 0]


def test_hits_are_those_of_a_plain_search() -> None:
    images, texts = features(1, 30), features(2, 12)
    own = torch.arange(30) % 12
    plain = [
        all(image @ texts[i] >= image @ text for text in texts)
        for image, i in zip(images, own, strict=True)
    ]
    assert metrics.r_precision(images, texts, own).tolist() == plain


def test_texts_that_a_judge_knows_are_found_and_shuffled_ones_as_often_as_by_chance() -> None:
    texts = features(1, 400, width=64)
    own = torch.arange(400)
    assert metrics.r_precision(texts, texts, own).mean() == 1
    assert metrics.r_precision(texts, texts, own.roll(1), others=399).mean() == 0
    unrelated = intervals.mean(
        metrics.r_precision(features(2, 400, width=64), texts, own, others=9)
    )
    assert unrelated.low < metrics.chance(400, 9) < unrelated.high


def test_features_that_say_nothing_reach_exactly_chance() -> None:
    images, texts = torch.zeros(50, 8), features(1, 200)
    found = metrics.r_precision(images, texts, torch.arange(50))
    assert found.mean() == pytest.approx(metrics.chance(200))
    assert metrics.chance(200) == 1 / 100
    assert metrics.chance(4) == 1 / 4


def test_cosines_are_those_of_a_picture_and_its_own_text() -> None:
    images, texts = features(1, 5), features(2, 3)
    own = torch.tensor([0, 2, 1, 1, 0])
    plain = [float(image @ texts[i]) for image, i in zip(images, own, strict=True)]
    assert metrics.cosines(images, texts, own).tolist() == pytest.approx(plain, rel=1e-5)


def test_a_classifier_sees_what_it_was_taught_and_nothing_where_labels_are_noise() -> None:
    images = features(1, 300)
    known = (images[:, 1] > 0.1).float()
    noise = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 300)).float()
    weights = metrics.fit_classifier(images[:200], torch.stack([known, noise], 1)[:200])
    right = metrics.classify(images[200:], weights) == torch.stack([known, noise], 1)[200:].bool()
    assert right[:, 0].float().mean() > 0.9
    assert right[:, 1].float().mean() == pytest.approx(0.5, abs=0.15)


def test_a_classifier_ignores_what_nobody_knows() -> None:
    images = features(1, 100)
    truth = (images[:, 1] > 0.1).float()[:, None]
    partial = truth.clone()
    partial[50:] = torch.nan
    known = metrics.fit_classifier(images[:50], truth[:50])
    assert torch.allclose(metrics.fit_classifier(images, partial), known, atol=1e-5)


def test_several_pictures_of_a_prompt_narrow_what_is_known_of_two_models() -> None:
    real = features(1, 60)
    one = features(2, 240, shift=0.3)
    other = features(3, 240)
    several = metrics.kid_difference(real, one, other)
    first = metrics.kid_difference(real, one[::4], other[::4])
    assert several.high - several.low < first.high - first.low
    assert metrics.kid_difference(real, one, one) == (0, 0, 0)
