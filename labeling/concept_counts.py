"""How far concepts are: their questions, answers, labels, gold and examples, in numbers."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, Q

from labeling.models import Concept, ConceptExample, Question

_ANSWERED = Q(answers_count__gt=0)
_SETTLED = Q(state=Question.State.SETTLED)
_COUNTS = {
    "asked": Count("pk"),
    "answered": Count("pk", filter=_ANSWERED),
    "yes": Count("pk", filter=_SETTLED & Q(probability__gte=0.5)),
    "no": Count("pk", filter=_SETTLED & Q(probability__lt=0.5)),
    "ambiguous": Count("pk", filter=Q(state=Question.State.AMBIGUOUS)),
    "gold": Count("pk", filter=Q(state=Question.State.GOLD)),
}


@dataclass(frozen=True)
class Counts:
    """Numbers of one concept's questions, and of its examples."""

    asked: int = 0  # stored questions: asked, or to be asked
    answered: int = 0  # of them, those with an answer
    yes: int = 0  # settled
    no: int = 0  # settled
    ambiguous: int = 0
    gold: int = 0
    examples: int = 0


def counts(concepts: Collection[Concept]) -> dict[int, Counts]:
    """Return the counts of concepts by id, by two queries."""
    ids = [concept.pk for concept in concepts]
    examples = dict(
        ConceptExample.objects.filter(concept__in=ids)
        .order_by()
        .values_list("concept")
        .annotate(count=Count("pk"))
    )
    questions = Question.objects.filter(kind=Question.Kind.CONCEPT, concept__in=ids)
    rows = questions.exclude(reason=Question.Reason.MERGED).order_by().values("concept")
    by_id: dict[int, dict[str, int]] = {}
    for row in rows.annotate(**_COUNTS).values_list("concept", *_COUNTS):
        by_id[row[0]] = dict(zip(_COUNTS, row[1:], strict=True))
    return {pk: Counts(**by_id.get(pk, {}), examples=examples.get(pk, 0)) for pk in ids}
