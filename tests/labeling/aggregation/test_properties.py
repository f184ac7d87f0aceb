"""What must hold of any small set of answers, however odd."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labeling.aggregation import aggregate, agreement, online
from labeling.aggregation.online import MAX_EVIDENCE, ConfusionCounts

Row = tuple[int, int, int]

answers = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=25
)
few = settings(max_examples=30)
counts = st.builds(ConfusionCounts, *(st.floats(0, 1000) for _ in range(4)))
posteriors = st.floats(0, 1)
worth = st.lists(st.floats(-MAX_EVIDENCE, MAX_EVIDENCE), max_size=12)


@few
@given(answers, st.randoms(use_true_random=False))
def test_posteriors_are_probabilities_whatever_the_order(rows: list[Row], random: object) -> None:
    last = list({(task, worker): (task, worker, label) for task, worker, label in rows}.values())
    random.shuffle(last)  # type: ignore[attr-defined]
    found, again = aggregate(*zip(*rows, strict=True)), aggregate(*zip(*last, strict=True))
    np.testing.assert_allclose(found.posterior.sum(1), 1)
    assert (found.posterior >= 0).all()
    assert ((found.reliability >= 0) & (found.reliability <= 1)).all()
    np.testing.assert_allclose(found.confidence, found.posterior.max(1), atol=1e-8)
    if set(again.classes) == set(found.classes):  # a label that was taken back is still a class
        np.testing.assert_array_equal(again.posterior, found.posterior)


@few
@given(answers, st.permutations(range(5)), st.permutations(range(3)))
def test_annotators_and_classes_are_but_names(
    rows: list[Row], people: list[int], classes: list[int]
) -> None:
    found = aggregate(*zip(*rows, strict=True), classes=range(3))
    other = [(task, people[worker], classes[label]) for task, worker, label in rows]
    renamed = aggregate(*zip(*other, strict=True), classes=range(3))
    np.testing.assert_allclose(renamed.posterior[:, classes], found.posterior, atol=1e-6)


@few
@given(answers, st.dictionaries(st.integers(0, 7), st.integers(0, 3), max_size=4))
def test_gold_is_clamped_whatever_is_answered(rows: list[Row], gold: dict[int, int]) -> None:
    found = aggregate(*zip(*rows, strict=True), gold=gold)
    for row, task in enumerate(found.tasks.tolist()):
        if task in gold:
            assert found.posterior[row, found.classes.tolist().index(gold[task])] == 1
    np.testing.assert_allclose(found.posterior.sum(1), 1)


@few
@given(answers, st.sampled_from(["nominal", "ordinal"]))
def test_agreement_is_within_its_bounds(rows: list[Row], level: str) -> None:
    found = agreement(*zip(*rows, strict=True), level=level, draws=50)  # type: ignore[arg-type]
    assert sum(found.prevalence.values()) == pytest.approx(1)
    if found.percent is not None:
        assert -1e-9 <= found.percent <= 1 + 1e-9
    if found.alpha is not None:
        assert -1 - 1e-9 <= found.alpha <= 1 + 1e-9
    if found.low is not None and found.high is not None:
        assert -1 - 1e-9 <= found.low <= found.high <= 1 + 1e-9


@few
@given(answers)
def test_agreement_is_perfect_where_all_say_what_the_first_one_said(rows: list[Row]) -> None:
    first: dict[int, int] = {}
    same = [(task, worker, first.setdefault(task, label)) for task, worker, label in rows]
    found = agreement(*zip(*same, strict=True), draws=50)
    assert found.alpha in (None, 1)
    assert found.percent in (None, 1)


@given(counts, st.booleans(), posteriors)
def test_an_answer_counts_once_at_most_and_never_less_than_nothing(
    before: ConfusionCounts, answer: bool, posterior: float
) -> None:
    after = online.update_counts(before, answer, posterior)
    assert min(after) >= 0
    assert sum(after) <= sum(before) + 1 + 1e-6
    mean, low, high = online.reliability(after)
    assert 0 <= low <= mean <= high <= 1
    assert abs(online.evidence(after, answer)) <= MAX_EVIDENCE


@given(posteriors, worth)
def test_the_tempered_posterior_is_a_probability_and_no_order_matters(
    prior: float, evidence: list[float]
) -> None:
    found = online.tempered_posterior(prior, evidence)
    assert -1e-12 <= found <= 1 + 1e-12
    assert online.tempered_posterior(prior, evidence[::-1]) == pytest.approx(found, abs=1e-9)


@given(st.floats(0.01, 0.99), worth, st.floats(0, MAX_EVIDENCE))
def test_more_evidence_for_yes_never_makes_it_less_likely(
    prior: float, evidence: list[float], more: float
) -> None:
    assert (
        online.untempered_posterior(prior, [*evidence, more])
        >= online.untempered_posterior(prior, evidence) - 1e-12
    )
    assume(evidence)
    assert (
        online.tempered_posterior(prior, [*evidence, more])
        >= online.tempered_posterior(prior, evidence) - 1e-9
    )
