"""Practice questions: gold with feedback, before an annotator's first question in a project.

They are nobody's answers and count for nothing. A project's set is fixed as long as its questions
are gold (`PracticeQuestion`); the selection asks them of nobody (`selection.candidates`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from labeling.models import (
    Annotator,
    Answer,
    ConceptExample,
    Practice,
    PracticeQuestion,
    Project,
    Question,
)

GOLD_LEAST = 6  # of a concept: with fewer, all of its gold is left to measure people
RETRY_SECONDS = 60  # after which gold is looked for again where there was too little
CONCEPTS_MAX = 20  # concepts that are looked at for their gold


class PracticeError(ValueError):
    """There is no such practice question; the message says what to do."""


def questions(project: Project) -> list[Question]:
    """Return a project's practice questions in their order, choosing those that are missing.

    There are `Project.practice_questions` of them at most, and no more than half of the gold of a
    concept; none of a concept with fewer than `GOLD_LEAST`.
    """
    wanted = project.practice_questions
    if not wanted:
        return []
    rows = _stored(project)[:wanted]
    tried = f"practice-tried:{project.pk}:{wanted}"
    if len(rows) < wanted and not cache.get(tried):
        with transaction.atomic():
            Project.objects.select_for_update(no_key=True).get(pk=project.pk)
            _fill(project, wanted)
        rows = _stored(project)[:wanted]
        if len(rows) < wanted:
            cache.set(tried, True, RETRY_SECONDS)
    return rows


def position(*, annotator: Annotator | None, project: Project, total: int) -> int | None:
    """Return how many of so many practice questions somebody has answered; None: they are done.

    Whoever has answered a question of the project before practises no more. annotator: None for a
    newcomer.
    """
    if not total:
        return None
    if annotator is None:
        return 0
    row = Practice.objects.filter(annotator=annotator, project=project).first()
    if row is not None:
        return None if row.skipped or row.answered >= total else row.answered
    answered = Answer.objects.filter(annotator=annotator, question__project=project)
    return None if answered.exists() else 0


def check(*, annotator: Annotator, project: Project, number: int, value: bool) -> bool:
    """Return whether an answer to a practice question is right; note that it was shown.

    number: from 1. Raises PracticeError.
    """
    question = get(project, number)
    with transaction.atomic():
        row, _ = Practice.objects.select_for_update().get_or_create(
            annotator=annotator, project=project
        )
        row.answered = max(row.answered, number)
        row.save(update_fields=["answered"])
    return question.verdict == value


def skip(*, annotator: Annotator, project: Project) -> None:
    """Let somebody begin without practice, or without the rest of it."""
    Practice.objects.update_or_create(
        annotator=annotator, project=project, defaults={"skipped": True}
    )


def get(project: Project, number: int) -> Question:
    """Return a practice question by its number, from 1. Raises PracticeError."""
    rows = questions(project)
    if not 1 <= number <= len(rows):
        raise PracticeError(_("There is no such practice question: go on with the real ones."))
    return rows[number - 1]


def _stored(project: Project) -> list[Question]:
    """Return the practice questions that are gold still."""
    gold = _gold(project).filter(practice__project=project).order_by("practice__position")
    return list(gold.select_related("concept__project", "tile__image"))


def _gold(project: Project) -> QuerySet[Question]:
    """Return the gold about whole pictures and the concepts that are asked about."""
    concepts = project.concepts.filter(active=True, merged_into=None)
    return Question.objects.filter(
        kind=Question.Kind.CONCEPT, state=Question.State.GOLD, grid=1, concept__in=concepts
    ).exclude(source=Question.Source.MODEL)


def _fill(project: Project, wanted: int) -> None:
    """Choose practice questions for a locked project until there are as many as wanted."""
    kept = _stored(project)
    chosen = [*kept, *_choose(project, kept, wanted - len(kept))]
    project.practice_set.all().delete()
    PracticeQuestion.objects.bulk_create(
        PracticeQuestion(project=project, question=question, position=position)
        for position, question in enumerate(chosen)
    )


def _choose(project: Project, kept: Sequence[Question], count: int) -> Iterator[Question]:
    """Yield gold for practice, yes and no in turn, of one concept after the other."""
    counts = _gold(project).values_list("concept").annotate(count=Count("pk"))
    rows = counts.filter(count__gte=GOLD_LEAST).order_by("-count", "concept")[:CONCEPTS_MAX]
    left = dict(rows)
    used = Counter(question.concept_id for question in kept)
    left = {concept: gold // 2 - used[concept] for concept, gold in left.items()}
    chosen = list(kept)
    while count > 0 and any(room > 0 for room in left.values()):
        for concept in [concept for concept, room in left.items() if room > 0][:count]:
            question = _another(project, concept, chosen)
            left[concept] = left[concept] - 1 if question else 0
            if question is not None:
                chosen.append(question)
                count -= 1
                yield question


def _another(project: Project, concept: int, chosen: Sequence[Question]) -> Question | None:
    """Return gold of a concept that no guide gives away, with the rarer verdict if there is any."""
    shown = ConceptExample.objects.filter(concept=concept).values("tile")
    gold = _gold(project).filter(concept=concept).exclude(tile__in=shown)
    gold = gold.exclude(tile__in=[question.tile_id for question in chosen]).order_by("?")
    yes = sum(bool(question.verdict) for question in chosen)
    rarer = yes <= len(chosen) - yes
    return gold.filter(verdict=rarer).first() or gold.first()
