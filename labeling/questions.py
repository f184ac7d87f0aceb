"""Ask questions: create those that do not exist yet, with their priors."""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from labeling import bulk_insert, question_state
from labeling.batches import batched
from labeling.models import Annotator, Concept, Question, Tile
from labeling.models.projects import movable

BATCH = 2_000


def ask_concepts(
    *,
    tiles: Iterable[Tile],
    concepts: Iterable[Concept],
    gold: Mapping[tuple[int, int], bool] | None = None,
    priors: Mapping[tuple[int, int], float] | None = None,
) -> int:
    """Ask of each tile whether it shows each concept; existing questions stay as they are.

    gold: (tile id, concept id) → the truth where it is known. priors: the same → the probability
    by an import; where it is silent, the prior is the concept's prevalence. Return the number of
    new questions.
    """
    concept_list, gold, priors = list(concepts), gold or {}, priors or {}
    created = 0
    for batch in batched(tiles, max(1, BATCH // max(1, len(concept_list)))):
        generated = _generated(batch)
        existing = set(
            Question.objects.filter(
                kind=Question.Kind.CONCEPT, tile__in=batch, concept__in=concept_list
            ).values_list("tile_id", "concept_id")
        )
        new = [
            (tile, concept, (tile.pk, concept.pk))
            for tile, concept in product(batch, concept_list)
            if (tile.pk, concept.pk) not in existing
        ]
        created += bulk_insert.insert(
            [
                _prepared(
                    _about_concept(tile, concept, generated=tile.pk in generated),
                    prior=movable(priors[key]) if key in priors else concept.prevalence,
                    gold=gold.get(key),
                )
                for tile, concept, key in new
            ]
        )
    return created


def ask_captions(
    *,
    captions: Iterable[tuple[Tile, str]],
    source: str,
    prior: float,
    author: Annotator | None = None,
    gold: bool | None = None,
) -> int:
    """Ask of each tile whether the caption describes it; existing questions stay as they are.

    source: a `Question.Source`. prior: the probability of such captions before anyone was asked.
    gold: the truth of all of them, where it is known. Return the number of new questions.
    """
    created = 0
    for batch in batched(captions, BATCH):
        tiles = [tile.pk for tile, _ in batch]
        projects = dict(Tile.objects.filter(pk__in=tiles).values_list("pk", "image__project_id"))
        existing = set(
            Question.objects.filter(kind=Question.Kind.CAPTION, tile__in=tiles).values_list(
                "tile_id", "text"
            )
        )
        new = {(tile.pk, text): tile for tile, text in batch if (tile.pk, text) not in existing}
        created += bulk_insert.insert(
            [
                _prepared(
                    Question(
                        project_id=projects[tile.pk],
                        tile=tile,
                        grid=tile.grid,
                        kind=Question.Kind.CAPTION,
                        text=text,
                        source=source,
                        author=author,
                    ),
                    prior=movable(prior),
                    gold=gold,
                )
                for (_, text), tile in new.items()
            ]
        )
    return created


def _about_concept(tile: Tile, concept: Concept, *, generated: bool) -> Question:
    return Question(
        project_id=concept.project_id,
        tile=tile,
        grid=tile.grid,
        kind=Question.Kind.CONCEPT,
        concept=concept,
        source=Question.Source.MODEL if generated else Question.Source.IMPORT,
    )


def _prepared(question: Question, *, prior: float, gold: bool | None) -> Question:
    """Set what follows from the prior and the gold truth."""
    question.prior = question.probability = prior
    question.random_key = random.random()
    if gold is not None:
        question.state, question.verdict = Question.State.GOLD, gold
        question.probability = float(gold)
    question.priority = question_state.priority(question)
    return question


def _generated(tiles: Sequence[Tile]) -> set[int]:
    """Return the ids of the tiles of generated images."""
    ids = [tile.pk for tile in tiles]
    return set(Tile.objects.filter(pk__in=ids, image__generated=True).values_list("pk", flat=True))
