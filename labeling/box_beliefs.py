"""What is believed of the boxes that imports drew: the probability that each shows what is said.

Of a box those concepts are listed that an import states of it, or that somebody answered about. A
concept is believed at its question's posterior where somebody answered or its truth is known, else
as `labeling.beliefs` believes every pair, stored or not. A label that names no concept is nobody's
question: it is believed as its import is.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q

from labeling import beliefs
from labeling.batches import batched
from labeling.beliefs import Beliefs
from labeling.models import BoxStatement, Concept, Image, Project, Question, Tile
from labeling.models.projects import movable

BATCH = 500  # boxes
# Questions that say more of a box than `Beliefs` does: somebody answered, or the truth is known.
_TELLING = Q(answers_count__gt=0) | Q(verdict__isnull=False)


@dataclass(frozen=True)
class BoxLabel:
    """A box and one thing that it may show."""

    tile: Tile
    label: str  # the concept's name, else as the import has it
    probability: float
    answers: int
    record: int | None  # the id of the first import that states it; None: only people speak of it


@dataclass(frozen=True)
class _Posterior:
    probability: float
    answers: int


@dataclass(frozen=True)
class _Known:
    """What is known of a batch of boxes, each by the tile's id, and by the concept's column."""

    statements: Mapping[int, Sequence[BoxStatement]]
    posteriors: Mapping[int, Mapping[int, _Posterior]]
    priors: Mapping[int, Sequence[float]]  # C probabilities


class Reader:
    """Reads what is believed of the boxes on a project's images, a batch at a time."""

    def __init__(self, project: Project, concepts: Sequence[Concept]) -> None:
        self._project, self._concepts = project, concepts
        self._columns = {concept.pk: column for column, concept in enumerate(concepts)}
        self._by_key = {key: n for n, concept in enumerate(concepts) for key in concept.keys}

    def of(self, images: Sequence[Image]) -> dict[int, list[BoxLabel]]:
        """Return what the boxes on images show, by the images' ids, in the order they came in."""
        labels: dict[int, list[BoxLabel]] = defaultdict(list)
        tiles = Tile.objects.filter(image__in=images, grid=Tile.BOX).order_by("image", "position")
        confidence = {image.pk: movable(image.import_confidence) for image in images}
        for batch in batched(tiles.iterator(chunk_size=BATCH), BATCH):
            known = self._known(batch)
            for tile in batch:
                labels[tile.image_id] += self._labels(tile, known, confidence[tile.image_id])
        return labels

    @cached_property
    def _beliefs(self) -> Beliefs:
        return Beliefs(self._project, self._concepts)  # most projects have no boxes

    def _known(self, tiles: Sequence[Tile]) -> _Known:
        ids = [tile.pk for tile in tiles]
        statements: dict[int, list[BoxStatement]] = defaultdict(list)
        for statement in BoxStatement.objects.filter(tile__in=ids).order_by("pk"):
            statements[statement.tile_id].append(statement)
        posteriors: dict[int, dict[int, _Posterior]] = defaultdict(dict)
        asked = Question.objects.filter(_TELLING, kind=Question.Kind.CONCEPT, tile__in=ids)
        for tile, concept, probability, answers in asked.order_by().values_list(
            "tile", "concept", "probability", "answers_count"
        ):
            if concept in self._columns:
                posteriors[tile][self._columns[concept]] = _Posterior(probability, answers)
        facts = beliefs.facts(ids)
        rows = self._beliefs.priors(facts).probability.tolist()
        priors = {each.tile: row for each, row in zip(facts, rows, strict=True)}
        return _Known(statements, posteriors, priors)

    def _labels(self, tile: Tile, known: _Known, confidence: float) -> Iterator[BoxLabel]:
        """Yield what a box shows: first what imports state, then what people alone speak of."""
        posteriors = dict(known.posteriors.get(tile.pk, {}))
        listed: set[str] = set()
        for statement in known.statements.get(tile.pk, ()):
            column = self._by_key.get(statement.key)
            name = statement.label if column is None else self._concepts[column].name
            if name in listed:
                continue
            listed.add(name)
            prior = confidence if column is None else known.priors[tile.pk][column]
            believed = _Posterior(prior, 0)
            if column is not None:
                believed = posteriors.pop(column, believed)
            record = statement.imported_by_id
            yield BoxLabel(tile, name, believed.probability, believed.answers, record)
        for column, believed in sorted(posteriors.items()):
            if self._concepts[column].name not in listed:
                name = self._concepts[column].name
                yield BoxLabel(tile, name, believed.probability, believed.answers, None)
