"""What may be asked."""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from labeling import bulk_insert, question_state
from labeling.batches import batched
from labeling.models import Annotator, Concept, Question, Tile

BATCH = 2_000


def ask_concepts(
    *,
    tiles: Iterable[Tile],
    concepts: Iterable[Concept],
    gold: Mapping[tuple[int, int], bool] | None = None,
    priors: Mapping[tuple[int, int], float] | None = None,
) -> int:
    """Ask of each tile whether it shows each concept; those asked already stay as they are.

    gold: (tile id, concept id) → the truth where it is known. priors: the same → how far an
    import's word is believed, where it said anything; else it is the concept's prevalence.
    Gives how many were new.
    """
    asked = list(concepts)
    known, said = gold or {}, priors or {}
    total = 0
    for batch in batched(tiles, max(1, BATCH // max(1, len(asked)))):
        drawn = _generated(batch)
        there = set(
            Question.objects.filter(
                kind=Question.Kind.CONCEPT, tile__in=batch, concept__in=asked
            ).values_list("tile_id", "concept_id")
        )
        total += bulk_insert.insert(
            [
                _about_concept(
                    tile,
                    concept,
                    said.get((tile.pk, concept.pk), concept.prevalence),
                    known.get((tile.pk, concept.pk)),
                    tile.pk in drawn,
                )
                for tile, concept in product(batch, asked)
                if (tile.pk, concept.pk) not in there
            ]
        )
    return total


def ask_captions(
    *,
    captions: Iterable[tuple[Tile, str]],
    source: str,
    prior: float,
    author: Annotator | None = None,
    gold: bool | None = None,
) -> int:
    """Ask of each tile whether the caption describes it; those asked already stay as they are.

    source: a `Question.Source`. prior: how far such captions are believed before anyone was asked.
    gold: the truth of all of them, where it is known. Gives how many were new.
    """
    total = 0
    for batch in batched(captions, BATCH):
        tiles = [tile.pk for tile, _ in batch]
        projects = dict(Tile.objects.filter(pk__in=tiles).values_list("pk", "image__project_id"))
        there = set(
            Question.objects.filter(kind=Question.Kind.CAPTION, tile__in=tiles).values_list(
                "tile_id", "text"
            )
        )
        new = {(tile.pk, text): tile for tile, text in batch if (tile.pk, text) not in there}
        total += bulk_insert.insert(
            [
                _believed(
                    Question(
                        project_id=projects[tile.pk],
                        tile=tile,
                        grid=tile.grid,
                        kind=Question.Kind.CAPTION,
                        text=text,
                        source=source,
                        author=author,
                    ),
                    prior,
                    gold,
                )
                for (_, text), tile in new.items()
            ]
        )
    return total


def _about_concept(
    tile: Tile, concept: Concept, prior: float, gold: bool | None, drawn: bool
) -> Question:
    question = Question(
        project_id=concept.project_id,
        tile=tile,
        grid=tile.grid,
        kind=Question.Kind.CONCEPT,
        concept=concept,
        source=Question.Source.MODEL if drawn else Question.Source.IMPORT,
    )
    return _believed(question, prior, gold)


def _believed(question: Question, prior: float, gold: bool | None) -> Question:
    question.prior = question.probability = prior
    question.random_key = random.random()
    if gold is not None:
        question.state, question.verdict = Question.State.GOLD, gold
        question.probability = float(gold)
    question.priority = question_state.priority(question)
    return question


def _generated(tiles: Sequence[Tile]) -> set[int]:
    """Those of the tiles that a model drew."""
    pks = [tile.pk for tile in tiles]
    drawn = Tile.objects.filter(pk__in=pks, image__generated=True)
    return set(drawn.values_list("pk", flat=True))
