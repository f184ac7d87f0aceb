"""Which pictures are chosen for gold: none twice, none that looks like another, from all over."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from labeling import images
from labeling.models import Concept, ConceptExample, GoldMark, Question, Tile


class Picture(NamedTuple):
    """A tile that may become gold, and what is believed of it."""

    tile: int
    image: int
    family: int  # of near-duplicates: the id of the first of them
    folder: str  # of its source
    probability: float


class Choice:
    """Pictures of which each is of another family, and as few as can be of the same folder."""

    def __init__(self, families: Collection[int]) -> None:
        self.pictures: list[Picture] = []
        self._families = set(families)
        self._folders: Counter[str] = Counter()

    def add(self, candidates: Iterable[Picture], count: int) -> int:
        """Add so many of the candidates, in their order within a folder; return how many."""
        waiting = list(candidates)
        added = 0
        while waiting and added < count:
            best = min(waiting, key=lambda each: self._folders[each.folder])
            waiting.remove(best)
            if best.family not in self._families:
                self.pictures.append(best)
                self._families.add(best.family)
                self._folders[best.folder] += 1
                added += 1
        return added


def known_families(concept: Concept) -> set[int]:
    """Return the families of near-duplicates of which a picture is gold for the concept."""
    gold = Question.objects.filter(concept=concept, state=Question.State.GOLD).order_by()
    family = Coalesce("tile__image__near_duplicate_of", "tile__image")
    return set(gold.annotate(family=family).values_list("family", flat=True))


def free(concept: Concept, *, grid: int = 1) -> QuerySet[Tile]:
    """Return the tiles that may become gold of a concept.

    Those are of pictures that no model generated, are neither gold for it nor an example of it, and
    nobody set aside. The
    whole of a cut picture is none of them: it is not asked about.
    """
    gold = Question.objects.filter(concept=concept, state=Question.State.GOLD)
    aside = GoldMark.objects.filter(concept=concept, ended_at=None, value=None)
    cut = {"image__cut_into": 0} if grid == 1 else {}
    tiles = Tile.objects.filter(image__project=concept.project_id, image__generated=False, **cut)
    tiles = tiles.filter(images.visible("image__"))
    examples = ConceptExample.objects.filter(concept=concept)  # whose answer people are told
    return (
        tiles.filter(grid=grid)
        .exclude(pk__in=examples.values("tile"))
        .exclude(pk__in=gold.values("tile"))
        .exclude(pk__in=aside.values("tile"))
    )


def folder_of(source: str) -> str:
    """Return the folder of a picture's source."""
    return str(PurePosixPath(source).parent)
