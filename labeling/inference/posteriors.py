"""Recompute all posteriors of a project: read arrays, infer, write in batches (`shares`)."""

from dataclasses import dataclass

import numpy as np
from django.db import transaction

from labeling import beliefs, bulk_update, question_state
from labeling.aggregation import binary, online, online_tempering
from labeling.aggregation.binary import BinaryAggregate
from labeling.batches import batched
from labeling.inference import annotators, concept_priors, schedule, shares, weights
from labeling.inference.arrays import (
    AnswerArrays,
    Bools,
    Floats,
    Ids,
    Index,
    QuestionArrays,
    read,
)
from labeling.inference.concept_priors import Followed
from labeling.inference.shares import OnShared
from labeling.inference.writing import FOUND, Found
from labeling.models import Question, Recomputation, SuspectSpell

NOTICEABLE = 1e-3  # smaller changes of a probability are not written
FITTED_BY = 5_000  # questions by which the tempering is fitted


@dataclass(frozen=True)
class _Posteriors:
    """What the Q questions' answers add up to."""

    aggregate: BinaryAggregate  # as if the concepts of a picture were independent
    probability: Floats  # (Q,) with what answers about other concepts of the picture add
    answers_count: Ids  # (Q,)
    yes_count: Ids  # (Q,)
    discount: Floats  # (N,) what each answer weighs beside those of other suspects
    evidence: Floats  # (N,) of each answer
    answers_weight: Floats  # (Q,) as of `online.answers_weight`


def update(
    recomputation: Recomputation, *, newest: int, on_shared: OnShared | None = None
) -> tuple[int, dict[int, float], Ids]:
    """Update posteriors and accuracies by all answers up to the id `newest`.

    Priors that are stale follow with them: so each question is written once.

    on_shared: as of `shares.write`.

    Return how many questions changed, by gold question the posterior as if its truth, and those of
    the picture's other concepts, were unknown, and the ids of those that may have changed, or were
    answered since the last recomputation.
    """
    questions, answers = read(recomputation.project, newest=newest)
    questions, followed = concept_priors.follow(questions, recomputation.project.pk)
    recomputation.renew()
    annotators.update_without_answers(newest=newest, recomputation=recomputation)
    if not len(questions.id):
        return 0, {}, questions.id
    answer_weights = weights.infer(recomputation.project, questions, answers)
    posteriors = _infer(questions, answers, answer_weights)
    weights.write(answer_weights, answers, posteriors.discount, recomputation)
    _fit_tempering(questions, answers, posteriors, recomputation)
    changed, written = _write(questions, posteriors, followed, recomputation, on_shared)
    annotators.update_accuracies(
        questions, answers, posteriors.aggregate, newest=newest, recomputation=recomputation
    )
    gold = questions.gold & (posteriors.answers_count > 0)
    # What the picture's other concepts say is left out here: they may be gold, too.
    blind = posteriors.aggregate.leave_one_out[gold].tolist()
    held_out = dict(zip(questions.id[gold].tolist(), blind, strict=True))
    _write_held_out(held_out, recomputation)
    new = answers.id > recomputation.project.aggregated_to
    moved = np.union1d(written, questions.id[answers.question[new]])
    return changed, held_out, moved


def _write_held_out(held_out: dict[int, float], recomputation: Recomputation) -> None:
    """Write the posteriors of gold as if its truth were unknown, where they changed."""
    gold = Question.objects.filter(project=recomputation.project, state=Question.State.GOLD)
    before = gold.order_by("pk").values_list("pk", "held_out")
    changed = [pk for pk, known in before if _differs(known, held_out.get(pk))]
    for batch in batched(changed, question_state.BATCH):
        with transaction.atomic():  # whoever lost the lease writes nothing
            questions = question_state.lock(batch)
            for question in questions:
                question.held_out = held_out.get(question.pk)
            bulk_update.update(questions, ["held_out"])
            recomputation.renew()


