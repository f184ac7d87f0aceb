"""Text questions: which of two sentences says the same as a third? No picture is shown.

The third sentence, the *reference*, is true of a picture. One option is a caption of that picture,
which is to be judged; the other, the *distractor*, is true of another picture. What says the same
as a true sentence is true: so whoever chooses the caption says yes to it, and whoever chooses the
distractor or neither says no. docs/questions.md says what guards this, and where it ends.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from django.utils import timezone

from labeling import checks, prepared, taken_back
from labeling.models import Challenge, Project
from labeling.selection import candidates, known, reservations
from labeling.selection.candidates import Candidate
from labeling.selection.overlap import Overlap
from labeling.selection.picks import Kind, Reason, Selection, pick
from labeling.selection.reader import Reader

BELIEVED = 0.9  # least probability of a reference
SEVERAL = 2  # people who saw the picture and said yes to a reference that nobody decided
LOOKED_AT = 50  # answers to a sentence, in which those are counted
ALIKE = 0.2  # overlap from which on two sentences might say the same
TEXT_GOLD = 0.25  # share of text challenges about gold
REFERENCES = 150  # read on each side of a random point
PICTURES = 40  # whose captions are read
DISTRACTORS = 12  # whose pictures are looked up
TRIES = 8  # captions that are tried for one challenge
ENOUGH = 8  # pictures with a reference: with fewer, the distractors would repeat themselves
COUNTED = 10_000  # sentences of a kind at most, for a project's pages

# A sentence that is shown as true gives its truth away: so it is settled, no gold in use, and no
# check either (`checks.MAY_BE_TOLD`), which a decided one never is. It rests on people who saw the
# picture, and not on what other text questions made of it.
_BY_SIGHT = f"""(
    SELECT count(*) FILTER (WHERE given.value AND NOT given.blocked AND given.kind <> 'text')
    FROM (
        SELECT answer.value, annotator.blocked, coalesce(challenge.kind, '') AS kind
        FROM labeling_answer AS answer
        JOIN labeling_annotator AS annotator ON annotator.id = answer.annotator_id
        LEFT JOIN labeling_challenge AS challenge ON challenge.id = answer.challenge_id
        WHERE answer.question_id = q.id LIMIT {LOOKED_AT}
    ) AS given
)"""
IS_REFERENCE = f"""q.kind = 'caption' AND q.state = 'settled' AND q.grid = 1
    AND q.source <> 'model' AND q.probability >= {BELIEVED} AND q.stated IS NOT NULL
    AND (q.verdict IS NOT NULL OR ({checks.MAY_BE_TOLD} AND {_BY_SIGHT} >= {SEVERAL}))"""
_COLUMNS = "id, tile_id, text, kind, state, grid, source, probability, stated, verdict, random_key"
_STRETCH = f"""(SELECT {_COLUMNS} FROM labeling_question
    WHERE project_id = %(project)s AND kind = 'caption' AND state = 'settled'
        AND random_key {{side}} LIMIT {REFERENCES})"""
_REFERENCES = f"""
SELECT DISTINCT q.id, q.tile_id, q.text FROM (
    {_STRETCH.format(side=">= %(point)s ORDER BY random_key")}
    UNION ALL {_STRETCH.format(side="< %(point)s ORDER BY random_key DESC")}
    UNION ALL (SELECT {_COLUMNS} FROM labeling_question
        WHERE kind = 'caption' AND state = 'settled' AND tile_id = ANY(%(tiles)s::bigint[]))
) AS q WHERE {IS_REFERENCE}
"""
_CAPTIONS = f"""
SELECT q.text,
    q.state = 'open' AND q.stated IS NOT NULL
        AND q.source <> 'model' AND q.author_id IS DISTINCT FROM %(annotator)s
        AND q.id <> ALL(%(exclude)s::bigint[]) AND {reservations.available("q")}
        AND NOT EXISTS (SELECT FROM labeling_answer AS answer
            WHERE answer.question_id = q.id AND answer.annotator_id = %(annotator)s)
        AND {taken_back.may_be_asked("q.id")},
    q.id, q.tile_id, tile.image_id, q.concept_id, q.probability, q.answers_count,
    q.answers_wanted, q.priority, q.random_key, 1.0::float8
