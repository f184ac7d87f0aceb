"""What is believed of images: the probability that each shows each concept, and where it shows it.

The whole picture is believed at its question's posterior where somebody answered about it or its
truth is known, else as `labeling.beliefs` believes every pair, stored or not. A part of a cut
picture speaks only where somebody answered about it or its truth is known. The largest of these
probabilities is the image's; where nobody answered about the whole, but about all parts of its
grid, the parts alone say it.

So no image is believed differently because somebody's question about it was stored: a question
without an answer or a verdict says no more than its pair would without it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Q

from labeling.beliefs import Beliefs, Floats, Priors, TileFacts
from labeling.models import Concept, Image, Project, Question, Tile

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

# Questions that say more of an image than `Beliefs` does: somebody answered, or the truth is known.
_TELLING = Q(answers_count__gt=0) | Q(verdict__isnull=False)


@dataclass(frozen=True)
class ImageBeliefs:
    """What is believed of n images and C concepts: arrays (n, C)."""

    probability: Floats  # that the image shows the concept anywhere
    in_part: Bools  # whether it is seen in a part alone: the whole is not of it
    answers: Counts  # to all questions about the image and the concept
    # Whether anything speaks of that image: a statement, a prediction, an answer, or the truth is
    # known. Without, the concept's prevalence alone does.
    evidence: Bools


class _Row(NamedTuple):
    """A question about one image, in the order of `_COLUMNS`."""

    image: int
    concept: int
    grid: int
    probability: float
    answers: int


_COLUMNS = "tile__image_id", "concept_id", "grid", "probability", "answers_count"


class Reader:
    """Reads what is believed of a project's images, a batch at a time."""

    def __init__(self, project: Project, concepts: Sequence[Concept]) -> None:
        self._beliefs = Beliefs(project, concepts)
        self._column = {concept.pk: column for column, concept in enumerate(concepts)}

    def of(self, images: Sequence[Image]) -> ImageBeliefs:
        """Return what is believed of n images, in their order."""
        rows = self._rows(images)
        priors = self._beliefs.priors(_facts(images))
        whole, whole_known = self._wholes(priors, rows)
        parts, parts_known = self._parts(images, rows)
        spoken_of = ~np.isnan(priors.stated) | (priors.shift != 0) | whole_known
        spoken_of |= priors.exclusion.shift != 0
        parts_alone = parts_known & ~whole_known
        return ImageBeliefs(
            probability=np.where(parts_alone, parts, np.maximum(whole, parts)),
            in_part=(parts >= 0.5) & (whole < 0.5),
            answers=self._answers(images, rows),
            evidence=spoken_of | parts_alone | (parts >= 0.5),
        )

    def _rows(self, images: Sequence[Image]) -> list[tuple[int, int, _Row]]:
        """Return (row, column, question) of the questions that say more than the priors."""
        row_of = {image.pk: row for row, image in enumerate(images)}
        questions = Question.objects.filter(_TELLING, kind="concept", tile__image__in=row_of)
        rows = map(_Row._make, questions.order_by().values_list(*_COLUMNS))
        return [
            (row_of[each.image], self._column[each.concept], each)
            for each in rows
            if each.concept in self._column
        ]

    @staticmethod
    def _wholes(priors: Priors, rows: Sequence[tuple[int, int, _Row]]) -> tuple[Floats, Bools]:
        """Return (n, C) probabilities of the wholes, and whether they rest on people."""
        probability, known = priors.probability.copy(), np.zeros(priors.probability.shape, bool)
        for row, column, question in rows:
            if question.grid == 1:
                probability[row, column], known[row, column] = question.probability, True
        return probability, known

    def _parts(
        self, images: Sequence[Image], rows: Sequence[tuple[int, int, _Row]]
    ) -> tuple[Floats, Bools]:
        """Return (n, C) the largest probability of a part, -1 without, and whether all speak."""
        largest = np.full((len(images), len(self._column)), -1.0)
        complete = np.zeros(largest.shape, bool)
        known: Counter[tuple[int, int, int]] = Counter()
        for row, column, question in rows:
            if question.grid != 1:
                largest[row, column] = max(largest[row, column], question.probability)
                known[row, column, question.grid] += 1
        for (row, column, grid), count in known.items():
            complete[row, column] |= count == grid**2
        return largest, complete

    def _answers(self, images: Sequence[Image], rows: Sequence[tuple[int, int, _Row]]) -> Counts:
        """Return (n, C) how many answers there are, to the whole and to parts."""
        answers = np.zeros((len(images), len(self._column)), np.int64)
        for row, column, question in rows:
            answers[row, column] += question.answers
        return answers


def _facts(images: Sequence[Image]) -> list[TileFacts]:
    """Return the facts about the images' whole tiles."""
    wholes = Tile.objects.filter(image__in=images, grid=1).order_by()
    tile_of = dict(wholes.values_list("image_id", "pk"))
    return [
        TileFacts(
            tile=tile_of.get(image.pk, 0),
            grid=1,
            image=image.pk,
            generated=image.generated,
            stated_keys=image.stated_keys,
            class_set=image.class_set_id,
            import_confidence=image.import_confidence,
        )
        for image in images
    ]