def _differs(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is not now
    return abs(now - before) > NOTICEABLE


def _infer(
    questions: QuestionArrays, answers: AnswerArrays, answer_weights: weights.Weights
) -> _Posteriors:
    free = beliefs.shifted(questions.prior, -questions.exclusion)
    aggregate = binary.infer(
        answers.question,
        answers.annotator,
        answers.value,
        prior=free,
        verdict=questions.verdict,
        gold=questions.gold,
        suspect=_in_suspect_spells(answers),
        annotators=len(answers.annotators),
        weight=answer_weights.total,
        check=answers.check,
    )
    size, annotator = len(questions.id), answers.annotator
    evidence = np.where(aggregate.suspect, 0.0, aggregate.weight) * online_tempering.evidence(
        np.nan_to_num(aggregate.sensitivity[annotator], nan=0.5),
        np.nan_to_num(aggregate.specificity[annotator], nan=0.5),
        answers.value,
    )
    discount = aggregate.weight / answer_weights.total
    whole = np.minimum((evidence / online.WHOLE_ANSWER) ** 2, discount)
    probability = beliefs.shifted(aggregate.probability, questions.exclusion)
    return _Posteriors(
        aggregate,
        probability=np.where(questions.verdict >= 0, questions.verdict, probability),
        answers_count=np.bincount(answers.question, minlength=size),
        yes_count=np.bincount(answers.question, answers.value, size).astype(np.int64),
        discount=discount,
        evidence=evidence,
        answers_weight=np.bincount(answers.question, whole, size).astype(np.float64),
    )


def _in_suspect_spells(answers: AnswerArrays) -> Bools:
    """Return (N,) whether each answer lies in a suspect spell of its annotator."""
    inside = np.zeros(len(answers.id), bool)
    spells = SuspectSpell.objects.filter(annotator__in=answers.annotators.tolist())
    order = np.argsort(answers.annotator, kind="stable")  # by annotator, then by id
    ends = np.searchsorted(answers.annotator[order], np.arange(len(answers.annotators) + 1))
    for annotator, start, stop in spells.values_list("annotator", "start", "stop"):
        index = np.searchsorted(answers.annotators, annotator)
        own = order[ends[index] : ends[index + 1]]
        first = np.searchsorted(answers.id[own], start)
        last = np.searchsorted(answers.id[own], stop) if stop is not None else len(own)
        inside[own[first:last]] = True
    return inside


def _fit_tempering(
    questions: QuestionArrays,
    answers: AnswerArrays,
    posteriors: _Posteriors,
    recomputation: Recomputation,
) -> None:
    """Fit how answers are tempered one by one, so that they arrive at these posteriors."""
    aggregate = posteriors.aggregate
    undecided = np.flatnonzero((questions.verdict < 0) & (posteriors.answers_count > 0))
    sample = np.random.default_rng(0).permutation(undecided)[:FITTED_BY]
    sample_index = np.full(len(questions.id), -1)
    sample_index[sample] = np.arange(len(sample))
    used = (sample_index[answers.question] >= 0) & ~aggregate.suspect
    tempering = online_tempering.fit_tempering(
        sample_index[answers.question[used]],
        posteriors.evidence[used],
        questions.prior[sample],
        posteriors.probability[sample],
    )
    recomputation.renew(strength=tempering.strength, ambiguity=tempering.ambiguity)


def _write(
    questions: QuestionArrays,
    posteriors: _Posteriors,
    followed: Followed,
    recomputation: Recomputation,
    on_shared: OnShared | None,
) -> tuple[int, Ids]:
    """Write the questions that changed, or whose state other rules may change; wrong labels first.

    Return how many did, and the ids of those that may have.
    """
    rules = schedule.settling_rules(recomputation.project)
    differs = followed.changed | (
        np.abs(posteriors.probability - questions.probability) > NOTICEABLE
    )
    differs |= posteriors.answers_count != questions.answers_count
    differs |= posteriors.yes_count != questions.yes_count
    differs |= np.abs(posteriors.answers_weight - questions.answers_weight) > NOTICEABLE
    others_rules = schedule.have_changed(recomputation.settling_rules, rules)
    if others_rules:
        differs[:] = True
    turned = (posteriors.probability >= 0.5) != (questions.probability >= 0.5)
    rows = np.concatenate([np.flatnonzero(differs & turned), np.flatnonzero(differs & ~turned)])
    found = _found(rows, questions, posteriors, followed)
    changed = shares.write(found, recomputation, on_shared, whole=others_rules)
    recomputation.renew(settling_rules=rules)
    return changed, questions.id[differs]


def _found(
    rows: Index, questions: QuestionArrays, posteriors: _Posteriors, followed: Followed
) -> Found:
    """Return what was found of the questions in these rows."""
    found = np.zeros(len(rows), FOUND)
    found["id"], found["verdict"] = questions.id[rows], questions.verdict[rows]
    found["probability"] = posteriors.probability[rows]
    found["answers_weight"] = posteriors.answers_weight[rows]
    found["answers_count"] = posteriors.answers_count[rows]
    found["yes_count"] = posteriors.yes_count[rows]
    found["prevalence"], found["shift"] = followed.prevalence[rows], followed.shift[rows]
    found["predicted"] = questions.predicted[rows]
    return found