FROM labeling_question AS q JOIN labeling_tile AS tile ON tile.id = q.tile_id
WHERE q.kind = 'caption' AND q.tile_id = ANY(%(tiles)s::bigint[])
"""
_SHOWN = """
SELECT tile.id, coalesce(image.near_duplicate_of_id, image.id),
    image.stated_keys || ARRAY(
        SELECT '#' || concept_id FROM labeling_question
        WHERE tile_id = tile.id AND kind = 'concept' AND probability >= 0.5
    )
FROM labeling_tile AS tile JOIN labeling_image AS image ON image.id = tile.image_id
WHERE tile.id = ANY(%(tiles)s::bigint[])
"""
_HOLDS = f"""
SELECT count(*) FROM labeling_question
WHERE id = %s AND kind = 'caption' AND state IN ('settled', 'gold') AND probability >= {BELIEVED}
    AND stated IS NOT NULL
"""
_SUPPLY = f"""
WITH reference AS MATERIALIZED (
    SELECT q.id, q.tile_id FROM labeling_question AS q
    WHERE q.project_id = %(project)s AND {IS_REFERENCE} LIMIT {COUNTED}
), beside AS (
    SELECT q.id, q.state FROM labeling_question AS q
    WHERE q.kind = 'caption' AND q.state IN ('open', 'gold') AND q.source <> 'model'
        AND q.tile_id IN (SELECT tile_id FROM reference)
), waiting AS (
    (SELECT id, tile_id, state, source FROM labeling_question
    WHERE project_id = %(project)s AND kind = 'caption' AND state = 'open' LIMIT {COUNTED})
    UNION ALL
    (SELECT id, tile_id, state, source FROM labeling_question
    WHERE project_id = %(project)s AND kind = 'caption' AND state = 'gold' LIMIT {COUNTED})
), caption AS (
    SELECT id, state FROM beside
    UNION
    SELECT waiting.id, waiting.state FROM waiting WHERE waiting.source <> 'model' AND EXISTS (
        SELECT FROM labeling_question AS q WHERE q.tile_id = waiting.tile_id AND {IS_REFERENCE})
)
SELECT (SELECT count(DISTINCT tile_id) FROM reference),
    count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'gold')
