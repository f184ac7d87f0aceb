"""Annotators of few answers share tables: nothing is lost by it, however many there are."""

import numpy as np
import pytest

from labeling.aggregation import Aggregate, aggregate, levels

K = 3


def visitors(*, workers: int, each: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return task, worker, label (N,), truth (T,) and skill (W,) of a third who only guess."""
    draw = np.random.default_rng(seed)
    count = workers * each
    truth = draw.integers(0, K, count // 5)
    task = np.repeat(np.arange(len(truth)), 5)
    worker = draw.permutation(np.repeat(np.arange(workers), each))[: len(task)]
    skill = np.where(draw.random(workers) < 1 / 3, 1 / K, draw.beta(9, 1, workers))
    other = (truth[task] + draw.integers(1, K, len(task))) % K
    return (
        task,
        worker,
        np.where(draw.random(len(task)) < skill[worker], truth[task], other),
        truth,
        skill,
    )


def right(result: Aggregate, truth: np.ndarray) -> float:
    return float((result.label == truth).mean())


def surprise(posterior: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(posterior[np.arange(len(truth)), truth]).mean())


@pytest.fixture
def few_tables(monkeypatch) -> None:
    monkeypatch.setattr(levels, "CELLS", 20 * K**2)


def test_shared_tables_tell_those_who_guess_from_those_who_know(few_tables) -> None:
    *columns, truth, skill = visitors(workers=1_500, each=8)
    shared = aggregate(*columns)
    assert len(shared.tables) == len(levels.ABILITIES)
    votes = np.zeros((len(truth), K))
    np.add.at(votes, (columns[0], columns[2]), 1)
    assert right(shared, truth) > (votes.argmax(1) == truth).mean() + 0.02
    guess = shared.reliability[skill < 0.4]
    assert guess.mean() < shared.reliability[skill > 0.85].mean() - 0.15
    assert shared.confusion.shape == (1_500, K, K)


def test_they_do_as_well_as_tables_of_ones_own_where_answers_are_few(monkeypatch) -> None:
    *columns, truth, _ = visitors(workers=1_500, each=8)
    own = aggregate(*columns)
    assert len(own.tables) == 1_500
    monkeypatch.setattr(levels, "CELLS", 20 * K**2)
    shared = aggregate(*columns)
    assert right(shared, truth) > right(own, truth) - 0.005
    assert surprise(shared.posterior, truth) < surprise(own.posterior, truth) + 0.02


def test_who_answers_much_keeps_a_table_of_their_own(few_tables) -> None:
    task, worker, label, truth, _ = visitors(workers=600, each=5)
    draw = np.random.default_rng(1)
    busy = np.repeat(np.arange(600, 604), len(truth))
    turned = np.tile((truth + 1) % K, 4)  # right in their own way, each time the next class
    slips = draw.random(len(turned)) < 0.1
    turned[slips] = draw.integers(0, K, slips.sum())
    result = aggregate(
        np.concatenate([task, np.tile(np.arange(len(truth)), 4)]),
        np.concatenate([worker, busy]),
        np.concatenate([label, turned]),
        gold={each: int(truth[each]) for each in range(0, len(truth), 5)},
    )
    assert len(result.tables) == 4 + len(levels.ABILITIES)
    assert result.confusion[600:, np.arange(K), (np.arange(K) + 1) % K].min() > 0.8
    assert right(result, truth) > 0.97


def test_a_few_annotators_of_many_classes_have_tables_of_their_own() -> None:
    found = levels.places(np.ones(10, int), 600)
    assert (found.own, found.tables, found.shared.any()) == (10, 10, False)


def test_an_answer_each_is_inferred_from_as_votes_are() -> None:
    """Of somebody who answered once nothing is known but what the crowd is."""
    draw = np.random.default_rng(3)
    truth = draw.integers(0, 2, 4_000)
    task = np.repeat(np.arange(4_000), 5)
    label = np.where(draw.random(20_000) < 0.8, truth[task], 1 - truth[task])
    result = aggregate(task, np.arange(20_000), label)
    votes = np.bincount(task, label, 4_000)
    assert (result.label == (votes > 2.5)).all()


def test_gold_is_judged_as_if_it_were_unknown(few_tables) -> None:
    *columns, truth, _ = visitors(workers=1_500, each=8)
    known = np.arange(0, len(truth), 10)
    gold = {int(each): int(truth[each]) for each in known}
    result = aggregate(*columns, gold=gold)
    rest = np.setdiff1d(np.arange(len(truth)), known)
    blind = surprise(result.leave_one_out[known], truth[known])
    assert blind == pytest.approx(surprise(result.posterior[rest], truth[rest]), abs=0.1)


def test_the_order_of_answers_and_names_does_not_matter(few_tables) -> None:
    task, worker, label, _, _ = visitors(workers=300, each=6)
    one = aggregate(task, worker, label)
    order = np.random.default_rng(5).permutation(len(task))
    other = aggregate(task[order], worker[order] * 7 + 3, label[order])
    np.testing.assert_allclose(other.posterior, one.posterior, atol=1e-9)


@pytest.mark.parametrize("ability", [0.01, 0.5, 0.8, 0.999])
def test_the_level_of_an_ability_is_the_next_one(ability: float) -> None:
    found = levels.level(np.array([ability]))[0]
    logits = np.log(levels.ABILITIES / (1 - levels.ABILITIES))
    assert abs(logits - np.log(ability / (1 - ability))).argmin() == found
