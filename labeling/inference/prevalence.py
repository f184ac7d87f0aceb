"""Learn how frequent each concept is: the prior of its questions before anything else is known."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Sum

from labeling import question_state
from labeling.aggregation.online import EDGE, log_odds
from labeling.models import Answer, Concept, Project, Question, Recomputation

MIN_QUESTIONS = 30  # with fewer, the prevalence stays
NOTICEABLE = 0.2  # log-odds: about a fifth more or fewer
BATCH = 2_000  # questions that are locked together

# Shifts the log-odds of a batch of questions, by id after the last one. The priority is that of
# `question_state.priority`.
_SHIFT = """
WITH shifted AS (
    SELECT id, 1 / (1 + exp(-(%(shift)s + ln(prior / (1 - prior))))) AS prior,
        1 / (1 + exp(-(%(shift)s + ln(probability / (1 - probability))))) AS p
    FROM (
        SELECT id, least(greatest(prior, %(edge)s), 1 - %(edge)s) AS prior,
            least(greatest(probability, %(edge)s), 1 - %(edge)s) AS probability
        FROM labeling_question
        WHERE concept_id = %(concept)s AND verdict IS NULL AND id > %(after)s
        ORDER BY id LIMIT %(batch)s FOR NO KEY UPDATE
    ) AS locked
), written AS (
    UPDATE labeling_question AS q
    SET prior = shifted.prior, probability = shifted.p,
        priority = CASE
            WHEN q.state <> 'open' OR q.answers_count < q.answers_wanted OR (
                q.answers_count BETWEEN 1 AND %(answers_min)s - 1
                AND q.random_key < %(finish_share)s
            ) THEN q.priority
            ELSE -%(value)s * (p * ln(p) + (1 - p) * ln(1 - p)) / ln(2)
        END
    FROM shifted WHERE q.id = shifted.id
)
SELECT max(id) FROM shifted
"""


def update(recomputation: Recomputation) -> int:
    """Learn each concept's prevalence; where it changed, shift its questions' log-odds by as much.

    1. Finish the shift that an earlier recomputation was cut short in.
    2. Estimate prevalences by questions that were chosen without regard to their probability.
    3. For each that changed noticeably: store it, with the shift that is due to its questions.
    4. Shift the questions, a batch at a time, and note after each how far it came.

    Return how many prevalences changed.
    """
    if recomputation.prevalence_shift:
        _shift_questions(recomputation)
    changed = 0
    concepts = {concept.pk: concept for concept in recomputation.project.concepts.all()}
    for pk, questions, yes in _unbiased_sums(recomputation.project):
        prevalence = estimate(concepts[pk].prevalence, questions, yes)
        shift = log_odds(prevalence) - log_odds(concepts[pk].prevalence)
        if shift:
            with transaction.atomic():
                Concept.objects.filter(pk=pk).update(prevalence=prevalence)
                due = {"concept": pk, "shift": shift, "after": 0}
                recomputation.renew(prevalence_shift=due)
            _shift_questions(recomputation)
            changed += 1
    return changed


def estimate(current: float, questions: int, yes: float) -> float:
    """Return the prevalence by so many questions and their sum of probabilities of yes.

    It is the present one where they are too few, or the change would not be noticeable.
    """
    prevalence = (yes + 1) / (questions + 2)
    noticeable = abs(log_odds(prevalence) - log_odds(current)) > NOTICEABLE
    return prevalence if questions >= MIN_QUESTIONS and noticeable else current


def _unbiased_sums(project: Project) -> list[tuple[int, int, float]]:
    """Return (concept, questions, sum of probabilities) of real tiles that were drawn at random.

    Gold is left out: whoever chose it may have wanted some of everything.
    """
    drawn = Answer.objects.filter(
        question=OuterRef("pk"), reason__in=[Answer.Reason.RANDOM, Answer.Reason.IMPORTED]
    )
    return list(
        Question.objects.filter(project=project, kind=Question.Kind.CONCEPT)
        .exclude(source=Question.Source.MODEL)
        .filter(Exists(drawn), answers_count__gt=0)
        .order_by()
        .values_list("concept_id")
        .annotate(Count("pk"), Sum("probability"))
    )


def _shift_questions(recomputation: Recomputation) -> None:
    """Finish the shift that is under way; one of a concept that is gone is dropped."""
    shift: dict[str, Any] | None = recomputation.prevalence_shift
    concept = Concept.objects.filter(pk=shift["concept"]).first() if shift else None
    fixed = {
        "edge": EDGE,
        "batch": BATCH,
        "value": concept.value if concept else 1.0,
        "answers_min": recomputation.project.answers_min,
        "finish_share": question_state.FINISH_SHARE,
    }
    while shift and concept is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SHIFT, shift | fixed)
            (last,) = cursor.fetchone()
            shift = shift | {"after": last} if last is not None else None
            recomputation.renew(prevalence_shift=shift)
    recomputation.renew(prevalence_shift=None)
