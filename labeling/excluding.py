"""Bring stored questions to what people say of other concepts on the same pictures.

Doing it again changes nothing, and what a killed process left is finished by the next
recomputation.
"""

from collections.abc import Callable, Collection

from django.db import transaction
from django.db.models import Q

from labeling import beliefs, question_state
from labeling.batches import batched
from labeling.beliefs import Beliefs
from labeling.models import Concept, ExclusiveGroup, Project, Question, Recomputation

BATCH = 500  # tiles that are read together
NOTICEABLE = 1e-3  # smaller changes of log-odds are not written
AT_ONCE = 50  # concepts of groups, at most, that are brought along at once

OnProgress = Callable[[], None]
Change = tuple[float, bool]  # the shift, and whether it is excluded


def update(project: Project, tiles: Collection[int], on_progress: OnProgress = lambda: None) -> int:
    """Update the stored questions about tiles; return how many changed.

    `on_progress` is called within each transaction; what it raises undoes the batch.
    """
    if not tiles:
        return 0
    grouped = Concept.objects.filter(project=project, exclusive=True)
    concepts = list(grouped.filter(merged_into=None).order_by("pk"))
    about = Beliefs(Project.objects.get(pk=project.pk), concepts)  # with its features as of now
    changed = 0
    for batch in batched(sorted(tiles), BATCH):
        changes = _changes(about, batch)
        for ids in batched(sorted(changes), question_state.BATCH):
            changed += _write({pk: changes[pk] for pk in ids}, on_progress)
    return changed


def follow(questions: Collection[Question]) -> None:
    """Bring along what is about the same pictures as these questions, once that is committed.

    They are of one project, and were decided, or settled or opened again. Where it would take long,
    the next recomputation does it.
    """
    about = [each for each in questions if each.grid == 1 and each.concept is not None]
    concepts = {each.concept_id for each in about if each.concept and each.concept.exclusive}
    if not concepts:
        return
    project, tiles = about[0].project, {question.tile_id for question in about}
    groups = ExclusiveGroup.objects.filter(concepts__in=concepts)
    members = Concept.objects.filter(exclusive_groups__in=groups).distinct().count()
    if members <= AT_ONCE and len(tiles) <= BATCH:
        transaction.on_commit(lambda: _follow(project, tiles), robust=True)
    else:
        request_all(project)


def request_all(project: Project, *, learn: bool = False) -> None:
    """Have the next recomputation look at all questions.

    Priors are about to change, or what is told of pictures is another concept's from now on, or
    nobody's: then it is also to learn anew what rules what out.
    """
    forgotten = {"learned_from": 0} if learn else {}
    rows = Recomputation.objects.filter(project=project)
    rows.update(excluded_all=False, requested=True, **forgotten)


def _follow(project: Project, tiles: Collection[int]) -> None:
    update(project, tiles)


def _changes(about: Beliefs, tiles: Collection[int]) -> dict[int, Change]:
    """Return by id what is to be set of the questions that differ."""
    facts = beliefs.facts(tiles)
    exclusion = about.priors(facts).exclusion
    row_of = {tile.tile: row for row, tile in enumerate(facts)}
    column_of = {concept.pk: column for column, concept in enumerate(about.concepts)}
    some = Q(concept__in=column_of) | Q(excluded=True) | ~Q(exclusion_shift=0)
    stored = Question.objects.filter(some, kind=Question.Kind.CONCEPT, tile__in=row_of).order_by()
    columns = "pk", "tile_id", "concept_id", "exclusion_shift", "excluded"
    changes = {}
    for pk, tile, concept, shift, excluded in stored.values_list(*columns):
        new: Change = (0.0, False)
        if concept in column_of:
            at = row_of[tile], column_of[concept]
            new = float(exclusion.shift[at]), bool(exclusion.excluded[at])
        if abs(new[0] - shift) > NOTICEABLE or new[1] != excluded:
            changes[pk] = new
    return changes


@transaction.atomic
def _write(changes: dict[int, Change], on_progress: OnProgress) -> int:
    questions = question_state.lock(changes)
    for question in questions:
        shift, excluded = changes[question.pk]
        question_state.exclude(question, shift=shift, excluded=excluded)
    on_progress()
    return question_state.save(questions)
