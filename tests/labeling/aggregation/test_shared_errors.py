"""Copies of one program are found by their errors, and count as one."""

import numpy as np
import pytest

from labeling.aggregation import shared_errors

QUESTIONS, PEOPLE, COPIES, EACH = 120, 60, 60, 26


def crowd(seed=0, copies=COPIES, right=0.9):
    """Return (annotator, question, wrong): people who err on their own, and copies of a program."""
    draw = np.random.default_rng(seed)
    annotator = np.repeat(np.arange(PEOPLE + copies), EACH)
    question = np.concatenate(
        [draw.choice(QUESTIONS, EACH, replace=False) for _ in range(PEOPLE + copies)]
    )
    program = draw.random(QUESTIONS) > right
    wrong = np.where(annotator < PEOPLE, draw.random(len(question)) < 0.05, program[question])
    return annotator, question, wrong


def found(annotator, question, wrong):
    size = int(annotator.max()) + 1
    return shared_errors.find(annotator, question, wrong, annotators=size, questions=QUESTIONS)


@pytest.mark.parametrize("right", [0.7, 0.8, 0.9])
def test_copies_are_found_and_people_are_not(right):
    clusters = found(*crowd(right=right))
    member = clusters.membership.sum(1)
    assert member[PEOPLE:].mean() > 0.9 and member[:PEOPLE].mean() < 0.1
    assert clusters.correlation.max() > 0.9


def test_who_errs_on_their_own_is_in_no_cluster():
    annotator, question, wrong = crowd()
    people = annotator < PEOPLE
    clusters = found(annotator[people], question[people], wrong[people])
    assert clusters.membership.shape == (PEOPLE, 0)
    value = wrong[people]
    weights = shared_errors.discount(clusters, annotator[people], question[people], value)
    assert (weights == 1).all()


def test_the_same_answers_of_copies_count_as_one_and_peoples_as_many():
    clusters = found(*crowd())
    annotator = np.arange(PEOPLE + COPIES)
    question = np.zeros(len(annotator), np.intp)
    weights = shared_errors.discount(clusters, annotator, question, annotator >= PEOPLE)
    assert weights[PEOPLE:].sum() < 3
    assert weights[:PEOPLE].sum() > 0.8 * PEOPLE


def test_copies_of_the_model_add_nothing_to_what_it_says():
    annotator, question, wrong = crowd()
    model = PEOPLE + COPIES
    said = {q: w for a, q, w in zip(annotator, question, wrong, strict=True) if a >= PEOPLE}
    rows = np.array(list(said))
    clusters = found(
        np.append(annotator, np.full(len(rows), model)),
        np.append(question, rows),
        np.append(wrong, [said[q] for q in rows]),
    )
    everybody = np.arange(model)
    agrees = np.ones(model, bool)
    weights = shared_errors.beside_model(clusters, everybody, model, agrees)
    assert weights[PEOPLE:].mean() < 0.15 and weights[:PEOPLE].mean() > 0.85
    assert (shared_errors.beside_model(clusters, everybody, model, ~agrees) == 1).all()


def test_two_programs_are_two_clusters():
    annotator, question, wrong = crowd(copies=2 * COPIES)
    other = np.random.default_rng(9).random(QUESTIONS) > 0.8
    of_other = annotator >= PEOPLE + COPIES
    wrong = np.where(of_other, other[question], wrong)
    place = found(annotator, question, wrong).membership.round().argmax(1)[PEOPLE:]
    first, second = place[:COPIES], place[COPIES:]
    assert np.bincount(first).argmax() != np.bincount(second).argmax()
    assert min(np.bincount(first).max(), np.bincount(second).max()) > 0.9 * COPIES


def test_large_crowds_are_fitted_by_some_and_all_are_placed(monkeypatch):
    monkeypatch.setattr(shared_errors, "FITTED_BY", 80)
    member = found(*crowd()).membership.sum(1)
    assert member[PEOPLE:].mean() > 0.9 and member[:PEOPLE].mean() < 0.1


def test_nothing_is_found_without_answers():
    none = np.zeros(0, np.intp)
    clusters = shared_errors.find(none, none, none.astype(bool), annotators=3, questions=0)
    assert clusters.membership.shape == (3, 0)
    assert (shared_errors.discount(clusters, none, none, none.astype(bool)) == 1).all()
