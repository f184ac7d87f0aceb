"""Record what somebody said, once, and update at once what is believed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from labeling import question_state
from labeling.aggregation import drift, online
from labeling.models import Annotator, Answer, Challenge, Question, Recomputation

BATCH = 100  # questions that are held at once: some thirty milliseconds
HEARD_MOST = 100  # answers by which a question is believed as they come; all, when recomputed

# What others said of each question, by a bounded read of its index. Whoever is blocked or was
# suspect when answering is left out.
_SAID = """
SELECT question.id, said.* FROM unnest(%(questions)s::bigint[]) AS question(id)
CROSS JOIN LATERAL (
    SELECT value, true_positives, false_negatives, true_negatives, false_positives
    FROM labeling_answer AS answer JOIN labeling_annotator AS who ON who.id = answer.annotator_id
    WHERE answer.question_id = question.id AND answer.annotator_id <> %(but)s AND NOT who.blocked
        AND (
            who.suspect_from IS NULL OR answer.id < who.suspect_from
            OR answer.id >= who.suspect_to
        )
    ORDER BY answer.annotator_id DESC LIMIT %(most)s
) AS said
"""

_COUNT = """
SELECT question_id, count(*), count(*) FILTER (WHERE value)
FROM labeling_answer AS answer JOIN labeling_annotator AS who ON who.id = answer.annotator_id
WHERE question_id = ANY(%s) AND NOT who.blocked
GROUP BY question_id
"""

Said = Mapping[int, Sequence[tuple[bool, online.ConfusionCounts]]]  # by question id


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

    Those of a blocked annotator are stored and weigh nothing, as do those of a suspect one, and
    the outcome does not tell. What it costs does not depend on how much is stored.
    """
    with transaction.atomic():
        annotator = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        questions = question_state.locked(values)
        known = set(
            Answer.objects.filter(annotator=annotator, question__in=values).values_list(
                "question_id", flat=True
            )
        )
        new = [question for question in questions if question.pk not in known]
        if not new:
            return Outcome(0)
        stored = Answer.objects.bulk_create(
            [
                Answer(
                    question=question,
                    annotator=annotator,
                    challenge=challenge,
                    value=values[question.pk],
                    reason=reasons[question.pk],
                    seconds=seconds,
                    probability_before=question.probability,
                )
                for question in new
            ],
            batch_size=2_000,
        )
        outcome = _believe(annotator, new, values, first=min(answer.pk for answer in stored))
        if not annotator.blocked:
            question_state.save(new)
    return outcome


def reconsider(*, questions: Iterable[int]) -> int:
    """Believe anew what all answers to these questions say, but for blocked annotators'.

    Holds few questions at a time. Gives how many labels changed: what is believed, or how settled
    it is.
    """
    ids = sorted(questions)
    changed = 0
    for start in range(0, len(ids), BATCH):
        with transaction.atomic():
            batch = question_state.locked(ids[start : start + BATCH])
            changed += recount(batch)
            question_state.save(batch)
    return changed


def recount(questions: Sequence[Question]) -> int:
    """Believe anew of locked questions what their answers say; gives how many labels changed."""
    said, given = said_of(questions), counted([question.pk for question in questions])
    tempers = _tempers(questions)
    changed = 0
    for question in questions:
        before = question.label, question.state
        evidence = [online.evidence(counts, value) for value, counts in said.get(question.pk, [])]
        question.probability = online.tempered_posterior(
            question.prior, evidence, tempers[question.project_id]
        )
        question.answers_count, question.yes_count = given.get(question.pk, (0, 0))
        question_state.update_state(question)
        changed += (question.label, question.state) != before
    return changed


def said_of(questions: Iterable[Question], *, but: int = 0) -> Said:
    """(value, the annotator's counts) by question, but for one annotator's.

    Nothing of a question that is known and was answered often: nobody is told anything by it.
    """
    said: dict[int, list[tuple[bool, online.ConfusionCounts]]] = defaultdict(list)
    ids = [question.pk for question in questions if _open_to_doubt(question)]
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_SAID, {"questions": ids, "but": but, "most": HEARD_MOST})
            for question, value, *counts in cursor:
                said[question].append((value, online.ConfusionCounts(*counts)))
    return said


