"""Which of a picture's captions is best: by what people judged, who wrote it, and agreement.

A caption's score is the log-odds that it is true, which people's answers, the trust in its source
and the project's model make up, plus its agreement with the picture's other captions
(`aggregation.caption_agreement`) times a weight that the last recomputation fitted to people's
judgements. So among captions that are all believed the one comes first with which the others
agree, and agreement makes no caption true: its probability stays as it is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Q, QuerySet

from labeling.aggregation.caption_agreement import CaptionSpace, Written
from labeling.aggregation.model_weight import DEFAULT_WEIGHT
from labeling.aggregation.online import log_odds
from labeling.models import Project, Question, Recomputation
from labeling.models.questions import LIKELY_CAPTION

SAMPLE = 300  # pictures of a state, by whose captions it is learned what is usual
GAIN = 2.0  # log-odds of a deviation, before its weight
DOUBT = 0.01  # that is left of every caption where two are compared
DIGITS = 6  # of a score, so that rounding decides nothing
NOTICEABLE = 0.25  # deviations, from which on people are told of agreement
NOBODY = -1


class Row(NamedTuple):
    """A caption, and where it comes from."""

    pk: int
    picture: int
    text: str
    probability: float
    source: str
    text_source: int | None
    author: int | None
    record: int | None
    vendor: str


@dataclass(frozen=True)
class Ranked:
    """A caption of a picture, and how good it is beside the picture's others."""

    pk: int
    picture: int  # the id of its tile's image
    text: str
    probability: float
    source: str
    text_source: int | None
    agreement: float  # in deviations; 0: nothing can be said
    score: float

    @property
    def stands(self) -> str:
        """How it stands to the others: "near", "apart", or "" where that tells little."""
        if abs(self.agreement) < NOTICEABLE:
            return ""
        return "near" if self.agreement > 0 else "apart"


class Reader:
    """Ranks captions of a project's pictures."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._space: CaptionSpace | None = None
        weights = Recomputation.objects.filter(project=project).values_list("agreement_weight")
        self._weight = next((weight for (weight,) in weights), DEFAULT_WEIGHT)

    def of(self, images: Collection[Any]) -> dict[int, list[Ranked]]:
        """Return the likely captions of whole images by image id, the best first."""
        likely = Question.objects.filter(LIKELY_CAPTION, tile__image__in=images, grid=1)
        by_picture: dict[int, list[Ranked]] = defaultdict(list)
        for each in self.ranked(likely):
            by_picture[each.picture].append(each)
        return by_picture

    def ranked(self, captions: QuerySet[Question]) -> list[Ranked]:
        """Return captions with their scores, the best first."""
        rows = rows_of(captions)
        agreement = self._agreement(rows)
        ranked = [
            Ranked(
                pk=row.pk,
                picture=row.picture,
                text=row.text,
                probability=row.probability,
                source=row.source,
                text_source=row.text_source,
                agreement=near,
                score=round(_doubted(row.probability) + self._weight * GAIN * near, DIGITS),
            )
            for row, near in zip(rows, agreement, strict=True)
        ]
        return sorted(ranked, key=lambda each: (-each.score, -each.probability, each.pk))

    def _agreement(self, rows: Sequence[Row]) -> list[float]:
        """Return each one's agreement; what is usual is learned where it is first needed."""
        pictures = [row.picture for row in rows]
        if not rows or np.unique(pictures, return_counts=True)[1].max() <= 2:
            return [0.0] * len(rows)
        if self._space is None:
            self._space = space(self._project)
        near: list[float] = self._space.agreement(written(rows)).tolist()
        return near


def written(rows: Iterable[Row]) -> Written:
    """Return rows of captions as agreement reads them."""
    every = list(rows)
    origins: dict[tuple[int | None, str], int] = {}
    for row in every:
        origins.setdefault((row.record, row.vendor), len(origins))
    here = Question.Source.ANNOTATOR
    return Written(
        texts=[row.text for row in every],
        picture=np.unique([row.picture for row in every], return_inverse=True)[1].reshape(-1),
        writer=np.array([row.author or NOBODY for row in every], np.intp),
        origin=np.array(
            [NOBODY if row.source == here else origins[row.record, row.vendor] for row in every],
            np.intp,
        ),
        probability=np.array([row.probability for row in every]),
    )


def space(project: Project) -> CaptionSpace:
    """Learn from a sample of a project's captions what is usual: the same whoever asks."""
    tiles: set[int] = set()
    asked = Question.objects.filter(project=project, kind=Question.Kind.CAPTION)
    for state in Question.State.values:
        some = asked.filter(state=state).order_by("random_key").values_list("tile", flat=True)
        tiles |= set(some[:SAMPLE])
    likely = Question.objects.filter(LIKELY_CAPTION, tile__in=tiles, grid=1).order_by("pk")
    rows = list(likely.values_list("text", "tile"))
    return CaptionSpace([text for text, _ in rows], [tile for _, tile in rows])


def judged(project: Project, most: int) -> QuerySet[Question]:
    """Return captions of whole pictures that people have judged, so many of each state."""
    known = Q(answers_count__gt=0) | Q(verdict__isnull=False)
    asked = Question.objects.filter(known, project=project, kind=Question.Kind.CAPTION, grid=1)
    ids: list[int] = []
    for state in Question.State.values:
        some = asked.filter(state=state).exclude(source=Question.Source.MODEL)
        ids += some.order_by("random_key").values_list("pk", flat=True)[:most]
    return Question.objects.filter(pk__in=ids)


def rows_of(captions: QuerySet[Question]) -> list[Row]:
    """Return captions as `written` reads them, by id."""
    columns = (
        *("pk", "tile__image_id", "text", "probability", "source", "text_source", "author"),
        *("text_source__imported_by", "text_source__vendor", "text_source__imported_by__vendor"),
    )
    return [
        Row._make((*row, own or of_all or ""))
        for *row, own, of_all in captions.order_by("pk").values_list(*columns)
    ]


def _doubted(probability: float) -> float:
    return log_odds(min(max(probability, DOUBT), 1 - DOUBT))
