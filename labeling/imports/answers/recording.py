"""Votes → answers, worker by worker, and truths → gold; each with what became of it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from labeling import answers, gold, questions
from labeling.imports import plans
from labeling.imports.answers import crowds
from labeling.imports.answers.checking import Checked, Pair, Vote, implied
from labeling.imports.answers.entries import Kind
from labeling.imports.answers.report import AnswersReport
from labeling.models import Annotator, Answer, Concept, GoldMark, Import, Question, Tile

BATCH = 1_000  # questions that are answered in a transaction, about
OPPOSITE = "the opposite was recorded before, and stands"
GONE = "its question was deleted during the import: import it again"

Renew = Callable[[int], None]  # called with the number of entries that were dealt with


def record(
    record: Import, checked: Checked, report: AnswersReport, *, crowd: str, renew: Renew
) -> None:
    """Record all votes that are not known, each batch in a transaction of its own.

    So people who answer do not wait for the whole file, and an import that was stopped goes on: an
    answer of this very import counts as new. crowd: within which a worker's id is one person
    (`labeling.imports.answers.crowds`). Raises LeaseLost.
    """
    chosen = {
        worker: {vote.pair for vote in votes} for worker, votes in sorted(checked.votes.items())
    }
    pairs = {
        pair
        for worker, votes in checked.votes.items()
        for vote in votes
        for pair in (vote.pair, *implied(vote, chosen[worker], checked.exclusive))
    }
    question_ids = _ask(pairs)
    done = 0
    for worker in chosen:
        annotator, _ = Annotator.objects.get_or_create(pseudonym=crowds.pseudonym(crowd, worker))
        recorder = _Recorder(
            record, annotator, question_ids, chosen[worker], checked.exclusive, report
        )
        for batch in _batches(checked.votes[worker], len(checked.exclusive)):
            recorder.record(batch)
            done += len(batch)
            renew(done)


def contradictions(checked: Checked, *, crowd: str) -> Iterator[Vote]:
    """Yield the votes whose opposite their worker has recorded before."""
    for worker, votes in checked.votes.items():
        images = {vote.pair[0] for vote in votes}
        given = Answer.objects.filter(
            annotator__pseudonym=crowds.pseudonym(crowd, worker),
            question__tile__grid=1,
            question__tile__image__in=images,
            question__concept__isnull=False,
        ).values_list("question__tile__image", "question__concept", "value")
        values = {(image, concept): value for image, concept, value in given}
        yield from (vote for vote in votes if values.get(vote.pair, vote.value) != vote.value)


def mark(
    record: Import, checked: Checked, report: AnswersReport, by: AbstractBaseUser | None
) -> None:
    """Make the truths gold. Without a person (`by`), gold that differs stays as it is."""
    if not checked.truths:
        return
    images = {image for image, _ in checked.truths}
    tiles = dict(
        Tile.objects.filter(image__in=images, grid=1).order_by().values_list("image", "pk")
    )
    values = {
        (tiles[image], concept): value
        for (image, concept), (_, value) in checked.truths.items()
        if image in tiles
    }
    outcome = gold.mark_pairs(
        project=record.project,
        values=values,
        by=by,
        origin=GoldMark.Origin.FILE,
        imported_by=record,
        record=False,
    )
    marks = GoldMark.objects.filter(imported_by=record, value__isnull=False)
    own = set(marks.order_by().values_list("tile", "concept"))
    report.changed = outcome.changed
    for (image, concept), (entry, _) in checked.truths.items():
        pair = tiles.get(image, 0), concept
        if pair in outcome.refused or image not in tiles:
            reason = outcome.refused.get(pair, GONE)
            report.refuse(entry.where, entry.column, f"it cannot be gold: {reason}", Kind.GOLD)
        elif pair in own:
            report.new[Kind.GOLD] += 1
        else:
            report.known[Kind.GOLD] += 1


class _Recorder:
    """Records the votes of one worker."""

    def __init__(
        self,
        record: Import,
        annotator: Annotator,
        question_ids: Mapping[Pair, int],
        chosen: Collection[Pair],
        exclusive: Collection[int],
        report: AnswersReport,
    ) -> None:
        self.import_, self.annotator, self.report = record, annotator, report
        self.question_ids, self.chosen, self.exclusive = question_ids, chosen, exclusive

    def record(self, votes: Sequence[Vote]) -> None:
        """Record a batch of votes, and what they imply, in a transaction."""
        with transaction.atomic():
            plans.hold_record(self.import_)
            Annotator.objects.lock(self.annotator.pk)
            pending, values = self._new_values(votes)
            answers.record(
                annotator=self.annotator,
                values=values,
                reasons=dict.fromkeys(values, Answer.Reason.IMPORTED),
                imported_by=self.import_.pk,
            )
            rows = Answer.objects.filter(
                annotator=self.annotator, question__in=values, imported_by=self.import_
            )
            stored = set(rows.values_list("question", flat=True))
        for vote in pending:
            if self.question_ids[vote.pair] in stored:
                self.report.new[Kind.ANSWER] += 1
            else:
                self._refuse(vote, GONE)

    def _new_values(self, votes: Sequence[Vote]) -> tuple[list[Vote], dict[int, bool]]:
        """Return the votes that are to be stored, and all values that are; count the others."""
        given = self._given(votes)
        pending, values = [], {}
        for vote in votes:
            question = self.question_ids.get(vote.pair)
            value, imported_by = given.get(vote.pair, (None, None))
            if question is None:
                self._refuse(vote, GONE)
                continue
            if value is None:
                pending.append(vote)
                values[question] = vote.value
            elif imported_by == self.import_.pk:
                self.report.new[Kind.ANSWER] += 1
            elif value == vote.value:
                self.report.known[Kind.ANSWER] += 1
            else:
                self._refuse(vote, OPPOSITE)
                continue
            for pair in implied(vote, self.chosen, self.exclusive):
                if pair not in given and pair in self.question_ids:
                    values.setdefault(self.question_ids[pair], False)
        return pending, values

    def _given(self, votes: Sequence[Vote]) -> dict[Pair, tuple[bool, int | None]]:
        """Return what the worker has answered about these votes' pictures: value and import."""
        rows = Answer.objects.filter(
            annotator=self.annotator,
            question__tile__grid=1,
            question__tile__image__in={vote.pair[0] for vote in votes},
            question__concept__isnull=False,
        )
        columns = "question__tile__image", "question__concept", "value", "imported_by"
        return {
            (image, concept): (value, imported_by)
            for image, concept, value, imported_by in rows.order_by().values_list(*columns)
        }

    def _refuse(self, vote: Vote, reason: str) -> None:
        self.report.refuse(vote.entry.where, vote.entry.column, reason)


def _batches(votes: Sequence[Vote], labels: int) -> Iterator[list[Vote]]:
    """Yield votes in batches that answer about BATCH questions each."""
    size = max(1, BATCH // max(1, labels))
    for start in range(0, len(votes), size):
        yield list(votes[start : start + size])


def _ask(pairs: Collection[Pair]) -> dict[Pair, int]:
    """Return the question id of each pair; ask where nobody asked before."""
    images: dict[int, set[int]] = defaultdict(set)
    for image, concept_id in pairs:
        images[concept_id].add(image)
    question_ids = {}
    for concept in Concept.objects.filter(pk__in=images):
        wholes = list(Tile.objects.filter(image__in=images[concept.pk], grid=1))
        questions.ask_concepts(tiles=wholes, concepts=[concept])
        rows = Question.objects.filter(concept=concept, tile__in=wholes, kind="concept")
        for pk, image in rows.values_list("pk", "tile__image_id"):
            question_ids[image, concept.pk] = pk
    return question_ids
