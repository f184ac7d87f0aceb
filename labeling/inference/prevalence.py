"""How frequent each concept is, which is what is believed before anybody answered."""

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Sum

from labeling import question_state
from labeling.aggregation.online import log_odds
from labeling.models import Answer, Concept, Project, Question, Recomputation

LEAST = 30  # questions without which nothing is said about a concept
NOTICEABLE = 0.2  # of log-odds: about a fifth more or fewer
EDGE = 1e-6
BATCH = 2_000  # questions that are held at once

_SHIFT = """
WITH moved AS (
    SELECT id, 1 / (1 + exp(-(%(move)s + ln(prior / (1 - prior))))) AS prior,
        1 / (1 + exp(-(%(move)s + ln(probability / (1 - probability))))) AS p
    FROM (
        SELECT id, least(greatest(prior, %(edge)s), 1 - %(edge)s) AS prior,
            least(greatest(probability, %(edge)s), 1 - %(edge)s) AS probability
        FROM labeling_question
        WHERE concept_id = %(concept)s AND verdict IS NULL AND id > %(after)s
        ORDER BY id LIMIT %(batch)s FOR NO KEY UPDATE
    ) AS held
), written AS (
    UPDATE labeling_question AS q
    SET prior = moved.prior, probability = moved.p,
        priority = CASE
            WHEN q.state <> 'open' OR q.answers_count < q.answers_wanted
                OR (q.answers_count BETWEEN 1 AND %(least)s - 1 AND q.random_key < %(finished)s)
            THEN q.priority
            ELSE -%(value)s * (p * ln(p) + (1 - p) * ln(1 - p)) / ln(2)
        END
    FROM moved WHERE q.id = moved.id
)
SELECT max(id) FROM moved
"""


def update(recomputation: Recomputation) -> int:
    """Learn each concept's prevalence; where it moved, move all its questions' log-odds with it.

    It is learned from questions that were not chosen for what was believed of them. A move is
    made a batch at a time and goes on where it was left, should it be cut short. Gives how many
    concepts moved.
    """
    if recomputation.prevalence_shift:
        _go_on(recomputation)
    moved = 0
    concepts = {concept.pk: concept for concept in recomputation.project.concepts.all()}
    for pk, count, total in _unchosen(recomputation.project):
        share = (total + 1) / (count + 2)
        move = log_odds(share) - log_odds(concepts[pk].prevalence)
        if count >= LEAST and abs(move) > NOTICEABLE:
            with transaction.atomic():
                Concept.objects.filter(pk=pk).update(prevalence=share)
                recomputation.renew(prevalence_shift={"concept": pk, "move": move, "after": 0})
            _go_on(recomputation)
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


def _go_on(recomputation: Recomputation) -> None:
    """Finish the move that is under way."""
    moving = recomputation.prevalence_shift
    concept = Concept.objects.filter(pk=moving["concept"]).first() if moving else None
    fixed = {
        "edge": EDGE,
        "batch": BATCH,
        "value": concept.value if concept else 1.0,
        "least": recomputation.project.answers_min,
        "finished": question_state.FINISH_SHARE,
    }
    while moving and concept is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SHIFT, moving | fixed)
            (last,) = cursor.fetchone()
            moving = moving | {"after": last} if last is not None else None
            recomputation.renew(prevalence_shift=moving)
    recomputation.renew(prevalence_shift=None)