FROM caption
"""


class Supply(NamedTuple):
    """What text questions of a project can be made of."""

    pictures: int  # with a sentence that people are sure of
    open: int  # captions of those pictures that are still to be judged
    gold: int  # and those that are gold

    @property
    def pictures_needed(self) -> int:
        """How many pictures are needed at least."""
        return ENOUGH

    @property
    def is_enough(self) -> bool:
        """Whether any text question can be asked."""
        return self.pictures >= ENOUGH and self.open > 0


class Caption(NamedTuple):
    """A sentence about a picture."""

    question: int
    tile: int
    text: str


def supply(project: Project) -> Supply:
    """Count what a project's text questions can be made of.

    It looks at COUNTED references, open captions and gold captions at most: where there are more,
    there may be more than it says.
    """
    return Supply(*prepared.fetch(_SUPPLY, {"project": project.pk})[0])


def holds(challenge: Challenge) -> bool:
    """Whether people are still sure of the sentence that a text challenge compares with."""
    return bool(prepared.fetch(_HOLDS, challenge.sentences[:1])[0][0])


def selections(reader: Reader) -> Iterator[Selection]:
    """Yield text questions for an annotator, now and then about gold; none where none is open.

    None is asked at random: pictures of which people are sure of a sentence are no random sample.
    """
    texts = _Texts(reader)
    ranked = reader.ranked(texts.open)[:TRIES] if texts.is_enough else []
    if ranked and random.random() < TEXT_GOLD:
        truth = known.draw_truth(ranked[0].probability)
        alike = [candidate for candidate in texts.gold if (candidate.probability >= 0.5) == truth]
        random.shuffle(alike)
        gold = (texts.compose(candidate) for candidate in alike[:TRIES])
        if selection := next(filter(None, gold), None):
            yield selection
    yield from filter(None, map(texts.compose, ranked))


class _Texts:
    """The sentences that one annotator's text question may be made of."""

    def __init__(self, reader: Reader) -> None:
        project, annotator = reader.project, reader.annotator.pk
        read = reader.read(
            candidates.captions(project.pk, annotator, Reason.WANTED, by_priority=True),
            candidates.gold_captions(project.pk, True, Reason.GOLD),
            candidates.gold_captions(project.pk, False, Reason.GOLD),
        )
        self.references = self._read_references(project, {c.tile for c in read})
        by_tile = {reference.tile for reference in self.references}
        self.is_enough = len(by_tile) >= ENOUGH
        tiles = {c.tile for c in read} & by_tile
        tiles |= set(random.sample(sorted(by_tile), k=min(PICTURES, len(by_tile))))
        values = reservations.parameters(project, now=timezone.now())
        values |= reader.showings.parameters()
        exclude = list(reader.pending_questions)
        values |= {"annotator": annotator, "exclude": exclude, "tiles": list(tiles)}
        self.captions: dict[int, list[Caption]] = defaultdict(list)  # by tile
        self.open: list[Candidate] = []
        for text, is_asked, *row in prepared.fetch(_CAPTIONS, values):
            candidate = Candidate(Reason.WANTED, *row)
            self.captions[candidate.tile].append(Caption(candidate.question, candidate.tile, text))
            if is_asked:
                self.open.append(candidate)
        self.gold = [c for c in read if c.role == Reason.GOLD and c.tile in by_tile]
        self._overlap = Overlap(
            caption.text
            for captions in (self.references, *self.captions.values())
            for caption in captions
        )

    def compose(self, candidate: Candidate) -> Selection | None:
        """Return the question about a caption; None without a reference or a distractor."""
        own = self.captions[candidate.tile]
        text = next((c.text for c in own if c.question == candidate.question), None)
        references = [
            each
            for each in self.references
            if each.tile == candidate.tile and each.question != candidate.question
        ]
        if text is None or not references:
            return None
        reference = max(references, key=lambda each: self._overlap.of(each.text, text))
        distractor = self._distractor(candidate.tile, [each.text for each in own])
        if distractor is None:
            return None
        options = [candidate.question, distractor.question]
        random.shuffle(options)
        sentences = (reference.question, *options)
        return Selection(Kind.TEXT, None, [pick(candidate, candidate.role)], sentences=sentences)

    def _distractor(self, tile: int, texts: Sequence[str]) -> Caption | None:
        """Return a sentence of a picture that shows other things, unlike all of these texts."""
        unlike = (
            each
            for each in random.sample(self.references, k=len(self.references))
            if each.tile != tile
            and all(self._overlap.of(each.text, text) < ALIKE for text in texts)
        )
        some = [each for each, _ in zip(unlike, range(DISTRACTORS), strict=False)]
        described = shown([tile, *(each.tile for each in some)])
        family, things = described.get(tile, (0, frozenset()))
        common = {
            each: len(things & described[each.tile][1])
            for each in some
            if each.tile in described and described[each.tile][0] != family
        }
        return min(common, key=common.__getitem__, default=None)

    @staticmethod
    def _read_references(project: Project, tiles: Collection[int]) -> list[Caption]:
        """Return references of the project from a random point on, and all of these tiles."""
        values = {"project": project.pk, "tiles": list(tiles), "point": random.random()}
        return [Caption(*row) for row in prepared.fetch(_REFERENCES, values)]


def shown(tiles: Sequence[int]) -> Mapping[int, tuple[int, frozenset[str]]]:
    """Return the family of near-duplicates of each tile, and what its picture is said to show."""
    rows = prepared.fetch(_SHOWN, {"tiles": list(tiles)})
    return {tile: (family, frozenset(things)) for tile, family, things in rows}
