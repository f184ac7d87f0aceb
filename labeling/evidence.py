"""What answers say about questions, as log-likelihood ratios of yes against no.

An answer weighs what is known of its annotator now (`aggregation.earnest.evidence`), times what its
challenge weighs. So earlier answers of somebody who has proved themselves count in full as soon as
anybody else answers the same question, or all is recomputed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from labeling import access, checks, prepared
from labeling.aggregation import earnest, online
from labeling.aggregation.online import ConfusionCounts
from labeling.models import Annotator, Answer, Project, Question
from labeling.models.answers import TRUSTED

MAX_ANSWERS = 100  # to a question that are read; a recomputation reads all of them

_IS_INVITED = access.is_invited("annotator", "question.private_project")
_TRUSTED_ANSWERS = f"""
SELECT question.id, trusted.*
FROM unnest(%(questions)s::bigint[], %(private)s::bigint[]) AS question(id, private_project)
CROSS JOIN LATERAL (
    SELECT value, weight, reason,
        question.private_project <> 0 AND {_IS_INVITED},
        true_positives, false_negatives, true_negatives, false_positives
    FROM labeling_answer AS answer
    JOIN labeling_annotator AS annotator ON annotator.id = answer.annotator_id
    WHERE answer.question_id = question.id AND annotator.id <> %(excluded)s AND {TRUSTED}
    ORDER BY answer.annotator_id DESC LIMIT %(most)s
) AS trusted
"""

_TEMPERINGS = """
SELECT project_id, strength, ambiguity FROM labeling_recomputation
WHERE project_id = ANY(%s::bigint[])
"""


def by_question(
    questions: Iterable[Question], *, excluding: Annotator | None = None
) -> Mapping[int, list[float]]:
    """Return the evidence of each trusted answer by question id, but for one annotator's.

    There is none for a question whose truth is known and that was answered often: nothing more
    can be learned from it. The cost is bounded by the number of questions.
    """
    evidence: dict[int, list[float]] = defaultdict(list)
    projects = {q.pk: q.project for q in questions if _is_open_to_evidence(q)}
    if projects:
        values = {
            "questions": list(projects),
            "private": [project.pk * project.private for project in projects.values()],
            "excluded": excluding.pk if excluding is not None else 0,
            "most": MAX_ANSWERS,
        }
        rows = prepared.fetch(_TRUSTED_ANSWERS, values)
        priors: dict[tuple[int, bool], float] = {}
        for question, value, weight, reason, invited, *counts in rows:
            project = projects[question]
            if (project.pk, invited) not in priors:
                priors[project.pk, invited] = _prior(project, invited=invited)
            prior = priors[project.pk, invited]
            ratio = of_answer(ConfusionCounts(*counts), value, reason, prior)
            evidence[question].append(weight * ratio)
    return evidence


def of_answer(counts: ConfusionCounts, value: bool, reason: str, prior: float) -> float:
    """Return the evidence of an answer by an annotator with these counts and this earnest prior.

    An owner who imports answers answers for them: they count as given in earnest.
    """
    if reason == Answer.Reason.IMPORTED:
        return online.evidence(counts, value)
    return earnest.evidence(counts, value, prior)


def share(answer: Answer, prior: float) -> float:
    """Return what a trusted answer weighs, in [0, 1]: 1 is a known person's in a passed challenge.

    prior: of its annotator, whom it reads, as of `earnest_priors`.
    """
    if answer.reason == Answer.Reason.IMPORTED:
        return answer.weight
    counts = answer.annotator.confusion_counts
    return answer.weight * earnest.trust(counts, answer.value, prior)


def earnest_priors(annotators: Collection[int], project: Project) -> dict[int, float]:
    """Return by id how probably each answers a project in earnest, before any answer is known.

    Of a private project only those who were invited are trusted from the beginning: strangers may
    have answered before it became private, and those may who are members no more.
    """
    invited = access.invited(annotators, project) if project.private and annotators else set()
    kinds = {annotator in invited for annotator in annotators}
    prior = {kind: _prior(project, invited=kind) for kind in kinds}
    return {annotator: prior[annotator in invited] for annotator in annotators}


def _prior(project: Project, *, invited: bool) -> float:
    if invited:
        return earnest.INVITED
    return earnest.UNPROVEN if checks.has_gold(project) else earnest.ANYBODY


def temperings(questions: Iterable[Question]) -> Mapping[int, online.Tempering]:
    """Return by project id what its last recomputation fitted; the default where none has."""
    fitted: dict[int, online.Tempering] = defaultdict(online.Tempering)
    projects = {question.project_id for question in questions}
    for project, *tempering in prepared.fetch(_TEMPERINGS, [list(projects)]):
        fitted[project] = online.Tempering(*tempering)
    return fitted


def _is_open_to_evidence(question: Question) -> bool:
    return question.verdict is None or question.answers_count <= question.project.answers_cap
