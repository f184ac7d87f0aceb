"""Examples: pictures that an owner picks to show what is meant by a concept.

To pick one decides its question as well: it is a label from then on, and no longer asked, since the
guide gives its answer away; gold that is an example measures nobody. To remove the example keeps
the label. Where a reviewer reopens the question, people are asked all the same: somebody doubts it.
"""

from django.contrib.auth.models import User
from django.db import transaction

from labeling import audit, guides, review
from labeling.concepts import ConceptError, Conflict
from labeling.concepts.edits import lock
from labeling.concepts.names import clean
from labeling.models import Concept, ConceptExample, Event, Tile
from labeling.models.examples import EXAMPLES_MAX

NOTE_LENGTH = 200

Kind = ConceptExample.Kind


def choose(*, concept: Concept, tile: Tile, kind: str, note: str = "", by: User) -> ConceptExample:
    """Make a whole picture an example of a concept, or change one; decide its question by it.

    kind: of `ConceptExample.Kind`. note: why, up to `NOTE_LENGTH` characters. Raises ConceptError,
    and PictureGone.
    """
    note = clean(note, what="note", longest=NOTE_LENGTH) if note.strip() else ""
    if kind not in Kind.values:
        raise ConceptError(f"An example is one of {', '.join(Kind.values)}.")
    with transaction.atomic():
        lock(concept.project)
        rows = Concept.objects.select_related("project", "merged_into")
        stored = rows.filter(pk=concept.pk).first()
        if stored is None:
            raise Conflict(f"“{concept}” was deleted meanwhile: nothing was changed.")
        _check(stored, tile)
        example, new = ConceptExample.objects.update_or_create(
            concept=stored, tile=tile, defaults={"kind": kind, "note": note}
        )
        if new and stored.examples.count() > EXAMPLES_MAX:
            raise Conflict(f"“{stored}” has {EXAMPLES_MAX} examples: remove one first.")
        review.decide_pair(tile=tile, concept=stored, value=example.shows, by=by)
        verb = "Picked" if new else "Changed"
        _record(stored, f"{verb} {tile.image} as an example ({example.get_kind_display()})", by)
    return example


def remove(*, example: ConceptExample, by: User) -> None:
    """Let a picture be an example no more; what was decided about it stays."""
    with transaction.atomic():
        lock(example.concept.project)
        if ConceptExample.objects.filter(pk=example.pk).delete()[0]:
            _record(example.concept, f"Removed {example.tile.image} from the examples", by)


def _check(concept: Concept, tile: Tile) -> None:
    """Check that a tile can be an example of a concept. Raises ConceptError."""
    if concept.merged_into is not None:
        raise Conflict(f"“{concept}” was merged into “{concept.merged_into}”: pick for that one.")
    if tile.image.project_id != concept.project_id:
        raise ConceptError("The picture is not one of this project's.")
    if tile.image.generated:
        raise ConceptError("A model has drawn this picture: pick one that came from outside.")
    if tile.grid != 1:
        raise ConceptError("This is a part of a picture: pick the whole one.")


def _record(concept: Concept, change: str, by: User) -> None:
    """Write down a change, and have annotators shown it."""
    audit.record(
        project=concept.project,
        kind=Event.Kind.CONCEPT,
        message=f"{change} of “{concept}”.",
        by=by,
        row=concept,
    )
    guides.forget(concept)
