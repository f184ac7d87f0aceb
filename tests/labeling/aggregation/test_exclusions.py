"""It is learned from answers what rules what out on a picture, and no answer says more by it."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from labeling.aggregation import exclusions
from labeling.aggregation.exclusions import NEVER, Group, overruled

RIGHT = 0.9  # of the answers


def told(truth: np.ndarray, *, answers: int = 2, prior: float = 0.1) -> tuple[np.ndarray, ...]:
    """Return what people say of pictures that show some concepts (n, C), as `learn` takes it."""
    dice = np.random.default_rng(0)
    tile, concept = (each.ravel() for each in np.indices(truth.shape))
    right = dice.random((answers, tile.size)) < RIGHT
    yes = right == truth.ravel()
    evidence = np.where(yes, 1, -1).sum(0) * logit(RIGHT)
    return tile, concept, np.full(tile.size, prior), evidence


def of_one_class(pictures: int, concepts: int = 6) -> np.ndarray:
    classes = np.random.default_rng(1).integers(10, size=pictures)
    return classes[:, None] == np.arange(concepts)


def independent(pictures: int, concepts: int = 6) -> np.ndarray:
    return np.random.default_rng(1).random((pictures, concepts)) < 0.1


def learn(truth: np.ndarray, **told_by: float) -> list[exclusions.Group]:
    return exclusions.learn(*told(truth, **told_by), concepts=truth.shape[1])


def test_classes_rule_each_other_out():
    (group,) = learn(of_one_class(1500))
    assert group.concepts == tuple(range(6))
    assert group.overlap < 0.1


def test_tags_that_occur_together_freely_never_do():
    assert learn(independent(1500)) == []
    assert learn(independent(60)) == []


def test_a_few_answers_are_no_reason_to_believe_it():
    assert learn(of_one_class(30)) == []
    either = np.random.default_rng(1).random(29) < 0.5
    assert learn(np.column_stack([either, ~either]), prior=0.5) == []


def of_a_new_concept(truth: np.ndarray, asked: int) -> list[exclusions.Group]:
    """Learn from all that ten classes are, some that they are not, and the last concept's first."""
    tile, concept, prior, evidence = told(truth, answers=3)
    known = truth.ravel() | (np.random.default_rng(2).random(len(tile)) < 0.3)
    kept = np.where(concept < 10, known, tile < asked)
    return exclusions.learn(tile[kept], concept[kept], prior[kept], evidence[kept], concepts=11)


@pytest.mark.parametrize("asked", [10, 15, 20])
def test_a_new_tag_is_not_taken_for_one_more_class(asked):
    """It has not met each of the classes yet, which rule each other out without any doubt."""
    truth = np.column_stack([of_one_class(300, concepts=10), np.zeros(300, bool)])
    truth[4::20, 10] = True  # whatever else the picture shows
    assert [group.concepts for group in of_a_new_concept(truth, asked)] == [tuple(range(10))]


def test_a_new_class_is_taken_for_one_soon():
    truth = of_one_class(300, concepts=10)
    truth = np.column_stack([truth, np.zeros(300, bool)])
    truth[::10] = np.arange(11) == 10
    assert [group.concepts for group in of_a_new_concept(truth, 120)] == [tuple(range(11))]


def test_a_few_pictures_of_both_end_it():
    truth = of_one_class(1500)
    (cats,) = np.nonzero(truth[:, 0])
    truth[cats[:12], 1] = True
    (group,) = exclusions.learn(*told(truth), concepts=6, earlier=learn(of_one_class(1500)))
    assert not {0, 1} <= set(group.concepts)


def test_scenes_may_show_a_class_and_a_tag():
    truth = np.column_stack([of_one_class(1500, 4), independent(1500, 2)])
    (group,) = learn(truth)
    assert group.concepts == (0, 1, 2, 3)


def test_it_goes_on_while_it_is_nearly_sure():
    truth = of_one_class(1500, 2)
    earlier = learn(truth)
    (both,) = np.nonzero(truth[:, 0])
    truth[both[:3], 1] = True
    assert exclusions.learn(*told(truth), concepts=2, earlier=earlier)


def test_the_order_of_questions_does_not_matter():
    columns = told(of_one_class(1500))
    mixed = np.random.default_rng(2).permutation(len(columns[0]))
    (one,) = exclusions.learn(*columns, concepts=6)
    (other,) = exclusions.learn(*(column[mixed] for column in columns), concepts=6)
    assert one.concepts == other.concepts and one.overlap == pytest.approx(other.overlap)


