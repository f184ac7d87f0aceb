"""Krippendorff's alpha against values worked by hand, published ones and another's program."""

import sys
from typing import Any

import krippendorff
import numpy as np
import pytest

from labeling.aggregation import Agreement, agreement, agreement_of_votes
from labeling.aggregation.agreement import INTERVAL_TASKS, Level

LEVELS: tuple[Level, ...] = ("nominal", "ordinal")
GRADES = ["poor", "fair", "good", "great", "superb"]  # not as the alphabet has them

# K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: four observers,
# twelve units, answers missing. Nominal alpha is .743.
FOUR_OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
# Ibid., section A: two observers, ten units, two classes. Alpha is .095, agreement 6 of 10.
TWO_OBSERVERS = """
    0 1 0 0 0 0 0 0 1 0
    1 1 1 0 0 1 0 0 0 0
"""


def agreement_of(table: str, *, seed: int = 0) -> Agreement:
    """The agreement in a table of observers (rows) by units (columns)."""
    cells = [line.split() for line in table.strip().splitlines()]
    answers = [
        (unit, observer, int(value))
        for observer, row in enumerate(cells)
        for unit, value in enumerate(row)
        if value != "."
    ]
    return agreement(*zip(*answers, strict=True), seed=seed)


def test_four_observers_with_missing_answers() -> None:
    result = agreement_of(FOUR_OBSERVERS)
    assert result.alpha == pytest.approx(0.743, abs=5e-4)
    assert (result.tasks, result.answers) == (11, 40)
    assert result.percent == pytest.approx(0.8)


def test_two_observers_and_two_classes() -> None:
    result = agreement_of(TWO_OBSERVERS)
    assert result.alpha == pytest.approx(0.095, abs=5e-4)
    assert result.percent == pytest.approx(0.6)
    assert result.prevalence == pytest.approx({0: 0.7, 1: 0.3})


def test_perfect_agreement_is_one() -> None:
    result = agreement_of("0 1 2 0\n0 1 2 0")
    assert (result.alpha, result.percent) == (1, 1)


def test_systematic_disagreement_is_below_zero() -> None:
    alpha = agreement_of("0 1 0 1\n1 0 1 0").alpha
    assert alpha is not None
    assert alpha < -0.5


