"""What truth inference adds to counting votes."""

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest

from labeling.aggregation import Aggregate, aggregate, em
from labeling.aggregation.answers import encode
from labeling.aggregation.dawid_skene import ITERATIONS, fit_crowd
from labeling.aggregation.em import Known

Column = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crowd:
    truth: Column
    task: Column
    worker: Column
    label: Column

    def aggregate(self, **options: object) -> Aggregate:
        return aggregate(self.task, self.worker, self.label, **options)  # type: ignore[arg-type]


def crowd_of(*, tasks: int, classes: int, skill: list[float], share: float, seed: int) -> Crowd:
    """Each worker answers `share` of the tasks and is right with a probability of her own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=tasks)
    task, worker = np.nonzero(rng.random((tasks, len(skill))) < share)
    right = rng.random(len(task)) < np.asarray(skill)[worker]
    wrong = (truth[task] + rng.integers(1, classes, size=len(task))) % classes
    return Crowd(truth, task, worker, np.where(right, truth[task], wrong))


@pytest.fixture(scope="module", params=[2, 4])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    skill = [0.95, 0.9, 0.8, 0.7, 0.6, 0.6, 0.55, 0.5]
    return crowd_of(tasks=150, classes=request.param, skill=skill, share=0.5, seed=1)


def test_label_and_confidence_are_the_best_of_the_posterior(crowd: Crowd) -> None:
    result = crowd.aggregate()
    np.testing.assert_array_equal(result.confidence, result.posterior.max(1))
    np.testing.assert_array_equal(result.label, result.classes[result.posterior.argmax(1)])


def test_gold_is_respected_and_teaches_about_workers(crowd: Crowd) -> None:
    gold = {int(task): int(crowd.truth[task]) for task in range(0, 150, 3)}
    result = crowd.aggregate(gold=gold)
    for task, truth in gold.items():
        row = np.searchsorted(result.tasks, task)
        assert result.label[row] == truth
        assert result.confidence[row] == 1


@pytest.mark.filterwarnings("ignore::labeling.aggregation.GoldWarning")
def test_gold_turns_against_a_wrong_majority() -> None:
    task = np.repeat(np.arange(40), 4)
    worker = np.tile(np.arange(4), 40)
    truth = np.arange(40) % 2
    label = np.where(worker == 0, truth[task], 1 - truth[task])
    result = aggregate(task, worker, label, gold={i: int(truth[i]) for i in range(20)})
    np.testing.assert_array_equal(result.label, truth)
    assert result.reliability[0] > 0.8 > 0.2 > result.reliability[1]


def test_a_gold_class_that_nobody_answered_is_a_class() -> None:
    gold = {"a": "yes", "c": "no", "d": "no"}
    result = aggregate(list("abcd"), ["x"] * 4, ["no"] * 4, gold=gold)
    assert result.classes.tolist() == ["no", "yes"]
    assert result.label.tolist() == ["yes", "no", "no", "no"]


def test_a_tie_goes_to_the_class_with_more_answers_then_to_the_first_by_id() -> None:
    even = aggregate([1, 1], ["a", "b"], ["y", "x"])
    assert even.label.tolist() == ["x"]
    np.testing.assert_allclose(even.posterior, 0.5)
    task, worker = [1, 1, 2, 2, 2], ["a", "b", "a", "b", "c"]
    prior = {1: [0.5, 0.5], 2: [0.5, 0.5]}
    more = aggregate(task, worker, ["x", "y", "y", "x", "y"], prior=prior)
    assert more.label.tolist()[1] == "y"


def test_it_beats_the_majority_where_workers_differ() -> None:
    skill = [0.95, 0.95, 0.95, 0.55, 0.55, 0.55, 0.55, 0.55, 0.55]
    crowd = crowd_of(tasks=400, classes=2, skill=skill, share=1.0, seed=4)
    votes = np.bincount(crowd.task, crowd.label) > 4.5
    ours = crowd.aggregate().label == crowd.truth
    assert ours.mean() > 0.96 > 0.9 > (votes == crowd.truth).mean()


def test_reliability_follows_skill_and_an_unknown_worker_is_an_average_one() -> None:
    skill = [0.95, 0.85, 0.75, 0.65, 0.55]
    crowd = crowd_of(tasks=600, classes=3, skill=skill, share=0.9, seed=5)
    task, worker, label = crowd.task, crowd.worker, crowd.label
    result = aggregate(np.append(task, 0), np.append(worker, 5), np.append(label, 0))
    np.testing.assert_allclose(result.reliability[:5], skill, atol=0.06)
    assert abs(result.reliability[5] - 0.75) < 0.08
    assert result.answers[5] == 1


def test_a_prior_tips_the_balance_and_yields_to_answers() -> None:
    task = np.repeat(np.arange(30), 3)
    worker = np.tile(np.arange(3), 30)
    label = task % 2
    split = np.array([[200, 201], [0, 0], [1, 1]])
    columns = [np.append(c, more) for c, more in zip((task, worker, label), split, strict=True)]
    prior = {200: [0.999, 0.001], 201: [0.3, 0.7]}
    result = aggregate(*columns, prior=prior, classes=[0, 1])
    doubted, believed = result.posterior[-2:, 1]
    assert doubted < 0.5 < 0.9 < believed
    table = np.full((32, 2), 0.5)
    table[-2:] = list(prior.values())
    same = aggregate(*columns, prior=table, classes=[0, 1])
    np.testing.assert_allclose(same.posterior[-2:], result.posterior[-2:], atol=0.02)


def test_one_answer_alone_does_not_settle_anything() -> None:
    result = aggregate([7], ["a"], [True], classes=[False, True])
    assert 0.6 < result.confidence[0] < 0.95


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (([], [], []), {}, "no answers"),
        (([1, 2], [1], [1, 1]), {}, "same length"),
        (([1, 2], [1, 1], [1.0, np.nan]), {}, "NaN"),
        ((np.array([1, "a"], object), [1, 1], [1, 1]), {}, "task column mixes"),
        (([1, 2], [1, 1], [0, 2]), {"classes": [0, 1]}, "label 2 is not among"),
        (([1, 2], [1, 1], [0, 1]), {"classes": ["a", "b"]}, "both be text"),
        (([1, 2], [1, 1], [0, 1]), {"gold": {1: 7}, "classes": [0, 1]}, "gold class 7"),
        (([1, 2], [1, 1], [0, 1]), {"gold": {1: "yes"}}, "both be text"),
        (([1, 2], [1, 1], [0, 1]), {"prior": [[0.5, 0.5]]}, r"prior is \(1, 2\)"),
        (([1, 2], [1, 1], [0, 1]), {"prior": {1: [1, 0, 0]}}, "2 numbers"),
        (([1, 2], [1, 1], [0, 1]), {"prior": {1: [-1, 2]}}, "probabilities"),
        (([1, 2], [1, 1], [0, 1]), {"prior": {1: [0, 0]}}, "probabilities"),
        ((range(20_000), range(20_000), range(20_000)), {}, "too many"),
    ],
)
def test_it_refuses_what_does_not_fit_together(
    columns: tuple[list[int], ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        aggregate(*columns, **options)  # type: ignore[arg-type]


def test_tasks_on_which_good_annotators_disagree_are_ambiguous_and_spoil_nobody() -> None:
    crowd = crowd_of(tasks=400, classes=2, skill=[0.95] * 10, share=1.0, seed=11)
    rng = np.random.default_rng(12)
    torn = crowd.task < 60  # of these, half of the people say one thing and half the other
    label = np.where(torn, rng.integers(0, 2, len(crowd.task)), crowd.label)
    result = aggregate(crowd.task, crowd.worker, label)
    assert result.ambiguity[:60].mean() > 0.5 > 0.05 > result.ambiguity[60:].mean()
    assert result.confidence[:60].mean() < 0.75
    assert result.confidence[60:].mean() > 0.95
    assert result.reliability.min() > 0.9


def test_correlated_errors_lower_confidence() -> None:
    rng = np.random.default_rng(13)
    truth = rng.integers(0, 2, 500)
    task, worker = np.repeat(np.arange(500), 8), np.tile(np.arange(8), 500)
    apart = truth[task] ^ (rng.random(4000) < 0.25)
    hard = np.repeat(rng.beta(0.6, 1.8, 500), 8)  # a quarter on average, but task by task
    together = truth[task] ^ (rng.random(4000) < hard)
    separate, joint = aggregate(task, worker, apart), aggregate(task, worker, together)
    assert separate.error_correlation < 0.02 < 0.06 < joint.error_correlation
    for result in (separate, joint):
        right = (result.label == truth).mean()
        assert abs(result.confidence.mean() - right) < 0.07


def test_gold_tells_what_the_crowd_means_when_it_is_torn() -> None:
    """Half of the people take a duck-like bird for a duck; gold says that it is none."""
    rng = np.random.default_rng(14)
    kind = rng.integers(0, 3, 300)  # none, a bird like it, a duck
    says = np.array([0.03, 0.5, 0.97])[kind]
    task, worker = np.repeat(np.arange(300), 12), np.tile(np.arange(12), 300)
    label = (rng.random(3600) < says[task]).astype(int)
    truth = (kind == 2).astype(int)
    alone = aggregate(task, worker, label)
    taught = aggregate(task, worker, label, gold={i: int(truth[i]) for i in range(20)})
    likely = [r.posterior[np.arange(20, 300), truth[20:]] for r in (alone, taught)]
    assert np.log(likely[1]).mean() > np.log(likely[0]).mean()
    assert (taught.label == truth)[20:].mean() > 0.95


def test_gold_lowers_confidence_where_agreement_is_not_truth() -> None:
    rng = np.random.default_rng(15)
    truth = rng.integers(0, 2, 800)
    seen = truth ^ (rng.random(800) < 0.2)  # one task in five misleads everybody
    task, worker = np.repeat(np.arange(800), 5), np.tile(np.arange(5), 800)
    label = seen[task] ^ (rng.random(4000) < 0.05)
    gold = {i: int(truth[i]) for i in range(80)}
    alone, taught = aggregate(task, worker, label), aggregate(task, worker, label, gold=gold)
    assert alone.confidence[80:].mean() > 0.93
    assert abs(taught.confidence[80:].mean() - 0.8) < 0.05


def test_the_leave_one_out_posterior_does_not_know_the_task_s_own_gold() -> None:
    crowd = crowd_of(tasks=200, classes=3, skill=[0.8] * 6, share=0.8, seed=16)
    wrong = {i: int((crowd.truth[i] + 1) % 3) for i in range(5)}
    right = {i: int(crowd.truth[i]) for i in range(5, 40)}
    result = aggregate(crowd.task, crowd.worker, crowd.label, gold=wrong | right)
    assert (result.posterior[:5].argmax(1) == list(wrong.values())).all()
    assert (result.leave_one_out[:5].argmax(1) == crowd.truth[:5]).mean() > 0.7
    np.testing.assert_array_equal(result.leave_one_out[40:], result.posterior[40:])


def test_a_good_model_counts_and_a_bad_one_does_not() -> None:
    crowd = crowd_of(tasks=1000, classes=4, skill=[0.7] * 6, share=0.4, seed=17)
    rng = np.random.default_rng(18)
    sees = np.where(rng.random(1000) < 0.9, crowd.truth, rng.integers(0, 4, 1000))
    good = np.full((1000, 4), 0.03)
    good[np.arange(1000), sees] = 0.91
    columns = crowd.task, crowd.worker, crowd.label
    there = np.unique(crowd.task)

    def right(model_probabilities: np.ndarray | None) -> tuple[float, float]:  # type: ignore[type-arg]
        rows = None if model_probabilities is None else model_probabilities[there]
        result = aggregate(*columns, model_probabilities=rows)
        return float((result.label == crowd.truth[there]).mean()), result.model_weight

    alone, helped = right(None), right(good)
    assert helped[0] > alone[0] + 0.05
    assert helped[1] > 0.5
    for bad in (rng.permutation(good), np.roll(good, 1, 1)):
        misled = right(bad)
        assert misled[0] > alone[0] - 0.01
        assert misled[1] < 0.1


def test_a_model_may_keep_silent_on_some_tasks() -> None:
    crowd = crowd_of(tasks=100, classes=2, skill=[0.8] * 5, share=1.0, seed=19)
    silent = np.full((100, 2), np.nan)
    columns = crowd.task, crowd.worker, crowd.label
    alone, same = aggregate(*columns), aggregate(*columns, model_probabilities=silent)
    np.testing.assert_array_equal(alone.posterior, same.posterior)
    some = {3: [0.01, 0.99]}
    moved = aggregate(*columns, model_probabilities=some, classes=[0, 1]).posterior
    assert moved[3, 1] >= alone.posterior[3, 1]


@pytest.mark.filterwarnings("ignore::labeling.aggregation.GoldWarning")
def test_truths_of_tasks_picked_for_their_disagreement_do_not_lower_all_confidence() -> None:
    crowd = crowd_of(tasks=600, classes=2, skill=[0.8] * 5, share=1.0, seed=21)
    votes = np.bincount(crowd.task, crowd.label, minlength=600)
    hardest = np.flatnonzero((votes == 2) | (votes == 3))[:25]
    upside_down = {int(i): int(votes[i] < 3) for i in hardest}  # against the majority
    alone = crowd.aggregate()
    clamped = crowd.aggregate(decided=upside_down)
    believed = crowd.aggregate(gold=upside_down)
    easy = (votes == 0) | (votes == 5)
    confidence = [r.confidence[easy].mean() for r in (alone, clamped, believed)]
    assert confidence[1] > confidence[0] - 0.03
    assert confidence[2] < confidence[1] - 0.02
    assert (clamped.label[hardest] == list(upside_down.values())).all()


def test_a_prior_that_says_nothing_of_any_task_changes_nothing() -> None:
    columns = [0, 0, 1, 2], [0, 1, 1, 0], [1, 1, 0, 1]
    silent = aggregate(*columns, prior=np.full((3, 2), np.nan), classes=[0, 1])
    np.testing.assert_allclose(silent.posterior, aggregate(*columns).posterior, atol=1e-12)


def test_names_do_not_matter_where_no_task_has_two_answers() -> None:
    one = aggregate([0, 1, 2], [0, 0, 1], [0, 1, 2])
    other = aggregate([0, 1, 2], [0, 0, 1], [0, 2, 1])
    np.testing.assert_allclose(other.posterior[:, [0, 2, 1]], one.posterior, atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7])
def test_a_majority_that_agrees_on_lies_loses_against_a_little_gold(share: float) -> None:
    random = np.random.default_rng(3)
    tasks, workers, k = 400, 40, 4
    truth = random.integers(0, k, tasks)
    task = np.repeat(np.arange(tasks), 8)
    worker = np.concatenate([random.choice(workers, 8, replace=False) for _ in range(tasks)])
    said = np.where(worker < share * workers, (truth[task] + 1) % k, truth[task])
    slips = random.random(len(task)) > 0.85
    said[slips] = random.integers(0, k, slips.sum())
    known = random.choice(tasks, 20, replace=False).tolist()
    gold = {each: int(truth[each]) for each in known}
    result = aggregate(task, worker, said, classes=range(k), gold=gold)
    assert (result.label == truth).mean() > 0.98
    liars = result.reliability[result.workers < share * workers]
    assert liars.max() < 0.2, "they are known for what they are"


def test_gold_teaches_which_class_the_crowd_takes_for_others() -> None:
    crowd = crowd_of(tasks=800, classes=3, skill=[0.55] * 4, share=1.0, seed=7)
    refuge = np.where((crowd.truth[crowd.task] == 2) & (crowd.label != 2), 0, crowd.label)
    known = np.random.default_rng(0).choice(800, 80, replace=False).tolist()
    gold = {each: int(crowd.truth[each]) for each in known}
    rest = np.setdiff1d(np.arange(800), known)
    columns = crowd.task, crowd.worker, refuge
    right = []
    for truths in ({}, gold):
        found = aggregate(*columns, classes=range(3), gold=truths)
        right.append((found.label[rest] == crowd.truth[rest]).mean())
    assert right[1] > right[0] + 0.01


def test_gold_of_other_classes_than_the_rest_moves_nothing_under_a_prior() -> None:
    """Where priors are given, how the gold was chosen says nothing of the other tasks."""
    crowd = crowd_of(tasks=600, classes=2, skill=[0.75] * 5, share=1.0, seed=8)
    yes = np.flatnonzero(crowd.truth == 1)[:60].tolist()
    prior = {each: [0.5, 0.5] for each in range(600)}
    gold = dict.fromkeys(yes, 1)
    rest = np.setdiff1d(np.arange(600), yes)
    found = crowd.aggregate(gold=gold, prior=prior)
    share = found.posterior[rest, 1].mean()
    assert abs(share - (crowd.truth[rest] == 1).mean()) < 0.07


def test_people_in_doubt_who_choose_alike_do_not_draw_the_classes_to_them() -> None:
    random = np.random.default_rng(11)
    tasks, k = 1_500, 5
    truth = random.integers(0, k, tasks)
    task = np.repeat(np.arange(tasks), 3)
    worker = random.integers(0, 60, len(task))
    sure = random.random(len(task)) < 0.45
    refuge = random.choice(k, len(task), p=[0.4, 0.3, 0.1, 0.1, 0.1])
    said = np.where(sure, truth[task], refuge)
    found = aggregate(task, worker, said, classes=range(k))
    assert np.abs(found.posterior.mean(0) - 1 / k).max() < 0.1


@pytest.mark.parametrize(("skill", "ends"), [(0.95, True), (0.4, False)])
def test_em_ends_where_nothing_changes_any_more(skill: float, ends: bool) -> None:
    crowd = crowd_of(tasks=400, classes=4, skill=[skill] * 20, share=0.4, seed=0)
    answers = encode(crowd.task, crowd.worker, crowd.label)
    part = fit_crowd(answers, answers.votes(), Known(np.full(400, -1)))
    assert (part.crowd.iterations < ITERATIONS) == ends
    with patch.object(em, "SETTLED", 0.0):
        to_the_end = crowd.aggregate()
    found = crowd.aggregate()
    assert (found.label == to_the_end.label).all()
    assert np.abs(found.posterior - to_the_end.posterior).mean() < 2e-4


def test_em_begins_at_a_first_guess_where_one_is_given():
    """Half of the annotators say the opposite: only the guess tells which half is right."""
    truth = np.arange(40) % 2
    task = np.repeat(np.arange(40), 4)
    worker = np.tile(np.arange(4), 40)
    label = np.where(worker < 2, truth[task], 1 - truth[task])
    for guess in (truth, 1 - truth):
        start = np.eye(2)[guess] * 0.8 + 0.1
        assert (aggregate(task, worker, label, start=start).label == guess).all()
    start[::2] = np.nan  # left to the votes
    assert np.isfinite(aggregate(task, worker, label, start=start).posterior).all()
    with pytest.raises(ValueError, match="the start is"):
        aggregate(task, worker, label, start=start[1:])
