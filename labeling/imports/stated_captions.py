"""Have the questions about captions follow what imports state, for imports and for undoing one.

A caption that no statement holds any more is retracted: deleted where nobody has spoken of it,
else kept with its answers, as one that nobody states. What is stated again is as it was before.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from labeling import question_state, questions
from labeling.aggregation import online
from labeling.imports import statements
from labeling.imports.statements import Statements
from labeling.models import Question, Tile
from labeling.models.projects import movable

PREVALENCE = 0.5  # of captions

_SPOKEN_OF = (
    Q(verdict__isnull=False)
    | Q(answers__isnull=False)
    | Q(comments__isnull=False)
    | Q(gold_marks__isnull=False)
    | Q(practice__isnull=False)
)


class Stated(NamedTuple):
    """What imports state of a caption."""

    confidence: float
    text_source: int | None


Captions = dict[tuple[int, str], Stated]  # by tile id and text


@transaction.atomic
def settle(rows: Statements) -> None:
    """Ask of images what their statements say, and retract what they say no more.

    rows: all statements by image id. Call it in a transaction that has locked no question yet.
    """
    if not rows:
        return
    wholes = Tile.objects.filter(image__in=rows, grid=1).order_by("pk")
    tiles = {tile.image_id: tile for tile in wholes}
    stated = of(rows, tiles)
    ask(list(tiles.values()), stated)
    _follow([tile.pk for tile in tiles.values()], stated)


def of(rows: Statements, tiles: Mapping[int, Tile]) -> Captions:
    """Return the captions that statements give images, by their whole tiles.

    rows: by image id. tiles: the wholes by image id; images without are passed over.
    """
    return {
        (tiles[image].pk, text): Stated(movable(row.confidence), row.text_source_id)
        for image, of_image in rows.items()
        if image in tiles
        for text, row in statements.captions(of_image).items()
    }


def ask(tiles: Sequence[Tile], stated: Captions) -> None:
    """Store the questions about captions that do not exist yet."""
    tile_of = {tile.pk: tile for tile in tiles}
    by_confidence: dict[float, list[tuple[Tile, str]]] = defaultdict(list)
    for (tile, text), each in stated.items():
        by_confidence[each.confidence].append((tile_of[tile], text))
    for confidence, captions in by_confidence.items():
        questions.ask_captions(
            captions=captions,
            source=Question.Source.IMPORT,
            prior=confidence,
            text_sources={pair: each.text_source for pair, each in stated.items()},
        )


def _follow(tiles: Collection[int], stated: Captions) -> None:
    """Have the stored questions of imports say what is stated, or be gone."""
    asked = Question.objects.filter(
        kind=Question.Kind.CAPTION, source=Question.Source.IMPORT, tile__in=tiles
    )
    rows = asked.values_list("pk", "tile", "text", "stated", "text_source")
    differing = [
        pk
        for pk, tile, text, confidence, source in rows
        if _differs(stated.get((tile, text)), confidence, source)
    ]
    if not differing:
        return
    locked = question_state.lock(differing)
    retracted = [each.pk for each in locked if (each.tile_id, each.text) not in stated]
    about = Question.objects.filter(pk__in=retracted)
    kept = set(about.filter(_SPOKEN_OF).values_list("pk", flat=True))
    about.exclude(pk__in=kept).delete()
    remaining = [each for each in locked if each.pk in kept or each.pk not in retracted]
    for question in remaining:
        _set(question, stated.get((question.tile_id, question.text)))
    question_state.save_stated(remaining)


def _differs(stated: Stated | None, current: float | None, text_source: int | None) -> bool:
    """Whether a question that says this of imports is to say something else."""
    if stated is None:
        return current is not None
    return current is None or text_source != stated.text_source


def _set(question: Question, stated: Stated | None) -> None:
    """Set what a locked question says of imports, and shift its prior and posterior."""
    question.text_source_id = stated.text_source if stated else None
    if stated and question.stated is not None:  # what a caller stated otherwise stays
        return
    earlier = PREVALENCE if question.stated is None else question.stated
    question.stated = stated.confidence if stated else None
    now = PREVALENCE if question.stated is None else question.stated
    question_state.shift_prior(question, online.log_odds(now) - online.log_odds(earlier))