def test_random_answers_agree_by_chance() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=6000)
    result = agreement(np.arange(6000) % 2000, np.arange(6000) // 2000, label)
    assert result.alpha == pytest.approx(0, abs=0.03)
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0 < result.high


def test_the_interval_holds_alpha_and_repeats_with_its_seed() -> None:
    twice = "\n".join(f"{row} {row}" for row in FOUR_OBSERVERS.strip().splitlines())
    first, again = agreement_of(twice, seed=3), agreement_of(twice, seed=3)
    assert first == again
    assert first.alpha is not None
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.alpha < first.high


@pytest.mark.parametrize("tasks", [1, 2, INTERVAL_TASKS - 1, INTERVAL_TASKS])
def test_very_few_tasks_have_an_alpha_and_no_interval(tasks: int) -> None:
    result = agreement_of_votes([[2, 1], [0, 2]], [1, tasks - 1])
    assert result.tasks == tasks and result.alpha is not None
    assert (result.low is not None) is (result.high is not None) is (tasks >= INTERVAL_TASKS)


def test_few_tasks_that_agree_leave_alpha_wide_open() -> None:
    """Resampled they would say that alpha is 1 for sure."""
    result = agreement_of_votes([[2, 0], [0, 2]], [3, 3])
    assert result.alpha == 1 and result.low is not None and result.high == 1
    assert result.low < 0.4


def test_the_interval_narrows_with_the_number_of_tasks() -> None:
    widths = []
    for tasks in (6, 8, 16, 64, 256):
        result = agreement_of_votes([[2, 0], [0, 2]], [tasks / 2, tasks / 2])
        assert result.low is not None and result.high is not None
        widths.append(result.high - result.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0.6 and 0 < widths[-1] < 0.1


@pytest.mark.parametrize("tasks", [5, 10, 20])
@pytest.mark.parametrize("prevalence, accuracy", [(0.5, 0.95), (0.5, 0.7), (0.1, 0.9)])
def test_the_interval_of_few_tasks_covers_the_alpha_of_all(
    tasks: int, prevalence: float, accuracy: float
) -> None:
    """It should in 95 % of cases; of five tasks, the bootstrap's did in 10 to 60 %."""
    share = prevalence * accuracy + (1 - prevalence) * (1 - accuracy)
    alpha = 1 - accuracy * (1 - accuracy) / (share * (1 - share))
    rng = np.random.default_rng(tasks)
    covered = rounds = 0
    while rounds < 200:
        truth = rng.random((tasks, 1)) < prevalence
        yes = np.where(rng.random((tasks, 2)) < accuracy, truth, ~truth).sum(1)
        result = agreement_of_votes(np.stack([2 - yes, yes], 1), draws=200)
        if result.low is not None and result.high is not None:  # else all answers are the same
            covered += result.low <= alpha <= result.high
            rounds += 1
    assert covered / rounds > 0.86


def test_the_interval_is_that_of_resampled_tasks() -> None:
    rng = np.random.default_rng(1)
    votes = rng.binomial(3, rng.choice([0.15, 0.9], size=120))
    label = (np.arange(3) < votes[:, None]).astype(int)
    task, worker = np.divmod(np.arange(360), 3)
    alphas = []
    for _ in range(400):
        drawn = label[rng.integers(120, size=120)]
        alphas.append(agreement(task, worker, drawn.ravel(), draws=1).alpha or 0.0)
    result = agreement(task, worker, label.ravel(), draws=4000)
    assert (result.low, result.high) == pytest.approx(np.quantile(alphas, [0.025, 0.975]), abs=0.03)


def test_alpha_is_undefined_where_all_answers_are_the_same() -> None:
    result = agreement_of("1 1 1\n1 1 1")
    assert (result.alpha, result.low, result.high) == (None, None, None)
    assert result.percent == 1


def test_a_single_answer_a_task_says_nothing_about_agreement() -> None:
    result = agreement([1, 2], ["a", "b"], [0, 1])
    assert (result.alpha, result.percent, result.tasks, result.answers) == (None, None, 0, 0)
    assert result.prevalence == {0: 0.5, 1: 0.5}


def test_the_last_answer_of_an_annotator_counts() -> None:
    twice = agreement([1, 1, 2, 2, 1], ["a", "b", "a", "b", "a"], [0, 1, 0, 0, 1])
    assert twice == agreement([1, 1, 2, 2], ["a", "b", "a", "b"], [1, 1, 0, 0])


def test_order_and_names_do_not_matter() -> None:
    named = agreement([2, 1, 1, 2], ["x", "y", "x", "y"], ["no", "yes", "no", "no"])
    plain = agreement([1, 1, 2, 2], [1, 2, 1, 2], [0, 1, 0, 0])
    assert (named.alpha, named.percent) == (plain.alpha, plain.percent)


def test_it_refuses_to_judge_without_answers() -> None:
    with pytest.raises(ValueError, match="no answers"):
        agreement([], [], [])


def crowd(seed: int, *, answered: float) -> np.ndarray:
    """Grades 0 … 4 by annotators of all sorts (rows) of tasks (columns); NaN: no answer."""
    rng = np.random.default_rng(seed)
    workers, tasks = rng.integers(2, 9), rng.integers(2, 60)
    truth = rng.integers(rng.integers(2, 6), size=tasks)
    grades = truth + rng.integers(-1, 2, (workers, tasks)) * (rng.random((workers, tasks)) < 0.4)
    table = grades.clip(0, 4).astype(float)
    table[rng.random(table.shape) > answered] = np.nan
    return table


def in_columns(table: np.ndarray) -> tuple[list[Any], ...]:
    worker, task = np.nonzero(~np.isnan(table))
    return task.tolist(), worker.tolist(), table[worker, task].astype(int).tolist()


def theirs(table: np.ndarray, level: Level) -> float:
    known = [each for each in range(5) if (table == each).any()]
    return float(krippendorff.alpha(table, value_domain=known, level_of_measurement=level))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("answered", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_another_program_says(level: Level, answered: float, seed: int) -> None:
    table = crowd(seed, answered=answered)
    task, worker, label = in_columns(table)
    named = [GRADES[each] for each in label]
    alpha = theirs(table, level) if (~np.isnan(table)).sum(0).max() > 1 else None
    for result in (
        agreement(task, worker, label, level=level, draws=1),
        agreement(task, worker, named, level=level, classes=GRADES, draws=1),
    ):
        assert result.alpha == (alpha if alpha is None else pytest.approx(alpha, abs=1e-12))


@pytest.mark.parametrize("level", LEVELS)
def test_text_is_ordered_by_the_alphabet_unless_the_classes_are_named(level: Level) -> None:
    task, worker, label = in_columns(crowd(4, answered=0.8))
    named = [GRADES[each] for each in label]
    in_order = agreement(task, worker, named, level=level, classes=GRADES)
    assert list(in_order.prevalence) == GRADES
    assert in_order == agreement(task, worker, named, level=level, classes=tuple(GRADES))
    by_letter = agreement(task, worker, named, level=level).alpha
    assert by_letter == pytest.approx(
        agreement(task, worker, named, level=level, classes=sorted(GRADES)).alpha
    )
    assert (by_letter == pytest.approx(in_order.alpha)) == (level == "nominal")


def test_a_class_that_nobody_named_changes_nothing_but_what_is_counted() -> None:
    columns = in_columns(crowd(5, answered=0.8))
    for level in LEVELS:
        more = agreement(*columns, level=level, classes=[*range(5), 7])
        assert more.alpha == agreement(*columns, level=level).alpha
        assert more.prevalence[7] == 0


def test_near_misses_count_less_where_classes_are_ordered() -> None:
    near = [0, 1, 1, 2, 2, 3, 3, 4, 0, 0, 4, 4]
    far = [0, 4, 1, 3, 2, 0, 3, 1, 0, 0, 4, 4]
    task, worker = [i // 2 for i in range(12)], [i % 2 for i in range(12)]
    ordinal = [
        agreement(task, worker, label, level="ordinal").alpha or 0.0 for label in (near, far)
    ]
    nominal = [agreement(task, worker, label).alpha or 0.0 for label in (near, far)]
    assert ordinal[0] > 0.8 > 0.3 > ordinal[1]
    assert nominal[0] == pytest.approx(nominal[1], abs=0.05)


@pytest.mark.parametrize("level", LEVELS)
def test_order_names_of_annotators_and_of_tasks_do_not_matter(level: Level) -> None:
    task, worker, label = in_columns(crowd(6, answered=0.8))
    shuffled = np.random.default_rng(0).permutation(len(task))
    renamed = agreement(
        [f"t{99 - task[i]:02}" for i in shuffled],
        [f"w{9 - worker[i]}" for i in shuffled],
        [label[i] for i in shuffled],
        level=level,
    )
    assert renamed.alpha == pytest.approx(agreement(task, worker, label, level=level).alpha)


@pytest.mark.parametrize("level", LEVELS)
def test_reversing_the_order_of_the_classes_changes_nothing(level: Level) -> None:
    task, worker, label = in_columns(crowd(7, answered=0.8))
    mirrored = agreement(task, worker, [4 - each for each in label], level=level)
    assert mirrored.alpha == pytest.approx(agreement(task, worker, label, level=level).alpha)


@pytest.mark.parametrize("level", LEVELS)
def test_votes_with_how_often_they_occur_say_the_same_as_answers(level: Level) -> None:
    table = np.random.default_rng(8).integers(0, 3, (3, 400)).astype(float)
    votes = np.array([(table == each).sum(0) for each in range(3)]).T
    kinds, times = np.unique(votes, axis=0, return_counts=True)
    whole = agreement(*in_columns(table), level=level)
    short = agreement_of_votes(kinds, times, level=level)
    assert short.alpha == pytest.approx(whole.alpha)
    assert short.percent == pytest.approx(whole.percent)
    assert (short.tasks, short.answers, short.prevalence) == (400, 1200, whole.prevalence)


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_covers_what_the_whole_population_would_say(level: Level) -> None:
    rng = np.random.default_rng(9)
    truth = rng.integers(4, size=20_000)
    grades = (truth + rng.integers(-1, 2, (3, 20_000))).clip(0, 3).astype(float)
    alpha = agreement(*in_columns(grades), level=level, draws=1).alpha or 0.0
    covered = 0
    for start in range(0, 100 * 60, 60):
        few = agreement(*in_columns(grades[:, start : start + 60]), level=level, draws=200)
        assert few.low is not None and few.high is not None
        covered += few.low <= alpha <= few.high
    assert 88 <= covered <= 99


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("few", [1, 128])
def test_tasks_in_groups_come_to_what_kinds_of_tasks_come_to(
    level: Level, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    votes = np.random.default_rng(10).multinomial(5, [0.7, 0.1, 0.1, 0.1], size=3007)
    votes[:500] = np.minimum(votes[:500], 2)
    by_kind = agreement_of_votes(votes, level=level, draws=3000)
    module = sys.modules["labeling.aggregation.agreement"]
    monkeypatch.setattr(module, "GROUPS", 40)
    monkeypatch.setattr(module, "FEW", few)
    grouped = agreement_of_votes(votes, level=level, draws=3000)
    for name in ("alpha", "percent", "tasks", "answers"):
        assert getattr(grouped, name) == pytest.approx(getattr(by_kind, name))
    assert by_kind.low is not None and by_kind.high is not None
    width = by_kind.high - by_kind.low
    assert grouped.low == pytest.approx(by_kind.low, abs=0.15 * width)
    assert grouped.high == pytest.approx(by_kind.high, abs=0.15 * width)


@pytest.mark.parametrize("level", LEVELS)
def test_marks_out_of_a_hundred_are_many_classes(level: Level) -> None:
    rng = np.random.default_rng(11)
    table = (rng.integers(100, size=60) + rng.normal(0, 8, (4, 60))).round().clip(0, 100)
    table[rng.random(table.shape) < 0.2] = np.nan
    theirs = krippendorff.alpha(table, level_of_measurement=level)
    assert agreement(*in_columns(table), level=level).alpha == pytest.approx(theirs)


def test_it_knows_no_other_level() -> None:
    with pytest.raises(ValueError, match="nominal or ordinal, not interval"):
        agreement([1, 1], [1, 2], [0, 1], level="interval")  # type: ignore[arg-type]


def test_a_label_must_be_among_the_classes() -> None:
    with pytest.raises(ValueError, match="not among the classes"):
        agreement([1, 1], [1, 2], [0, 5], classes=[0, 1])
