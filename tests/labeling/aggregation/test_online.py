"""One answer at a time: bounded, fair to the honest, and no lever for liars."""

import itertools
import random

import pytest

from labeling.aggregation import online
from labeling.aggregation.online import MAX_EVIDENCE, MAX_REVERSED_EVIDENCE, ConfusionCounts

NEWCOMER = ConfusionCounts()
CAREFUL = ConfusionCounts(tp=95, fn=5, tn=98, fp=2)
HASTY = ConfusionCounts(tp=60, fn=40, tn=65, fp=35)
HOSTILE = ConfusionCounts(tp=1, fn=99, tn=1, fp=99)
FLAWLESS = ConfusionCounts(tp=1e6, fn=0, tn=1e6, fp=0)
YES_SAYER = ConfusionCounts(tp=1000, fn=0, tn=0, fp=1000)
CAST = [NEWCOMER, CAREFUL, HASTY, HOSTILE, FLAWLESS, YES_SAYER]


@pytest.mark.parametrize("p", [1e-6, 0.02, 0.5, 0.9, 1 - 1e-6])
def test_log_odds_and_probability_are_inverse(p: float) -> None:
    assert online.probability(online.log_odds(p)) == pytest.approx(p)


def test_probability_takes_any_log_odds() -> None:
    assert online.probability(1e6) == 1
    assert online.probability(-1e6) == 0
    assert online.log_odds(0) == pytest.approx(-online.log_odds(1))


def test_a_newcomer_counts_as_mostly_right() -> None:
    mean, low, high = online.reliability(NEWCOMER)
    assert mean == pytest.approx(0.85)
    assert 0.6 < low < mean < high < 1
    assert online.probability(online.evidence(NEWCOMER, True)) == pytest.approx(0.85)


def test_the_better_the_annotator_the_more_the_answer_weighs() -> None:
    weights = [online.evidence(counts, True) for counts in (HASTY, NEWCOMER, CAREFUL)]
    assert weights == sorted(weights)


@pytest.mark.parametrize("counts", CAST)
def test_evidence_is_bounded(counts: ConfusionCounts) -> None:
    assert -MAX_REVERSED_EVIDENCE <= online.evidence(counts, True) <= MAX_EVIDENCE
    assert -MAX_REVERSED_EVIDENCE <= -online.evidence(counts, False) <= MAX_EVIDENCE


def test_a_hostile_annotator_gains_no_more_than_a_little_reversed_weight() -> None:
    assert online.reliability(HOSTILE)[0] < 0.5
    assert online.evidence(HOSTILE, True) == -MAX_REVERSED_EVIDENCE
    assert online.evidence(HOSTILE, False) == MAX_REVERSED_EVIDENCE


def test_whoever_always_says_yes_says_nothing() -> None:
    assert online.evidence(YES_SAYER, True) == pytest.approx(0, abs=0.02)
    assert online.reliability(YES_SAYER)[0] == pytest.approx(0.5, abs=0.01)


def test_an_answer_against_the_belief_makes_the_question_less_certain() -> None:
    before = online.log_odds(0.95)
    after = before + online.evidence(CAREFUL, False)
    assert abs(after) < abs(before)


def test_an_answer_against_the_belief_costs_in_proportion_to_the_belief() -> None:
    start = online.reliability(CAREFUL)[0]
    means = [
        online.reliability(online.update_counts(CAREFUL, False, p))[0] for p in (0.99, 0.999, 1)
    ]
    assert start > means[0] > means[1] > means[2]


def test_an_answer_with_the_belief_earns_credit() -> None:
    for posterior, answer in ((0.9, True), (0.1, False)):
        after = online.update_counts(NEWCOMER, answer, posterior)
        assert online.reliability(after)[0] > online.reliability(NEWCOMER)[0]


def test_nothing_is_learned_about_an_annotator_where_nothing_is_known() -> None:
    assert online.update_counts(HASTY, True, 0.5) == HASTY


def test_gold_counts_whole() -> None:
    assert online.update_counts(NEWCOMER, True, 1) == ConfusionCounts(tp=1)
    assert online.update_counts(NEWCOMER, False, 1) == ConfusionCounts(fn=1)
    assert online.update_counts(NEWCOMER, False, 0) == ConfusionCounts(tn=1)
    assert online.update_counts(NEWCOMER, True, 0) == ConfusionCounts(fp=1)


@pytest.mark.parametrize("posterior", [0.0, 0.2, 0.7, 1.0])
def test_an_answer_never_counts_more_than_once(posterior: float) -> None:
    for counts, answer in itertools.product(CAST, (True, False)):
        assert sum(online.update_counts(counts, answer, posterior)) - sum(counts) <= 1 + 1e-6


def test_the_interval_narrows_with_answers() -> None:
    few, many = ConfusionCounts(8, 2, 8, 2), ConfusionCounts(80, 20, 80, 20)
    widths = [high - low for _, low, high in map(online.reliability, (NEWCOMER, few, many))]
    assert widths == sorted(widths, reverse=True)


