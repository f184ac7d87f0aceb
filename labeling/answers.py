"""Record what somebody said, once, and update at once what is believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from labeling import beliefs
from labeling.aggregation import online
from labeling.models import Annotator, Answer, Challenge, Project, Question

# The expected counts of the two-coin model (`online.credit`), with the beliefs as they are now.
_RATE = """
WITH shown AS (
    SELECT annotator_id, count(*) AS answers,
        count(verdict) AS gold, count(*) FILTER (WHERE verdict = value) AS gold_right,
        coalesce(sum(weight * p) FILTER (WHERE value), 0) AS tp,
        coalesce(sum(weight * p) FILTER (WHERE NOT value), 0) AS fn,
        coalesce(sum(weight * (1 - p)) FILTER (WHERE NOT value), 0) AS tn,
        coalesce(sum(weight * (1 - p)) FILTER (WHERE value), 0) AS fp
    FROM (
        SELECT annotator_id, value, verdict, probability AS p, abs(2 * probability - 1) AS weight
        FROM labeling_answer AS answer JOIN labeling_question AS q ON q.id = answer.question_id
        WHERE annotator_id = ANY(%(annotators)s)
    ) AS said
    GROUP BY annotator_id
)
UPDATE labeling_annotator
SET true_positives = tp, false_negatives = fn, true_negatives = tn, false_positives = fp,
    answers_count = answers, gold_count = gold, gold_right = shown.gold_right,
    reliability = (
        (tp + %(right)s) / (tp + fn + %(right)s + %(wrong)s)
        + (tn + %(right)s) / (tn + fp + %(right)s + %(wrong)s)
    ) / 2
FROM shown WHERE id = annotator_id
"""


@dataclass(frozen=True)
class Outcome:
    """What some answers changed. Gold questions count like others: nothing tells them apart."""

    recorded: int
    settled: int = 0  # questions that became certain
    harder: int = 0  # questions on which people now agree less
    passed: bool | None = None  # right on all questions whose truth is known; None without such


def record(
    *,
    annotator: Annotator,
    values: Mapping[int, bool],
    reasons: Mapping[int, str],
    challenge: Challenge | None = None,
    seconds: float | None = None,
) -> Outcome:
    """Store one person's words by question id; a question answered before is left as it is.

    Those of a blocked annotator are stored and weigh nothing, and the outcome does not tell.
    """
    with transaction.atomic():
        annotator = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        questions = beliefs.locked(values)
        known = set(
            Answer.objects.filter(annotator=annotator, question__in=values).values_list(
                "question_id", flat=True
            )
        )
        new = [question for question in questions if question.pk not in known]
        outcome = _believe(annotator, new, values)
        Answer.objects.bulk_create(
            [
                Answer(
                    question=question,
                    annotator=annotator,
                    challenge=challenge,
                    value=values[question.pk],
                    reason=reasons[question.pk],
                    seconds=seconds,
                )
                for question in new
            ],
            batch_size=2_000,
        )
        if not annotator.blocked:
            beliefs.save(new)
    return outcome


def reconsider(*, questions: Iterable[int]) -> int:
    """Believe anew what all answers to these questions say, but for blocked annotators'.

    Gives how many labels changed: what is believed, or how settled it is.
    """
    ids = sorted(questions)
    changed = 0
    for start in range(0, len(ids), 1_000):
        with transaction.atomic():
            batch = beliefs.locked(ids[start : start + 1_000])
            answers = (
                Answer.objects.filter(question__in=batch, annotator__blocked=False)
                .select_related("annotator")
                .order_by("question_id", "pk")
            )
            said = {pk: list(group) for pk, group in groupby(answers, lambda a: a.question_id)}
            for question in batch:
                before = question.label, question.state
                _add_up(question, said.get(question.pk, []))
                changed += (question.label, question.state) != before
            beliefs.save(batch)
    return changed


def rate_annotators(*, project: Project) -> None:
    """Count anew what all answers of the project's annotators show about them."""
    with transaction.atomic(), connection.cursor() as cursor:
        theirs = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
        annotators = list(
            Annotator.objects.filter(Exists(theirs))
            .order_by("pk")
            .select_for_update(no_key=True)
            .values_list("pk", flat=True)
        )
        cursor.execute(
            _RATE, {"annotators": annotators, "right": online.RIGHT, "wrong": online.WRONG}
        )


def counts_of(annotator: Annotator) -> online.Counts:
    return online.Counts(
        annotator.true_positives,
        annotator.false_negatives,
        annotator.true_negatives,
        annotator.false_positives,
    )


def _believe(
    annotator: Annotator, questions: list[Question], values: Mapping[int, bool]
) -> Outcome:
    """Update the questions and the annotator, who is saved. Known truths first: they teach most."""
    counts, now = counts_of(annotator), timezone.now()
    settled = harder = gold = right = 0
    for question in sorted(questions, key=lambda q: q.verdict is None):
        value, belief = values[question.pk], question.probability
        state, doubt = question.state, question.disagreement
        if question.verdict is not None:
            gold += 1
            right += question.verdict == value
        else:
            evidence = online.evidence(counts, value)
            question.probability = online.probability(online.log_odds(belief) + evidence)
        question.answers_count += 1
        question.yes_count += value
        beliefs.judge(question, now=now)
        harder += question.disagreement > doubt
        settled += _became_certain(question, before=state, value=value)
        counts = online.credit(counts, value, belief)
    annotator.true_positives, annotator.false_negatives = counts.tp, counts.fn
    annotator.true_negatives, annotator.false_positives = counts.tn, counts.fp
    annotator.reliability = online.reliability(counts)[0]
    annotator.answers_count += len(questions)
    annotator.labels_count += settled
    annotator.gold_count += gold
    annotator.gold_right += right
    annotator.seen_at = now
    annotator.save(update_fields=_TALLIES)
    return Outcome(len(questions), settled, harder, right == gold if gold else None)


_TALLIES = [
    "true_positives",
    "false_negatives",
    "true_negatives",
    "false_positives",
    "reliability",
    "answers_count",
    "labels_count",
    "gold_count",
    "gold_right",
    "seen_at",
]


def _became_certain(question: Question, *, before: str, value: bool) -> bool:
    """Whether the answer settled the question; a known truth counts as an open one would have."""
    if question.state == Question.State.GOLD:
        needed = question.project.answers_min
        return value == question.verdict and question.answers_count == needed
    return before == Question.State.OPEN and question.state == Question.State.SETTLED


def _add_up(question: Question, said: list[Answer]) -> None:
    odds = online.log_odds(question.prior)
    odds += sum(online.evidence(counts_of(answer.annotator), answer.value) for answer in said)
    question.probability = online.probability(odds)
    question.answers_count = len(said)
    question.yes_count = sum(answer.value for answer in said)
    beliefs.judge(question)
