"""What people said of captions: log-likelihood ratios that do not depend on any prior."""

from dataclasses import dataclass

import numpy as np

from labeling import evidence
from labeling.aggregation import source_trust
from labeling.aggregation.online import ANSWER_CORRELATION, NEWCOMER_EVIDENCE, ConfusionCounts
from labeling.inference.arrays import Bools, Floats, Ids, Index, columns
from labeling.models import Annotator, Answer, Project, Recomputation
from labeling.models.answers import TRUSTED

# Correlation of one person's judgements of one source's captions, as in Kish's design effect: of an
# import, fifty of one person are all that counts; of somebody who may be a friend, ten.
OF_IMPORT, OF_ANNOTATOR = 0.02, 0.1
GIVEN = 2  # a truth that nobody found: what is said of it tells of the judge alone

_ANSWERS = f"""
SELECT question_id, annotator_id, value, answer.weight, answer.reason = 'imported'
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = question_id
JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
WHERE question.project_id = {{project}} AND question.kind = 'caption'
    AND question.source <> 'model' AND {TRUSTED}
"""


@dataclass(frozen=True)
class Judgements:
    """Of N captions what people said."""

    evidence: Floats  # (N,) log-likelihood ratio, true to false; 0: nobody spoke of it
    weight: Floats  # (N,) in [0, 1], less where one person judged much of the same source


def read(
    recomputation: Recomputation, *, ids: Ids, source: Index, written_here: Bools, verdict: Ids
) -> Judgements:
    """Read the judgements of captions (N,) by their ascending ids.

    source: (N,) a number for each source. verdict: (N,) 1 true, 0 false, as a reviewer decided, -1
    unknown, or GIVEN.
    """
    project = recomputation.project
    rows, judge, ratio = _ratios(project, ids)
    size = len(ids)
    answers = np.maximum(np.bincount(rows, np.abs(ratio), size) / NEWCOMER_EVIDENCE, 1)
    strength = recomputation.strength / (1 + ANSWER_CORRELATION * (answers - 1))
    said = strength * np.bincount(rows, ratio, size)
    known = np.where(verdict > 0, source_trust.MAX_EVIDENCE, -source_trust.MAX_EVIDENCE)
    weight = _weight(source[rows], judge, np.where(written_here[rows], OF_ANNOTATOR, OF_IMPORT))
    of_caption = np.bincount(rows, weight, size) / np.bincount(rows, minlength=size).clip(1)
    known = np.where(verdict == GIVEN, 0.0, known)
    decided = verdict >= 0
    return Judgements(np.where(decided, known, said), np.where(decided, 1.0, of_caption))


def _ratios(project: Project, ids: Ids) -> tuple[Index, Ids, Floats]:
    """Return of each trusted answer the row of its caption, its annotator, and what it says."""
    types = "int8", "int8", "bool", "float8", "bool"
    question, judge, value, weight, imported = columns(_ANSWERS.format(project=project.pk), *types)
    rows = np.searchsorted(ids, question)
    present = np.zeros(len(rows), bool)
    inside = rows < len(ids)
    present[inside] = ids[rows[inside]] == question[inside]
    rows, judge, value, imported = rows[present], judge[present], value[present], imported[present]
    judges, who = np.unique(judge, return_inverse=True)
    table = _of_judges(judges, project)
    ratio = weight[present] * table[who, imported.astype(np.intp), value.astype(np.intp)]
    return rows, judge, ratio


def _of_judges(judges: Ids, project: Project) -> Floats:
    """Return (W, 2, 2) what an answer of each says: given here or imported, no or yes."""
    ids = judges.tolist()
    stored = Annotator.objects.filter(pk__in=ids).values_list("pk", *Annotator.COUNTS)
    counts = {pk: ConfusionCounts(*each) for pk, *each in stored}
    priors = evidence.earnest_priors(ids, project)
    reasons = Answer.Reason.WANTED, Answer.Reason.IMPORTED
    ratios = [
        [
            [evidence.of_answer(counts[pk], value, reason, priors[pk]) for value in (False, True)]
            for reason in reasons
        ]
        for pk in ids
    ]
    return np.array(ratios, np.float64).reshape(len(ids), 2, 2)


def _weight(source: Index, judge: Ids, correlation: Floats) -> Floats:
    """Return what each answer weighs: n of one person about one source 1 / (1 + ρ · (n - 1))."""
    pairs = np.column_stack([source, judge])
    _, pair, sizes = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    weight: Floats = 1 / (1 + correlation * (sizes[pair.reshape(-1)] - 1))
    return weight
