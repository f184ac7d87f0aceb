"""Give a merged concept's names, classes and guide to the one that survives."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q

from labeling import beliefs, concepts, guides, pools
from labeling.concepts import ConceptError, Conflict
from labeling.concepts.edits import forget_predictions, lock
from labeling.models import ClassSet, Concept, ConceptExample, Image, ImportStatement
from labeling.models.examples import EXAMPLES_MAX

# What class sets state of the survivor by now becomes the base of its stored questions; their
# priors follow once they are brought up to date.
_OF_OTHER_CLASSES = beliefs.of_other_classes_sql(
    confidence="image.import_confidence", classes="cardinality(classes.concepts)"
)
_STATE_OTHER_CLASSES = f"""
WITH silent AS (
    SELECT q.id, {_OF_OTHER_CLASSES} AS stated
    FROM labeling_question AS q
    JOIN labeling_tile AS tile ON tile.id = q.tile_id
    JOIN labeling_image AS image ON image.id = tile.image_id
    JOIN labeling_classset AS classes ON classes.id = image.class_set_id
    WHERE q.concept_id = %(concept)s AND q.kind = 'concept' AND q.grid = 1 AND q.stated IS NULL
        AND NOT image.generated AND classes.concepts @> ARRAY[%(concept)s]::bigint[]
    ORDER BY q.id FOR NO KEY UPDATE OF q
)
UPDATE labeling_question AS q SET stated = silent.stated FROM silent WHERE q.id = silent.id
"""


def take_over_names(concept: Concept, into: Concept) -> tuple[Concept, Concept]:
    """Mark the concept as merged, and give its names to the survivor; return both as stored."""
    if concept.pk == into.pk:
        raise ConceptError(f"“{concept}” cannot be merged into itself: choose another concept.")
    if concept.project_id != into.project_id:
        raise ConceptError(
            f"“{concept}” and “{into}” are of different projects: nothing is merged."
        )
    lock(concept.project)
    class_sets = _lock_class_sets(concept)  # before the concepts, as an import does
    rows = Concept.objects.select_for_update(no_key=True).filter(
        Q(pk__in=[concept.pk, into.pk]) | Q(merged_into=concept.pk)
    )
    locked = {row.pk: row for row in rows.order_by("pk")}
    for row in (concept, into):
        if row.pk not in locked:
            raise Conflict(f"“{row}” is gone: nothing is merged.")
        if survivor := locked[row.pk].merged_into:
            raise Conflict(f"“{row}” was merged into “{survivor}”: choose that one.")
    project = concept.project
    concept, into = locked[concept.pk], locked[into.pk]
    concept.project = into.project = project
    into.aliases = concepts.names.clean_aliases(
        [*into.aliases, concept.name, *concept.aliases], name=into.name
    )
    into.unfinished_from, into.known_when_fitted = 0, 0
    into.priors_stale = True  # as class sets may state more of it
    into.definition = into.definition or concept.definition
    into.version += 1
    into.save(
        update_fields=[
            "aliases",
            "unfinished_from",
            "known_when_fitted",
            "priors_stale",
            "definition",
            "version",
        ]
    )
    concept.merged_into, concept.active, concept.aliases = into, False, []
    concept.unfinished_from = 0
    concept.version += 1
    forget_predictions(concept)
    concept.save()
    concept.merged.update(merged_into=into)
    _replace_in_class_sets(class_sets, concept, into)
    pools.forget_priorities(project)
    return concept, into


def take_over_guide(concept: Concept, into: Concept) -> None:
    """Give a survivor the phrases and examples that it lacks; the others stay as a record."""
    taken = into.phrases.values("language")
    concept.phrases.exclude(language__in=taken).update(concept=into)
    room = EXAMPLES_MAX - into.examples.count()
    others = concept.examples.exclude(tile__in=into.examples.values("tile")).order_by("pk")
    moved = others.values_list("pk", flat=True)[: max(room, 0)]
    ConceptExample.objects.filter(pk__in=list(moved)).update(concept=into)
    guides.forget(into)


def _lock_class_sets(concept: Concept) -> list[ClassSet]:
    """Return the class sets that hold the concept, once no import is storing images of them."""
    sets = ClassSet.objects.filter(concepts__contains=[concept.pk])
    return list(sets.order_by("pk").select_for_update())


def _replace_in_class_sets(class_sets: Iterable[ClassSet], concept: Concept, into: Concept) -> None:
    """Let the class sets that hold the concept hold the survivor; equal sets become one.

    One that held both holds it twice: what its number of classes says of the others stays true.
    """
    sets = ClassSet.objects.filter(project=concept.project_id)
    for class_set in class_sets:
        classes = sorted(into.pk if pk == concept.pk else pk for pk in class_set.concepts)
        if same := sets.filter(concepts=classes).first():
            for model in (Image, ImportStatement):
                model._default_manager.filter(class_set=class_set).update(class_set=same)
            class_set.delete()
        else:
            class_set.concepts = classes
            class_set.save()
    if class_sets:
        values = {"concept": into.pk}
        with connection.cursor() as cursor:
            cursor.execute(_STATE_OTHER_CLASSES, values)
