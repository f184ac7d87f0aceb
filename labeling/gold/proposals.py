"""Propose gold: settled questions on which several people whose answers count agree."""

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.gold.pictures import Choice, Picture, folder_of, free, known_families
from labeling.models import Answer, Comment, Concept, Question

AGREEING = 2  # trusted answers at least, all the same
LOOKED_AT = 8  # questions by confidence for each that is proposed


def propose(concept: Concept, count: int = 20) -> list[Question]:
    """Return settled questions about whole pictures that may become gold, the surest first.

    Half of them are yes and half no, as far as there are. Each is of another family of
    near-duplicates, which has no gold yet; several trusted answers agree on it and none differs;
    nobody has flagged it, set it aside, or asked for more answers; no model generated it.

    That people agree does not make a question gold: whoever accepts it must look. Where they find
    that the people were wrong, it is to be marked with the other truth, rather than refused: gold
    on which the crowd was always right would make it look better than it is.
    """
    half = (count + 1) // 2
    families = known_families(concept)
    yes, no = (_surest(concept, families, truth, count) for truth in (True, False))
    more_yes, more_no = max(half - len(no), 0), max(count - half - len(yes), 0)
    return _mixed(yes[: half + more_yes], no[: half + more_no])[:count]


def _mixed(yes: list[Question], no: list[Question]) -> list[Question]:
    """Return both by turns, each in its order."""
    longest = max(len(yes), len(no))
    return [each[n] for n in range(longest) for each in (yes, no) if n < len(each)]


def _surest(concept: Concept, families: set[int], truth: bool, count: int) -> list[Question]:
    questions = _agreed(concept, truth).select_related("concept", "tile__image")
    order = "-probability" if truth else "probability"
    by_tile = {
        question.tile_id: question
        for question in questions.order_by(order, "pk")[: LOOKED_AT * count]
    }
    choice = Choice(families)
    choice.add(map(_picture, by_tile.values()), count)
    return [by_tile[picture.tile] for picture in choice.pictures]


def _agreed(concept: Concept, truth: bool) -> QuerySet[Question]:
    """Return the settled questions on which all trusted answers say so."""
    trusted = Answer.objects.trusted().filter(question=OuterRef("pk")).order_by()
    opposed = trusted.exclude(value=truth)
    counted = trusted.values("question").annotate(n=Count("pk")).values("n")
    settled = Question.objects.filter(
        concept=concept,
        kind=Question.Kind.CONCEPT,
        state=Question.State.SETTLED,
        answers_wanted=0,
        tile__in=free(concept),
    ).filter(Q(probability__gte=0.5) if truth else Q(probability__lt=0.5))
    flagged = Comment.objects.filter(
        tile=OuterRef("tile"), kind__in=Comment.FLAGS, resolved_at=None
    )
    return (
        settled.annotate(agreeing=Coalesce(Subquery(counted), 0))
        .filter(~Exists(opposed), ~Exists(flagged), agreeing__gte=AGREEING)
        .exclude(source=Question.Source.MODEL)
    )


def _picture(question: Question) -> Picture:
    image = question.tile.image
    return Picture(
        tile=question.tile_id,
        image=image.pk,
        family=image.near_duplicate_of_id or image.pk,
        folder=folder_of(image.source),
        probability=question.probability,
    )
