"""Ask questions: store those that do not exist yet, with their priors and the reason."""

import random
from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from labeling import beliefs, bulk_insert, caption_sources, question_state
from labeling.aggregation import online
from labeling.batches import batched
from labeling.beliefs import Beliefs, Priors, TileFacts
from labeling.models import Annotator, Concept, Project, Question, Tile
from labeling.models.projects import movable
from labeling.restating import Change, Pair, restate

BATCH = 2_000

T = TypeVar("T")
Sentence = tuple[int, str]  # (tile id, caption)
Reason = Question.Reason

_HOLD_TILES = """
SELECT tile.id, image.project_id FROM labeling_tile AS tile
JOIN labeling_image AS image ON image.id = tile.image_id
WHERE tile.id = ANY(%s) ORDER BY tile.id FOR KEY SHARE OF tile
"""
_SHARE = "SELECT id FROM labeling_concept WHERE id = ANY(%s) ORDER BY id FOR SHARE"


def ask_concepts(
    *,
    tiles: Iterable[Tile],
    concepts: Iterable[Concept],
    gold: Mapping[Pair, bool] | None = None,
    stated: Mapping[Pair, float] | None = None,
    reason: Reason = Reason.STATED,
) -> int:
    """Ask of each tile whether it shows each concept; existing questions stay as they are.

    See `ask_pairs`. The concepts are of one project. Return the number of new questions.
    """
    concept_list = list(concepts)
    if not concept_list:
        return 0
    ids = [concept.pk for concept in concept_list]
    pairs = list(product((tile.pk for tile in tiles), ids))
    return ask_pairs(
        project=concept_list[0].project, pairs=pairs, gold=gold, stated=stated, reason=reason
    )


@transaction.atomic
def ask_pairs(
    *,
    project: Project,
    pairs: Collection[Pair],
    gold: Mapping[Pair, bool] | None = None,
    stated: Mapping[Pair, float] | None = None,
    reason: Reason = Reason.STATED,
    reasons: Mapping[Pair, Reason] | None = None,
    slice_keys: Mapping[int, float] | None = None,
    changed: Mapping[Pair, Change] | None = None,
) -> int:
    """Store the questions of these pairs that do not exist yet; return how many.

    Existing ones stay as they are, except that a statement becomes their prior where there was
    none. A pair of a concept that was merged is asked of the one that took over.

    gold: the truth where it is known. stated: the probability by an import; where both it and
    the image's own import are silent, the prior is the concept's prevalence; either is shifted by
    the model's prediction (`labeling.beliefs`). reason: why they are stored; reasons: of those
    that are stored for another one. slice_keys: by tile id, its place in the random slice.
    changed: what imports state otherwise than before, for stored questions (`restating.Watch`).
    """
    gold, stated, reasons, slice_keys = gold or {}, stated or {}, reasons or {}, slice_keys or {}
    concepts, survivors = lock_concepts(project, {concept for _, concept in pairs})
    if survivors:
        pairs = {_followed(pair, survivors) for pair in pairs}
        gold, stated = _by_followed(gold, survivors), _by_followed(stated, survivors)
        reasons = _by_followed(reasons, survivors)
    about = Beliefs(project, list(concepts.values()))
    created = 0
    others: set[Pair] = set()  # that are stored already, or by somebody else meanwhile
    for batch in batched(sorted(pairs), BATCH):
        tiles = beliefs.facts({tile for tile, _ in batch})
        existing = _existing({tile for tile, _ in batch}, concepts)
        priors = about.priors(tiles)
        row_of = {tile.tile: row for row, tile in enumerate(tiles)}
        column_of = {pk: column for column, pk in enumerate(concepts)}
        new = [
            pair
            for pair in batch
            if pair not in existing and pair[0] in row_of and pair[1] in concepts
        ]
        inserted = bulk_insert.insert(
            [
                _about_concept(
                    tiles[row_of[pair[0]]],
                    concepts[pair[1]],
                    _with_statement(priors, row_of[pair[0]], column_of[pair[1]], stated.get(pair)),
                    gold=gold.get(pair),
                    reason=reasons.get(pair, reason),
                    slice_key=slice_keys.get(pair[0]),
                )
                for pair in new
            ]
        )
        created += inserted
        others |= existing if inserted == len(new) else existing.union(new)
    # All rows are inserted before any is locked, so that two who do both wait in no circle.
    restate({pair: stated[pair] for pair in others & stated.keys()}, changed or {})
    return created


def ask_captions(
    *,
    captions: Iterable[tuple[Tile, str]],
    source: str,
    prior: float,
    author: Annotator | None = None,
    gold: bool | None = None,
    text_sources: Mapping[Sentence, int | None] | None = None,
) -> int:
    """Ask of each tile whether the caption describes it; existing questions stay as they are.

    source: a `Question.Source`. prior: the probability of such captions before anyone was asked, by
    whoever states them; what is known of their source moves it (`labeling.caption_sources`).
    gold: the truth of all of them, where it is known. text_sources: the ids of where imported ones
    come from. Tiles that are gone are passed over. Return the number of new questions.
    """
    return sum(
        _ask_captions(
            batch,
            source=source,
            prior=movable(prior),
            author=author,
            gold=gold,
            text_sources=text_sources or {},
        )
        for batch in batched(captions, BATCH)
    )


