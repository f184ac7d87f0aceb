"""How frequent each concept is, which is what is believed before anybody answered."""

import math

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Sum

from labeling.aggregation.online import log_odds
from labeling.models import Answer, Concept, Project, Question

LEAST = 30  # questions without which nothing is said about a concept
NOTICEABLE = 0.2  # of log-odds: about a fifth more or fewer
EDGE = 1e-6

_SHIFT = """
WITH moved AS (
    SELECT id, 1 / (1 + exp(-(%(move)s + ln(prior / (1 - prior))))) AS prior,
        1 / (1 + exp(-(%(move)s + ln(probability / (1 - probability))))) AS p
    FROM (
        SELECT id, least(greatest(prior, %(edge)s), 1 - %(edge)s) AS prior,
            least(greatest(probability, %(edge)s), 1 - %(edge)s) AS probability
        FROM labeling_question
        WHERE concept_id = %(concept)s AND verdict IS NULL
        ORDER BY id FOR NO KEY UPDATE
    ) AS held
)
UPDATE labeling_question AS q
SET prior = moved.prior, probability = moved.p,
    priority = CASE
        WHEN q.state <> 'open' OR q.answers_count < q.answers_wanted THEN q.priority
        ELSE -%(value)s * (p * ln(p) + (1 - p) * ln(1 - p)) / ln(2)
    END
FROM moved WHERE q.id = moved.id
"""


def update(*, project: Project) -> int:
    """Learn each concept's prevalence; where it moved, move all its questions' log-odds with it.

    It is learned from questions that were not chosen for what was believed of them. Gives how
    many concepts moved.
    """
    moved = 0
    concepts = {concept.pk: concept for concept in project.concepts.all()}
    for pk, count, total in _unchosen(project):
        share = (total + 1) / (count + 2)
        move = log_odds(share) - log_odds(concepts[pk].prevalence)
        if count >= LEAST and abs(move) > NOTICEABLE:
            _move(concepts[pk], share, move)
            moved += 1
    return moved


def _unchosen(project: Project) -> list[tuple[int, int, float]]:
    """(concept, questions, sum of beliefs) of the real tiles that were drawn at random.

    Gold is left out: whoever chose it may have wanted to have some of everything.
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


def _move(concept: Concept, share: float, move: float) -> None:
    assert math.isfinite(move)
    with transaction.atomic(), connection.cursor() as cursor:
        Concept.objects.filter(pk=concept.pk).update(prevalence=share)
        cursor.execute(
            _SHIFT, {"move": move, "edge": EDGE, "concept": concept.pk, "value": concept.value}
        )
