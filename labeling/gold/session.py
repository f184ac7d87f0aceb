"""Choose the pictures of a session: those that are informative as gold of one concept.

A concept may have a million pictures: only a few windows are read, and what is believed is computed
for these alone.
"""

import random
from collections.abc import Iterable, Iterator

import numpy as np
from django.db.models import QuerySet

from labeling import beliefs, predictions
from labeling.beliefs import Beliefs
from labeling.concepts import statements
from labeling.gold.pictures import Choice, Picture, folder_of, free, known_families
from labeling.models import Concept, GoldMark, Question, Tile

WINDOW = 150  # pictures that are read of each kind
HARD_SHARE = 0.2  # of a session, about which the model is in doubt
DOUBT = 0.2, 0.8  # probabilities between which a picture is hard

State = Question.State


def session(concept: Concept, count: int = 20) -> list[Picture]:
    """Return up to so many pictures for somebody to mark, in a random order.

    By what is believed, about half of them show the concept and half do not, and some are hard.
    Where few are likely to show it, those likeliest to come first: statements of imports, people's
    answers and the model's predictions are looked through for them. Where nothing is known the
    pictures are drawn at random. Each is of another family of near-duplicates, of which none is
    gold for the concept yet, and they come from as many folders as can be.
    """
    candidates = _candidates(concept, count)
    pictures = _pictures(concept, free(concept).filter(pk__in=candidates))
    random.shuffle(pictures)
    likely = [each for each in pictures if each.probability >= 0.5]
    unlikely = [each for each in pictures if each.probability < 0.5]
    hard = sorted(
        (each for each in pictures if DOUBT[0] < each.probability < DOUBT[1]),
        key=lambda each: abs(each.probability - 0.5),
    )
    choice = Choice(known_families(concept))
    choice.add(hard, round(count * HARD_SHARE))
    half = count // 2
    choice.add(likely, half - _likely_in(choice))
    likeliest = sorted(unlikely, key=lambda each: -each.probability)
    choice.add(_informative(likeliest), half - _likely_in(choice))
    choice.add(unlikely, count - len(choice.pictures))
    choice.add(likely, count - len(choice.pictures))
    random.shuffle(choice.pictures)
    return choice.pictures


def session_of_parts(concept: Concept, count: int = 10) -> list[Picture]:
    """Return cut pictures on which to draw where a concept is seen: of their whole tiles.

    None of their parts is gold for it yet. About half of them are likely to show it somewhere, by
    what is believed of the whole picture; each is of another family of near-duplicates.
    """
    gold = Question.objects.filter(concept=concept, state=State.GOLD, grid__gt=1)
    aside = GoldMark.objects.filter(concept=concept, ended_at=None, value=None)
    tiles = (
        Tile.objects.filter(image__project=concept.project_id, image__generated=False)
        .filter(grid=1, image__cut_into__gt=0)
        .exclude(image__in=gold.values("tile__image"))
        .exclude(pk__in=aside.values("tile"))
    )
    naming = statements.naming(concept.project, concept.keys)
    named = tiles.filter(image__in=naming).order_by("image__random_key")
    window = {*named.values_list("pk", flat=True)[:WINDOW], *_from_anywhere(tiles, WINDOW)}
    pictures = _pictures(concept, tiles.filter(pk__in=window))
    random.shuffle(pictures)
    pictures.sort(key=lambda each: -each.probability)
    choice = Choice(())
    choice.add(pictures, count // 2)
    random.shuffle(pictures)
    choice.add(pictures, count - len(choice.pictures))
    return choice.pictures


def _informative(likeliest: list[Picture]) -> Iterator[Picture]:
    """Yield those that are likelier to show the concept than most; none where all are alike."""
    if not likeliest:
        return
    usual = float(np.median([each.probability for each in likeliest]))
    yield from (each for each in likeliest if each.probability > usual + 1e-9)


def _likely_in(choice: Choice) -> int:
    return sum(each.probability >= 0.5 for each in choice.pictures)


def _candidates(concept: Concept, count: int) -> set[int]:
    """Return the ids of tiles to choose from."""
    tiles: set[int] = set()
    for window in (_answered(concept), _stated(concept)):
        tiles.update(window)
    tiles.update(_predicted(concept))
    tiles.update(_from_anywhere(free(concept), max(WINDOW, 4 * count)))
    return tiles


def _answered(concept: Concept) -> Iterable[int]:
    """Return tiles of stored questions that are likely yes, and of ones in doubt."""
    stored = Question.objects.filter(
        concept=concept, kind=Question.Kind.CONCEPT, grid=1, tile__image__generated=False
    ).exclude(state=State.GOLD)
    likely = stored.filter(probability__gte=0.5).order_by("random_key")
    doubtful = stored.filter(probability__gt=DOUBT[0], probability__lt=DOUBT[1])
    for rows in (likely, doubtful.order_by("random_key")):
        yield from rows.values_list("tile", flat=True)[:WINDOW]


def _stated(concept: Concept) -> QuerySet[Tile, int]:
    """Return tiles of pictures whose keywords or folders name the concept."""
    naming = statements.naming(concept.project, concept.keys)
    tiles = Tile.objects.filter(image__in=naming, grid=1).order_by("image__random_key")
    return tiles.values_list("pk", flat=True)[:WINDOW]


def _predicted(concept: Concept) -> list[int]:
    """Return the tiles that the model finds likeliest, and those that it doubts."""
    log_odds = predictions.load(concept, concept.project)
    if log_odds is None:
        return []
    scores = np.asarray(log_odds, np.float32)
    ids = predictions.tile_ids(concept.project)
    chosen: list[int] = []
    for order in (scores, -np.abs(scores)):
        ranked = np.where(np.isnan(order), -np.inf, order)
        best = np.argpartition(-ranked, min(4 * WINDOW, len(ranked)) - 1)[: 4 * WINDOW]
        chosen += ids[best[np.isfinite(ranked[best])]].tolist()
    return chosen


def _from_anywhere(tiles: QuerySet[Tile], count: int) -> Iterator[int]:
    """Yield tiles in the order of their pictures' random keys, from a random point on."""
    point = random.random()
    ordered = tiles.order_by("image__random_key")
    ahead = ordered.filter(image__random_key__gte=point).values_list("pk", flat=True)[:count]
    read = list(ahead)
    yield from read
    before = ordered.filter(image__random_key__lt=point).values_list("pk", flat=True)
    yield from before[: count - len(read)]


def _pictures(concept: Concept, tiles: QuerySet[Tile]) -> list[Picture]:
    """Return tiles with what is believed of them."""
    columns = "pk", "image", "image__near_duplicate_of", "image__source"
    rows = {pk: rest for pk, *rest in tiles.order_by().values_list(*columns)}
    facts = beliefs.facts(rows)
    priors = Beliefs(concept.project, [concept]).priors(facts).probability[:, 0]
    probability = {fact.tile: float(p) for fact, p in zip(facts, priors, strict=True)}
    stored = Question.objects.filter(concept=concept, tile__in=rows).order_by()
    probability |= dict(stored.values_list("tile", "probability"))
    return [
        Picture(pk, image, original or image, folder_of(source), probability[pk])
        for pk, (image, original, source) in rows.items()
    ]
