"""Write what a recomputation found of questions, a batch at a time.

Questions are locked a hundred at a time, so nobody waits longer than a batch. A question that was
answered or decided since it was read is recomputed from its stored answers: so writing the same
again, in whatever order and by whomever, changes nothing. Where a question's prior is another one,
it is written with the posterior, by what is stated and excluded when it is locked.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction

from labeling import question_posteriors, question_state
from labeling.inference.concept_priors import of_stored
from labeling.models import Question

Found = npt.NDArray[Any]  # (n,) of FOUND

FOUND = np.dtype(
    [
        ("id", np.int64),
        ("probability", np.float64),
        ("answers_weight", np.float64),
        ("answers_count", np.int64),
        ("yes_count", np.int64),
        ("verdict", np.int8),
        ("prevalence", np.float64),  # of the concept; NaN: the prior stays
        ("shift", np.float64),  # of the prior, by the prediction
        ("predicted", np.float64),  # NaN: nothing
    ]
)
FILE = "found.npy"


def save(found: Found, folder: Path) -> None:
    """Save what was found in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / FILE, found, allow_pickle=False)


def load(folder: Path) -> Found:
    """Return what was found, mapped from its file."""
    found: Found = np.load(folder / FILE, mmap_mode="r", allow_pickle=False)
    return found


def write(found: Found, renew: Callable[[], None]) -> int:
    """Write questions; return how many of them changed.

    renew: renews the lease under which they are written, within each transaction; what it raises
    undoes the batch.
    """
    changed = 0
    for start in range(0, len(found), question_state.BATCH):
        with transaction.atomic():  # whoever lost the lease writes nothing
            changed += _write_batch(found[start : start + question_state.BATCH])
            renew()
    return changed


def _write_batch(batch: Found) -> int:
    """Write a batch of questions; return how many of them changed."""
    rows = {int(row["id"]): row for row in batch}
    with transaction.atomic():
        questions = question_state.lock(rows)
        counts = question_posteriors.count_answers(list(rows))
        before = [_written(question) for question in questions]
        _set_priors(questions, rows)
        changed_since = []
        for question in questions:
            row = rows[question.pk]
            answers, yes = counts.get(question.pk, (0, 0))
            verdict = -1 if question.verdict is None else int(question.verdict)
            when_read = int(row["answers_count"]), int(row["yes_count"]), int(row["verdict"])
            if (answers, yes, verdict) != when_read:
                changed_since.append(question)
                continue
            question.probability = float(row["probability"])
            question.answers_count, question.yes_count = answers, yes
            question.answers_weight = float(row["answers_weight"])
            question_state.update_state(question)
        if changed_since:
            question_posteriors.recompute_locked(changed_since)
        changed = [q for q, was in zip(questions, before, strict=True) if _written(q) != was]
        question_state.save(changed)
    return len(changed)


def _set_priors(questions: Sequence[Question], rows: Mapping[int, Any]) -> None:
    """Set what a prior rests on, and the prior, of those where it was found."""
    follow = [each for each in questions if not np.isnan(rows[each.pk]["prevalence"])]
    found = np.array([rows[question.pk] for question in follow], FOUND)
    stated = np.array([question.stated for question in follow], np.float64)
    exclusion = np.array([question.exclusion_shift for question in follow], np.float64)
    priors = of_stored(stated, found["prevalence"], found["shift"], exclusion)
    values = zip(follow, priors.tolist(), found["shift"].tolist(), found["predicted"], strict=True)
    for question, prior, shift, predicted in values:
        question.prior, question.prior_shift = prior, shift
        question.model_probability = None if np.isnan(predicted) else float(predicted)


def _written(question: Question) -> tuple[object, ...]:
    """Return what makes a question worth writing where it changes."""
    values = question.probability, question.priority, question.answers_weight
    rounded = (round(value, 4) for value in values)
    prior = question.prior, question.prior_shift, question.model_probability
    return *rounded, *prior, question.state, question.answers_count, question.yes_count