def counted(questions: Sequence[int]) -> dict[int, tuple[int, int]]:
    """(answers, yeses) by question that has any, but for blocked annotators'."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(questions)])
        return {question: (count, yes) for question, count, yes in cursor}


def counts_of(annotator: Annotator) -> online.ConfusionCounts:
    return online.ConfusionCounts(
        annotator.true_positives,
        annotator.false_negatives,
        annotator.true_negatives,
        annotator.false_positives,
    )


def _believe(
    annotator: Annotator, questions: list[Question], values: Mapping[int, bool], *, first: int
) -> Outcome:
    """Update the questions and the annotator, who is saved. Known truths first: they teach most."""
    now = timezone.now()
    said, tempers = said_of(questions, but=annotator.pk), _tempers(questions)
    settled = harder = gold = right = 0
    for question in sorted(questions, key=lambda q: q.verdict is None):
        value = values[question.pk]
        state, disagreed = question.state, question.disagreement
        others = [online.evidence(counts, heard) for heard, counts in said.get(question.pk, [])]
        mine = [] if annotator.suspect else [online.evidence(counts_of(annotator), value)]
        before, after = (
            online.tempered_posterior(question.prior, evidence, tempers[question.project_id])
            for evidence in (others, [*others, *mine])
        )
        if question.verdict is not None:
            gold += 1
            right += question.verdict == value
            _rate_on_gold(annotator, question.verdict, value, first, now)
        else:
            question.probability = after
            _watch(annotator, question, value, others, first, now)
        question.answers_count += 1
        question.yes_count += value
        question_state.update_state(question, now=now)
        harder += question.disagreement > disagreed
        if question.state == Question.State.GOLD:
            settled += _would_settle(question, before, after)
        else:
            settled += state == Question.State.OPEN and question.state == Question.State.SETTLED
    annotator.answers_count += len(questions)
    annotator.labels_count += settled
    annotator.gold_count += gold
    annotator.gold_right += right
    annotator.seen_at = now
    annotator.save(update_fields=_TALLIES)
    return Outcome(len(questions), settled, harder, right == gold if gold else None)


def _rate_on_gold(
    annotator: Annotator, truth: bool, value: bool, first: int, now: datetime
) -> None:
    """What an answer to a question of known truth shows; the suspect may prove themselves by it."""
    _doubt(annotator, float(value == truth), first, now)
    if not annotator.suspect:
        set_counts(annotator, online.update_counts(counts_of(annotator), value, float(truth)))


def _watch(
    annotator: Annotator,
    question: Question,
    value: bool,
    others: Sequence[float],
    first: int,
    now: datetime,
) -> None:
    """What the answer shows about its annotator, as far as others have said anything."""
    if annotator.suspect:
        return
    if others:
        yes = online.tempered_posterior(question.prior, others)
        _doubt(annotator, yes if value else 1 - yes, first, now)
    belief = online.untempered_posterior(question.prior, others)
    set_counts(annotator, online.update_counts(counts_of(annotator), value, belief))


def _doubt(annotator: Annotator, right: float, first: int, now: datetime) -> None:
    """Make an annotator suspect from answer `first` on, or a suspect one trusted again.

    The counts of a suspect one stay as they were: they are those of the time before.
    """
    counts = counts_of(annotator)
    annotator.drift_score = drift.score(
        annotator.drift_score, right, online.reliability_lower_bound(counts)
    )
    if annotator.drift_score >= drift.THRESHOLD and not annotator.suspect:
        annotator.suspect_since, annotator.reliability = now, drift.GUESSING
        annotator.suspect_from, annotator.suspect_to = first, None
    elif annotator.drift_score <= 0 and annotator.suspect:
        annotator.suspect_since, annotator.suspect_to = None, first
        set_counts(annotator, counts)


def _open_to_doubt(question: Question) -> bool:
    return question.verdict is None or question.answers_count <= question.project.answers_cap


def set_counts(annotator: Annotator, counts: online.ConfusionCounts) -> None:
    """Set the expected counts, and the reliability that they mean."""
    annotator.true_positives, annotator.false_negatives = counts.tp, counts.fn
    annotator.true_negatives, annotator.false_positives = counts.tn, counts.fp
    annotator.reliability = (counts.sensitivity + counts.specificity) / 2


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
    "drift_score",
    "suspect_since",
    "suspect_from",
    "suspect_to",
    "seen_at",
]


def _tempers(questions: Iterable[Question]) -> Mapping[int, online.Tempering]:
    """By project: as the last recomputation found it, or as usual where there was none."""
    tempers: dict[int, online.Tempering] = defaultdict(online.Tempering)
    rows = Recomputation.objects.filter(project__in={question.project_id for question in questions})
    for project, *temper in rows.values_list("project", "strength", "ambiguity"):
        tempers[project] = online.Tempering(*temper)
    return tempers


def _would_settle(gold: Question, before: float, after: float) -> bool:
    """Whether the last answer would have settled a question whose truth is not known."""
    project, count = gold.project, gold.answers_count
    needed = question_state.answers_needed(gold, belief=after)
    return (
        needed <= count <= max(project.answers_cap, needed)
        and max(after, 1 - after) >= project.settle_at
        and (count == needed or max(before, 1 - before) < project.settle_at)
    )