def test_what_nobody_has_answered_adds_nothing():
    prior = np.random.default_rng(0).random((50, 5))
    assert exclusions.shifts(prior, np.zeros((50, 5)), 0.1) == pytest.approx(0)


def test_a_yes_lowers_all_others_and_not_itself():
    evidence = np.array([[4.0, 0, 0]])
    own, *others = exclusions.shifts(np.full((1, 3), 0.1), evidence, 0.05)[0]
    assert own == pytest.approx(0) and max(others) < -1


def test_the_last_of_a_complete_set_of_classes_is_likely():
    evidence = np.full((1, 10), -3.0)
    shift = exclusions.shifts(np.full((1, 10), 0.1), evidence, 0.02)
    assert (shift > 1.5).all()


def test_two_on_which_people_insist_are_both_believed():
    prior, evidence = np.full((1, 5), 0.1), np.array([[8.0, 8, 0, 0, 0]])
    shift = exclusions.shifts(prior, evidence, 0.05)
    assert (expit(logit(prior) + evidence + shift)[0, :2] > 0.9).all()


def test_an_answer_changes_no_other_concept_by_more_than_its_own_evidence():
    dice = np.random.default_rng(0)
    prior, evidence = dice.uniform(0.01, 0.6, (300, 6)), dice.normal(0, 3, (300, 6))
    for overlap in (0.02, 0.2):
        answer = dice.normal(0, 2, 300)
        more = evidence.copy()
        more[:, 0] += answer
        before = exclusions.shifts(prior, evidence, overlap)
        change = exclusions.shifts(prior, more, overlap) - before
        assert (np.abs(change[:, 1:]) <= np.abs(answer)[:, None] + 1e-9).all()
        assert change[:, 0] == pytest.approx(0, abs=1e-6)


def test_what_is_believed_is_true_as_often():
    """Pictures of a group as the model has it: what is said at .8 is right in eight of ten."""
    dice, size, overlap = np.random.default_rng(0), 200_000, 0.2
    free = dice.random(size) < overlap
    classes = dice.integers(10, size=size)
    truth = np.where(free[:, None], dice.random((size, 5)) < 0.1, classes[:, None] == range(5))
    asked = dice.random((size, 5)) < 0.6
    yes = (dice.random((size, 5)) < RIGHT) == truth
    evidence = np.where(asked, np.where(yes, 1, -1) * logit(RIGHT), 0)
    prior = np.full((size, 5), 0.1)
    believed = expit(logit(prior) + evidence + exclusions.shifts(prior, evidence, overlap))
    place = np.digitize(believed, np.linspace(0, 1, 11))
    for one in np.unique(place):
        some = place == one
        assert truth[some].mean() == pytest.approx(believed[some].mean(), abs=0.03)


def test_who_knows_better_has_the_last_word():
    group = Group((0, 1, 2, 3), 0.1)
    assert overruled([group], set(), set()) == [group]
    without = overruled([group], {(0, 1)}, set())
    assert without == [Group((0, 2, 3), 0.1), Group((1, 2), 0.1), Group((1, 3), 0.1)]
    assert overruled([Group((0, 1), 0.1)], {(0, 1)}, set()) == []
    more = overruled([group], set(), {(0, 3), (3, 4), (2, 4)})
    assert more == [group, Group((2, 4), NEVER, True), Group((3, 4), NEVER, True)]


PAIRS = st.sets(st.sampled_from(list(combinations(range(8), 2))))


@given(st.lists(st.integers(1, 4), max_size=3), PAIRS, PAIRS)
def test_each_pair_is_in_one_group_at_most_and_only_those_that_are_said(sizes, together, never):
    starts = np.cumsum([0, *sizes]).tolist()
    groups = [
        Group(tuple(range(start, start + size)), 0.1)
        for start, size in zip(starts, sizes, strict=False)
        if size > 1
    ]
    learned = {pair for group in groups for pair in combinations(group.concepts, 2)}
    never -= together
    found = [
        pair
        for group in overruled(groups, together, never)
        for pair in combinations(group.concepts, 2)
    ]
    assert len(found) == len(set(found))
    assert set(found) == (learned - together) | never
