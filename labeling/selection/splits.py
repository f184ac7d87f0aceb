"""Split pictures: all tiles of one picture, asked for one concept."""

import random
from collections.abc import Iterator, Sequence

from django.db.models import Exists, OuterRef, Q

from labeling.models import Answer, Challenge, Question, TakenBack
from labeling.selection import candidates, concepts
from labeling.selection.candidates import Candidate
from labeling.selection.picks import Kind, Pick, Reason, Selection
from labeling.selection.reader import Reader

SPLIT_SIDE = 4  # tiles of a split picture, per side
SPLIT_IMAGES = 3  # pictures that are tried for a concept
SPLIT_GOLD = 0.2  # share of split challenges whose picture has gold tiles

State = Question.State


def selections(reader: Reader) -> Iterator[Selection]:
    """Yield all tiles of one picture, asked for one concept; retired ones are only shown."""
    for askable in concepts.by_priority(reader.project, SPLIT_SIDE):
        concept, role = askable.concept, reader.open_role()
        pool = reader.read_enough(
            askable,
            SPLIT_SIDE,
            1,
            candidates.gold(concept, SPLIT_SIDE, True, Reason.GOLD),
            reader.open_window(concept, SPLIT_SIDE, role),
        )
        for image in _ranked_images(reader, pool, role)[:SPLIT_IMAGES]:
            if picks := _all_tiles(reader, concept, image, role):
                yield Selection(Kind.SPLIT, concept, picks)


def _ranked_images(reader: Reader, pool: Sequence[Candidate], role: str) -> list[int]:
    """Return images by the sum of their tiles' scores; now and then one with gold first."""
    scores: dict[int, float] = {}
    for candidate, score in reader.scored([c for c in pool if c.role == role]):
        scores[candidate.image] = scores.get(candidate.image, 0.0) + score
    images = list(scores)  # in the order of the slice
    if role != Reason.RANDOM:
        images.sort(key=scores.__getitem__, reverse=True)
    if images and random.random() < SPLIT_GOLD:
        images = [c.image for c in pool if c.role == Reason.GOLD][:1] + images
    return images


def _all_tiles(reader: Reader, concept: int, image: int, role: str) -> list[Pick]:
    """Return the picture's tiles in their order; none if some are missing or were answered."""
    tiles = Question.objects.filter(
        concept=concept, grid=SPLIT_SIDE, kind=Question.Kind.CONCEPT, tile__image=image
    )
    own_answer = Answer.objects.filter(question=OuterRef("pk"), annotator=reader.annotator)
    here = Q(address=reader.showings.address) & ~Q(address=0)
    taken_back = TakenBack.objects.filter(
        Q(annotator=reader.annotator) | here, question=OuterRef("pk")
    )
    rows = list(
        tiles.order_by("tile__position").values_list(
            "pk", "tile", "state", Exists(own_answer), Exists(taken_back)
        )
    )
    seen = any(any(own) or pk in reader.pending_questions for pk, _, _, *own in rows)
    still_open = any(state == State.OPEN for _, _, state, *_ in rows)
    if seen or not still_open or len(rows) != SPLIT_SIDE * SPLIT_SIDE:
        return []
    reasons = {State.GOLD: Reason.GOLD, State.OPEN: role}
    return [
        Pick(pk, tile, reasons.get(State(state), Challenge.SHOWN)) for pk, tile, state, *_ in rows
    ]