@transaction.atomic
def _ask_captions(
    batch: Collection[tuple[Tile, str]],
    *,
    source: str,
    prior: float,
    author: Annotator | None,
    gold: bool | None,
    text_sources: Mapping[Sentence, int | None],
) -> int:
    """Store the questions about captions that are new; return how many."""
    asked = Question.objects.filter(
        kind=Question.Kind.CAPTION, tile__in={tile.pk for tile, _ in batch}
    )
    existing = set(asked.values_list("tile_id", "text"))
    new = {(tile.pk, text): tile for tile, text in batch if (tile.pk, text) not in existing}
    project_of = _hold_tiles({tile for tile, _ in new})
    projects = Project.objects.in_bulk(set(project_of.values()))
    shifts = {
        pk: caption_sources.shifts(pk, source, {text_sources.get(each) for each in new})
        for pk in projects
    }
    reason = Reason.GENERATED if source == Question.Source.MODEL else Reason.STATED
    return bulk_insert.insert(
        [
            _prepared(
                Question(
                    project=projects[project_of[tile.pk]],
                    tile=tile,
                    grid=tile.grid,
                    kind=Question.Kind.CAPTION,
                    text=pair[1],
                    source=source,
                    author=author,
                    text_source_id=text_sources.get(pair),
                    reason=reason,
                    stated=prior,
                ),
                prior=caption_sources.prior(
                    prior, shifts[project_of[tile.pk]][text_sources.get(pair)]
                ),
                gold=gold,
            )
            for pair, tile in new.items()
            if tile.pk in project_of
        ]
    )


def _hold_tiles(ids: Collection[int]) -> dict[int, int]:
    """Return the projects of tiles by tile id; until the transaction ends none of them goes."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_TILES, [list(ids)])
        return dict(cursor.fetchall())


def lock_concepts(
    project: Project, ids: Collection[int]
) -> tuple[dict[int, Concept], dict[int, int]]:
    """Return concepts by id, with the project; until the transaction ends they stay as they are.

    So no question is stored with a prior that has changed since: whoever changes a concept's
    prevalence, model weight or predictions waits, and then finds all questions that rest on them.
    In the place of those that were merged come those that took over, whose ids are returned by
    theirs.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SHARE, [list(ids)])
    project.refresh_from_db(fields=["features"])
    concepts = {concept.pk: concept for concept in project.concepts.filter(pk__in=ids)}
    survivors = {pk: row.merged_into_id for pk, row in concepts.items() if row.merged_into_id}
    if survivors:
        remaining, _ = lock_concepts(project, set(survivors.values()))
        concepts = {pk: row for pk, row in concepts.items() if pk not in survivors} | remaining
    for concept in concepts.values():
        concept.project = project
    return concepts, survivors


def _followed(pair: Pair, survivors: Mapping[int, int]) -> Pair:
    """Return the pair of the same tile and the concept that remains."""
    tile, concept = pair
    return tile, survivors.get(concept, concept)


def _by_followed(values: Mapping[Pair, T], survivors: Mapping[int, int]) -> dict[Pair, T]:
    return {_followed(pair, survivors): value for pair, value in values.items()}


def _existing(tiles: Collection[int], concepts: Collection[int]) -> set[Pair]:
    rows = Question.objects.filter(tile__in=tiles, concept__in=concepts).order_by()
    return {(tile, concept) for tile, concept in rows.values_list("tile_id", "concept_id")}


class _Prior(NamedTuple):
    """What one question begins with."""

    stated: float | None
    predicted: float | None
    shift: float
    exclusion: float
    excluded: bool
    probability: float


def _with_statement(priors: Priors, row: int, column: int, stated: float | None) -> _Prior:
    """Return one pair's prior; what the caller states comes before what its image's import does."""
    of_import, predicted, shift, probability = (
        float(each[row, column])
        for each in (priors.stated, priors.predicted, priors.shift, priors.probability)
    )
    exclusion = float(priors.exclusion.shift[row, column])
    if stated is not None:
        of_import = movable(stated)
        probability = online.probability(online.log_odds(of_import) + shift + exclusion)
    return _Prior(
        stated=None if np.isnan(of_import) else of_import,
        predicted=None if np.isnan(predicted) else predicted,
        shift=shift,
        exclusion=exclusion,
        excluded=bool(priors.exclusion.excluded[row, column]),
        probability=probability,
    )


def _about_concept(
    tile: TileFacts,
    concept: Concept,
    prior: _Prior,
    *,
    gold: bool | None,
    reason: Reason,
    slice_key: float | None,
) -> Question:
    question = Question(
        project=concept.project,
        tile_id=tile.tile,
        grid=tile.grid,
        kind=Question.Kind.CONCEPT,
        concept=concept,
        source=Question.Source.MODEL if tile.generated else Question.Source.IMPORT,
        reason=Reason.GENERATED if tile.generated else reason,
        slice_key=slice_key,
        stated=prior.stated,
        model_probability=prior.predicted,
        prior_shift=prior.shift,
        exclusion_shift=prior.exclusion,
        excluded=prior.excluded,
    )
    return _prepared(question, prior=prior.probability, gold=gold)


def _prepared(question: Question, *, prior: float, gold: bool | None) -> Question:
    """Set what follows from the prior and the gold truth."""
    question.prior = question.probability = prior
    question.random_key = random.random()
    if gold is not None:
        question.state, question.verdict = Question.State.GOLD, gold
        question.probability = float(gold)
    elif question_state.is_ruled_out(question):
        question.state, question.settled_at = Question.State.SETTLED, timezone.now()
    question.priority = question_state.priority(question)
    return question