def test_the_interval_of_a_newcomer_is_that_of_the_prior() -> None:
    """For two equal coins the mean has half the variance: Beta(17.85, 3.15), 5 % and 95 %."""
    _, low, high = online.reliability(NEWCOMER)
    assert (low, high) == pytest.approx((0.708, 0.954), abs=5e-4)


@pytest.mark.parametrize("pair", list(itertools.combinations(CAST, 2)))
def test_who_answers_a_question_first_hardly_matters(
    pair: tuple[ConfusionCounts, ConfusionCounts],
) -> None:
    log_odds, means = [], []
    for order in (pair, pair[::-1]):
        odds, after = online.log_odds(0.6), {}
        for counts, answer in zip(order, (order[0] == pair[0], order[0] != pair[0]), strict=True):
            after[counts] = online.update_counts(counts, answer, online.probability(odds))
            odds += online.evidence(counts, answer)
        log_odds.append(odds)
        means.append([online.reliability(after[counts])[0] for counts in pair])
    assert log_odds[0] == pytest.approx(log_odds[1])
    assert means[0] == pytest.approx(means[1], abs=0.05)


def test_old_answers_are_forgotten() -> None:
    counts = online.forget(FLAWLESS)
    assert sum(counts) == pytest.approx(2 * online.MEMORY)
    for _ in range(140):
        counts = online.update_counts(counts, True, 0.0)
    assert counts.tn == pytest.approx(online.MEMORY / 2, rel=0.03)


def test_the_lower_bound_is_about_the_low_end_of_the_interval() -> None:
    for counts in CAST:
        assert online.reliability_lower_bound(counts) == pytest.approx(
            online.reliability(counts)[1], abs=0.02
        )


@pytest.mark.parametrize("prior", [0.01, 0.3, 0.5, 0.9])
def test_without_answers_the_posterior_is_the_prior(prior: float) -> None:
    assert online.tempered_posterior(prior, []) == prior
    assert online.tempered_posterior(prior, [0.0]) == pytest.approx(prior)


def test_the_tempered_posterior_is_less_certain() -> None:
    evidence = [1.7, 1.2, 2.5]
    assert (
        0.5
        < online.tempered_posterior(0.5, evidence)
        < online.untempered_posterior(0.5, evidence)
        < 1
    )


def test_a_question_on_which_people_are_divided_stays_between_yes_and_no() -> None:
    assert online.tempered_posterior(0.5, [2.0] * 6 + [-2.0] * 6) == pytest.approx(0.5)
    assert 0.4 < online.tempered_posterior(0.3, [2.0] * 8 + [-2.0] * 7) < 0.8


def test_one_more_yes_never_makes_a_question_less_likely() -> None:
    draw = random.Random(0)
    for _ in range(500):
        prior, temper = draw.random(), online.Tempering(draw.uniform(0.2, 1.5), draw.random() / 2)
        evidence = [draw.uniform(-MAX_EVIDENCE, MAX_EVIDENCE) for _ in range(draw.randrange(12))]
        more = online.tempered_posterior(prior, [*evidence, draw.uniform(0, MAX_EVIDENCE)], temper)
        assert more >= online.tempered_posterior(prior, evidence, temper) - 1e-9


def test_order_is_nothing_and_yes_mirrors_no() -> None:
    evidence = [1.7, -0.4, 2.5, -3.0]
    assert online.tempered_posterior(0.3, evidence) == pytest.approx(
        online.tempered_posterior(0.3, evidence[::-1])
    )
    mirrored = online.tempered_posterior(0.7, [-each for each in evidence])
    assert mirrored == pytest.approx(1 - online.tempered_posterior(0.3, evidence))


@pytest.mark.parametrize("posterior", [-0.1, 1.1, float("nan")])
def test_it_refuses_a_posterior_that_is_no_probability(posterior: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        online.update_counts(NEWCOMER, True, posterior)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_answers_move_even_a_prior_of_zero_or_one(prior: float) -> None:
    towards = 1 - 2 * prior
    few, many = ([towards * 2.0] * count for count in (5, 30))
    assert abs(online.tempered_posterior(prior, few) - prior) > 1e-5
    assert abs(online.tempered_posterior(prior, many) - prior) > 1e-2
    assert abs(online.untempered_posterior(prior, many) - prior) > 0.99


@pytest.mark.parametrize("prior", [0.0, 5e-324, 1e-17, 0.5, 1 - 1e-16, 1.0])
def test_every_prior_gives_a_finite_posterior(prior: float) -> None:
    for evidence in ([], [0.0], [MAX_EVIDENCE] * 100, [-MAX_EVIDENCE] * 100):
        for tempering in (online.Tempering(), online.Tempering(1.5, 0.4), online.Tempering(1.5, 0)):
            assert 0 <= online.tempered_posterior(prior, evidence, tempering) <= 1
        assert 0 <= online.untempered_posterior(prior, evidence) <= 1
